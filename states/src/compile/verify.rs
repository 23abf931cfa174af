//! Whether high data has the shape that states need.

use super::{
    Decl, High, Problems, StateDecl,
    high::{Arg, Body},
};
use crate::{
    Diagnostic,
    yaml::{Data, Node},
};

/// Arguments that are for the runner and not for the state function. Salt's `STATE_INTERNAL_KEYWORDS`.
pub const KEYWORDS: [&str; 40] = [
    "check_cmd",
    "cmd_opts_exclude",
    "creates",
    "failhard",
    "fire_event",
    "fun",
    "listen",
    "listen_in",
    "no_log",
    "onchanges",
    "onchanges_any",
    "onchanges_in",
    "onfail",
    "onfail_all",
    "onfail_any",
    "onfail_in",
    "onfail_stop",
    "onlyif",
    "order",
    "parallel",
    "prereq",
    "prereq_in",
    "prerequired",
    "reload_grains",
    "reload_modules",
    "reload_pillar",
    "require",
    "require_any",
    "require_in",
    "retry",
    "runas",
    "runas_password",
    "saltenv",
    "state",
    "umask",
    "unless",
    "use",
    "use_in",
    "watch",
    "watch_any",
];

/// Whether an argument is for the runner and not for the state function.
pub fn is_keyword(name: &str) -> bool {
    name.starts_with("__") || name == "watch_in" || KEYWORDS.contains(&name)
}

/// Requisites of a state on others.
pub const REQUISITES: [&str; 13] = [
    "onfail",
    "onfail_any",
    "onfail_all",
    "require",
    "require_any",
    "onchanges",
    "onchanges_any",
    "watch",
    "watch_any",
    "prereq",
    "prerequired",
    "listen",
    "onfail_stop",
];

pub fn verify(high: &High) -> Problems {
    let mut problems = Problems::new();
    for decl in high.decls.values() {
        if decl.id.as_str().is_none() {
            problems.push(
                Diagnostic::new(format!("the id {} is {}, not a string", decl.id.to_text(), decl.id.kind()))
                    .at(&decl.place())
                    .hint("quote it"),
            );
        } else if decl.id.as_str().is_some_and(|id| id.starts_with("__")) {
            continue;
        }
        for state in &decl.states {
            verify_state(decl, state, &mut problems);
        }
    }
    problems
}

fn verify_state(decl: &Decl, state: &StateDecl, problems: &mut Problems) {
    let id = decl.id.to_text();
    let args = match &state.body {
        Body::Args(args) => args,
        Body::Other(node) if node.is_null() => {
            problems.push(
                Diagnostic::new(format!("the state {} of the id '{id}' has nothing behind its colon", state.module))
                    .at(&state.at.place())
                    .hint("leave the colon out, or give it a list of arguments"),
            );
            return;
        }
        Body::Other(node) => {
            problems.push(
                Diagnostic::new(format!(
                    "the state {} of the id '{id}' must have a list of arguments, not {}",
                    state.module,
                    node.kind()
                ))
                .at(&state.at.place())
                .hint("begin each argument with `- `"),
            );
            return;
        }
    };
    let mut functions: Vec<&Node> = Vec::new();
    for arg in args {
        match arg {
            Arg::Fun(node) => {
                functions.push(node);
                if node.as_str().is_some_and(|name| name.trim().contains(' ')) {
                    let message =
                        format!("'{}' is taken for a function's name, but has white space in it", node.to_text());
                    problems.push(
                        Diagnostic::new(message).at(&node.place()).hint("is a `:` missing behind an argument's name?"),
                    );
                }
            }
            Arg::Pairs(pairs, node) => verify_argument(&id, pairs, node, problems),
            Arg::Order(_) | Arg::Other(_) => {}
        }
    }
    match &functions[..] {
        [_] if !state.module.contains('.') => {}
        [] => problems.push(
            Diagnostic::new(format!("the id '{id}' names no function of the state {}", state.module))
                .at(&state.at.place())
                .hint(format!("write {}.FUNCTION", state.module)),
        ),
        many => {
            let names: Vec<String> = many.iter().map(|node| node.to_text()).collect();
            problems.push(
                Diagnostic::new(format!(
                    "the id '{id}' names several functions of the state {}: {}",
                    state.module,
                    names.join(", ")
                ))
                .at(&many[many.len() - 1].place())
                .hint("one of them may be an argument whose `:` is missing"),
            );
        }
    }
}

fn verify_argument(id: &str, pairs: &[(Node, Node)], node: &Node, problems: &mut Problems) {
    let Some((key, value)) = pairs.first() else { return };
    let name = key.to_text();
    if name == "names" && value.as_seq().is_none() {
        problems.push(Diagnostic::new(format!("the names of the id '{id}' must be a list")).at(&key.place()));
    }
    if !REQUISITES.contains(&name.as_str()) {
        return;
    }
    let Some(items) = value.as_seq() else {
        problems.push(
            Diagnostic::new(format!("the {name} of the id '{id}' must be a list"))
                .at(&key.place())
                .hint("write each requisite on its own line, as in `- pkg: nginx`"),
        );
        return;
    };
    for item in items {
        verify_requisite(id, &name, item, problems);
    }
    if pairs.len() != 1 {
        problems.push(
            Diagnostic::new(format!("several arguments of the id '{id}' stand in one list item"))
                .at(&node.place())
                .hint("begin each argument with its own `- `"),
        );
    }
}

fn verify_requisite(id: &str, name: &str, item: &Node, problems: &mut Problems) {
    if item.as_str().is_some() {
        return;
    }
    let Some((key, value)) = item.single() else {
        problems.push(
            Diagnostic::new(format!("a {name} of the id '{id}' must be an id or one pair such as `pkg: nginx`"))
                .at(&item.place()),
        );
        return;
    };
    let module = key.to_text();
    if let Some((short, _)) = module.split_once('.') {
        problems.push(
            Diagnostic::new(format!("a {name} of the id '{id}' names a function, where a module is expected"))
                .at(&key.place())
                .hint(format!("did you mean {short}?")),
        );
    }
    if matches!(value.data, Data::Seq(_) | Data::Map(_)) {
        let message = format!("a {name} of the id '{id}' must name a state, not {}", value.kind());
        problems.push(Diagnostic::new(message).at(&value.place()));
    }
}
