//! Filters on lists, and Jinja2's own on anything.

use std::rc::Rc;

use super::{Table, int, sort_by, string};
use crate::jinja::{
    Error, Eval, error,
    object::{Args, Group},
    operators, pprint, print,
    value::{IterKind, Key, Value},
};

pub const TABLE: Table = &[
    ("default", default),
    ("d", default),
    ("first", |_, v, _| {
        Ok(v.iterate()?
            .into_iter()
            .next()
            .unwrap_or_else(|| Value::missing("there is no first item: the list is empty", None)))
    }),
    ("last", |_, v, _| {
        Ok(v.iterate()?.pop().unwrap_or_else(|| Value::missing("there is no last item: the list is empty", None)))
    }),
    ("length", length),
    ("count", length),
    ("join", join),
    ("list", |_, v, _| Ok(Value::list(v.iterate()?))),
    ("sort", sort),
    ("dictsort", dictsort),
    ("items", |_, v, _| match &v {
        Value::Undefined(_) => Ok(Value::list(Vec::new())),
        Value::Dict(_) => super::super::methods::call(&v, "items", &Args::default()),
        other => error(format!("items needs a dict, not {}", other.described())),
    }),
    ("reverse", |_, v, _| match &v {
        Value::Str(text) => Ok(text.chars().rev().collect::<String>().into()),
        other => {
            let mut items = other.iterate()?;
            items.reverse();
            Ok(Value::generator(items))
        }
    }),
    ("unique", |_, v, _| match &v {
        Value::Str(text) => Ok(Value::set(text.chars().map(|c| Key::Str(c.to_string().into())))),
        Value::Tuple(items) => Ok(Value::set(items.iter().map(Value::key).collect::<Result<Vec<_>, _>>()?)),
        other => Ok(Value::list(unique(other.iterate()?))),
    }),
    ("min", |_, v, _| extreme(&v, std::cmp::Ordering::Less)),
    ("max", |_, v, _| extreme(&v, std::cmp::Ordering::Greater)),
    ("avg", |_, v, _| {
        let items = if v.as_float().is_some() { vec![v] } else { v.iterate()? };
        let mut sum = 0.0;
        for item in &items {
            sum += item.as_float().map_or_else(|| error("avg needs numbers"), Ok)?;
        }
        if items.is_empty() {
            error("an empty list has no average")
        } else {
            Ok(Value::Float(sum / f64::from(u32::try_from(items.len()).unwrap_or(u32::MAX))))
        }
    }),
    ("sum", sum),
    ("abs", |_, v, _| match v.check()? {
        Value::Float(f) => Ok(Value::Float(f.abs())),
        other => other.as_int().map_or_else(|| error("abs needs a number"), |i| Ok(Value::Int(i.abs()))),
    }),
    ("round", round),
    ("int", |_, v, a| to_int(&v, a)),
    ("float", |_, v, a| {
        let default = a.get(0, "default").cloned().unwrap_or(Value::Float(0.0));
        Ok(match v.check()? {
            Value::Str(text) => text.trim().replace('_', "").parse().map_or(default, Value::Float),
            other => other.as_float().map_or(default, Value::Float),
        })
    }),
    ("map", map),
    ("select", |e, v, a| select(e, &v, a, true, false)),
    ("reject", |e, v, a| select(e, &v, a, false, false)),
    ("selectattr", |e, v, a| select(e, &v, a, true, true)),
    ("rejectattr", |e, v, a| select(e, &v, a, false, true)),
    ("groupby", groupby),
    ("batch", batch),
    ("slice", slice),
    ("attr", |e, v, a| e.attribute(&v, a.text(0, "name")?)),
    ("random", |_, v, _| {
        let items = v.iterate()?;
        if items.is_empty() {
            return Ok(Value::missing("nothing can be chosen from an empty list", None));
        }
        Ok(items[rand::random_range(0..items.len())].clone())
    }),
    ("filesizeformat", |_, v, a| {
        let size = v.as_float().or_else(|| v.as_str()?.trim().parse().ok());
        let size = size.map_or_else(|| error("filesizeformat needs a number"), Ok)?;
        Ok(file_size(size, a.truth_or(0, "binary", false)?).into())
    }),
    ("pprint", |_, v, _| Ok(pprint::pformat(v.check()?).into())),
    ("xmlattr", |_, v, a| {
        let Value::Dict(dict) = v.check()? else { return error("xmlattr needs a dict") };
        let attrs: Vec<String> = dict
            .borrow()
            .iter()
            .filter(|(_, v)| !matches!(v, Value::None))
            .map(|(k, v)| {
                format!(
                    "{}=\"{}\"",
                    super::text::escape(&print::str(&k.to_value())),
                    super::text::escape(&print::str(v))
                )
            })
            .collect();
        let space = if !attrs.is_empty() && a.truth_or(0, "autospace", true)? { " " } else { "" };
        Ok(format!("{space}{}", attrs.join(" ")).into())
    }),
];

fn default(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let _ = eval;
    let falsy = args.truth_or(1, "boolean", false)?;
    if value.is_undefined() || falsy && !value.truth()? {
        return Ok(args.get(0, "default_value").cloned().unwrap_or_else(|| "".into()));
    }
    Ok(value)
}

fn length(_: &mut Eval<'_>, value: Value, _: &Args) -> Result<Value, Error> {
    match value.check()?.length() {
        Some(length) => Ok(int(length)),
        None => error(format!("{} has no length", value.described())),
    }
}

fn join(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let separator = args.get(0, "d").map_or(Ok(String::new()), string)?;
    let mut parts = Vec::new();
    for item in value.iterate()? {
        let item = match args.get(1, "attribute") {
            Some(name) => path(eval, &item, name)?,
            None => item,
        };
        parts.push(string(&item)?);
    }
    Ok(parts.join(&separator).into())
}

/// `a.b.0` into a value, as the `attribute` of filters.
fn path(eval: &Eval<'_>, value: &Value, name: &Value) -> Result<Value, Error> {
    if name.as_int().is_some() {
        return eval.item(value, name);
    }
    let mut at = value.clone();
    for part in string(name)?.split('.') {
        at = match part.parse::<i64>() {
            Ok(number) => eval.item(&at, &Value::Int(number))?,
            Err(_) => eval.item(&at, &part.into())?,
        };
    }
    Ok(at)
}

/// Text is compared without regard to case, unless it is asked for.
fn folded(value: &Value, case_sensitive: bool) -> Value {
    match value {
        Value::Str(text) if !case_sensitive => text.to_lowercase().into(),
        other => other.clone(),
    }
}

fn sort(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let case_sensitive = args.truth_or(1, "case_sensitive", false)?;
    let mut keyed = Vec::new();
    for item in value.iterate()? {
        keyed.push((sort_key(eval, &item, args.get(2, "attribute"), case_sensitive)?, item));
    }
    let reverse = args.truth_or(0, "reverse", false)?;
    sort_by(&mut keyed, |(a, _), (b, _)| if reverse { b.compare(a) } else { a.compare(b) })?;
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn sort_key(eval: &Eval<'_>, item: &Value, attribute: Option<&Value>, case_sensitive: bool) -> Result<Value, Error> {
    let Some(attribute) = attribute.filter(|a| !matches!(a, Value::None)) else {
        return Ok(folded(item, case_sensitive));
    };
    let names = string(attribute)?;
    let parts: Result<Vec<Value>, Error> =
        names.split(',').map(|name| Ok(folded(&path(eval, item, &name.trim().into())?, case_sensitive))).collect();
    Ok(Value::list(parts?))
}

fn dictsort(_: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let Value::Dict(dict) = value.check()? else {
        return error(format!("dictsort needs a dict, not {}", value.described()));
    };
    let case_sensitive = args.truth_or(0, "case_sensitive", false)?;
    let by_value = match args.text_or(1, "by", "key")? {
        "key" => false,
        "value" => true,
        other => return error(format!("dictsort sorts by 'key' or 'value', not by '{other}'")),
    };
    let reverse = args.truth_or(2, "reverse", false)?;
    let mut pairs: Vec<(Value, Value)> = dict.borrow().iter().map(|(k, v)| (k.to_value(), v.clone())).collect();
    let pick = |pair: &(Value, Value)| folded(if by_value { &pair.1 } else { &pair.0 }, case_sensitive);
    sort_by(&mut pairs, |a, b| if reverse { pick(b).compare(&pick(a)) } else { pick(a).compare(&pick(b)) })?;
    Ok(Value::list(pairs.into_iter().map(|(key, value)| Value::tuple(vec![key, value])).collect()))
}

pub fn unique(items: Vec<Value>) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let new = match item.key() {
            Ok(key) => seen.insert(key),
            Err(_) => !kept.iter().any(|other| other.equals(&item)),
        };
        if new {
            kept.push(item);
        }
    }
    kept
}

fn extreme(value: &Value, wanted: std::cmp::Ordering) -> Result<Value, Error> {
    let mut items = value.iterate()?.into_iter();
    let Some(mut best) = items.next() else { return error("an empty list has no least and no greatest item") };
    for item in items {
        if item.compare(&best)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

fn sum(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let mut total = args.get(1, "start").cloned().unwrap_or(Value::Int(0));
    for item in value.iterate()? {
        let item = match args.get(0, "attribute").filter(|a| !matches!(a, Value::None)) {
            Some(name) => path(eval, &item, name)?,
            None => item,
        };
        total = operators::binary(crate::jinja::ast::Op::Add, &total, &item)?;
    }
    Ok(total)
}

fn round(_: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let Some(number) = value.check()?.as_float() else { return error("round needs a number") };
    let precision = i32::try_from(args.int_or(0, "precision", 0)?).unwrap_or(0).clamp(-300, 300);
    let scale = 10f64.powi(precision);
    let scaled = number * scale;
    Ok(Value::Float(match args.text_or(1, "method", "common")? {
        "ceil" => scaled.ceil() / scale,
        "floor" => scaled.floor() / scale,
        "common" => match (&value, usize::try_from(precision)) {
            (Value::Int(number), Ok(_)) => return Ok(Value::Int(*number)),
            // What is printed is rounded as it is, not after a multiplication: 2.675 is 2.67.
            (_, Ok(digits)) => format!("{number:.digits$}").parse().unwrap_or(number),
            (_, Err(_)) => scaled.round_ties_even() / scale,
        },
        other => return error(format!("round knows 'common', 'ceil' and 'floor', not '{other}'")),
    }))
}

fn to_int(value: &Value, args: &Args) -> Result<Value, Error> {
    let default = args.get(0, "default").cloned().unwrap_or(Value::Int(0));
    let base = u32::try_from(args.int_or(1, "base", 10)?).unwrap_or(10);
    Ok(match value.check()? {
        Value::Str(text) => {
            let clean = text.trim().replace('_', "");
            let digits = match base {
                16 => clean.trim_start_matches("0x").trim_start_matches("0X"),
                8 => clean.trim_start_matches("0o"),
                2 => clean.trim_start_matches("0b"),
                _ => &clean,
            };
            match i64::from_str_radix(digits, base.clamp(2, 36)) {
                Ok(number) => Value::Int(number),
                Err(_) => clean.parse::<f64>().map_or(default, |f| Value::Int(f as i64)),
            }
        }
        Value::Float(f) if f.is_finite() => Value::Int(*f as i64),
        other => other.as_int().map_or(default, Value::Int),
    })
}

fn map(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let items = value.iterate()?;
    let mut out = Vec::with_capacity(items.len());
    if let Some(attribute) = args.named.get("attribute") {
        for item in items {
            let found = path(eval, &item, attribute)?;
            out.push(match (found.is_undefined(), args.named.get("default")) {
                (true, Some(default)) => default.clone(),
                _ => found,
            });
        }
        return Ok(Value::generator(out));
    }
    let name = match args.positional.first() {
        Some(_) => args.text(0, "filter")?.to_owned(),
        None => return error("map needs the name of a filter, or attribute="),
    };
    let rest = Args { positional: args.positional[1..].to_vec(), named: args.named.clone() };
    for item in items {
        out.push(eval.filter(&name, item, rest.clone())?);
    }
    Ok(Value::generator(out))
}

fn select(eval: &mut Eval<'_>, value: &Value, args: &Args, keep: bool, by_attribute: bool) -> Result<Value, Error> {
    let mut rest = args.positional.as_slice();
    let attribute = if by_attribute { Some(args.value(0, "attribute")?) } else { None };
    rest = &rest[usize::from(by_attribute).min(rest.len())..];
    let (test, rest) = match rest.split_first() {
        Some((name, rest)) => (Some(string(name)?), rest.to_vec()),
        None => (None, Vec::new()),
    };
    let rest = Args { positional: rest, named: args.named.clone() };
    let mut out = Vec::new();
    for item in value.iterate()? {
        let tested = match attribute {
            Some(name) => path(eval, &item, name)?,
            None => item.clone(),
        };
        let passes = match &test {
            Some(name) => eval.test(name, &tested, &rest)?,
            None => tested.truth()?,
        };
        if passes == keep {
            out.push(item);
        }
    }
    Ok(Value::generator(out))
}

fn groupby(eval: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let attribute = args.value(0, "attribute")?;
    let case_sensitive = args.truth_or(2, "case_sensitive", false)?;
    let mut keyed = Vec::new();
    for item in value.iterate()? {
        let key = path(eval, &item, attribute)?;
        let key = if key.is_undefined() { args.get(1, "default").cloned().unwrap_or(key) } else { key };
        keyed.push((key.defined()?, item));
    }
    sort_by(&mut keyed, |(a, _), (b, _)| folded(a, case_sensitive).compare(&folded(b, case_sensitive)))?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((last, items)) if folded(last, case_sensitive).equals(&folded(&key, case_sensitive)) => {
                items.push(item)
            }
            _ => groups.push((key, vec![item])),
        }
    }
    let group = |(grouper, items)| Value::Object(Rc::new(Group { grouper, list: Value::list(items) }));
    Ok(Value::list(groups.into_iter().map(group).collect()))
}

fn batch(_: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let size = usize::try_from(args.int(0, "linecount")?).unwrap_or(1).max(1);
    let mut rows: Vec<Vec<Value>> = value.iterate()?.chunks(size).map(<[Value]>::to_vec).collect();
    if let (Some(fill), Some(last)) = (args.get(1, "fill_with").filter(|f| !matches!(f, Value::None)), rows.last_mut())
    {
        last.resize(size, fill.clone());
    }
    Ok(Value::generator(rows.into_iter().map(Value::list).collect()))
}

fn slice(_: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let columns = usize::try_from(args.int(0, "slices")?).unwrap_or(1).clamp(1, 100_000);
    let items = value.iterate()?;
    let (each, extra) = (items.len() / columns, items.len() % columns);
    let mut at = 0;
    let mut out = Vec::new();
    for column in 0..columns {
        let size = each + usize::from(column < extra);
        let mut part = items[at..at + size].to_vec();
        at += size;
        if let Some(fill) = args.get(1, "fill_with").filter(|f| !matches!(f, Value::None))
            && column >= extra
            && extra > 0
        {
            part.push(fill.clone());
        }
        out.push(Value::list(part));
    }
    Ok(Value::generator(out))
}

fn file_size(bytes: f64, binary: bool) -> String {
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let units: [&str; 8] = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    if bytes == 1.0 {
        return "1 Byte".into();
    }
    if bytes < base {
        return format!("{bytes:.0} Bytes");
    }
    let mut limit = base;
    for unit in units {
        if bytes < limit * base {
            return format!("{:.1} {unit}", bytes / limit);
        }
        limit *= base;
    }
    format!("{:.1} {}", bytes * base / limit, units[7])
}

/// Whether Python could go through it, text aside.
pub fn is_iterable(value: &Value) -> bool {
    match value {
        Value::Str(_) => false,
        Value::Iter(_, IterKind::Generator) => true,
        other => other.iterate().is_ok(),
    }
}
