//! `state.*` that concern this minion's runs, not what they do. Salt's `modules/state.py`.

use states::{Effect, Function};

use super::bind::{bind, with};
use crate::{applied, turn};

pub static TABLE: &[Function] = &[RUNNING, REVISION];

const RUNNING: Function = Function {
    name: "state.running",
    doc: "Says which state run is under way, in a list; an empty list when there is none.\n\n    ctl run '*' state.running",
    params: &[with("concurrent", "False")],
    effect: Effect::Reads,
    call: |context, args| {
        let bound = bind("state.running", &[with("concurrent", "False")], args)?;
        let holder = turn::holder(context.opts).filter(|_| !bound.flag("concurrent", false));
        Ok(holder.iter().map(turn::Holder::describe).collect())
    },
};

/// Ours; Salt does not know what it has applied.
const REVISION: Function = Function {
    name: "state.revision",
    doc: "Says what was applied here last, and which version of the state files brought it: `last` is the last run of \
          whatever states, `highstate` the last whole one. Each has `jid`, `fun`, `fun_args`, `operator`, `success`, the \
          hash `tree` of all the files, and `commits` of the roots that are in git, by environment. Empty where nothing \
          was applied.\n\n    ctl run '*' state.revision",
    params: &[],
    effect: Effect::Reads,
    call: |context, args| {
        bind("state.revision", &[], args)?;
        Ok(applied::known(context.opts).into())
    },
};
