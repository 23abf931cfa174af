//! The arguments that each filter takes, as Salt and Jinja2 declare them: what they refuse, we do.

use std::{collections::HashMap, sync::LazyLock};

use crate::{
    diag::{Diagnostic, did_you_mean},
    jinja::{Error, error, object::Args},
};

/// A filter a line: its name and its arguments; `*` takes any number more, `**` any name.
static TEXT: &str = include_str!("declared.txt");

static DECLARED: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let of_line = |line: &'static str| {
        let mut words = line.split(' ');
        Some((words.next()?, words.collect()))
    };
    TEXT.lines().filter_map(of_line).collect()
});

/// Refuses arguments that a filter does not take. A filter that is not declared is not checked.
pub fn check(name: &str, args: &Args) -> Result<(), Error> {
    let Some(declared) = DECLARED.get(name) else { return Ok(()) };
    let places = declared.iter().filter(|word| !word.starts_with('*')).count();
    if args.positional.len() > places && !declared.contains(&"*") {
        return error(format!("the filter {name} takes at most {places} arguments, not {}", args.positional.len()));
    }
    let unknown = args.named.keys().find(|word| !declared.contains(&word.as_str()));
    match unknown.filter(|_| !declared.contains(&"**")) {
        Some(word) => Err(Box::new(
            Diagnostic::new(format!("the filter {name} has no argument '{word}'"))
                .hint_opt(did_you_mean(word, declared.iter().copied())),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jinja::value::Value;

    #[test]
    fn what_is_not_declared_is_refused() {
        let two = Args::of(vec![Value::None, Value::None]);
        assert!(check("upper", &two).is_err() && check("default", &two).is_ok() && check("path_join", &two).is_ok());
        let mut named = Args::of(Vec::new());
        named.named.insert("widht".into(), Value::None);
        assert_eq!(check("indent", &named).unwrap_err().hint.as_deref(), Some("did you mean width?"));
    }

    #[test]
    fn each_filter_of_ours_is_declared() {
        let missing: Vec<_> = super::super::names().filter(|name| !DECLARED.contains_key(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
