//! Filters on text.

use super::{Table, int, string, wanted_text};
use crate::jinja::{
    Error, error, format as python_format, methods,
    object::Args,
    print, regex,
    value::{Dict, Key, Value},
};

pub const TABLE: Table = &[
    ("upper", |_, v, _| Ok(string(&v)?.to_uppercase().into())),
    ("lower", |_, v, _| Ok(string(&v)?.to_lowercase().into())),
    ("capitalize", |_, v, a| methods::call(&string(&v)?.into(), "capitalize", a)),
    ("title", |_, v, _| Ok(title(&string(&v)?).into())),
    ("trim", |_, v, a| methods::call(&string(&v)?.into(), "strip", a)),
    ("center", |_, v, a| {
        let width = a.int_or(0, "width", 80)?;
        methods::call(&string(&v)?.into(), "center", &Args::of(vec![Value::Int(width)]))
    }),
    ("replace", |_, v, a| {
        let text = string(&v)?;
        let (old, new) = (string(a.value(0, "old")?)?, string(a.value(1, "new")?)?);
        Ok(match a.get(2, "count").and_then(Value::as_int).and_then(|n| usize::try_from(n).ok()) {
            Some(count) => text.replacen(&old, &new, count).into(),
            None => text.replace(&old, &new).into(),
        })
    }),
    ("format", |_, v, a| {
        let text = string(&v)?;
        let values = if a.named.is_empty() {
            Value::tuple(a.positional.clone())
        } else {
            Value::dict(a.named.iter().map(|(k, v)| (Key::str(k), v.clone())).collect::<Dict>())
        };
        python_format::percent(&text, &values).map(Value::from)
    }),
    ("indent", |_, v, a| indent(wanted_text(&v)?, a).map(Value::from)),
    ("wordcount", |_, v, _| {
        Ok(int(string(&v)?.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).count()))
    }),
    ("wordwrap", |_, v, a| wordwrap(&string(&v)?, a).map(Value::from)),
    ("truncate", |_, v, a| truncate(&string(&v)?, a).map(Value::from)),
    ("striptags", |_, v, _| {
        let regex = regex::compile("(?s)<!--.*?-->|<[^>]*>", false, false)?;
        let text = string(&v)?;
        let plain = regex.replace_all(&text, "");
        let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = [("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&")];
        Ok(known.iter().fold(plain, |text, (code, sign)| text.replace(code, sign)).into())
    }),
    ("string", |_, v, _| Ok(string(&v)?.into())),
    ("safe", |_, v, _| v.defined()),
    ("escape", |_, v, _| Ok(escape(&string(&v)?).into())),
    ("e", |_, v, _| Ok(escape(&string(&v)?).into())),
    ("forceescape", |_, v, _| Ok(escape(&string(&v)?).into())),
    ("urlencode", |_, v, _| urlencode(&v).map(Value::from)),
    ("urlize", |_, v, _| Ok(string(&v)?.into())),
    ("quote", |_, v, _| Ok(shell_quote(wanted_text(&v)?).into())),
    ("regex_escape", |_, v, _| Ok(regex_escape(wanted_text(&v)?).into())),
    ("regex_search", |_, v, a| regex_groups(&v, a, false)),
    ("regex_match", |_, v, a| regex_groups(&v, a, true)),
    ("regex_replace", |_, v, a| {
        let text = wanted_text(&v)?;
        let regex = pattern(a, 2)?;
        let with = a.text(1, "val")?;
        match regex.try_replacen(text, 0, |found: &fancy_regex::Captures<'_, str>| regex::expand(with, found)) {
            Ok(text) => Ok(text.into_owned().into()),
            Err(why) => error(format!("the pattern took too long: {why}")),
        }
    }),
    ("contains_whitespace", |_, v, _| Ok(Value::Bool(wanted_text(&v)?.contains(char::is_whitespace)))),
    ("to_snake_case", |_, v, _| Ok(snake(wanted_text(&v)?).into())),
    ("to_camelcase", |_, v, a| Ok(camel(wanted_text(&v)?, a.truth_or(0, "uppercamel", false)?).into())),
    ("to_bytes", |_, v, _| v.defined()),
    ("str_to_num", |_, v, _| Ok(to_num(&v))),
    ("to_num", |_, v, _| Ok(to_num(&v))),
    ("is_hex", |_, v, _| {
        let digits = v.as_str().map(|s| s.trim().trim_start_matches(['-', '+']).trim_start_matches("0x"));
        Ok(Value::Bool(digits.is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_ascii_hexdigit()))))
    }),
    ("substring_in_list", |_, v, a| {
        let part = wanted_text(&v)?;
        let list = a.value(0, "list_to_search")?.iterate()?;
        Ok(Value::Bool(list.iter().any(|item| item.as_str().is_some_and(|s| s.contains(part)))))
    }),
];

fn pattern(args: &Args, first_flag: usize) -> Result<fancy_regex::Regex, Error> {
    let ignore_case = args.truth_or(first_flag, "ignorecase", false)?;
    regex::compile(args.text(0, "rgx")?, ignore_case, args.truth_or(first_flag + 1, "multiline", false)?)
}

fn regex_groups(value: &Value, args: &Args, at_start: bool) -> Result<Value, Error> {
    let text = wanted_text(value)?;
    let regex = pattern(args, 1)?;
    let found = if at_start {
        super::find_at_start(&regex, text)?
    } else {
        regex
            .captures(text)
            .map_err(|why| Box::new(crate::Diagnostic::new(format!("the pattern took too long: {why}"))))?
    };
    let Some(found) = found else { return Ok(Value::None) };
    let group = |i: usize| found.get(i).map_or(Value::None, |part| part.as_str().into());
    let groups = if found.len() == 1 { vec![group(0)] } else { (1..found.len()).map(group).collect() };
    Ok(Value::tuple(groups))
}

/// A capital behind each blank, hyphen and bracket, as Jinja2's filter has it.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || "-({[<".contains(c);
    }
    out
}

fn indent(text: &str, args: &Args) -> Result<String, Error> {
    let margin = match args.get(0, "width") {
        Some(Value::Str(margin)) => margin.to_string(),
        _ => " ".repeat(usize::try_from(args.int_or(0, "width", 4)?.min(10_000)).unwrap_or(0)),
    };
    let first = args.truth_or(1, "first", false)?;
    let blank = args.truth_or(2, "blank", false)?;
    // A line end at the very end gives an empty last line, which gets no margin either.
    let mut out = String::with_capacity(text.len() * 2);
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let wanted = if i == 0 { first } else { blank || !line.is_empty() };
        if wanted {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn wordwrap(text: &str, args: &Args) -> Result<String, Error> {
    let width = usize::try_from(args.int_or(0, "width", 79)?).unwrap_or(79).max(1);
    let end = args.text_or(2, "wrapstring", "\n")?;
    let (long, hyphens) = (args.truth_or(1, "break_long_words", true)?, args.truth_or(3, "break_on_hyphens", true)?);
    let lines: Vec<String> = text.lines().flat_map(|line| wrapped(line, width, long, hyphens)).collect();
    Ok(lines.join(end))
}

/// One line as Python's `textwrap` breaks it.
fn wrapped(line: &str, width: usize, break_long: bool, on_hyphens: bool) -> Vec<String> {
    let (mut lines, mut current) = (Vec::new(), String::new());
    for (blank, chunk) in chunks(line, on_hyphens) {
        let mut chunk = chunk;
        let gap = usize::from(blank && !current.is_empty());
        if current.chars().count() + gap + chunk.chars().count() <= width {
            current.push_str(if gap == 1 { " " } else { "" });
        } else {
            if !current.is_empty() {
                lines.push(std::mem::take(&mut current));
            }
            while break_long && chunk.chars().count() > width {
                let at = chunk.char_indices().nth(width).map_or(chunk.len(), |(at, _)| at);
                lines.push(chunk[..at].to_owned());
                chunk = &chunk[at..];
            }
        }
        current.push_str(chunk);
    }
    lines.push(current);
    lines
}

/// Parts that may stand on lines of their own, and whether a blank stands before each.
fn chunks(line: &str, on_hyphens: bool) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    for (index, word) in line.split(' ').enumerate() {
        let mut blank = index > 0;
        if !on_hyphens {
            out.push((blank, word));
            continue;
        }
        for part in word.split_inclusive('-') {
            out.push((blank, part));
            blank = false;
        }
    }
    out
}

fn truncate(text: &str, args: &Args) -> Result<String, Error> {
    let length = usize::try_from(args.int_or(0, "length", 255)?).unwrap_or(255);
    let kill = args.truth_or(1, "killwords", false)?;
    let end = args.text_or(2, "end", "...")?;
    let leeway = usize::try_from(args.int_or(3, "leeway", 5)?).unwrap_or(5);
    if text.chars().count() <= length + leeway {
        return Ok(text.to_owned());
    }
    let cut: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let kept = if kill { &cut } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept) };
    Ok(format!("{kept}{end}"))
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&#34;")
}

fn urlencode(value: &Value) -> Result<String, Error> {
    let pair = |key: &Value, value: &Value| {
        format!(
            "{}={}",
            url_quote(&print::str(key), "").replace("%20", "+"),
            url_quote(&print::str(value), "").replace("%20", "+")
        )
    };
    match value.check()? {
        Value::Dict(dict) => {
            Ok(dict.borrow().iter().map(|(key, value)| pair(&key.to_value(), value)).collect::<Vec<_>>().join("&"))
        }
        Value::List(_) | Value::Tuple(_) | Value::Iter(..) => {
            let mut pairs = Vec::new();
            for item in value.iterate()? {
                match &item.iterate()?[..] {
                    [key, value] => pairs.push(pair(key, value)),
                    _ => return error("urlencode needs pairs"),
                }
            }
            Ok(pairs.join("&"))
        }
        other => Ok(url_quote(&print::str(other), "/")),
    }
}

fn url_quote(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || safe.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// As Python's `shlex.quote`.
fn shell_quote(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if text.is_empty() {
        "''".into()
    } else if text.chars().all(harmless) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    }
}

/// As Python's `re.escape`.
fn regex_escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn snake(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let next_is_lower = chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if i > 0 && c.is_uppercase() && (chars[i - 1].is_lowercase() || next_is_lower) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn camel(text: &str, upper: bool) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or(String::new(), |c| c.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase())
    };
    let mut words = text.split('_');
    let first = words.next().unwrap_or("");
    let first = if upper { capital(first) } else { first.to_owned() };
    first + &words.map(capital).collect::<String>()
}

pub fn to_num(value: &Value) -> Value {
    let Value::Str(text) = value else { return value.clone() };
    let clean = text.trim();
    if let Ok(number) = clean.parse::<i64>() {
        return Value::Int(number);
    }
    clean.parse::<f64>().map_or(value.clone(), Value::Float)
}
