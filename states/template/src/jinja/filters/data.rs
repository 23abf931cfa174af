//! Salt's filters on data.

use std::rc::Rc;

use super::{
    Table, int,
    list::{is_iterable, unique},
    string, wanted_text,
};
use crate::jinja::{
    Error, Eval, error,
    globals::pairs_into,
    jmespath,
    object::Args,
    print,
    value::{Dict, Key, Value},
};

pub const TABLE: Table = &[
    ("skip", |_, _, _| Ok("".into())),
    ("sequence", |_, v, _| match v.defined()? {
        list @ (Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Dict(_)) => Ok(list),
        other => Ok(Value::list(vec![other])),
    }),
    ("to_bool", |_, v, _| Ok(Value::Bool(to_bool(v.check()?)))),
    ("union", |_, v, a| combine(&v, a, |a, b| a.into_iter().chain(b).collect())),
    ("intersect", |_, v, a| combine(&v, a, |a, b| a.into_iter().filter(|x| has(&b, x)).collect())),
    ("difference", |_, v, a| combine(&v, a, |a, b| a.into_iter().filter(|x| !has(&b, x)).collect())),
    ("symmetric_difference", |_, v, a| {
        combine(&v, a, |a, b| {
            a.iter().filter(|x| !has(&b, x)).chain(b.iter().filter(|x| !has(&a, x))).cloned().collect()
        })
    }),
    ("method_call", |e, v, a| {
        let method = e.attribute(&v, a.text(0, "f_name")?)?;
        if method.is_undefined() {
            return Ok(Value::None);
        }
        let mut named = a.named.clone();
        named.shift_remove("f_name");
        e.call(&method, Args { positional: a.positional.iter().skip(1).cloned().collect(), named })
    }),
    ("exactly_n_true", |_, v, a| Ok(Value::Bool(count_true(&v)? == a.int_or(0, "amount", 1)?))),
    ("exactly_one_true", |_, v, _| Ok(Value::Bool(count_true(&v)? == 1))),
    ("traverse", |_, v, a| {
        let default = a.get(1, "default").cloned().unwrap_or(Value::None);
        Ok(traverse(v.check()?, a.value(0, "key")?, a.text_or(2, "delimiter", ":")?).unwrap_or(default))
    }),
    ("is_list", |_, v, _| Ok(Value::Bool(matches!(v.check()?, Value::List(_))))),
    ("is_iter", |_, v, _| Ok(Value::Bool(is_iterable(v.check()?)))),
    ("sorted_ignorecase", |_, v, _| {
        let mut items = v.iterate()?;
        items.iter().try_for_each(|item| wanted_text(item).map(|_| ()))?;
        items.sort_by_key(|item| print::str(item).to_lowercase());
        Ok(Value::list(items))
    }),
    ("compare_lists", |_, v, a| compare_lists(&v, a)),
    ("compare_dicts", |_, v, a| compare_dicts(&v, a)),
    ("flatten", |_, v, a| {
        let levels = a.get(0, "levels").and_then(Value::as_int);
        let mut out = Vec::new();
        flatten(&v, levels, a.truth_or(1, "preserve_nulls", false)?, 0, &mut out)?;
        Ok(Value::list(out))
    }),
    ("random_sample", |_, v, a| {
        let size = a.int(0, "size")?;
        match usize::try_from(size) {
            Ok(size) if size <= v.iterate()?.len() => shuffled(&v, size),
            _ => error(format!("a sample of {size} is more than there is")),
        }
    }),
    ("random_shuffle", |_, v, _| shuffled(&v, usize::MAX)),
    ("to_entries", |_, v, _| {
        let entry = |(key, value): (Value, Value)| {
            Value::dict([(Key::str("key"), key), (Key::str("value"), value)].into_iter().collect())
        };
        let pairs: Vec<(Value, Value)> = match v.check()? {
            Value::Dict(dict) => dict.borrow().iter().map(|(k, v)| (k.to_value(), v.clone())).collect(),
            Value::List(items) => items.borrow().iter().enumerate().map(|(i, v)| (int(i), v.clone())).collect(),
            _ => return error("to_entries needs a dict or a list"),
        };
        Ok(Value::list(pairs.into_iter().map(entry).collect()))
    }),
    ("from_entries", from_entries),
    ("mysql_to_dict", |_, v, a| mysql_to_dict(&v, a.text(0, "key")?)),
    ("json_query", |_, v, a| jmespath::search(a.text(0, "expr")?, v.check()?)),
    ("json_encode_dict", |_, v, _| v.defined()),
    ("json_decode_dict", |_, v, _| v.defined()),
    ("json_encode_list", |_, v, _| v.defined()),
    ("json_decode_list", |_, v, _| v.defined()),
    ("set_dict_key_value", |_, v, a| dict_key(&v, a, |_, new| Ok(new))),
    ("update_dict_key_value", |_, v, a| {
        dict_key(&v, a, |old, new| {
            let base = match old {
                None | Some(Value::None) => Value::dict(Dict::new()),
                Some(old) => old,
            };
            crate::jinja::methods::call(&base, "update", &Args::of(vec![new]))?;
            Ok(base)
        })
    }),
    ("append_dict_key_value", |_, v, a| {
        dict_key(&v, a, |old, new| {
            let base = listed(old);
            crate::jinja::methods::call(&base, "append", &Args::of(vec![new]))?;
            Ok(base)
        })
    }),
    ("extend_dict_key_value", |_, v, a| {
        dict_key(&v, a, |old, new| {
            let base = listed(old);
            crate::jinja::methods::call(&base, "extend", &Args::of(vec![new]))?;
            Ok(base)
        })
    }),
    ("combinations", |_, v, a| choose(&v, a, false, false)),
    ("combinations_with_replacement", |_, v, a| choose(&v, a, true, false)),
    ("permutations", |_, v, a| choose(&v, a, false, true)),
    ("product", |_, v, a| product(&v, a)),
    ("compress", |_, v, a| {
        let flags = a.value(0, "selectors")?.iterate()?;
        let mut out = Vec::new();
        for (item, flag) in v.iterate()?.into_iter().zip(flags) {
            if flag.truth()? {
                out.push(item);
            }
        }
        Ok(Value::generator(out))
    }),
    ("zip", |_, v, a| zip(&v, a, false)),
    ("zip_longest", |_, v, a| zip(&v, a, true)),
    ("check_whitelist_blacklist", |_, v, a| {
        let text = string(&v)?;
        let matches = |list: Option<&Value>| -> Result<bool, Error> {
            let patterns = match list {
                None | Some(Value::None) => return Ok(false),
                Some(Value::Str(one)) => vec![Value::Str(one.clone())],
                Some(list) => list.iterate()?,
            };
            Ok(patterns.iter().any(|p| crate::glob::matches(&print::str(p), &text)))
        };
        let (white, black) = (a.get(0, "whitelist"), a.get(1, "blacklist"));
        let given = |list: Option<&Value>| list.is_some_and(|l| l.truth().unwrap_or(false));
        if matches(black)? {
            return Ok(Value::Bool(false));
        }
        Ok(Value::Bool(!given(white) || matches(white)?))
    }),
    ("path_join", |_, v, a| {
        let mut path = string(&v)?;
        for part in &a.positional {
            path = format!("{path}/{}", string(part)?);
        }
        Ok(normal_path(&path).into())
    }),
    ("which", |e, v, _| {
        let found = e.look().which(wanted_text(&v)?);
        Ok(found.map_or(Value::None, |path| path.to_string_lossy().into_owned().into()))
    }),
    ("human_to_bytes", |_, v, a| {
        Ok(Value::Int(human_to_bytes(
            &string(&v)?,
            a.text_or(0, "default_unit", "B")?,
            a.truth_or(1, "handle_metric", false)?,
        )))
    }),
];

/// As Python's `os.path.normpath`.
fn normal_path(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(&last)) if last != ".." => drop(parts.pop()),
            ("..", _) if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() && root.is_empty() { ".".into() } else { format!("{root}{}", parts.join("/")) }
}

fn to_bool(value: &Value) -> bool {
    match value {
        Value::Bool(b) => *b,
        Value::Str(text) => matches!(text.to_lowercase().as_str(), "yes" | "1" | "true"),
        Value::Int(i) => *i > 0,
        Value::List(_) | Value::Dict(_) | Value::Set(_) => value.length().unwrap_or(0) > 0,
        _ => false,
    }
}

/// A dict of entries with the keys `key` (or `name`) and `value`, in whatever case.
fn from_entries(_: &mut Eval<'_>, value: Value, _: &Args) -> Result<Value, Error> {
    let mut out = Dict::new();
    for entry in value.iterate()? {
        let mut parts = Dict::new();
        pairs_into(&mut parts, &entry)?;
        let find = |name: &str| {
            let named = |key: &Key| matches!(key, Key::Str(text) if text.eq_ignore_ascii_case(name));
            parts.iter().rev().find(|(key, _)| named(key)).map(|(_, value)| value.clone())
        };
        for key in ["key", "name"].into_iter().filter_map(find) {
            if key.truth()? {
                out.insert(key.key()?, find("value").unwrap_or(Value::None));
                break;
            }
        }
    }
    Ok(Value::dict(out))
}

fn has(items: &[Value], item: &Value) -> bool {
    items.iter().any(|other| other.equals(item))
}

/// Set operations keep a list a list; two tuples or texts give a set.
fn combine(value: &Value, args: &Args, with: impl Fn(Vec<Value>, Vec<Value>) -> Vec<Value>) -> Result<Value, Error> {
    let other = args.value(0, "lst2")?;
    let result = unique(with(value.iterate()?, other.iterate()?));
    let hashable = |v: &Value| matches!(v, Value::Tuple(_) | Value::Str(_));
    if hashable(value) && hashable(other) {
        return Ok(Value::set(result.iter().map(Value::key).collect::<Result<Vec<_>, _>>()?));
    }
    Ok(Value::list(result))
}

fn count_true(value: &Value) -> Result<i64, Error> {
    let mut count = 0;
    for item in value.iterate()? {
        count += i64::from(item.truth()?);
    }
    Ok(count)
}

/// Salt's way into nested data: keys, indices, and dicts inside of lists.
fn traverse(data: &Value, key: &Value, delimiter: &str) -> Option<Value> {
    let parts: Vec<Value> = match key {
        Value::Str(text) => text.split(delimiter).map(Value::from).collect(),
        Value::Int(_) => vec![key.clone()],
        other => other.iterate().ok()?,
    };
    let mut at = data.clone();
    for part in parts {
        at = step(&at, &part)?;
    }
    Some(at)
}

fn step(at: &Value, part: &Value) -> Option<Value> {
    match at {
        Value::List(items) => {
            let items = items.borrow();
            let index = super::text::to_num(part).as_int();
            let wanted = index.map_or(part.clone(), Value::Int).key().ok()?;
            let inner = items.iter().find_map(|item| match item {
                Value::Dict(dict) => dict.borrow().get(&wanted).cloned(),
                _ => None,
            });
            inner.or_else(|| crate::jinja::operators::index(at, index?))
        }
        Value::Dict(dict) => {
            let dict = dict.borrow();
            if let Some(found) = dict.get(&part.key().ok()?) {
                return Some(found.clone());
            }
            // A number in the path may be a key that is a number.
            dict.get(&super::text::to_num(part).key().ok()?).cloned()
        }
        Value::Str(_) | Value::Tuple(_) => crate::jinja::operators::index(at, super::text::to_num(part).as_int()?),
        _ => None,
    }
}

fn compare_lists(value: &Value, args: &Args) -> Result<Value, Error> {
    let (old, new) = (value.iterate()?, args.value(0, "new")?.iterate()?);
    let mut out = Dict::new();
    let added: Vec<Value> = new.iter().filter(|x| !has(&old, x)).cloned().collect();
    let removed: Vec<Value> = old.iter().filter(|x| !has(&new, x)).cloned().collect();
    for (name, items) in [("new", added), ("old", removed)] {
        if !items.is_empty() {
            out.insert(Key::str(name), Value::list(items));
        }
    }
    Ok(Value::dict(out))
}

fn compare_dicts(value: &Value, args: &Args) -> Result<Value, Error> {
    let (Value::Dict(old), Value::Dict(new)) = (value.check()?, args.value(0, "new")?) else {
        return error("compare_dicts needs two dicts");
    };
    let (old, new) = (old.borrow(), new.borrow());
    let mut out = Dict::new();
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let blank = || Value::from("");
        let (before, after) = (old.get(key), new.get(key));
        if before.is_some_and(|b| after.is_some_and(|a| a.equals(b))) {
            continue;
        }
        let gone = after.is_none();
        let mut pair = [
            (Key::str("old"), before.cloned().unwrap_or_else(blank)),
            (Key::str("new"), after.cloned().unwrap_or_else(blank)),
        ];
        if gone {
            pair.reverse(); // as Salt builds it
        }
        out.insert(key.clone(), Value::dict(pair.into_iter().collect()));
    }
    Ok(Value::dict(out))
}

fn flatten(
    value: &Value,
    levels: Option<i64>,
    keep_nulls: bool,
    depth: usize,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    if depth > 100 {
        return error("this list is nested too deeply");
    }
    for item in value.iterate()? {
        let null = matches!(item, Value::None) || matches!(item.as_str(), Some("None" | "null"));
        if null && !keep_nulls {
            continue;
        }
        if is_iterable(&item) && levels.is_none_or(|levels| levels >= 1) {
            flatten(&item, levels.map(|l| l - 1), keep_nulls, depth + 1, out)?;
        } else {
            out.push(item);
        }
    }
    Ok(())
}

fn shuffled(value: &Value, size: usize) -> Result<Value, Error> {
    let mut items = value.iterate()?;
    for i in (1..items.len()).rev() {
        items.swap(i, rand::random_range(0..=i));
    }
    items.truncate(size);
    Ok(Value::list(items))
}

fn mysql_to_dict(value: &Value, key: &str) -> Result<Value, Error> {
    let mut headers: Option<Vec<String>> = None;
    let mut out = Dict::new();
    for line in value.iterate()? {
        let line = string(&line)?;
        if line.is_empty() || line.starts_with('+') {
            continue;
        }
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let Some(names) = &headers else {
            headers = Some(cells);
            continue;
        };
        let mut row = Dict::new();
        for (name, cell) in names.iter().zip(&cells).take(names.len().saturating_sub(1)).skip(1) {
            row.insert(Key::str(name), super::text::to_num(&cell.as_str().into()));
        }
        let id = row.get(&Key::str(key)).map_or_else(|| error(format!("there is no column '{key}'")), Value::key)?;
        out.insert(id, Value::dict(row));
    }
    Ok(Value::dict(out))
}

fn listed(old: Option<Value>) -> Value {
    match old {
        None | Some(Value::None) => Value::list(Vec::new()),
        Some(old) => old,
    }
}

/// Changes the value at a path of keys in place; the dicts on the way are made where they miss.
fn dict_key(
    value: &Value,
    args: &Args,
    change: impl Fn(Option<Value>, Value) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let keys = args.text(0, "keys")?;
    let new = args.value(1, "value")?.clone();
    let delimiter = args.text_or(2, "delimiter", ":")?;
    let (way, last) = keys.rsplit_once(delimiter).map_or((None, keys), |(way, last)| (Some(way), last));
    let mut at = value.clone();
    for part in way.into_iter().flat_map(|way| way.split(delimiter)) {
        let next = match &at {
            Value::Dict(dict) => {
                dict.borrow_mut().entry(Key::str(part)).or_insert_with(|| Value::dict(Dict::new())).clone()
            }
            other => return error(format!("the way to '{keys}' leads through {}", other.described())),
        };
        at = next;
    }
    let Value::Dict(dict) = &at else { return error(format!("the way to '{keys}' leads through {}", at.described())) };
    let old = dict.borrow().get(&Key::str(last)).cloned();
    let new = change(old, new)?;
    dict.borrow_mut().insert(Key::str(last), new);
    Ok(value.clone())
}

/// Combinations and permutations together may not be more than this.
const CHOICES: usize = 200_000;

fn choose(value: &Value, args: &Args, repeat: bool, ordered: bool) -> Result<Value, Error> {
    let items = value.iterate()?;
    let size = match args.get(0, "r") {
        None | Some(Value::None) => items.len(),
        Some(_) => usize::try_from(args.int(0, "r")?).unwrap_or(0),
    };
    let mut out = Vec::new();
    choose_into(&items, size, repeat, ordered, &mut Vec::new(), &mut out)?;
    Ok(Value::generator(out))
}

fn choose_into(
    items: &[Value],
    size: usize,
    repeat: bool,
    ordered: bool,
    picked: &mut Vec<usize>,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    if picked.len() == size {
        out.push(Value::tuple(picked.iter().map(|&i| items[i].clone()).collect()));
        return if out.len() > CHOICES { error("there are too many choices") } else { Ok(()) };
    }
    let from = match picked.last() {
        Some(&last) if !ordered => last + usize::from(!repeat),
        _ => 0,
    };
    for i in from..items.len() {
        if ordered && picked.contains(&i) {
            continue;
        }
        picked.push(i);
        choose_into(items, size, repeat, ordered, picked, out)?;
        picked.pop();
    }
    Ok(())
}

fn product(value: &Value, args: &Args) -> Result<Value, Error> {
    let mut lists = vec![value.iterate()?];
    for other in &args.positional {
        lists.push(other.iterate()?);
    }
    let times = usize::try_from(args.named.get("repeat").and_then(Value::as_int).unwrap_or(1)).unwrap_or(1);
    let count = lists.len() * times.min(20);
    let lists: Vec<_> = lists.into_iter().cycle().take(count).collect();
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists {
        if rows.len().saturating_mul(list.len()) > CHOICES {
            return error("there are too many choices");
        }
        rows = rows
            .iter()
            .flat_map(|row| list.iter().map(move |item| [row.as_slice(), std::slice::from_ref(item)].concat()))
            .collect();
    }
    Ok(Value::generator(rows.into_iter().map(|row| Value::Tuple(Rc::new(row))).collect()))
}

fn zip(value: &Value, args: &Args, longest: bool) -> Result<Value, Error> {
    let mut lists = vec![value.iterate()?];
    for other in &args.positional {
        lists.push(other.iterate()?);
    }
    let lengths = lists.iter().map(Vec::len);
    let rows = if longest { lengths.max() } else { lengths.min() }.unwrap_or(0);
    let fill = args.named.get("fillvalue").cloned().unwrap_or(Value::None);
    let row = |i: usize| {
        Value::tuple(lists.iter().map(|list| list.get(i).cloned().unwrap_or_else(|| fill.clone())).collect())
    };
    Ok(Value::generator((0..rows).map(row).collect()))
}

fn human_to_bytes(size: &str, default_unit: &str, metric: bool) -> i64 {
    let size = size.trim();
    let end = size.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(size.len());
    let Ok(number) = size[..end].parse::<f64>() else { return 0 };
    let unit = size[end..].trim().to_lowercase();
    let unit = if unit.is_empty() { default_unit.to_lowercase() } else { unit };
    let Some(power) = unit.chars().next().and_then(|c| "bkmgtpezy".find(c)) else { return 0 };
    let decimal = unit.len() == 2 && unit.ends_with('b') && power > 0;
    let known = decimal || unit == "b" || (power > 0 && (unit.len() == 1 || &unit[1..] == "ib"));
    if !known {
        return 0;
    }
    let power = i32::try_from(power).unwrap_or(0);
    let factor = if decimal && metric { 1000f64.powi(power) } else { 1024f64.powi(power) };
    (number * factor) as i64
}
