//! `service.*` that read.

use proto::{Args, Value};

use super::{args::Given, need};
use crate::{
    CallError, Context, Effect, Function,
    call::Param,
    resource::services::{Manager, Status},
};

const NAME: &[Param] = &[need("name")];

pub const TABLE: &[Function] = &[
    Function {
        name: "service.status",
        doc: "Tells whether a service runs.\n\nctl run '*' service.status sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| status.running),
    },
    Function {
        name: "service.available",
        doc: "Tells whether there is such a service.\n\nctl run '*' service.available sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| status.available),
    },
    Function {
        name: "service.missing",
        doc: "Tells whether there is no such service.\n\nctl run '*' service.missing sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| !status.available),
    },
    Function {
        name: "service.enabled",
        doc: "Tells whether a service starts with the host.\n\nctl run '*' service.enabled sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| status.enabled),
    },
    Function {
        name: "service.disabled",
        doc: "Tells whether a service does not start with the host.\n\nctl run '*' service.disabled sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| !status.enabled),
    },
    Function {
        name: "service.masked",
        doc: "Tells whether a service cannot be started.\n\nctl run '*' service.masked sshd",
        params: NAME,
        effect: Effect::Reads,
        call: |context, args| tell(context, &args, |status| status.masked),
    },
];

fn tell(context: &Context<'_>, args: &Args, what: fn(Status) -> bool) -> Result<Value, CallError> {
    let name = Given::new(args, &["name"]).text("name")?;
    if name.is_empty() || name.starts_with('-') || name.contains(['/', '\0', '\n']) {
        return Err(CallError::arguments(format!("'{name}' is not the name of a service")));
    }
    let status = Manager::detect(context.look).status(context.look, &name);
    status.map(|status| Value::Bool(what(status))).map_err(|why| CallError::failed(why.to_string()))
}

#[cfg(test)]
mod tests {
    use proto::Args;
    use serde_json::json;

    use crate::testing::{Memory, call, said};

    #[test]
    fn what_is_known_of_a_service() {
        let host = Memory::new(json!({"init": "systemd"}))
            .answer(|_, _| said("LoadState=loaded\nActiveState=active\nUnitFileState=disabled\n"));
        let ask = |name: &str| call(&host, &[], json!({}), name, Args::positional(["web".into()])).0.unwrap();
        assert_eq!(ask("service.status"), json!(true));
        assert_eq!(ask("service.available"), json!(true));
        assert_eq!((ask("service.enabled"), ask("service.disabled")), (json!(false), json!(true)));
        assert_eq!(ask("service.masked"), json!(false));
    }
}
