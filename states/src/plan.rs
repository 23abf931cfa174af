//! What a state function is: it plans with a [`Look`], and only what the plan carries out is
//! given a [`Host`].

use std::{io, path::Path};

use proto::{Args, FunctionName, Map, Value};

use crate::{
    CallError, Context, Host, Look,
    call::Param,
    compile::{Chunk, Kind, Step},
    functions::truth,
    run::Accumulated,
    value,
};

/// What has to be done for a state to hold.
pub enum Plan {
    /// Nothing: it holds already. The comment says so.
    Keep(String),
    /// As [`Keep`](Plan::Keep), with more to say (`warnings`, `data`).
    KeepWith(Done),
    Change {
        /// What a dry run says, as Salt does.
        comment: String,
        /// What a dry run shows as changes.
        changes: Map,
        /// Other keys of a dry run's result (`warnings`).
        more: Map,
        apply: Apply,
    },
}

/// Carries a plan out and tells what was done.
pub type Apply = Box<dyn FnOnce(&Doing<'_>) -> Result<Done, StateError> + Send>;

impl Plan {
    pub fn keep(comment: impl Into<String>) -> Result<Self, StateError> {
        Ok(Self::Keep(comment.into()))
    }

    pub fn change(
        comment: impl Into<String>,
        changes: impl IntoMap,
        apply: impl FnOnce(&Doing<'_>) -> Result<Done, StateError> + Send + 'static,
    ) -> Result<Self, StateError> {
        let (comment, changes) = (comment.into(), changes.into_map());
        Ok(Self::Change { comment, changes, more: Map::new(), apply: Box::new(apply) })
    }

    /// The same with other keys in what a dry run shows.
    pub fn with_more(self, given: Map) -> Self {
        match self {
            Self::Change { comment, changes, mut more, apply } => {
                more.extend(given);
                Self::Change { comment, changes, more, apply }
            }
            other => other,
        }
    }
}

/// What a plan is carried out with.
pub struct Doing<'a> {
    pub host: &'a dyn Host,
    /// To call other functions. Its host is the one above.
    pub context: &'a Context<'a>,
    /// The low chunk.
    pub low: &'a Map,
    /// Whether anything is done at all: false where a dry run only notes what would be there. Only what
    /// no host stands before needs to ask (the environment of this process).
    pub is_real: bool,
}

impl Doing<'_> {
    /// In a dry run, what stands for the end of an execution function: none may be called there, since
    /// it may change what no host stands before. That something may change is noted, as of any command.
    pub fn foretold(&self) -> Option<Done> {
        if self.is_real {
            return None;
        }
        let _noted = self.host.run(&crate::Command::default());
        Some(Done::new("", Map::new()))
    }

    /// Tells whoever follows the run, and the log, what the state waits for.
    pub fn wait_for(&self, what: &str) {
        self.context.wait_for(self.low, what);
    }
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    pub result: bool,
    pub comment: String,
    pub changes: Map,
    /// Other keys of the result (`warnings`, `data`, `skip_watch` …).
    pub more: Map,
}

impl Done {
    pub fn new(comment: impl Into<String>, changes: impl IntoMap) -> Self {
        Self { result: true, comment: comment.into(), changes: changes.into_map(), more: Map::new() }
    }

    /// Neither well nor badly, as Salt says of some arguments that contradict one another.
    pub fn undecided(comment: impl Into<String>) -> Self {
        let more = [("undecided".to_owned(), Value::Bool(true))].into_iter().collect();
        Self { more, ..Self::new(comment, Map::new()) }
    }

    pub fn failed(comment: impl Into<String>, changes: impl IntoMap) -> Self {
        Self { result: false, ..Self::new(comment, changes) }
    }
}

/// What can stand for changes: a map, or a JSON object.
pub trait IntoMap {
    fn into_map(self) -> Map;
}

impl IntoMap for Map {
    fn into_map(self) -> Map {
        self
    }
}

impl IntoMap for Value {
    fn into_map(self) -> Map {
        match self {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// Why a state cannot hold. Its text is the comment of the result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    #[error("{0}")]
    Failed(String),
    #[error("{comment}")]
    WithChanges { comment: String, changes: Map },
    /// Something is not there. In a dry run after a state that may bring it, that is no failure.
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Call(#[from] CallError),
}

impl StateError {
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// What the system said about a path.
    pub fn io(doing: &str, path: &Path, why: &io::Error) -> Self {
        Self::Failed(format!("Unable to {doing} {}: {why}", path.display()))
    }

    pub fn changes(&self) -> Map {
        match self {
            Self::WithChanges { changes, .. } => changes.clone(),
            _ => Map::new(),
        }
    }
}

pub fn failed<T>(why: impl Into<String>) -> Result<T, StateError> {
    Err(StateError::failed(why))
}

pub fn missing<T>(why: impl Into<String>) -> Result<T, StateError> {
    Err(StateError::Missing(why.into()))
}

/// As [`missing`], of what is missing at a path: it fails a dry run too where an earlier state takes it away.
pub fn missing_at<T>(look: &dyn Look, path: &Path, why: impl Into<String>) -> Result<T, StateError> {
    match look.expects_anything() && !look.may_come(path) {
        true => failed(why),
        false => missing(why),
    }
}

/// What is said of something that is missing in a dry run, and may be brought by an earlier state.
pub const BY_THEN: &str = "\nNote: an earlier state of this run would change the host, and may bring it.";

pub type PlanFn = fn(&Call<'_>) -> Result<Plan, StateError>;

/// A state function: its name without the module, its documentation (Markdown; the first line
/// is the summary, what follows an example), its parameters, and how it plans.
pub struct State {
    pub name: &'static str,
    pub doc: &'static str,
    pub params: &'static [Param],
    pub plan: PlanFn,
}

/// The state functions of one module.
pub struct StateModule {
    pub name: &'static str,
    pub states: &'static [State],
    /// What is done when something that a state watches has changed.
    pub watch: Option<PlanFn>,
}

/// One call of a state function: its arguments, and what it may see.
pub struct Call<'a> {
    pub look: &'a dyn Look,
    /// The low chunk.
    pub low: &'a Map,
    /// Whether nothing will be carried out.
    pub test: bool,
    pub(crate) context: &'a Context<'a>,
    /// All states of the run, for those that look at others (`clean`).
    pub(crate) steps: &'a [Step],
    /// What this state waits for.
    pub(crate) needs: Vec<(Kind, &'a Chunk)>,
    pub(crate) accumulated: &'a Accumulated,
    /// The watched states that changed, as `module: id`.
    pub(crate) watched: Vec<String>,
}

impl<'a> Call<'a> {
    /// The same with other arguments.
    pub fn with_low<'b>(&'b self, low: &'b Map) -> Call<'b>
    where
        'a: 'b,
    {
        let (needs, watched) = (self.needs.clone(), self.watched.clone());
        let Self { look, test, context, steps, accumulated, .. } = *self;
        Call { look, low, test, context, steps, needs, accumulated, watched }
    }
}

impl Call<'_> {
    pub fn context(&self) -> &Context<'_> {
        self.context
    }

    /// An argument; `None` also for an explicit null.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.low.get(key).filter(|value| !value.is_null())
    }

    pub fn name(&self) -> String {
        self.text("name").unwrap_or_default()
    }

    /// A text; other scalars as Python prints them.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(value::python_str)
    }

    pub fn text_or(&self, key: &str, default: &str) -> String {
        self.text(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text that is not empty.
    pub fn some_text(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty())
    }

    pub fn need(&self, key: &str) -> Result<String, StateError> {
        self.text(key).ok_or_else(|| StateError::Failed(format!("Missing parameter {key} for state {}", self.full())))
    }

    /// `file.managed`.
    pub fn full(&self) -> String {
        let part = |key: &str| self.low.get(key).map_or(String::new(), value::python_str);
        format!("{}.{}", part("state"), part("fun"))
    }

    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.value(key).map_or(default, truth)
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A list of texts; a single one is a list of one, nothing an empty one.
    pub fn list(&self, key: &str) -> Vec<String> {
        self.values(key).iter().map(value::python_str).collect()
    }

    pub fn values(&self, key: &str) -> Vec<Value> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
        }
    }

    /// A mapping, or a list of mappings put together.
    pub fn map(&self, key: &str) -> Map {
        match self.value(key) {
            Some(Value::Object(map)) => map.clone(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).flat_map(Clone::clone).collect(),
            _ => Map::new(),
        }
    }

    /// Calls an execution function that reads.
    pub fn call(&self, function: &str, args: Args) -> Result<Value, StateError> {
        call(self.context, function, args)
    }

    /// The environment that files come from.
    pub fn env(&self) -> String {
        self.some_text("saltenv").or_else(|| self.some_text("__env__")).unwrap_or_else(|| "base".into())
    }
}

/// Calls an execution function by name.
pub fn call(context: &Context<'_>, function: &str, args: Args) -> Result<Value, StateError> {
    let name: FunctionName =
        function.parse().map_err(|why: proto::IdError| StateError::failed(format!("{function}: {why}")))?;
    Ok(context.call(&name, args)?)
}
