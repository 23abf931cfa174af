//! `alternatives.*` that read: what the links in `/etc/alternatives` point to.

use proto::{Args, Value};

use super::{args::Given, need};
use crate::{CallError, Context, Effect, Function};

pub const TABLE: &[Function] = &[
    Function {
        name: "alternatives.show_current",
        doc: "Gives the path that an alternative points to; False if there is none.\n\nctl run '*' alternatives.show_current editor",
        params: &[need("name")],
        effect: Effect::Reads,
        call: |context, args| Ok(current(context, &args)?.map_or(Value::Bool(false), Value::String)),
    },
    Function {
        name: "alternatives.check_installed",
        doc: "Tells whether an alternative points to this path.\n\nctl run '*' alternatives.check_installed editor /usr/bin/vim",
        params: &[need("name"), need("path")],
        effect: Effect::Reads,
        call: |context, args| {
            let path = Given::new(&args, &["name", "path"]).text("path")?;
            Ok(Value::Bool(current(context, &args)? == Some(path)))
        },
    },
];

fn current(context: &Context<'_>, args: &Args) -> Result<Option<String>, CallError> {
    let name = Given::new(args, &["name"]).text("name")?;
    if name.is_empty() || name.contains('/') {
        return Ok(None);
    }
    let link = context.look.read_link(format!("/etc/alternatives/{name}").as_ref());
    Ok(link.ok().map(|path| path.to_string_lossy().into_owned()))
}
