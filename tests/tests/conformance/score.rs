//! Two answers side by side.

use std::fs;

use proto::Value;
use states::CallError;

use crate::site::folder;

/// The cases that may differ, from `differences.toml`: lines `case = "…"`.
fn differences() -> Vec<String> {
    let text = fs::read_to_string(folder().join("differences.toml")).unwrap();
    let quoted = |line: &str| serde_json::from_str(line.strip_prefix("case = ")?).ok();
    text.lines().filter_map(quoted).collect()
}

#[derive(Default)]
pub struct Score {
    cases: usize,
    wrong: Vec<(String, String)>,
}

impl Score {
    pub fn compare(&mut self, name: String, salt: &Value, ours: Result<Value, CallError>) {
        self.cases += 1;
        let said = match (salt.get("ok"), &ours) {
            (Some(salt), Ok(ours)) if same(salt, ours) => return,
            (None, Err(_)) => return,
            (Some(salt), Ok(ours)) => format!("Salt: {salt}\n  ours: {ours}"),
            (Some(salt), Err(ours)) => format!("Salt: {salt}\n  ours: {ours}"),
            (None, Ok(ours)) => format!("Salt refuses: {salt}\n  ours: {ours}"),
        };
        self.wrong.push((name, said));
    }

    pub fn finish(self) {
        let known = differences();
        let (allowed, wrong): (Vec<_>, Vec<_>) = self.wrong.iter().partition(|(name, _)| known.contains(name));
        let shown: Vec<String> = wrong.iter().map(|(name, said)| format!("{name}\n  {said}")).collect();
        assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), self.cases, shown.join("\n"));
        let gone: Vec<&String> =
            known.iter().filter(|case| !self.wrong.iter().any(|(name, _)| name == *case)).collect();
        assert!(gone.is_empty(), "these do not differ any more: {gone:?}");
        assert!(allowed.len() * 50 <= self.cases, "{} of {} cases differ: more than 2 %", allowed.len(), self.cases);
    }
}

/// Equal as JSON; Salt's own traces of errors in a pillar are not compared word by word.
pub fn same(salt: &Value, ours: &Value) -> bool {
    match (salt, ours) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| key == "_errors" || same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            // The golden files are read with the last digit off.
            (Some(a), Some(b)) => (a - b).abs() <= a.abs() * f64::EPSILON * 4.0,
            (a, b) => a == b,
        },
        (a, b) => a == b,
    }
}
