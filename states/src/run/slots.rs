//! Slots: arguments that are asked for when their state runs, as
//! `__slot__:salt:cmd.run(hostname) ~ .example.com`. Salt's `State.format_slots` and `utils.args.parse_function`.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use proto::{Args, Map, Value};

use crate::{
    Context,
    compile::is_keyword,
    merge,
    plan::{StateError, call},
};

const MARK: &str = "__slot__:";

/// Arguments with their slots filled: texts, texts in a mapping or a list, and texts in the mappings of a list.
///
/// # Errors
/// What a function that a slot calls fails with.
pub fn filled<'m>(context: &Context<'_>, arguments: &'m Map) -> Result<Cow<'m, Map>, StateError> {
    if !arguments.iter().any(|(key, value)| !is_keyword(key) && has_slot(value)) {
        return Ok(Cow::Borrowed(arguments));
    }
    let mut new = arguments.clone();
    for (_, value) in new.iter_mut().filter(|(key, _)| !is_keyword(key)) {
        fill(context, value, 2)?;
    }
    Ok(Cow::Owned(new))
}

fn has_slot(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(MARK),
        Value::Array(items) => items.iter().any(has_slot),
        Value::Object(map) => map.values().any(has_slot),
        _ => false,
    }
}

fn fill(context: &Context<'_>, value: &mut Value, deeper: u8) -> Result<(), StateError> {
    match value {
        Value::String(text) if text.starts_with(MARK) => *value = asked(context, text)?,
        Value::Array(items) if deeper == 2 => {
            for item in items {
                fill(context, item, 1)?;
            }
        }
        Value::Object(map) if deeper > 0 => {
            for item in map.values_mut() {
                fill(context, item, 0)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a slot stands for; the text itself where it is not one that can be called.
fn asked(context: &Context<'_>, slot: &str) -> Result<Value, StateError> {
    let as_it_is = || Ok(Value::from(slot));
    let Some(called) = slot.strip_prefix(MARK).and_then(|rest| rest.strip_prefix("salt:")) else { return as_it_is() };
    let Some(Called { function, args }) = Called::parse(called) else { return as_it_is() };
    if context.functions.find(&function).is_none() {
        return as_it_is();
    }
    let mut answer = call(context, &function, args)?;
    let (head, more) = called.split_once('~').map_or((called, None), |(head, more)| (head, Some(more)));
    if let Some((_, path)) = head.rsplit_once(')').and_then(|(_, behind)| behind.split_once('.')) {
        answer = merge::traverse(&answer, path.trim(), ".").cloned().unwrap_or_default();
    }
    if let (Value::String(text), Some(more)) = (&mut answer, more) {
        text.push_str(unquoted(more.trim()));
    }
    Ok(answer)
}

fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// A call as it is written: `module.function(argument, name=argument)`.
#[derive(Debug)]
struct Called {
    function: String,
    args: Args,
}

impl Called {
    /// Everything in it is text; quotes and brackets keep commas together.
    fn parse(text: &str) -> Option<Self> {
        let mut tokens = Tokens(text.chars().peekable());
        let mut function = String::new();
        loop {
            match tokens.next()? {
                Token::Mark('(') if function.is_empty() => return None,
                Token::Mark('(') => break,
                token => function.push_str(&token.text()),
            }
        }
        let (mut args, mut open) = (Args::default(), Vec::new());
        let (mut name, mut word): (Option<String>, Option<String>) = (None, None);
        loop {
            let token = tokens.next()?;
            match token {
                Token::Mark(',' | ')') if open.is_empty() => {
                    args = match (name.take(), word.take()) {
                        (Some(name), word) => args.with(&name, word.unwrap_or_default()),
                        (None, Some(word)) => {
                            args.positional.push(word.into());
                            args
                        }
                        (None, None) => args,
                    };
                    if token == Token::Mark(')') {
                        return Some(Self { function, args });
                    }
                    continue;
                }
                Token::Mark('=') if open.is_empty() => {
                    name = Some(word.take().unwrap_or_default());
                    continue;
                }
                Token::Mark(bracket @ ('(' | '[' | '{')) => open.push(bracket),
                Token::Mark(bracket @ (')' | ']' | '}')) if open.pop() != Some(partner(bracket)) => return None,
                _ => {}
            }
            word.get_or_insert_default().push_str(&token.text());
        }
    }
}

fn partner(bracket: char) -> char {
    match bracket {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

/// Words and signs, as Python's `shlex` reads them: what is quoted belongs to a word, blanks to none.
struct Tokens<'t>(Peekable<Chars<'t>>);

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Mark(char),
}

impl Token {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Word(word) => Cow::Borrowed(word),
            Self::Mark(mark) => Cow::Owned(mark.to_string()),
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
        if self.0.peek()? == &'#' {
            return None;
        }
        let mut word: Option<String> = None;
        while let Some(&next) = self.0.peek() {
            match next {
                quote @ ('"' | '\'') => {
                    self.0.next();
                    word.get_or_insert_default().push_str(&self.quoted(quote)?);
                }
                '\\' => {
                    self.0.next();
                    word.get_or_insert_default().push(self.0.next()?);
                }
                letter if letter.is_alphanumeric() || letter == '_' => {
                    self.0.next();
                    word.get_or_insert_default().push(letter);
                }
                _ => break,
            }
        }
        word.map(Token::Word).or_else(|| self.0.next().map(Token::Mark))
    }
}

impl Tokens<'_> {
    /// What stands up to the closing quote; none if it is missing.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.0.next()? {
                end if end == quote => return Some(text),
                '\\' => match self.0.next()? {
                    escaped if escaped == quote || escaped == '\\' => text.push(escaped),
                    other => text.extend(['\\', other]),
                },
                letter => text.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, apply};

    #[test]
    fn calls_are_read_as_salt_reads_them() {
        let read =
            |text: &str| Called::parse(text).map(|called| (called.function, called.args.positional, called.args.named));
        let (function, positional, named) = read("test.arg(one, 'two, three', k=\"a b\", l=[1, 2], e='')").unwrap();
        assert_eq!((function.as_str(), positional), ("test.arg", vec![json!("one"), json!("two, three")]));
        assert_eq!(Value::Object(named), json!({"k": "a b", "l": "[1,2]", "e": ""}));
        assert_eq!(read("cmd.run(echo hi)").unwrap().1, [json!("echohi")], "blanks belong to no word");
        assert_eq!(read(r#"f.g("a\"b", 'c\d')"#).unwrap().1, [json!("a\"b"), json!("c\\d")]);
        for broken in ["", "test.arg", "(x)", "f.g(x", "f.g('x)", "f.g([x)]"] {
            assert!(read(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn slots_are_filled_when_their_state_runs() {
        let host = Memory::new(json!({"os": "Debian", "a": {"b": "deep"}}));
        let sls = "x:\n  file.managed:\n    - name: /a\n    - contents: __slot__:salt:grains.get(os) ~ /tail\n\
                   y:\n  file.managed:\n    - name: __slot__:salt:file.join(/, sub)\n    - contents:\n      - __slot__:salt:grains.item(a).a.b\n\
                   z:\n  file.managed:\n    - name: /z\n    - contents: '__slot__:salt:none.such(1)'\n\
                   w:\n  test.nop:\n    - unless:\n      - fun: grains.equals\n        args: [os, '__slot__:salt:grains.get(os)']\n";
        for test in [true, false] {
            let rows = apply(&host, sls, test);
            assert!(rows.iter().all(|row| row.1 != json!(false)), "{rows:?}");
            assert_eq!(rows[3].2, "unless condition is true");
        }
        let text = |path: &str| host.text(path).unwrap_or_default();
        assert_eq!((text("/a").as_str(), text("/sub").as_str()), ("Debian/tail\n", "deep\n"));
        assert_eq!(text("/z"), "__slot__:salt:none.such(1)\n", "what cannot be called stays as it is");
    }
}
