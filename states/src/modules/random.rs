//! `random.*`: values that are made up once and kept, as passwords are. Salt has no such state; what
//! it has are functions that make a new value each time.

use proto::{Args, Map, Value};

use super::{file, params::random as params};
use crate::{
    look::Kind,
    plan::{Call, Plan, State, StateError, StateModule},
    resource::files::Seen,
};

pub const MODULE: StateModule = StateModule {
    name: "random",
    states: &[State {
        name: "stored",
        doc: "Makes up a text once and keeps it in a file that only its owner reads.\n\n    /etc/app/secret:\n      random.stored:\n        - length: 32\n        - punctuation: False\n        - user: app\n        - makedirs: True",
        params: params::STORED,
        plan: stored,
    }],
    watch: None,
};

/// The arguments of `random.get_str`.
const SHAPE: [&str; 8] =
    ["length", "chars", "lowercase", "uppercase", "digits", "punctuation", "whitespace", "printable"];

/// A file as `file.managed` makes it: with a new value where it has none, else as it is.
fn stored(call: &Call<'_>) -> Result<Plan, StateError> {
    let seen = Seen::of(call.look, call.name().as_ref());
    let has_value = seen.real.as_ref().is_some_and(|(_, stat)| stat.kind == Kind::File && stat.size > 0);
    let mut low: Map = call.low.clone();
    low.entry("mode").or_insert_with(|| "0600".into());
    low.insert("show_changes".into(), false.into());
    if has_value {
        low.insert("replace".into(), false.into());
    } else {
        let given = SHAPE.into_iter().filter_map(|key| Some((key.to_owned(), call.value(key)?.clone())));
        let value = call.call("random.get_str", Args { positional: Vec::new(), named: given.collect() })?;
        low.insert("contents".into(), value);
        low.insert("contents_newline".into(), Value::Bool(false));
    }
    file::managed(&call.with_low(&low))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        Look,
        testing::{Memory, apply, thrice},
    };

    #[test]
    fn a_value_is_made_up_once_and_shown_to_nobody() {
        let host = Memory::new(json!({}));
        let sls =
            "/etc/app/secret:\n  random.stored:\n    - length: 32\n    - makedirs: True\n    - punctuation: False\n";
        let [_, first, _] = thrice(&host, &[("t.sls", sls)]);
        let value = host.text("/etc/app/secret").unwrap();
        assert_eq!(value.len(), 32);
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric()), "{value}");
        assert!(!format!("{first:?}").contains(&value));
        assert_eq!(first.2, json!({"diff": "New file"}));
        assert_eq!(host.stat("/etc/app/secret".as_ref()).unwrap().mode, 0o600);
        thrice(&host, &[("t.sls", sls)]);
        assert_eq!(host.text("/etc/app/secret").unwrap(), value);
        host.put("/etc/app/secret", "");
        assert_eq!(apply(&host, sls, false)[0].1, json!(true));
        let new = host.text("/etc/app/secret").unwrap();
        assert!(new.len() == 32 && new != value);
    }
}
