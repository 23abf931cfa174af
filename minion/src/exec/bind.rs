//! Binding arguments to parameters, with Salt's rules and messages.

use std::time::Duration;

use proto::{Args, Map, Value};
use states::{CallError, call::Param};

/// A required parameter.
pub const fn need(name: &'static str) -> Param {
    Param { name, default: None }
}

/// A parameter with a default, written as Salt's documentation writes it.
pub const fn with(name: &'static str, default: &'static str) -> Param {
    Param { name, default: Some(default) }
}

/// Takes the positional arguments that are left (`*args`).
pub const REST: Param = Param { name: "*args", default: Some("") };
/// Takes the named arguments that are left (`**kwargs`).
pub const NAMED: Param = Param { name: "**kwargs", default: Some("") };

/// A row of a table whose arguments are bound to its parameters before the function is called:
/// `row!("m.f", Reads, [need("x")], call, "What it does.\n\n    ctl run '*' m.f x")`.
macro_rules! row {
    ($name:literal, $effect:ident, [$($param:expr),* $(,)?], $call:expr, $doc:literal $(,)?) => {
        states::Function {
            name: $name,
            doc: $doc,
            params: const { &[$($param),*] },
            effect: states::Effect::$effect,
            call: |context, args| {
                let bound = $crate::exec::bind::bind($name, const { &[$($param),*] }, args)?;
                let call: fn(&states::Context<'_>, &$crate::exec::bind::Bound) -> Result<proto::Value, states::CallError> = $call;
                call(context, &bound)
            },
        }
    };
}
pub(crate) use row;

/// Arguments by parameter name; what was not given is not there.
#[derive(Debug, Default)]
pub struct Bound {
    function: &'static str,
    values: Map,
    pub rest: Vec<Value>,
    pub named: Map,
}

/// Binds `args` to `params`. Named arguments that begin with `__` are Salt's own marks and are
/// dropped, as Salt does.
pub fn bind(function: &'static str, params: &[Param], args: Args) -> Result<Bound, CallError> {
    let mut bound = Bound { function, ..Bound::default() };
    let given = args.positional.len();
    let mut positional = args.positional.into_iter();
    let mut named = args.named;
    for param in params.iter().filter(|param| !param.name.starts_with('*')) {
        let by_name = named.shift_remove(param.name);
        let value = match (positional.next(), by_name) {
            (Some(_), Some(_)) => return Err(twice(function, param.name)),
            (value, by_name) => value.or(by_name),
        };
        match value {
            Some(value) => drop(bound.values.insert(param.name.to_owned(), value)),
            None if param.default.is_none() => return Err(too_few(function, params, given)),
            None => {}
        }
    }
    bound.rest = positional.collect();
    named.retain(|name, _| !name.starts_with("__"));
    bound.named = named;
    bound.refuse_surplus(params, given)?;
    Ok(bound)
}

fn twice(function: &str, name: &str) -> CallError {
    CallError::arguments(format!("{function} got multiple values for argument '{name}'"))
}

fn too_few(function: &str, params: &[Param], given: usize) -> CallError {
    let least = params.iter().filter(|param| param.default.is_none()).count();
    let s = if least == 1 { "" } else { "s" };
    CallError::arguments(format!("{function} takes at least {least} argument{s} ({given} given)"))
}

impl Bound {
    fn refuse_surplus(&self, params: &[Param], given: usize) -> Result<(), CallError> {
        let takes = |mark: &str| {
            params.iter().any(|param| param.name.starts_with(mark) && !param.name[mark.len()..].starts_with('*'))
        };
        if !self.rest.is_empty() && !takes("*") {
            let most = params.iter().filter(|param| !param.name.starts_with('*')).count();
            let why = format!("{} takes at most {most} arguments ({given} given)", self.function);
            return Err(CallError::arguments(why));
        }
        match self.named.keys().next() {
            Some(name) if !takes("**") => Err(self.unknown(name, params)),
            _ => Ok(()),
        }
    }

    fn unknown(&self, name: &str, params: &[Param]) -> CallError {
        let near = params
            .iter()
            .map(|param| (strsim::damerau_levenshtein(name, param.name), param.name))
            .filter(|&(distance, _)| distance <= 2)
            .min_by_key(|&(distance, _)| distance)
            .map(|(_, near)| format!("; did you mean {near}?"))
            .unwrap_or_default();
        CallError::arguments(format!("{} takes no argument named '{name}'{near}", self.function))
    }

    /// The value as it was given; `None` also for an explicit null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// The same once more, to leave something out of it.
    pub fn copy(&self) -> Self {
        Self {
            function: self.function,
            values: self.values.clone(),
            rest: self.rest.clone(),
            named: self.named.clone(),
        }
    }

    pub fn forget(&mut self, name: &str) {
        self.values.shift_remove(name);
    }

    /// Whether null was given.
    pub fn is_null(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Value::is_null)
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text; numbers and booleans become what the operator typed.
    pub fn text(&self, name: &str) -> Result<Option<String>, CallError> {
        match self.value(name) {
            None => Ok(None),
            Some(value @ (Value::Array(_) | Value::Object(_))) => Err(self.wrong(name, "a string", value)),
            Some(value) => Ok(Some(text_of(value))),
        }
    }

    /// A text that must be there (its parameter has no default, or null was given for it).
    pub fn need_text(&self, name: &str) -> Result<String, CallError> {
        self.text(name)?.ok_or_else(|| CallError::arguments(format!("{} needs a value for '{name}'", self.function)))
    }

    /// A truth value as Python sees it.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.values.get(name).map_or(default, truth)
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, CallError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64().or_else(|| value.as_f64().map(|float| float as i64)),
        };
        number.map(Some).ok_or_else(|| self.wrong(name, "a whole number", value))
    }

    /// Seconds, whole or not; never negative.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, CallError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let seconds = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        };
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(Some)
            .ok_or_else(|| self.wrong(name, "a number of seconds", value))
    }

    /// A list: a list as it is, a text split at commas (Salt's `split_input`), any other value alone.
    pub fn list(&self, name: &str) -> Vec<Value> {
        match self.value(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(Value::String(text)) => text.split(',').map(|part| Value::String(part.trim().into())).collect(),
            Some(value) => vec![value.clone()],
        }
    }

    pub fn wrong(&self, name: &str, wanted: &str, value: &Value) -> CallError {
        CallError::arguments(format!("{}: '{name}' must be {wanted}, not {value}", self.function))
    }
}

/// A value as an operator would type it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        other => other.to_string(),
    }
}

/// Python's truth.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PARAMS: &[Param] = &[need("cmd"), with("cwd", "None"), with("timeout", "None")];
    static OPEN: &[Param] = &[REST, NAMED];

    fn refusal(args: Args) -> String {
        bind("cmd.run", PARAMS, args).unwrap_err().to_string()
    }

    #[test]
    fn arguments_are_bound_by_place_and_by_name() {
        let bound =
            bind("cmd.run", PARAMS, Args::positional(["ls".into()]).with("timeout", "1.5").with("__x", 1)).unwrap();
        assert_eq!(bound.need_text("cmd").unwrap(), "ls");
        assert_eq!(bound.seconds("timeout").unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(bound.text("cwd").unwrap(), None);
        let open = bind("test.arg", OPEN, Args::positional([1.into()]).with("a", 2)).unwrap();
        assert_eq!((open.rest.len(), open.named.len()), (1, 1));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        assert_eq!(refusal(Args::default()), "cmd.run takes at least 1 argument (0 given)");
        let many = Args::positional((0..4).map(Value::from));
        assert_eq!(refusal(many), "cmd.run takes at most 3 arguments (4 given)");
        let misspelt = Args::positional(["ls".into()]).with("cdw", "/");
        assert_eq!(refusal(misspelt), "cmd.run takes no argument named 'cdw'; did you mean cwd?");
        let twice = Args::positional(["ls".into()]).with("cmd", "ps");
        assert_eq!(refusal(twice), "cmd.run got multiple values for argument 'cmd'");
    }
}
