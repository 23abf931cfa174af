//! Arguments that a state function does not have: an error where Salt takes them for one, else a
//! warning where another was likely meant.

use proto::{Map, Value};

use crate::{
    compile::{KEYWORDS, is_keyword},
    diag::nearest,
    modules,
    plan::State,
};

/// What the arguments of a low chunk come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Known,
    /// Salt would not run it (`SaltInvocationError`, which there ends the whole run).
    Refused(String),
    /// The state runs, with these `warnings`.
    Doubtful(Vec<String>),
}

/// Looks through a low chunk. Functions that Salt gives `**kwargs` may have arguments that nobody knows.
pub fn judge(low: &Map) -> Verdict {
    let text = |key: &str| low.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let (module, fun) = (text("state"), text("fun"));
    let Some(state) = modules::state(module, fun) else { return Verdict::Known };
    if state.params.iter().any(|param| param.name.starts_with("**")) {
        return Verdict::Known;
    }
    let unknown = low.keys().map(String::as_str).filter(|key| !is_known(state, key));
    let full = format!("{module}.{fun}");
    if !modules::takes_any(&full) {
        let unknown: Vec<&str> = unknown.collect();
        return if unknown.is_empty() { Verdict::Known } else { Verdict::Refused(refusal(&full, state, &unknown)) };
    }
    let warnings: Vec<String> = unknown
        .filter_map(|key| Some(format!("{full} has no argument '{key}'; did you mean {}?", near(state, key)?)))
        .collect();
    if warnings.is_empty() { Verdict::Known } else { Verdict::Doubtful(warnings) }
}

/// The arguments of a low chunk that its function does not have.
pub fn unknown(low: &Map) -> impl Iterator<Item = (&String, &Value)> {
    let text = |key: &str| low.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = modules::state(text("state"), text("fun"));
    low.iter().filter(move |(key, _)| state.is_some_and(|state| !is_known(state, key)))
}

fn is_known(state: &State, key: &str) -> bool {
    // `name_order` and `sfun` are the compiler's, `names` was taken apart by it.
    state.params.iter().any(|param| param.name == key)
        || is_keyword(key)
        || matches!(key, "name" | "names" | "name_order" | "sfun")
}

fn near<'k>(state: &State, key: &'k str) -> Option<&'k str>
where
    'static: 'k,
{
    nearest(key, state.params.iter().map(|param| param.name).chain(KEYWORDS.iter().copied()))
}

/// Salt's sentence, and what may have been meant.
fn refusal(full: &str, state: &State, unknown: &[&str]) -> String {
    let quoted: Vec<String> = unknown.iter().map(|key| format!("'{key}'")).collect();
    let said = match &quoted[..] {
        [one] => format!("{one} is an invalid keyword argument for '{full}'"),
        [most @ .., last] => format!("{} and {last} are invalid keyword arguments for '{full}'", most.join(", ")),
        [] => String::new(),
    };
    let hint = unknown.iter().find_map(|key| near(state, key));
    let hint =
        hint.map_or_else(|| format!("`ctl doc {full}` lists its arguments"), |near| format!("did you mean {near}?"));
    format!("{said}\n  hint: {hint}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Memory, apply, call};

    fn judged(low: Value) -> Verdict {
        judge(low.as_object().unwrap())
    }

    #[test]
    fn an_argument_that_is_none_is_told() {
        let known = json!({"state": "file", "fun": "managed", "name": "/a", "__id__": "/a", "order": 1, "contents": "x",
            "require": [], "check_cmd": "true", "anything": 1});
        assert_eq!(judged(known), Verdict::Known);
        let close = json!({"state": "file", "fun": "managed", "contnts": "x", "requires": []});
        let warnings = ["contnts", "requires"].into_iter().zip(["contents", "require"]);
        let warnings =
            warnings.map(|(key, near)| format!("file.managed has no argument '{key}'; did you mean {near}?"));
        assert_eq!(judged(close), Verdict::Doubtful(warnings.collect()));
        let refused = json!({"state": "group", "fun": "present", "name": "x", "sytem": true, "colour": "red"});
        let said =
            "'sytem' and 'colour' are invalid keyword arguments for 'group.present'\n  hint: did you mean system?";
        assert_eq!(judged(refused), Verdict::Refused(said.into()));
        assert_eq!(judged(json!({"state": "nope", "fun": "managed", "contnts": 1})), Verdict::Known);
    }

    #[test]
    fn only_the_state_that_has_it_fails_and_a_warning_changes_no_result() {
        let host = Memory::new(json!({}));
        let sls = "/a:\n  file.managed:\n    - contents: x\n    - contnts: y\nx:\n  file.touch:\n    - name: /b\n    - atimes: 1\n";
        for test in [true, false] {
            let rows = apply(&host, sls, test);
            assert_ne!(rows[0].1, json!(false), "{}", rows[0].2);
            assert_eq!((rows[1].1.clone(), host.text("/b")), (json!(false), None));
            assert!(rows[1].2.starts_with("'atimes' is an invalid keyword argument for 'file.touch'"), "{}", rows[1].2);
        }
        let args = proto::Args::positional(["t".into()]);
        let rows = call(&host, &[("t.sls", sls)], json!({}), "state.apply", args).0.unwrap();
        let row = rows.as_object().unwrap().values().next().unwrap();
        assert_eq!(row["warnings"], json!(["file.managed has no argument 'contnts'; did you mean contents?"]));
    }
}
