//! `debconf.*`: answers to the questions of packages.

use proto::Map;
use serde_json::json;

use super::{file::content, params::debconf as params};
use crate::{
    Command, Host, Look,
    functions::truth,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::command::{ask, complaint, program},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "debconf",
    states: &[
        State {
            name: "set",
            doc: "Makes sure that questions of a package have their answers.\n\n    tzdata:\n      debconf.set:\n        - data:\n            tzdata/Areas: {type: select, value: Europe}",
            params: params::SET,
            plan: set,
        },
        State {
            name: "set_file",
            doc: "Gives the answers of a file, each time.\n\n    answers:\n      debconf.set_file:\n        - source: salt://debconf/answers",
            params: params::SET_FILE,
            plan: set_file,
        },
    ],
    watch: None,
};

/// One answer.
struct Answer {
    question: String,
    kind: String,
    value: String,
}

impl Answer {
    fn shown(&self) -> &str {
        if self.kind == "password" { "(password hidden)" } else { &self.value }
    }
}

/// The answers that are known of a package: question, kind, answer.
fn known(look: &dyn Look, package: &str) -> Result<Vec<(String, String, String)>, StateError> {
    let output = ask(look, &["debconf-get-selections"])?;
    if output.code != 0 {
        return failed(format!("debconf-get-selections, of the package debconf-utils: {}", complaint(&output)));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| match line.splitn(4, '\t').collect::<Vec<_>>()[..] {
        [owner, question, kind, value] if owner == package => Some((question.into(), kind.into(), value.into())),
        _ => None,
    };
    Ok(said.lines().filter(|line| !line.starts_with('#')).filter_map(row).collect())
}

fn select(host: &dyn Host, lines: &str) -> Result<(), StateError> {
    let command = Command { stdin: Some(lines.as_bytes().to_vec()), ..program(&["debconf-set-selections"]) };
    let output = host.run(&command).map_err(|why| StateError::failed(why.to_string()))?;
    if output.code == 0 { Ok(()) } else { failed(complaint(&output)) }
}

fn set(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let known = known(call.look, &name)?;
    let (mut open, mut same) = (Vec::new(), String::new());
    for (question, given) in call.map("data") {
        let field = |key: &str| given.get(key).cloned();
        let (Some(kind), Some(answer)) = (field("type"), field("value")) else {
            return failed(format!("data: {question} needs a type and a value"));
        };
        let kind = value::python_str(&kind);
        let value = match kind.as_str() {
            "boolean" => if truth(&answer) { "true" } else { "false" }.to_owned(),
            _ => value::python_str(&answer),
        };
        if [&question, &kind, &value].iter().any(|text| text.contains('\n')) {
            return failed(format!("data: {question} has a line end"));
        }
        if known.iter().any(|(q, k, v)| *q == question && *k == kind && *v == value) {
            same.push_str(if same.is_empty() { "Unchanged answers: " } else { "" });
            same.push_str(&format!("{question} "));
        } else {
            open.push(Answer { question, kind, value });
        }
    }
    if open.is_empty() {
        return Plan::keep("All specified answers are already set");
    }
    let preview: Map =
        open.iter().map(|answer| (answer.question.clone(), format!("New value: {}", answer.shown()).into())).collect();
    Plan::change(same.clone(), preview, move |doing| {
        let (mut changes, mut good) = (Map::new(), true);
        for answer in &open {
            let line = format!("{name} {} {} {}\n", answer.question, answer.kind, answer.value);
            let done = select(doing.host, &line).is_ok();
            good &= done;
            let shown = if done { answer.shown() } else { "Failed to set!" };
            changes.insert(answer.question.clone(), shown.into());
        }
        let comment = if good { same } else { "Some settings failed to be applied.".to_owned() };
        Ok(Done { result: good, ..Done::new(comment, changes) })
    })
}

fn set_file(call: &Call<'_>) -> Result<Plan, StateError> {
    let source = call.need("source")?;
    for (key, word) in [("context", "Context"), ("defaults", "Defaults")] {
        if call.value(key).is_some_and(|value| !value.is_object()) {
            return failed(format!("{word} must be formed as a dict"));
        }
    }
    let bytes = content::of_source(call, &source)?;
    Plan::change("Debconf selections would have been set.", json!({}), move |doing| {
        let done = select(doing.host, &String::from_utf8_lossy(&bytes));
        done.map_err(|why| StateError::failed(format!("Unable to set debconf selections from file. {why}")))?;
        Ok(Done::new("Debconf selections were set.", json!({})))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, said, thrice};

    #[test]
    fn answers_are_given_once_and_passwords_hidden() {
        let host = Memory::new(json!({})).with(&[("/known", "other\ta/b\tstring\tx\n")]).answer(|host, line| {
            match line {
                "debconf-get-selections" => return said(&host.text("/known")?),
                "debconf-set-selections" => host.put("/known", "p\tp/q\tboolean\ttrue\np\tp/pw\tpassword\ts3\n"),
                _ => return None,
            }
            said("")
        });
        let sls = "p:\n  debconf.set:\n    - data:\n        p/q: {type: boolean, value: True}\n        p/pw: {type: password, value: s3}\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.2, json!({"p/q": "New value: true", "p/pw": "New value: (password hidden)"}));
        assert_eq!(first.2, json!({"p/q": "true", "p/pw": "(password hidden)"}));
        assert_eq!(second.1, "All specified answers are already set");
    }
}
