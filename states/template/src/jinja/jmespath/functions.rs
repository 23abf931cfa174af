//! JMESPath's functions.

use std::cmp::Ordering;

use jmespath::ast::Ast;

use super::visit;
use crate::{
    Diagnostic,
    diag::did_you_mean,
    jinja::{
        Error, convert, error,
        filters::sort_values,
        value::{Dict, Value},
    },
    json,
};

/// A function: how many arguments it takes at least and at most, and what it does with them.
type Row = (&'static str, usize, usize, fn(&Call<'_>) -> Result<Value, Error>);

const ANY: usize = usize::MAX;

const TABLE: &[Row] = &[
    ("abs", 1, 1, |c| {
        Ok(match c.number(0)? {
            Value::Int(i) => Value::Int(i.saturating_abs()),
            other => Value::Float(other.as_float().unwrap_or(0.0).abs()),
        })
    }),
    ("avg", 1, 1, |c| {
        let items = c.numbers(0)?;
        let sum: f64 = items.iter().filter_map(Value::as_float).sum();
        Ok(if items.is_empty() { Value::None } else { Value::Float(sum / items.len() as f64) })
    }),
    ("ceil", 1, 1, |c| c.rounded(f64::ceil)),
    ("contains", 2, 2, |c| match &c.args[0] {
        Value::Str(_) | Value::List(_) => c.args[0].contains(&c.args[1]).map(Value::Bool),
        other => c.refuse(other),
    }),
    ("ends_with", 2, 2, |c| Ok(Value::Bool(c.text(0)?.ends_with(c.text(1)?)))),
    ("floor", 1, 1, |c| c.rounded(f64::floor)),
    ("join", 2, 2, |c| {
        let items = c.list(1)?;
        match items.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
            Some(texts) => Ok(texts.join(c.text(0)?).into()),
            None => c.refuse(&c.args[1]),
        }
    }),
    ("keys", 1, 1, |c| Ok(Value::list(c.object(0)?.keys().map(|key| key.to_value()).collect()))),
    ("length", 1, 1, |c| match &c.args[0] {
        of @ (Value::Str(_) | Value::List(_) | Value::Dict(_)) => {
            Ok(Value::Int(i64::try_from(of.length().unwrap_or(0)).unwrap_or(i64::MAX)))
        }
        other => c.refuse(other),
    }),
    ("map", 2, 2, |c| {
        let items = c.list(1)?;
        Ok(Value::list(items.iter().map(|item| visit(c.expression(0)?, item)).collect::<Result<_, _>>()?))
    }),
    ("max", 1, 1, |c| Ok(c.sorted(0)?.pop().unwrap_or(Value::None))),
    ("max_by", 2, 2, |c| c.extreme(Ordering::Greater)),
    ("merge", 1, ANY, |c| {
        let mut merged = Dict::new();
        for index in 0..c.args.len() {
            merged.extend(c.object(index)?);
        }
        Ok(Value::dict(merged))
    }),
    ("min", 1, 1, |c| Ok(c.sorted(0)?.into_iter().next().unwrap_or(Value::None))),
    ("min_by", 2, 2, |c| c.extreme(Ordering::Less)),
    ("not_null", 1, ANY, |c| {
        Ok(c.args.iter().find(|value| !matches!(value, Value::None)).cloned().unwrap_or(Value::None))
    }),
    ("reverse", 1, 1, |c| match &c.args[0] {
        Value::Str(text) => Ok(text.chars().rev().collect::<String>().into()),
        _ => Ok(Value::list(c.list(0)?.into_iter().rev().collect())),
    }),
    ("sort", 1, 1, |c| c.sorted(0).map(Value::list)),
    ("sort_by", 2, 2, |c| Ok(Value::list(c.keyed()?.into_iter().map(|(_, item)| item).collect()))),
    ("starts_with", 2, 2, |c| Ok(Value::Bool(c.text(0)?.starts_with(c.text(1)?)))),
    ("sum", 1, 1, |c| {
        let mut sum = Value::Int(0);
        for item in c.numbers(0)? {
            sum = crate::jinja::operators::binary(crate::jinja::ast::Op::Add, &sum, &item)?;
        }
        Ok(sum)
    }),
    ("to_array", 1, 1, |c| match &c.args[0] {
        list @ Value::List(_) => Ok(list.clone()),
        other => Ok(Value::list(vec![other.clone()])),
    }),
    ("to_number", 1, 1, |c| {
        Ok(match &c.args[0] {
            number @ (Value::Int(_) | Value::Float(_)) => number.clone(),
            Value::Str(text) => match (text.trim().parse(), text.trim().parse()) {
                (Ok(number), _) => Value::Int(number),
                (_, Ok(number)) => Value::Float(number),
                _ => Value::None,
            },
            _ => Value::None,
        })
    }),
    ("to_string", 1, 1, |c| match &c.args[0] {
        text @ Value::Str(_) => Ok(text.clone()),
        other => Ok(json::compact(&convert::to_value(other)?).into()),
    }),
    ("type", 1, 1, |c| {
        Ok(match &c.args[0] {
            Value::Str(_) => "string",
            Value::Bool(_) => "boolean",
            Value::List(_) => "array",
            Value::Dict(_) => "object",
            Value::Int(_) | Value::Float(_) => "number",
            Value::None => "null",
            _ => return Ok(Value::None),
        }
        .into())
    }),
    ("values", 1, 1, |c| Ok(Value::list(c.object(0)?.into_values().collect()))),
];

/// Calls a function; `&expression` arguments wait until it asks for them.
pub fn call(name: &str, args: &[Ast], data: &Value) -> Result<Value, Error> {
    let Some((name, least, most, body)) = TABLE.iter().find(|(known, ..)| *known == name) else {
        let hint = did_you_mean(name, TABLE.iter().map(|(known, ..)| *known));
        return Err(Box::new(Diagnostic::new(format!("JMESPath has no function {name}()")).hint_opt(hint)));
    };
    if args.len() < *least || args.len() > *most {
        return error(format!("JMESPath's {name}() takes another number of arguments than {}", args.len()));
    }
    let value = |arg: &Ast| if matches!(arg, Ast::Expref { .. }) { Ok(Value::None) } else { visit(arg, data) };
    let values = args.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    body(&Call { name, asts: args, args: values })
}

struct Call<'a> {
    name: &'a str,
    asts: &'a [Ast],
    args: Vec<Value>,
}

impl Call<'_> {
    fn refuse<T>(&self, value: &Value) -> Result<T, Error> {
        error(format!("JMESPath's {}() does not take {}", self.name, value.described()))
    }

    fn expression(&self, index: usize) -> Result<&Ast, Error> {
        match &self.asts[index] {
            Ast::Expref { ast, .. } => Ok(ast),
            _ => error(format!("JMESPath's {}() needs an expression that begins with '&'", self.name)),
        }
    }

    fn text(&self, index: usize) -> Result<&str, Error> {
        self.args[index].as_str().map_or_else(|| self.refuse(&self.args[index]), Ok)
    }

    fn number(&self, index: usize) -> Result<&Value, Error> {
        match &self.args[index] {
            number @ (Value::Int(_) | Value::Float(_)) => Ok(number),
            other => self.refuse(other),
        }
    }

    fn list(&self, index: usize) -> Result<Vec<Value>, Error> {
        match &self.args[index] {
            Value::List(items) => Ok(items.borrow().clone()),
            other => self.refuse(other),
        }
    }

    fn object(&self, index: usize) -> Result<Dict, Error> {
        match &self.args[index] {
            Value::Dict(dict) => Ok(dict.borrow().clone()),
            other => self.refuse(other),
        }
    }

    fn numbers(&self, index: usize) -> Result<Vec<Value>, Error> {
        let items = self.list(index)?;
        match items.iter().find(|item| !matches!(item, Value::Int(_) | Value::Float(_))) {
            Some(other) => self.refuse(other),
            None => Ok(items),
        }
    }

    /// A list of numbers or of texts in its order.
    fn sorted(&self, index: usize) -> Result<Vec<Value>, Error> {
        let mut items = self.list(index)?;
        self.one_kind(items.iter())?;
        sort_values(&mut items)?;
        Ok(items)
    }

    /// Refuses values that are neither all numbers nor all texts.
    fn one_kind<'v>(&self, items: impl Iterator<Item = &'v Value>) -> Result<(), Error> {
        let mut first = None;
        for item in items {
            let kind = kind_of(item);
            if kind.is_none() || *first.get_or_insert(kind) != kind {
                return self.refuse(item);
            }
        }
        Ok(())
    }

    /// A list in the order of what the expression says of each item.
    fn keyed(&self) -> Result<Vec<(Value, Value)>, Error> {
        let expression = self.expression(1)?;
        let items = self.list(0)?;
        let mut pairs: Vec<(Value, Value)> =
            items.into_iter().map(|item| Ok((visit(expression, &item)?, item))).collect::<Result<_, Error>>()?;
        self.one_kind(pairs.iter().map(|(key, _)| key))?;
        pairs.sort_by(|(a, _), (b, _)| a.compare(b).unwrap_or(Ordering::Equal));
        Ok(pairs)
    }

    /// The first item whose key is least or greatest.
    fn extreme(&self, wanted: Ordering) -> Result<Value, Error> {
        let mut best: Option<(Value, Value)> = None;
        for (key, item) in self.keyed()? {
            match &best {
                Some((other, _)) if key.compare(other)? != wanted => {}
                _ => best = Some((key, item)),
            }
        }
        Ok(best.map_or(Value::None, |(_, item)| item))
    }

    fn rounded(&self, round: fn(f64) -> f64) -> Result<Value, Error> {
        Ok(match self.number(0)? {
            Value::Float(f) if f.abs() < 9e18 => Value::Int(round(*f) as i64),
            other => other.clone(),
        })
    }
}

/// Numbers and texts can be put in order, each among themselves.
fn kind_of(value: &Value) -> Option<bool> {
    match value {
        Value::Int(_) | Value::Float(_) => Some(true),
        Value::Str(_) => Some(false),
        _ => None,
    }
}
