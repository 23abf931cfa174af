//! `sys.*` about states.

use proto::{Args, Value};

use super::opt;
use crate::{CallError, Context, Effect, Function, glob, modules};

pub const TABLE: &[Function] = &[
    Function {
        name: "sys.list_state_functions",
        doc: "Lists the state functions, or those that match a glob or belong to a module.\n\nctl run '*' sys.list_state_functions file",
        params: &[opt("module", "None")],
        effect: Effect::Reads,
        call: |_, args| functions(&args),
    },
    Function {
        name: "sys.list_state_modules",
        doc: "Lists the modules that have states.\n\nctl run '*' sys.list_state_modules",
        params: &[],
        effect: Effect::Reads,
        call: |_: &Context<'_>, _| Ok(modules::TABLE.iter().map(|module| module.name.to_owned()).collect()),
    },
];

fn functions(args: &Args) -> Result<Value, CallError> {
    let wanted: Vec<String> =
        args.positional.iter().chain(args.named.get("module")).flat_map(super::args::list).collect();
    let mut names: Vec<String> = modules::all()
        .filter(|(module, state)| {
            let full = format!("{}.{}", module.name, state.name);
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == module.name || glob::matches(wanted, &full))
        })
        .map(|(module, state)| format!("{}.{}", module.name, state.name))
        .collect();
    names.sort();
    Ok(names.into_iter().collect())
}
