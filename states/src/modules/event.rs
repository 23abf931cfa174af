//! `event.*`: events as states.

use proto::{Args, Value};
use serde_json::json;

use super::params::event as params;
use crate::{
    functions::truth,
    plan::{self, Call, Done, Plan, State, StateError, StateModule},
};

pub const MODULE: StateModule = StateModule {
    name: "event",
    states: &[
        State {
            name: "send",
            doc: "Sends an event to the master.\n\n    app/deployed:\n      event.send:\n        - data: {version: 1.2.3}",
            params: params::SEND,
            plan: send,
        },
        State {
            name: "fire_master",
            doc: "Sends an event to the master, under an older name.\n\n    app/deployed:\n      event.fire_master:\n        - data: {version: 1.2.3}",
            params: params::SEND,
            plan: send,
        },
        State {
            name: "wait",
            doc: "Sends an event only when a state that it watches has changed.\n\n    app/deployed:\n      event.wait:\n        - watch:\n          - git: app",
            params: params::WAIT,
            plan: |_| Plan::keep(""),
        },
    ],
    watch: Some(send),
};

fn send(call: &Call<'_>) -> Result<Plan, StateError> {
    let (tag, data) = (call.name(), call.value("data").cloned().unwrap_or(Value::Null));
    let changes = match call.flag("show_changed", true) {
        true => json!({"tag": tag, "data": data}),
        false => json!({}),
    };
    let mut args = Args::positional([tag.into()]).with("data", data);
    for key in ["preload", "with_env", "with_grains", "with_pillar"] {
        if let Some(value) = call.value(key) {
            args = args.with(key, value.clone());
        }
    }
    Plan::change("Event would have been fired", changes.clone(), move |doing| {
        let sent = plan::call(doing.context, "event.send", args)?;
        Ok(Done { result: truth(&sent), ..Done::new("Event fired", changes) })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply};

    #[test]
    fn an_event_is_told_of_before_it_is_sent() {
        let sls = "a/b:\n  event.send:\n    - data: {x: 1}\n";
        let rows = apply(&Memory::new(json!({})), sls, true);
        assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(null), "Event would have been fired"));
        assert_eq!(rows[0].3, json!({"tag": "a/b", "data": {"x": 1}}));
    }
}
