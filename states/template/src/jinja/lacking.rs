//! What is said of a key that the pillar or the grains lack: a mapping without a name helps nobody
//! who has to find out where the key belongs.

use std::rc::Rc;

use super::{
    Value,
    eval::Eval,
    value::{Dict, Key},
};

/// Mappings that are looked through for the one that was asked.
const SEARCHED: usize = 500;

impl Eval<'_> {
    /// Message and hint for a key that is missing in the pillar or the grains; nothing for other values.
    pub(super) fn lacking(&self, of: &Value, name: &str) -> Option<(String, String)> {
        let Value::Dict(asked) = of else { return None };
        ["pillar", "grains"].into_iter().find_map(|of| {
            let mut left = SEARCHED;
            let path = path_to(self.context.get(of)?, Rc::as_ptr(asked).cast(), &mut left)?;
            let key = path.iter().rev().map(String::as_str).chain([name]).collect::<Vec<_>>().join(":");
            let verb = if of == "pillar" { "has" } else { "have" };
            let hint = format!(
                "`ctl run ID {of}.items` shows what there is; salt['{of}.get']('{key}', 'DEFAULT') does without it"
            );
            Some((format!("the {of} {verb} no key '{key}'"), hint))
        })
    }
}

/// The keys that lead to a mapping, the last one first.
fn path_to(within: &Value, wanted: *const (), left: &mut usize) -> Option<Vec<String>> {
    let Value::Dict(dict) = within else { return None };
    if Rc::as_ptr(dict).cast::<()>() == wanted {
        return Some(Vec::new());
    }
    *left = left.checked_sub(1)?;
    // Whoever changes it at this moment does not ask for what it lacks.
    let dict = dict.try_borrow().ok()?;
    let dict: &Dict = &dict;
    dict.iter().find_map(|(key, value)| {
        let mut path = path_to(value, wanted, left)?;
        path.push(match key {
            Key::Str(text) => text.to_string(),
            _ => return None,
        });
        Some(path)
    })
}
