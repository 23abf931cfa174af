//! JMESPath over a template's values, as Python's `jmespath` answers: the crate parses, and the
//! answer is worked out here, so that mappings keep their order and parts stay the template's own.
//!
//! Source: the JMESPath specification, `jmespath.visitor` of Python.

mod functions;

use jmespath::{
    Variable,
    ast::{Ast, Comparator},
};

use super::{
    Error, error, operators,
    value::{Dict, Key, Value},
};

/// More brackets than this are no expression that anyone wrote.
const BRACKETS: usize = 200;
const LENGTH: usize = 16 * 1024;

/// What `expression` finds in `data`; `None` where it finds nothing.
///
/// # Errors
/// An expression that cannot be read, and a function that refuses what it is given.
pub fn search(expression: &str, data: &Value) -> Result<Value, Error> {
    let brackets = expression.matches(['(', '[', '{', '!', '&']).count();
    if expression.len() > LENGTH || brackets > BRACKETS {
        return error("this JMESPath expression is too long");
    }
    match jmespath::parse(expression) {
        Ok(ast) => visit(&ast, data),
        Err(why) => {
            let column = why.column + 1;
            error(format!("'{expression}' is no JMESPath expression: {} at its character {column}", why.reason))
        }
    }
}

fn visit(node: &Ast, data: &Value) -> Result<Value, Error> {
    Ok(match node {
        Ast::Identity { .. } => data.clone(),
        Ast::Field { name, .. } => match data {
            Value::Dict(dict) => dict.borrow().get(&Key::str(name)).cloned().unwrap_or(Value::None),
            _ => Value::None,
        },
        Ast::Subexpr { lhs, rhs, .. } => visit(rhs, &visit(lhs, data)?)?,
        Ast::Literal { value, .. } => literal(value),
        Ast::Index { idx, .. } => match data {
            Value::List(_) => operators::index(data, i64::from(*idx)).unwrap_or(Value::None),
            _ => Value::None,
        },
        Ast::Slice { start, stop, step, .. } => match data {
            Value::List(_) => {
                operators::slice(data, [start.map(i64::from), stop.map(i64::from), Some(i64::from(*step))])?
            }
            _ => Value::None,
        },
        Ast::Or { lhs, rhs, .. } => match visit(lhs, data)? {
            left if is_true(&left) => left,
            _ => visit(rhs, data)?,
        },
        Ast::And { lhs, rhs, .. } => match visit(lhs, data)? {
            left if is_true(&left) => visit(rhs, data)?,
            left => left,
        },
        Ast::Not { node, .. } => Value::Bool(!is_true(&visit(node, data)?)),
        Ast::Condition { predicate, then, .. } => {
            if is_true(&visit(predicate, data)?) {
                visit(then, data)?
            } else {
                Value::None
            }
        }
        Ast::Comparison { comparator, lhs, rhs, .. } => compare(comparator, &visit(lhs, data)?, &visit(rhs, data)?)?,
        Ast::ObjectValues { node, .. } => match visit(node, data)? {
            Value::Dict(dict) => Value::list(dict.borrow().values().cloned().collect()),
            _ => Value::None,
        },
        Ast::Projection { lhs, rhs, .. } => projection(&visit(lhs, data)?, rhs)?,
        Ast::Flatten { node, .. } => flatten(&visit(node, data)?),
        Ast::MultiList { .. } | Ast::MultiHash { .. } if matches!(data, Value::None) => Value::None,
        Ast::MultiList { elements, .. } => {
            Value::list(elements.iter().map(|element| visit(element, data)).collect::<Result<_, _>>()?)
        }
        Ast::MultiHash { elements, .. } => {
            let pair = |pair: &jmespath::ast::KeyValuePair| Ok((Key::str(&pair.key), visit(&pair.value, data)?));
            Value::dict(elements.iter().map(pair).collect::<Result<Dict, Error>>()?)
        }
        Ast::Function { name, args, .. } => functions::call(name, args, data)?,
        Ast::Expref { .. } => return error("a '&' belongs into the arguments of a function such as sort_by"),
    })
}

fn projection(left: &Value, right: &Ast) -> Result<Value, Error> {
    let Value::List(items) = left else { return Ok(Value::None) };
    let items = items.borrow().clone();
    let mut found = Vec::new();
    for item in &items {
        let value = visit(right, item)?;
        if !matches!(value, Value::None) {
            found.push(value);
        }
    }
    Ok(Value::list(found))
}

fn flatten(value: &Value) -> Value {
    let Value::List(items) = value else { return Value::None };
    let mut flat = Vec::new();
    for item in items.borrow().iter() {
        match item {
            Value::List(inner) => flat.extend(inner.borrow().iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Value::list(flat)
}

fn literal(value: &Variable) -> Value {
    match value {
        Variable::Null | Variable::Expref(_) => Value::None,
        Variable::Bool(b) => Value::Bool(*b),
        Variable::String(text) => Value::str(text.as_str()),
        Variable::Number(number) => super::from_value(&proto::Value::Number(number.clone())),
        Variable::Array(items) => Value::list(items.iter().map(|item| literal(item)).collect()),
        Variable::Object(map) => Value::dict(map.iter().map(|(key, item)| (Key::str(key), literal(item))).collect()),
    }
}

/// What JMESPath takes for true: numbers always, others unless they are empty.
fn is_true(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(false) => false,
        Value::Int(_) | Value::Float(_) => true,
        other => other.truth().unwrap_or(false),
    }
}

fn compare(comparator: &Comparator, left: &Value, right: &Value) -> Result<Value, Error> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let wanted: &[std::cmp::Ordering] = match comparator {
        Comparator::Equal => return Ok(Value::Bool(equal(left, right))),
        Comparator::NotEqual => return Ok(Value::Bool(!equal(left, right))),
        Comparator::LessThan => &[Less],
        Comparator::LessThanEqual => &[Less, Equal],
        Comparator::GreaterThan => &[Greater],
        Comparator::GreaterThanEqual => &[Greater, Equal],
    };
    let comparable = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_) | Value::Str(_));
    if !comparable(left) || !comparable(right) {
        return Ok(Value::None);
    }
    Ok(Value::Bool(wanted.contains(&left.compare(right)?)))
}

/// Python's `==`, but a boolean is no number.
fn equal(left: &Value, right: &Value) -> bool {
    matches!(left, Value::Bool(_)) == matches!(right, Value::Bool(_)) && left.equals(right)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jinja::{convert, print};

    fn found(expression: &str) -> String {
        let data = json!({
            "b": [{"n": 2, "t": "x"}, {"n": 1, "t": "y"}, {"n": 3}], "a": {"d": 1, "c": [[1], [2, [3]]]},
            "words": ["b", "a"], "zero": 0, "none": null,
        });
        match search(expression, &convert::from_value(&data)) {
            Ok(value) => print::repr(&value),
            Err(why) => why.message,
        }
    }

    /// Each answer was Python's `jmespath` 1.1.
    #[test]
    fn answers_are_those_of_python() {
        let cases = [
            ("b[*].n", "[2, 1, 3]"),
            ("b[?n > `1`].t", "['x']"),
            ("b[?t == 'y'] | [0]", "{'n': 1, 't': 'y'}"),
            ("a", "{'d': 1, 'c': [[1], [2, [3]]]}"),
            ("a.*", "[1, [[1], [2, [3]]]]"),
            ("a.c[][]", "[1, 2, 3]"),
            ("b[-1].n", "3"),
            ("b[::-1].n", "[3, 1, 2]"),
            ("{z: a.d, y: nothing}", "{'z': 1, 'y': None}"),
            ("[zero, none]", "[0, None]"),
            ("zero || 'x'", "0"),
            ("none || 'x'", "'x'"),
            ("!zero", "False"),
            ("zero == `false`", "False"),
            ("words[0] < `1`", "the string 'b' and 1 (int) cannot be compared"),
            ("a < `1`", "None"),
            ("sort(words)", "['a', 'b']"),
            ("sort_by(b, &n)[].n", "[1, 2, 3]"),
            ("max_by(b, &n).n", "3"),
            ("map(&t, b)", "['x', 'y', None]"),
            ("join('-', words)", "'b-a'"),
            ("keys(a)", "['d', 'c']"),
            ("merge(a, {d: `2`}).d", "2"),
            ("to_string(a)", r#"'{"d":1,"c":[[1],[2,[3]]]}'"#),
            ("to_number('1.5')", "1.5"),
            ("avg(b[].n)", "2.0"),
            ("sum(b[].n)", "6"),
            ("length(words)", "2"),
            ("contains(words, 'a')", "True"),
            ("reverse(words)", "['a', 'b']"),
            ("type(zero)", "'number'"),
            ("not_null(none, zero)", "0"),
            ("ceil(`1.2`)", "2"),
            ("words[0].x", "None"),
        ];
        for (expression, answer) in cases {
            assert_eq!(found(expression), answer, "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(found("b[").contains("is no JMESPath expression"), "{}", found("b["));
        assert!(found(&"(".repeat(100_000)).contains("too long"));
        assert_eq!(found("nth(b)"), "JMESPath has no function nth()");
        assert_eq!(found("length(zero)"), "JMESPath's length() does not take 0 (int)");
        assert_eq!(found("sort_by(b, &t)"), "JMESPath's sort_by() does not take None");
        assert_eq!(found("keys(a, b)"), "JMESPath's keys() takes another number of arguments than 2");
    }
}
