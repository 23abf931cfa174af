//! One line of a run's result.

use proto::{Map, Value};
use serde::{Deserialize, Serialize};

use crate::{
    compile::Chunk,
    plan::{Done, StateError},
    value,
};

/// How a state ended, as Salt shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `None`: a dry run that would change something.
    pub result: Option<bool>,
    pub changes: Map,
    pub comment: String,
    /// Whether the state function was called at all.
    pub ran: bool,
    /// `mod_watch` is not to be called after it.
    pub skip_watch: bool,
    /// States that wait for its changes are not to run.
    pub skip_req: bool,
    /// Other keys of the result.
    pub more: Map,
    pub number: u64,
    /// The clock's time at the start, as `HH:MM:SS.ffffff`.
    pub start: String,
    /// In microseconds.
    pub duration: u64,
}

impl Row {
    pub fn ran(result: Option<bool>, comment: impl Into<String>, changes: Map) -> Self {
        Self { result, comment: comment.into(), changes, ran: true, ..Self::default() }
    }

    pub fn not_run(result: bool, comment: impl Into<String>) -> Self {
        Self { result: Some(result), comment: comment.into(), ..Self::default() }
    }

    pub fn of_done(done: Done) -> Self {
        let mut more = done.more;
        let flag = |more: &Map, key: &str| more.get(key).is_some_and(crate::functions::truth);
        let (skip_watch, skip_req) = (flag(&more, "skip_watch"), flag(&more, "skip_req"));
        let result = more.shift_remove("undecided").is_none().then_some(done.result);
        more.shift_remove("skip_watch");
        more.shift_remove("skip_req");
        Self { skip_watch, skip_req, more, ..Self::ran(result, done.comment, done.changes) }
    }

    pub fn of_error(why: &StateError) -> Self {
        let hint = match why {
            StateError::Call(call) => call.hint(),
            _ => None,
        };
        let comment = match hint {
            Some(hint) => format!("{why}\n  hint: {hint}"),
            None => why.to_string(),
        };
        Self::ran(Some(false), comment, why.changes())
    }

    /// Adds to the `warnings` that Salt's rows may have too.
    pub fn warn(&mut self, warnings: Vec<String>) {
        if warnings.is_empty() {
            return;
        }
        if let Value::Array(known) = self.more.entry("warnings").or_insert_with(|| Value::Array(Vec::new())) {
            known.extend(warnings.into_iter().map(Value::String));
        }
    }

    /// Whether the state failed. A dry run's `None` is no failure.
    pub fn failed(&self) -> bool {
        self.result == Some(false)
    }

    /// In Salt's shape, with what names the state.
    pub fn to_value(&self, chunk: &Chunk) -> Value {
        self.clone().into_value(chunk)
    }

    /// The same of a row that nobody needs any more.
    pub fn into_value(self, chunk: &Chunk) -> Value {
        const KEYS: usize = 12;
        let of = |key: &str| chunk.data.get(key).cloned().unwrap_or(Value::Null);
        let failed = self.failed();
        let mut map = Map::with_capacity(KEYS + self.more.len());
        map.insert("name".into(), of("name"));
        map.insert("changes".into(), Value::Object(self.changes));
        map.insert("result".into(), self.result.map_or(Value::Null, Value::Bool));
        map.insert("comment".into(), Value::String(self.comment));
        map.extend(self.more);
        if self.skip_watch {
            map.insert("skip_watch".into(), Value::Bool(true));
        }
        if !self.ran {
            map.insert("__state_ran__".into(), Value::Bool(false));
        }
        // High data that is in no SLS has none to name.
        let sls = Some(of("__sls__")).filter(|sls| *sls != "").unwrap_or_default();
        map.insert("__sls__".into(), sls);
        map.insert("__run_num__".into(), Value::from(self.number));
        map.insert("start_time".into(), Value::String(self.start));
        map.insert("duration".into(), value::float(self.duration as f64 / 1000.0));
        map.insert("__id__".into(), of("__id__"));
        if failed {
            map.insert("__place__".into(), Value::String(chunk.place.to_string()));
        }
        Value::Object(map)
    }
}
