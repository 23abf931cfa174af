//! Methods of numbers.

use super::Table;
use crate::jinja::value::Value;

pub const TABLE: Table<Value> = &[
    ("bit_length", |of, _| {
        let bits = 64 - of.as_int().unwrap_or(0).unsigned_abs().leading_zeros();
        Ok(Value::Int(i64::from(bits)))
    }),
    ("is_integer", |of, _| Ok(Value::Bool(of.as_float().is_some_and(|f| f.fract() == 0.0)))),
    ("conjugate", |of, _| Ok(of.clone())),
];
