//! Python's `%` and `str.format`.

use super::{
    Error, error,
    object::Args,
    print,
    value::{Named, Value},
};
use crate::value::float_repr;

/// Widths beyond this are refused.
const WIDTH: usize = 10_000;

/// `'%s is %d' % values`.
pub fn percent(text: &str, values: &Value) -> Result<String, Error> {
    let positional: Vec<Value> = match values {
        Value::Tuple(items) => items.as_ref().clone(),
        other => vec![other.clone()],
    };
    let mut next = positional.iter();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (name, after) = named(rest)?;
        let (spec, conversion, after) = Spec::percent(after, &mut next)?;
        rest = after;
        let value = match (name, values) {
            (Some(name), Value::Dict(dict)) => match dict.borrow().get(&Named(name)) {
                Some(value) => value.clone(),
                None => return error(format!("there is no value for %({name})")),
            },
            (Some(_), _) => return error("%(name) needs a dict behind '%'"),
            (None, _) => match next.next() {
                Some(value) => value.clone(),
                None => return error("there are more places than values for '%'"),
            },
        };
        out.push_str(&converted(&value, conversion, &spec)?);
    }
    if next.next().is_some() && !matches!(values, Value::Dict(_)) {
        return error("there are more values than places for '%'");
    }
    Ok(out + rest)
}

fn named(text: &str) -> Result<(Option<&str>, &str), Error> {
    match text.strip_prefix('(') {
        None => Ok((None, text)),
        Some(rest) => match rest.split_once(')') {
            Some((name, after)) => Ok((Some(name), after)),
            None => error("a '%(' is never closed"),
        },
    }
}

#[derive(Default, Clone)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    comma: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn percent<'t, 'v>(
        text: &'t str,
        values: &mut impl Iterator<Item = &'v Value>,
    ) -> Result<(Self, char, &'t str), Error> {
        let mut spec = Spec { align: Some('>'), ..Spec::default() };
        let mut rest = text;
        while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = Some('<'),
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                sign => spec.sign = Some(sign),
            }
            rest = &rest[1..];
        }
        (spec.width, rest) = number(rest, values)?;
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = number(after, values)?;
            spec.precision = Some(precision);
            rest = after;
        }
        rest = rest.trim_start_matches(['h', 'l', 'L']);
        match rest.chars().next() {
            Some(conversion) => Ok((spec, conversion, &rest[conversion.len_utf8()..])),
            None => error("a '%' stands at the end: write '%%' for a percent sign"),
        }
    }

    fn bounded(self) -> Result<Self, Error> {
        if self.width > WIDTH || self.precision.is_some_and(|p| p > WIDTH) {
            return error("this width is too large");
        }
        Ok(self)
    }

    /// Puts a text into the width, to the side that is asked for.
    fn pad(&self, text: &str, default: char) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = self.fill.unwrap_or(' ');
        let side = |count: usize| fill.to_string().repeat(count);
        match self.align.unwrap_or(default) {
            '<' => text.to_owned() + &side(missing),
            '^' => side(missing / 2) + text + &side(missing - missing / 2),
            '=' => {
                let (sign, digits) = split_sign(text);
                format!("{sign}{}{digits}", side(missing))
            }
            _ => side(missing) + text,
        }
    }

    fn number(&self, text: String, negative: bool) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let missing = self.width.saturating_sub(text.chars().count() + sign.len());
        if self.zero && self.align != Some('<') {
            return format!("{sign}{}{text}", "0".repeat(missing));
        }
        self.pad(&format!("{sign}{text}"), '>')
    }
}

fn split_sign(text: &str) -> (&str, &str) {
    text.split_at(usize::from(text.starts_with(['-', '+'])))
}

fn number<'t, 'v>(text: &'t str, values: &mut impl Iterator<Item = &'v Value>) -> Result<(usize, &'t str), Error> {
    if let Some(rest) = text.strip_prefix('*') {
        let width = values.next().and_then(Value::as_int).and_then(|w| usize::try_from(w).ok());
        return width.map_or_else(|| error("'*' needs an integer"), |width| Ok((width, rest)));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Ok((text[..digits].parse().unwrap_or(0), &text[digits..]))
}

fn converted(value: &Value, conversion: char, spec: &Spec) -> Result<String, Error> {
    let spec = spec.clone().bounded()?;
    let cut = |text: String| match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text,
    };
    let value = value.check()?;
    match conversion {
        's' => Ok(spec.pad(&cut(print::str(value)), '>')),
        'r' | 'a' => Ok(spec.pad(&cut(print::repr(value)), '>')),
        'c' => Ok(spec.pad(&character(value)?, '>')),
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => integer(value, conversion, &spec),
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => float(value, conversion, &spec),
        other => error(format!("'%{other}' is no conversion")),
    }
}

fn character(value: &Value) -> Result<String, Error> {
    let code = value.as_int().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
    match (code, value.as_str()) {
        (Some(c), _) => Ok(c.to_string()),
        (None, Some(text)) => Ok(text.to_owned()),
        _ => error("'%c' needs a character"),
    }
}

fn integer(value: &Value, conversion: char, spec: &Spec) -> Result<String, Error> {
    let number = match value {
        Value::Float(f) if matches!(conversion, 'd' | 'i' | 'u') => *f as i64,
        other => match other.as_int() {
            Some(number) => number,
            None => return error(format!("'%{conversion}' needs a number, not {}", other.described())),
        },
    };
    let magnitude = number.unsigned_abs();
    let digits = match conversion {
        'x' if spec.alternate => format!("0x{magnitude:x}"),
        'X' if spec.alternate => format!("0X{magnitude:X}"),
        'o' if spec.alternate => format!("0o{magnitude:o}"),
        'b' if spec.alternate => format!("0b{magnitude:b}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'o' => format!("{magnitude:o}"),
        'b' => format!("{magnitude:b}"),
        _ => grouped(&magnitude.to_string(), spec.comma),
    };
    Ok(spec.number(digits, number < 0))
}

fn grouped(digits: &str, separator: Option<char>) -> String {
    let Some(separator) = separator else { return digits.to_owned() };
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

fn float(value: &Value, conversion: char, spec: &Spec) -> Result<String, Error> {
    let Some(number) = value.as_float() else {
        return error(format!("'%{conversion}' needs a number, not {}", value.described()));
    };
    let precision = spec.precision.unwrap_or(6);
    let magnitude = number.abs();
    let text = match conversion {
        'f' | 'F' => {
            let text = format!("{magnitude:.precision$}");
            match text.split_once('.') {
                Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole, spec.comma)),
                None => grouped(&text, spec.comma),
            }
        }
        'e' | 'E' => scientific(magnitude, precision),
        _ => general(magnitude, precision),
    };
    let text = if conversion.is_ascii_uppercase() { text.to_uppercase() } else { text };
    Ok(spec.number(text, number < 0.0))
}

fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn general(number: f64, precision: usize) -> String {
    let precision = precision.max(1);
    if number == 0.0 {
        return "0".into();
    }
    let exponent = number.log10().floor() as i32;
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    let trim = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    if exponent < -4 || exponent >= limit {
        let text = scientific(number, precision - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", trim(mantissa.to_owned()));
    }
    let decimals = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    trim(format!("{number:.decimals$}"))
}

/// `'{0} {name!r:>10}'.format(…)`. Members and items of values may be named as well.
pub fn format(text: &str, args: &Args) -> Result<String, Error> {
    let mut places = Places::default();
    replaced(text, args, &mut places, 0)
}

/// How many values were taken without a number, and whether any was with one.
#[derive(Default)]
struct Places {
    auto: usize,
    numbered: bool,
}

impl Places {
    fn refuse_both(&self) -> Result<(), Error> {
        match self.auto > 0 && self.numbered {
            true => error("a format text has either '{}' or '{0}', not both"),
            false => Ok(()),
        }
    }
}

fn replaced(text: &str, args: &Args, places: &mut Places, depth: usize) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let bracket = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(bracket) {
            out.push_str(bracket);
            rest = after;
            continue;
        }
        if bracket == "}" {
            return error("a single '}' stands in a format text: write '}}'");
        }
        let end = closing(rest)?;
        out.push_str(&field(&rest[..end], args, places, depth)?);
        rest = &rest[end + 1..];
    }
    Ok(out + rest)
}

fn closing(text: &str) -> Result<usize, Error> {
    let mut open = 1;
    for (i, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok(i);
        }
    }
    error("a '{' in a format text is never closed")
}

fn field(text: &str, args: &Args, places: &mut Places, depth: usize) -> Result<String, Error> {
    if depth > 2 {
        return error("a format text is nested too deeply");
    }
    let (name, spec) = text.split_once(':').unwrap_or((text, ""));
    let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
    let value = field_value(name, args, places)?;
    let spec = replaced(spec, args, places, depth + 1)?;
    let value = match conversion {
        "r" | "a" => print::repr(&value).into(),
        "s" => print::str(&value).into(),
        _ => value,
    };
    formatted(&value, &spec)
}

fn field_value(name: &str, args: &Args, places: &mut Places) -> Result<Value, Error> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut rest) = name.split_at(end);
    let found = if first.is_empty() {
        places.auto += 1;
        places.refuse_both()?;
        args.positional.get(places.auto - 1)
    } else if let Ok(index) = first.parse::<usize>() {
        places.numbered = true;
        places.refuse_both()?;
        args.positional.get(index)
    } else {
        args.named.get(first)
    };
    let Some(mut value) = found.cloned() else {
        return error(format!("the format text wants '{first}', which was not given"));
    };
    while !rest.is_empty() {
        let (member, after) = member(rest)?;
        rest = after;
        let inner = match &value {
            Value::Dict(dict) => dict.borrow().get(&Named(member)).cloned(),
            other => member.parse().ok().and_then(|index| super::operators::index(other, index)),
        };
        value = inner
            .map_or_else(|| error(format!("the format text wants the member '{member}', which is not there")), Ok)?;
    }
    value.defined()
}

fn member(text: &str) -> Result<(&str, &str), Error> {
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        return Ok(rest.split_at(end));
    }
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, after)) => Ok((name, after)),
        None => error("a '[' in a format text is never closed"),
    }
}

/// `format(value, spec)`.
/// What Python refuses: a width for a list, thousands for a text, decimals for an integer.
fn refuse_spec(spec: &Spec, value: &Value) -> Result<(), Error> {
    let whole = matches!(value, Value::Int(_) | Value::Bool(_))
        && matches!(spec.kind, None | Some('d' | 'x' | 'X' | 'o' | 'b'));
    match value {
        Value::Float(_) if matches!(spec.kind, Some('d' | 'x' | 'X' | 'o' | 'b' | 'c')) => {
            error("only an integer can be formatted so, not a float")
        }
        Value::Str(_) if spec.comma.is_some() => error("thousands cannot be marked in a text"),
        Value::Str(_) if spec.sign.is_some() => error("a text has no sign"),
        Value::Int(_) | Value::Bool(_) if whole && spec.precision.is_some() => error("an integer has no decimals"),
        Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Float(_) => Ok(()),
        other => error(format!("{} cannot be formatted: only '{{}}' takes it", other.described())),
    }
}

pub fn formatted(value: &Value, text: &str) -> Result<String, Error> {
    if text.is_empty() {
        return Ok(print::str(value));
    }
    let spec = parse_spec(text)?.bounded()?;
    refuse_spec(&spec, value)?;
    match (spec.kind, value) {
        (None | Some('s'), Value::Str(text)) => {
            let cut: String = match spec.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text.to_string(),
            };
            // A width that begins with a zero fills with zeros, on a text's own side.
            let fill = spec.fill.or(spec.zero.then_some('0'));
            Ok(Spec { fill, ..spec }.pad(&cut, '<'))
        }
        (Some('c'), value) => Ok(spec.pad(&character(value)?, '<')),
        (Some(kind @ ('d' | 'x' | 'X' | 'o' | 'b')), value) => integer(value, kind, &spec),
        (None, Value::Int(_) | Value::Bool(_)) => integer(value, 'd', &spec),
        (Some('%'), value) => {
            let hundred = value.as_float().map(|f| Value::Float(f * 100.0));
            let spec = Spec { width: spec.width.saturating_sub(1), ..spec };
            Ok(float(&hundred.unwrap_or(Value::None), 'f', &spec)? + "%")
        }
        (Some(kind @ ('f' | 'F' | 'e' | 'E' | 'g' | 'G')), value) => float(value, kind, &spec),
        (Some('n'), value) => float(value, 'g', &spec),
        (None, Value::Float(f)) if spec.precision.is_none() => Ok(spec.number(float_repr(f.abs()), *f < 0.0)),
        (None, Value::Float(_)) => float(value, 'g', &spec),
        (None, other) => Ok(spec.pad(&print::str(other), '<')),
        (Some(kind), other) => error(format!("'{kind}' cannot format {}", other.described())),
    }
}

fn parse_spec(text: &str) -> Result<Spec, Error> {
    let mut spec = Spec::default();
    let mut chars: Vec<char> = text.chars().collect();
    if chars.len() > 1 && "<>^=".contains(chars[1]) {
        spec.fill = Some(chars[0]);
        spec.align = Some(chars[1]);
        chars.drain(..2);
    } else if "<>^=".contains(chars[0]) {
        spec.align = Some(chars.remove(0));
    }
    let rest: String = chars.into_iter().collect();
    let mut rest = rest.as_str();
    if let Some(sign) = rest.chars().next().filter(|c| "+- ".contains(*c)) {
        spec.sign = Some(sign);
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('#') {
        spec.alternate = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('0') {
        spec.zero = spec.align.is_none();
        rest = after;
    }
    let none = &mut std::iter::empty();
    (spec.width, rest) = number(rest, none)?;
    if let Some(separator) = rest.chars().next().filter(|c| ",_".contains(*c)) {
        spec.comma = Some(separator);
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after, none)?;
        spec.precision = Some(precision);
        rest = after;
    }
    let mut kinds = rest.chars();
    spec.kind = kinds.next();
    if kinds.next().is_some() {
        return error(format!("the format '{text}' cannot be read"));
    }
    Ok(spec)
}
