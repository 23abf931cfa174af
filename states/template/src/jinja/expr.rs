//! Expressions.

use std::rc::Rc;

use super::{
    Error, Eval,
    ast::{CallArgs, Cmp, Const, Expr, ExprKind, Filter},
    error, filters,
    macros::{MacroValue, called_from},
    methods,
    object::{Args, Method},
    operators, print, tests_table,
    value::{Dict, Named, Value},
};

impl Eval<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Value, Error> {
        self.burn().and_then(|()| self.expr_kind(expr)).map_err(|mut error| {
            error.place.get_or_insert_with(|| self.place(expr.span));
            error
        })
    }

    pub(super) fn truth(&mut self, expr: &Expr) -> Result<bool, Error> {
        let value = self.expr(expr)?;
        value.truth().map_err(|mut error| {
            error.place.get_or_insert_with(|| self.place(expr.span));
            error
        })
    }

    fn expr_kind(&mut self, expr: &Expr) -> Result<Value, Error> {
        Ok(match &expr.kind {
            ExprKind::Const(value) => constant(value),
            ExprKind::Name(name) => self.lookup(name),
            ExprKind::List(items) => Value::list(self.all(items)?),
            ExprKind::Tuple(items) => Value::tuple(self.all(items)?),
            ExprKind::Dict(pairs) => self.dict(pairs)?,
            ExprKind::Attribute(of, name) => {
                let of = self.expr(of)?;
                self.attribute(&of, name)?
            }
            ExprKind::Item(of, index) => {
                let of = self.expr(of)?;
                let index = self.expr(index)?;
                self.item(&of, &index)?
            }
            ExprKind::Slice(of, parts) => self.slice(of, parts)?,
            ExprKind::Call(..) => self.call_expr(expr, None)?,
            ExprKind::Filter(value, filter) => {
                let value = self.expr(value)?;
                self.apply_filter(value, filter)?
            }
            ExprKind::Test { value, test, negated } => {
                let value = self.expr(value)?;
                let args = self.args(&test.args)?;
                let holds = self.test(&test.name, &value, &args).map_err(|why| self.at_name(why, "test", test))?;
                Value::Bool(holds != *negated)
            }
            ExprKind::Not(inner) => Value::Bool(!self.truth(inner)?),
            ExprKind::Negative(inner) => operators::negative(&self.expr(inner)?)?,
            ExprKind::Positive(inner) => self.expr(inner)?.defined()?,
            ExprKind::Binary(op, left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                operators::binary(*op, &left, &right)?
            }
            ExprKind::Compare(left, rest) => self.compare(left, rest)?,
            ExprKind::And(left, right) => {
                let left = self.expr(left)?;
                if left.truth()? { self.expr(right)? } else { left }
            }
            ExprKind::Or(left, right) => {
                let left = self.expr(left)?;
                if left.truth()? { left } else { self.expr(right)? }
            }
            ExprKind::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&print::str(&self.expr(part)?.defined()?));
                }
                text.into()
            }
            ExprKind::If { then, test, otherwise } => {
                if self.truth(test)? {
                    self.expr(then)?
                } else if let Some(otherwise) = otherwise {
                    self.expr(otherwise)?
                } else {
                    Value::nothing()
                }
            }
        })
    }

    fn all(&mut self, items: &[Expr]) -> Result<Vec<Value>, Error> {
        items.iter().map(|item| self.expr(item)).collect()
    }

    fn dict(&mut self, pairs: &[(Expr, Expr)]) -> Result<Value, Error> {
        let mut dict = Dict::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = self.expr(key)?.key()?;
            dict.insert(key, self.expr(value)?);
        }
        Ok(Value::dict(dict))
    }

    fn compare(&mut self, left: &Expr, rest: &[(Cmp, Expr)]) -> Result<Value, Error> {
        let mut left = self.expr(left)?;
        for (cmp, right) in rest {
            let right = self.expr(right)?;
            if !operators::compare(*cmp, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn slice(&mut self, of: &Expr, parts: &[Option<Expr>; 3]) -> Result<Value, Error> {
        let of = self.expr(of)?.defined()?;
        let mut numbers = [None, None, None];
        for (number, part) in numbers.iter_mut().zip(parts) {
            let Some(part) = part else { continue };
            *number = match self.expr(part)?.defined()? {
                Value::None => None,
                value => match value.as_int() {
                    Some(number) => Some(number),
                    None => return error(format!("a slice needs integers, not {}", value.described())),
                },
            };
        }
        operators::slice(&of, numbers)
    }

    /// `of.name`: a method or a member first, then a key, as in Jinja2.
    pub(super) fn attribute(&self, of: &Value, name: &str) -> Result<Value, Error> {
        if let Value::Object(object) = of.check()?
            && let Some(value) = object.attribute(name)
        {
            return Ok(value);
        }
        if let Some(name) = methods::find(of, name) {
            return Ok(Value::Object(Rc::new(Method { of: of.clone(), name })));
        }
        if let Some(value) = methods::member(of, name) {
            return Ok(value);
        }
        if let Value::Dict(dict) = of
            && let Some(value) = dict.borrow().get(&Named(name))
        {
            return Ok(value.clone());
        }
        Ok(self.no_member(of, name))
    }

    /// `of[index]`: a key or an index first, then a member.
    pub(super) fn item(&self, of: &Value, index: &Value) -> Result<Value, Error> {
        index.check()?;
        match of.check()? {
            Value::Dict(dict) => {
                let found = match index.key() {
                    Ok(key) => dict.borrow().get(&key).cloned(),
                    Err(_) => None,
                };
                if let Some(value) = found {
                    return Ok(value);
                }
            }
            Value::Object(object) => {
                if let Some(value) = object.item(index)? {
                    return Ok(value);
                }
            }
            _ => {
                if let Some(number) = index.as_int() {
                    let found = operators::index(of, number);
                    return Ok(found.unwrap_or_else(|| {
                        let message = format!("{} has no item {number}", of.described());
                        Value::missing(message, of.length().map(|len| format!("it has {len} items")))
                    }));
                }
            }
        }
        match index.as_str() {
            Some(name) => match methods::find(of, name) {
                Some(name) => Ok(Value::Object(Rc::new(Method { of: of.clone(), name }))),
                None => Ok(self.no_member(of, name)),
            },
            None => Ok(self.no_member(of, &print::str(index))),
        }
    }

    pub(super) fn args(&mut self, args: &CallArgs) -> Result<Args, Error> {
        let mut out = Args::of(self.all(&args.positional)?);
        if let Some(star) = &args.star {
            let more = self.expr(star)?;
            out.positional.extend(more.iterate()?);
        }
        for (name, expr) in &args.named {
            let value = self.expr(expr)?;
            out.named.insert(name.to_string(), value);
        }
        if let Some(star) = &args.double_star {
            let more = self.expr(star)?.defined()?;
            let Value::Dict(dict) = &more else {
                return error(format!("'**' needs a dict, not {}", more.described()));
            };
            for (key, value) in dict.borrow().iter() {
                out.named.insert(print::str(&key.to_value()), value.clone());
            }
        }
        Ok(out)
    }

    /// Evaluates a call; a call block hands its body in as `caller`.
    pub(super) fn call_expr(&mut self, expr: &Expr, caller: Option<Value>) -> Result<Value, Error> {
        let ExprKind::Call(callee, args) = &expr.kind else { return self.expr(expr) };
        let callee = self.expr(callee)?;
        let mut args = self.args(args)?;
        if let Some(caller) = caller {
            args.named.insert("caller".into(), caller);
        }
        self.call(&callee, args).map_err(|error| match &callee {
            Value::Object(object) => match object.any().downcast_ref::<MacroValue>() {
                Some(called) => called_from(error, &called.def.name, &self.place(expr.span)),
                None => error,
            },
            _ => error,
        })
    }

    pub(super) fn call(&mut self, callee: &Value, args: Args) -> Result<Value, Error> {
        match callee.check()? {
            Value::Object(object) => object.clone().call(self, args),
            other => error(format!("{} is no function and cannot be called", other.described())),
        }
    }

    pub(super) fn apply_filter(&mut self, value: Value, filter: &Filter) -> Result<Value, Error> {
        let args = self.args(&filter.args)?;
        self.filter(&filter.name, value, args).map_err(|why| self.at_name(why, "filter", filter))
    }

    /// What is said of a filter or a test itself is shown at its name, not at its value.
    fn at_name(&self, mut error: Error, kind: &str, named: &Filter) -> Error {
        if error.message.starts_with(&format!("the {kind} ")) {
            error.place.get_or_insert_with(|| self.place(named.span));
        }
        error
    }

    pub(super) fn filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value, Error> {
        match filters::find(name) {
            Some(filter) => filters::check(name, &args).and_then(|()| filter(self, value, &args)),
            None => Err(Box::new(filters::unknown(name))),
        }
    }

    pub(super) fn test(&mut self, name: &str, value: &Value, args: &Args) -> Result<bool, Error> {
        match tests_table::find(name) {
            Some(test) => test(self, value, args),
            None => Err(Box::new(tests_table::unknown(name))),
        }
    }
}

fn constant(value: &Const) -> Value {
    match value {
        Const::None => Value::None,
        Const::Bool(b) => Value::Bool(*b),
        Const::Int(i) => Value::Int(*i),
        Const::Float(f) => Value::Float(*f),
        Const::Str(text) => Value::Str(text.clone()),
    }
}
