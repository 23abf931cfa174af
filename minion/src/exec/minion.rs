//! `minion.*`: what an operator asks of the agent itself. Salt's `modules/minion.py`.

use serde_json::json;
use states::{Effect, Function};

use super::bind::{bind, with};

pub static TABLE: &[Function] = &[Function {
    name: "minion.restart",
    doc: "Lets the minion start anew, with its present program and configuration. Jobs that change the host \
          go on; the minion reports them when it is back.\n\n    ctl run '*' minion.restart",
    params: RESTART,
    effect: Effect::Runs,
    call: |context, args| {
        bind("minion.restart", RESTART, args)?;
        context.agent()?.restart();
        Ok(json!({
            "killed": null,
            "restart": {},
            "service_restart": {},
            "retcode": 0,
            "comment": ["The minion starts anew"],
        }))
    },
}];

static RESTART: &[states::call::Param] = &[
    with("systemd", "True"),
    with("win_service", "True"),
    with("schedule_retry", "False"),
    with("retry_delay", "180"),
];
