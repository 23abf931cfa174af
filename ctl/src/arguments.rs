//! A function's arguments as typed: `5` is a number, `{a: 1}` a mapping, `KEY=VALUE` is named.
//! Salt's rules (`salt.utils.args.parse_input`).

use proto::{Args, Value};

use crate::error::Error;

/// Positional and named arguments, each with the type that its YAML has.
pub fn parse(words: &[String]) -> Args {
    let mut args = Args::default();
    for word in words {
        match named(word) {
            Some((name, value)) => args = args.with(name, typed(value)),
            None => args.positional.push(typed(word)),
        }
    }
    args
}

/// The function that is meant and its arguments: `FUNCTION ARG…`, or `-- WORD…` for a command
/// line. Words behind `FUNCTION … --` are more of its arguments.
pub fn call<'a>(function: Option<&'a str>, words: &[String], behind: &[String]) -> Result<(&'a str, Args), Error> {
    match function {
        Some(function) => Ok((function, parse_for(function, &[words, behind].concat()))),
        None if behind.is_empty() => Err(Error::nothing("there is no command behind `--`")),
        None => Ok(("cmd.run", argv(behind))),
    }
}

/// As [`parse`], for a function: what `cmd.*` is to run stays as it was typed, unless it is a list
/// of words. Salt makes a boolean of `cmd.run true`, and then finds no command `True`.
fn parse_for(function: &str, words: &[String]) -> Args {
    let mut args = parse(words);
    let typed = words.iter().find(|word| named(word).is_none());
    let runs = function == "cmd" || function.starts_with("cmd.");
    if let (true, Some(word), Some(value)) = (runs, typed, args.positional.first_mut())
        && !value.is_array()
    {
        *value = Value::String(word.clone());
    }
    args
}

/// Whether a word is `KEY=VALUE`.
pub fn is_named(word: &str) -> bool {
    named(word).is_some()
}

/// Only the `KEY=VALUE` words, each of which has to be one.
pub fn pairs(words: &[String]) -> Result<proto::Map, String> {
    words
        .iter()
        .map(|word| {
            let (name, value) = named(word).ok_or_else(|| format!("{word:?} is not KEY=VALUE"))?;
            Ok((name.to_owned(), typed(value)))
        })
        .collect()
}

/// A command line as `cmd.run` takes it without a shell.
fn argv(words: &[String]) -> Args {
    let words = words.iter().cloned().map(Value::String).collect();
    Args::positional([Value::Array(words)]).with("python_shell", false)
}

/// `name=value`, but not `a==b`, nor a text of several lines.
fn named(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|c| c == '_' || c.is_alphabetic());
    let goes_on = characters.all(|c| c.is_alphanumeric() || "_.-".contains(c));
    (starts && goes_on && !value.starts_with('=') && !value.contains('\n')).then_some((name, value))
}

fn typed(word: &str) -> Value {
    let text = || Value::String(word.to_owned());
    // A YAML reader would fold these characters, or take what follows `#` for a comment.
    if word.contains(['\t', '\r', '\n']) || matches!(word.trim(), "---" | "...") {
        return text();
    }
    match states::yaml::scalar(word) {
        Value::String(_) | Value::Null if word.contains('#') => text(),
        // A job's id, for one: no number that we have would keep all its digits.
        Value::Number(number) if number.is_f64() && word.bytes().all(|b| b.is_ascii_digit()) => text(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(words: &[&str]) -> (Vec<Value>, Value) {
        let args = parse(&words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>());
        (args.positional, Value::Object(args.named))
    }

    #[test]
    fn arguments_have_the_types_that_salt_gives_them() {
        let (positional, named) = parsed(&[
            "df -h",
            "5",
            "[1, a]",
            "a: b",
            "x==y",
            "echo a # b",
            "A=1\nB",
            "cwd=/tmp",
            "python_shell=True",
            "n=",
        ]);
        assert_eq!(json!(positional), json!(["df -h", 5, [1, "a"], "a: b", "x==y", "echo a # b", "A=1\nB"]));
        assert_eq!(named, json!({"cwd": "/tmp", "python_shell": true, "n": ""}));
    }

    #[test]
    fn what_is_to_be_run_is_run_as_typed() {
        let parsed = |function, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            json!(parse_for(function, &words).positional)
        };
        assert_eq!(parsed("cmd.run", &["cwd=/", "true", "5"]), json!(["true", 5]));
        assert_eq!(parsed("cmd", &["[echo, a]"]), json!([["echo", "a"]]));
        assert_eq!(parsed("test.echo", &["true"]), json!([true]));
    }

    #[test]
    fn a_job_id_keeps_its_digits() {
        assert_eq!(parsed(&["20261121112754000042", "1e3"]).0, [json!("20261121112754000042"), json!("1e3")]);
    }

    #[test]
    fn a_command_line_stays_a_list_of_words() {
        let args = argv(&["echo".into(), "5".into(), "a=b".into()]);
        assert_eq!(json!(args.positional), json!([["echo", "5", "a=b"]]));
        assert_eq!(args.named["python_shell"], json!(false));
    }

    #[test]
    fn pairs_must_be_pairs() {
        assert!(pairs(&["role=db".into(), "5=x".into()]).is_err());
        assert_eq!(Value::Object(pairs(&["role=db".into(), "n=5".into()]).unwrap()), json!({"role": "db", "n": 5}));
    }
}
