//! `state.*` that concern this minion's runs, not what they do. Salt's `modules/state.py`.

use states::{Effect, Function};

use super::bind::{bind, with};
use crate::turn;

pub static TABLE: &[Function] = &[Function {
    name: "state.running",
    doc: "Says which state run is under way, in a list; an empty list when there is none.\n\n    ctl run '*' state.running",
    params: &[with("concurrent", "False")],
    effect: Effect::Reads,
    call: |context, args| {
        let bound = bind("state.running", &[with("concurrent", "False")], args)?;
        let holder = turn::holder(context.opts).filter(|_| !bound.flag("concurrent", false));
        Ok(holder.iter().map(turn::Holder::describe).collect())
    },
}];
