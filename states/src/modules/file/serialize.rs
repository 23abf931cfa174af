//! `file.serialize`.

use proto::{Args, Map, Value};

use super::{content, managed};
use crate::{
    functions::truth,
    merge::{self, Strategy},
    plan::{Call, Doing, Plan, StateError, failed},
    resource::{
        diff,
        files::{self, LIMIT},
    },
};

pub fn serialize(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    if !call.flag("create", true) && !files::is_file(call.look, &path) {
        return Plan::keep(format!("File {name} is not present and is not set for creation"));
    }
    if call.some_text("serializer").is_some() && call.some_text("formatter").is_some() {
        return failed("Only one of serializer and formatter are allowed");
    }
    let serializer = call.some_text("serializer").or_else(|| call.some_text("formatter"));
    let serializer = serializer.unwrap_or_else(|| "yaml".into()).to_lowercase();
    let mut data = dataset(call)?;
    let mut difference = None;
    if call.flag("merge_if_exists", false)
        && let Ok(bytes) = call.look.read(&path, LIMIT)
    {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let args = Args::positional([serializer.clone().into(), text.into()]);
        let there = call
            .call("slsutil.deserialize", args)
            .map_err(|why| StateError::Failed(format!("Failed to deserialize existing data: {why}")))?;
        if let (Value::Object(there), Value::Object(more)) = (&there, &data) {
            let merged = merge::merge(there.clone(), more.clone(), Strategy::Recurse, false);
            if merged == *there {
                return Plan::keep(format!("The file {name} is in the correct state"));
            }
            difference = Some(diff::of_maps(there, &merged));
            data = Value::Object(merged);
        }
    }
    let text = written(call, &serializer, &data)?;
    let would = |name: &str| format!("Dataset will be serialized and stored into {name}");
    let bytes = content::encoded(call, text)?;
    let plan = managed::with_content(call, bytes, would)?;
    Ok(match difference {
        Some(difference) => with_difference(plan, difference),
        None if call.flag("show_changes", true) => plan,
        None => with_hidden(plan),
    })
}

/// Shows what of the data differs instead of what of the text.
fn with_difference(plan: Plan, difference: Map) -> Plan {
    let Plan::Change { comment, mut changes, more, apply } = plan else { return plan };
    changes.insert("diff".into(), Value::Object(difference.clone()));
    let apply = move |doing: &Doing<'_>| {
        let mut done = apply(doing)?;
        done.changes.insert("diff".into(), Value::Object(difference));
        Ok(done)
    };
    Plan::Change { comment, changes, more, apply: Box::new(apply) }
}

/// Salt says so of new files too.
fn with_hidden(plan: Plan) -> Plan {
    let Plan::Change { comment, mut changes, more, apply } = plan else { return plan };
    changes.insert("diff".into(), "<show_changes=False>".into());
    Plan::Change { comment, changes, more, apply }
}

fn dataset(call: &Call<'_>) -> Result<Value, StateError> {
    let given = call.value("dataset").filter(|data| truth(data));
    match (given, call.some_text("dataset_pillar")) {
        (Some(_), Some(_)) => failed("Only one of 'dataset' and 'dataset_pillar' is permitted"),
        (_, Some(key)) => {
            match call.call("pillar.get", Args::positional([key.into(), Value::Null]).with("unmask", true))? {
                Value::Null => failed("Neither 'dataset' nor 'dataset_pillar' was defined"),
                found => Ok(found),
            }
        }
        (_, None) => match call.value("dataset") {
            Some(data) => Ok(data.clone()),
            None => failed("Neither 'dataset' nor 'dataset_pillar' was defined"),
        },
    }
}

/// Salt's defaults for each format, and what `serializer_opts` says.
fn written(call: &Call<'_>, serializer: &str, data: &Value) -> Result<String, StateError> {
    let mut options: Map = match serializer {
        "yaml" => [("default_flow_style".to_owned(), Value::Bool(false))].into_iter().collect(),
        "json" => {
            [("indent".to_owned(), Value::from(2)), ("sort_keys".to_owned(), Value::Bool(true))].into_iter().collect()
        }
        "python" | "configparser" => Map::new(),
        other => {
            return failed(format!(
                "The {other} serializer could not be found. It either does not exist or its prerequisites are not \
                 installed."
            ));
        }
    };
    options.extend(call.map("serializer_opts"));
    let mut args = Args::positional([serializer.into(), data.clone()]);
    args.named = options;
    let text = call.call("slsutil.serialize", args)?;
    let text = text.as_str().unwrap_or_default();
    Ok(match serializer {
        "configparser" => format!("{text}\n"),
        _ => format!("{}\n", text.trim_end_matches('\n')),
    })
}
