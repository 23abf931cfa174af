//! `grains.*`: what a host is told to be.

use proto::{Args, Map, Value};
use serde_json::json;

use super::params::grains as params;
use crate::{
    Context, merge,
    plan::{self, Apply, Call, Doing, Done, Plan, PlanFn, State, StateError, StateModule, failed},
    resource::static_grains::{self, With},
    value::python_str,
};

pub const MODULE: StateModule = StateModule {
    name: "grains",
    states: &[
        State {
            name: "exists",
            doc: "Fails unless a grain is there.\n\n    roles:\n      grains.exists",
            params: params::EXISTS,
            plan: |call| told(call, exists),
        },
        State {
            name: "present",
            doc: "Makes sure that a grain, or a part of one, has a value.\n\n    app:port:\n      grains.present:\n        - value: 8080",
            params: params::PRESENT,
            plan: |call| told(call, present),
        },
        State {
            name: "list_present",
            doc: "Makes sure that values are in a grain that is a list.\n\n    roles:\n      grains.list_present:\n        - value: [web, cache]",
            params: params::LIST_PRESENT,
            plan: |call| told(call, list_present),
        },
        State {
            name: "list_absent",
            doc: "Makes sure that values are not in a grain that is a list.\n\n    roles:\n      grains.list_absent:\n        - value: db",
            params: params::LIST_ABSENT,
            plan: |call| told(call, list_absent),
        },
        State {
            name: "absent",
            doc: "Makes sure that a grain has no value, or is not there at all (`destructive`).\n\n    old_role:\n      grains.absent:\n        - destructive: True",
            params: params::ABSENT,
            plan: |call| told(call, absent),
        },
        State {
            name: "append",
            doc: "Adds a value to a grain that is there and is a list.\n\n    roles:\n      grains.append:\n        - value: web",
            params: params::APPEND,
            plan: |call| told(call, append),
        },
    ],
    watch: None,
};

/// The path of the grain, with `:` for whatever delimiter the state has.
fn named(call: &Call<'_>) -> String {
    let delimiter = call.text("delimiter").filter(|text| !text.is_empty()).unwrap_or_else(|| ":".into());
    call.name().replace(&delimiter, ":")
}

/// A plan whose row is named after that path, as Salt names it.
fn told(call: &Call<'_>, plan: PlanFn) -> Result<Plan, StateError> {
    let (plan, name) = (plan(call)?, named(call));
    if name == call.name() {
        return Ok(plan);
    }
    let of: Map = [("name".to_owned(), Value::String(name))].into_iter().collect();
    Ok(match plan {
        Plan::Keep(comment) => Plan::KeepWith(Done { more: of, ..Done::new(comment, Map::new()) }),
        Plan::KeepWith(done) => Plan::KeepWith(Done { more: of, ..done }),
        Plan::Change { comment, changes, apply, .. } => {
            let more = of.clone();
            let apply: Apply = Box::new(move |doing| Ok(Done { more: of, ..apply(doing)? }));
            Plan::Change { comment, changes, more, apply }
        }
    })
}

/// The grain that a state is about.
struct Grain {
    name: String,
    /// None where it is not there.
    now: Option<Value>,
}

impl Grain {
    fn of(call: &Call<'_>) -> Self {
        let name = named(call);
        let grains = static_grains::current(call.look, call.context().opts);
        let now = merge::traverse_map(&grains, &name, ":").cloned();
        Self { name, now }
    }

    /// Whether it has what Python takes for something.
    fn is_something(&self) -> bool {
        self.now.as_ref().is_some_and(crate::functions::truth)
    }
}

/// Calls a function that writes grains, which is to see those that this run has written.
fn change(doing: &Doing<'_>, function: &str, args: Args) -> Result<Value, StateError> {
    let grains = static_grains::current(doing.host, doing.context.opts);
    let look = With { look: doing.host, grains };
    plan::call(&Context { look: &look, ..doing.context.copy() }, function, args)
}

fn value(call: &Call<'_>) -> Result<Value, StateError> {
    call.low
        .get("value")
        .cloned()
        .ok_or_else(|| StateError::Failed(format!("Missing parameter value for state {}", call.full())))
}

fn exists(call: &Call<'_>) -> Result<Plan, StateError> {
    if Grain::of(call).now.is_some() { Plan::keep("Grain exists") } else { failed("Grain does not exist") }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (Grain { name, now }, value) = (Grain::of(call), value(call)?);
    if now.as_ref() == Some(&value) {
        return Plan::keep("Grain is already set");
    }
    let force = call.flag("force", false);
    let complex = |value: &Value| value.is_object() || value.is_array();
    // What the function refuses, a dry run refuses too.
    match &now {
        Some(now) if !force && complex(now) => {
            return failed(format!("The key '{name}' exists but is a dict or a list. Use 'force=True' to overwrite."));
        }
        Some(now) if !force && !now.is_null() && complex(&value) => {
            return failed(format!(
                "The key '{name}' exists and the given value is a dict or a list. Use 'force=True' to overwrite."
            ));
        }
        _ => {}
    }
    let (comment, changes) = match now {
        None => (format!("Grain {name} is set to be added"), json!({ "new": name })),
        Some(_) => (format!("Grain {name} is set to be changed"), json!({"changed": { name.as_str(): value }})),
    };
    Plan::change(comment, changes, move |doing| {
        let args = Args::positional([name.clone().into(), value.clone()]).with("force", force);
        let said = set(doing, args)?;
        Ok(if said.result && !said.changes.is_empty() {
            Done { comment: format!("Set grain {name} to {}", python_str(&value)), ..said }
        } else {
            said
        })
    })
}

/// What `grains.set` answers, as a result.
fn set(doing: &Doing<'_>, args: Args) -> Result<Done, StateError> {
    let said = change(doing, "grains.set", args)?;
    let comment = said.get("comment").map(python_str).unwrap_or_default();
    let changes = said.get("changes").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Done { result: said.get("result") != Some(&Value::Bool(false)), ..Done::new(comment, changes) })
}

fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        one => vec![one.clone()],
    }
}

fn list_present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (grain, value) = (Grain::of(call), value(call)?);
    let there = match &grain.now {
        Some(Value::Array(there)) => there.clone(),
        Some(_) if grain.is_something() => {
            return failed(format!("Grain {} is not a valid list", grain.name));
        }
        _ => Vec::new(),
    };
    let name = grain.name;
    let (known, new): (Vec<Value>, Vec<Value>) = listed(&value).into_iter().partition(|value| there.contains(value));
    if new.is_empty() {
        return Plan::keep(format!("Value {} is already in grain {name} (or pending)", python_str(&value)));
    }
    let value = if value.is_array() { Value::Array(new) } else { value };
    let left_out = match known.is_empty() {
        true => String::new(),
        false => {
            let known = python_str(&Value::Array(known));
            format!("Removed value {known} from update due to value found in \"{name}\" (or pending).\n")
        }
    };
    let shown = python_str(&value);
    let (comment, now) = match there.is_empty() {
        true => (format!("Grain {name} is set to be added"), Value::from("")),
        false => (format!("Value {shown} is set to be appended to grain {name}"), Value::Array(there)),
    };
    Plan::change(comment, json!({ "new": now }), move |doing| {
        let said = change(doing, "grains.append", Args::positional([name.clone().into(), value]))?;
        if !said.is_object() {
            return failed(format!("Failed append value {shown} to grain {name}"));
        }
        Ok(Done::new(format!("{left_out}Append value {shown} to grain {name}"), json!({ "new": said })))
    })
}

fn list_absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (grain, value) = (Grain::of(call), value(call)?);
    let name = grain.name.clone();
    let there = match &grain.now {
        _ if !grain.is_something() => return Plan::keep(format!("Grain {name} does not exist")),
        Some(Value::Array(there)) => there.clone(),
        _ => return failed(format!("Grain {name} is not a valid list")),
    };
    let (mut would, mut did, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for value in listed(&value) {
        let shown = python_str(&value);
        if there.contains(&value) {
            would.push(format!("Value {shown} in grain {name} is set to be deleted"));
            did.push(format!("Value {shown} was deleted from grain {name}"));
            gone.push(value);
        } else {
            let absent = format!("Value {shown} is absent from grain {name}");
            would.push(absent.clone());
            did.push(absent);
        }
    }
    if gone.is_empty() {
        return Plan::keep(did.join("\n"));
    }
    let changes = json!({ "deleted": gone });
    Plan::change(would.join("\n"), changes.clone(), move |doing| {
        for value in gone {
            change(doing, "grains.remove", Args::positional([name.clone().into(), value]))?;
        }
        Ok(Done::new(did.join("\n"), changes))
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let Grain { name, now } = Grain::of(call);
    let (destructive, force) = (call.flag("destructive", false), call.flag("force", false));
    let comment = match &now {
        None => return Plan::keep(format!("Grain {name} does not exist")),
        // There is nothing to take away; Salt says nothing either.
        Some(Value::Null) if !destructive => return Plan::keep("Grain is already set"),
        Some(now) if !force && (now.is_object() || now.is_array()) => {
            return failed(format!("The key '{name}' exists but is a dict or a list. Use 'force=True' to overwrite."));
        }
        Some(_) if destructive => format!("Grain {name} is set to be deleted"),
        Some(_) => format!("Value for grain {name} is set to be deleted (None)"),
    };
    let changes: Map = match destructive {
        true => [("deleted".to_owned(), name.clone().into())].into_iter().collect(),
        false => [("grain".to_owned(), name.clone().into()), ("value".to_owned(), Value::Null)].into_iter().collect(),
    };
    Plan::change(comment, changes.clone(), move |doing| {
        let args = Args::positional([name.clone().into(), Value::Null]);
        let said = set(doing, args.with("destructive", destructive).with("force", force))?;
        Ok(match (said.result, destructive) {
            (false, _) => said,
            (true, true) => Done::new(format!("Grain {name} was deleted"), changes),
            (true, false) => Done::new(format!("Value for grain {name} was set to None"), changes),
        })
    })
}

fn append(call: &Call<'_>) -> Result<Plan, StateError> {
    let (Grain { name, now }, value) = (Grain::of(call), value(call)?);
    let shown = python_str(&value);
    let changes = json!({ "added": value });
    let convert = call.flag("convert", false);
    let comment = match &now {
        None => return failed(format!("Grain {name} does not exist")),
        Some(Value::Array(there)) if there.contains(&value) => {
            return Plan::keep(format!("Value {shown} is already in the list for grain {name}"));
        }
        Some(Value::Array(_)) => format!("Value {shown} in grain {name} is set to be added"),
        Some(_) if !convert => return failed(format!("Grain {name} is not a valid list")),
        Some(_) => format!("Grain {name} is set to be converted to list and value {shown} will be added"),
    };
    Plan::change(comment, changes.clone(), move |doing| {
        let args = Args::positional([name.clone().into(), value]).with("convert", convert);
        let said = change(doing, "grains.append", args)?;
        match said.is_object() {
            true => Ok(Done::new(format!("Value {shown} was added to grain {name}"), changes)),
            false => failed(python_str(&said)),
        }
    })
}
