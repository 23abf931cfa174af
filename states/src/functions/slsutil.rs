//! `slsutil.*`: help for templates.

use proto::{Args, Map, Value};

use super::{args::Given, args::truth, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    compile::{Rendered, Renderer},
    diag::Source,
    json,
    merge::{self, Strategy},
    resource::configparser,
    value,
    yaml::{self, Style},
};

pub const TABLE: &[Function] = &[
    Function {
        name: "slsutil.merge",
        doc: "Merges two mappings and gives the result.\n\nctl run '*' slsutil.merge '{a: 1}' '{b: 2}'",
        params: &[
            need("obj_a"),
            need("obj_b"),
            opt("strategy", "smart"),
            opt("renderer", "yaml"),
            opt("merge_lists", "False"),
        ],
        effect: Effect::Reads,
        call: |_, args| {
            let given = Given::new(&args, &["obj_a", "obj_b", "strategy", "renderer", "merge_lists"]);
            let strategy = Strategy::parse(&given.text_or("strategy", "smart"), &given.text_or("renderer", "yaml"));
            Ok(Value::Object(merge::merge(
                given.map("obj_a")?,
                given.map("obj_b")?,
                strategy,
                given.flag("merge_lists", false),
            )))
        },
    },
    Function {
        name: "slsutil.merge_all",
        doc: "Merges a list of mappings, the last one on top.\n\nctl run '*' slsutil.merge_all '[{a: 1}, {b: 2}]'",
        params: &[need("lst"), opt("strategy", "smart"), opt("renderer", "yaml"), opt("merge_lists", "False")],
        effect: Effect::Reads,
        call: merge_all,
    },
    Function {
        name: "slsutil.update",
        doc: "Merges the second mapping into the first.\n\nctl run '*' slsutil.update '{a: 1}' '{b: 2}'",
        params: &[need("dest"), need("upd"), opt("recursive_update", "True"), opt("merge_lists", "False")],
        effect: Effect::Reads,
        call: |_, args| {
            let given = Given::new(&args, &["dest", "upd", "recursive_update", "merge_lists"]);
            let (mut dest, upd) = (given.map("dest")?, given.map("upd")?);
            if given.flag("recursive_update", true) {
                merge::update(&mut dest, upd, given.flag("merge_lists", false));
            } else {
                dest.extend(upd);
            }
            Ok(Value::Object(dest))
        },
    },
    Function {
        name: "slsutil.serialize",
        doc: "Writes a value as YAML, JSON, Python or a file of sections (`configparser`).\n\nctl run '*' slsutil.serialize json '{a: 1}'",
        params: &[need("serializer"), need("obj")],
        effect: Effect::Reads,
        call: serialize,
    },
    Function {
        name: "slsutil.deserialize",
        doc: "Reads a text as YAML, JSON or a file of sections (`configparser`).\n\nctl run '*' slsutil.deserialize yaml 'a: 1'",
        params: &[need("serializer"), need("stream_or_string")],
        effect: Effect::Reads,
        call: deserialize,
    },
    Function {
        name: "slsutil.renderer",
        doc: "Renders a file of the tree, or a text.\n\nctl run '*' slsutil.renderer salt://web/map.jinja default_renderer=jinja",
        params: &[opt("path", "None"), opt("string", "None"), opt("default_renderer", "jinja|yaml")],
        effect: Effect::Reads,
        call: renderer,
    },
    Function {
        name: "slsutil.boolstr",
        doc: "Gives one of two texts, as a value is true or false.\n\nctl run '*' slsutil.boolstr True yes no",
        params: &[need("value"), opt("true", "true"), opt("false", "false")],
        effect: Effect::Reads,
        call: |_, args| {
            let given = Given::new(&args, &["value", "true", "false"]);
            let (name, default) = if truth(given.need("value")?) { ("true", "true") } else { ("false", "false") };
            Ok(given.get(name).cloned().unwrap_or_else(|| default.into()))
        },
    },
    Function {
        name: "slsutil.file_exists",
        doc: "Tells whether the tree has this file.\n\nctl run '*' slsutil.file_exists web/init.sls",
        params: &[need("path"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: |context, args| exists(context, &args, true, false),
    },
    Function {
        name: "slsutil.dir_exists",
        doc: "Tells whether the tree has this folder.\n\nctl run '*' slsutil.dir_exists web/files",
        params: &[need("path"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: |context, args| exists(context, &args, false, true),
    },
    Function {
        name: "slsutil.path_exists",
        doc: "Tells whether the tree has this file or folder.\n\nctl run '*' slsutil.path_exists web",
        params: &[need("path"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: |context, args| exists(context, &args, true, true),
    },
    Function {
        name: "slsutil.findup",
        doc: "Finds a file in a folder of the tree or in one above it.\n\nctl run '*' slsutil.findup web/sites map.jinja",
        params: &[need("startpath"), need("filenames"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: findup,
    },
];

fn merge_all(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["lst", "strategy", "renderer", "merge_lists"]);
    let strategy = Strategy::parse(&given.text_or("strategy", "smart"), &given.text_or("renderer", "yaml"));
    let lists = given.flag("merge_lists", false);
    let mut all = Map::new();
    for item in given.need("lst")?.as_array().into_iter().flatten() {
        let Value::Object(map) = item else { return Err(CallError::arguments("merge_all needs a list of mappings")) };
        all = merge::merge(all, map.clone(), strategy, lists);
    }
    Ok(Value::Object(all))
}

fn serialize(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["serializer", "obj"]);
    let object = given.need("obj")?;
    let text = match given.text("serializer")?.as_str() {
        "yaml" | "yamlex" => {
            let flow = given.get("default_flow_style").filter(|flow| !flow.is_null());
            let style = Style {
                flow: flow.is_some_and(truth),
                flow_leaves: flow.is_none(),
                sort_keys: given.flag("sort_keys", true),
                ascii: !given.flag("allow_unicode", false),
                ..Style::default()
            };
            yaml::emit_styled(object, style).trim_end_matches('\n').to_owned()
        }
        "json" => {
            let indent = given
                .get("indent")
                .and_then(Value::as_u64)
                .map(|n| " ".repeat(usize::try_from(n.min(64)).unwrap_or(0)));
            json::python(object, given.flag("sort_keys", false), indent.as_deref())
        }
        "python" => crate::jinja::pprint(object),
        "configparser" => configparser::write(object).map_err(CallError::failed)?,
        other => return Err(CallError::failed(format!("Serializer '{other}' not found."))),
    };
    Ok(Value::String(text))
}

fn deserialize(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["serializer", "stream_or_string"]);
    let text = given.text("stream_or_string")?;
    match given.text("serializer")?.as_str() {
        kind @ ("yaml" | "yamlex") => {
            let source = crate::diag::Source::new("text", &text);
            let node = if kind == "yamlex" { yaml::parse_extended(&source) } else { yaml::parse_source(&source) };
            node.map(|node| yaml::to_value(&node)).map_err(|why| CallError::Diagnostic(Box::new(why)))
        }
        "json" => {
            serde_json::from_str(&text).map_err(|why| CallError::failed(format!("this is not valid JSON: {why}")))
        }
        "configparser" => configparser::read(&text).map(Value::Object).map_err(CallError::failed),
        other => Err(CallError::failed(format!("Serializer '{other}' not found."))),
    }
}

fn renderer(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    crate::stack::deep(|| rendered(context, &args))
}

fn rendered(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let given = Given::new(args, &["path", "string", "default_renderer"]);
    let pipe = given.text_or("default_renderer", "jinja|yaml");
    let env = given.text_or("saltenv", "base");
    let mut extra = args.named.clone();
    for known in ["path", "string", "default_renderer", "saltenv"] {
        extra.shift_remove(known);
    }
    if let Some(Value::Object(more)) = extra.shift_remove("context") {
        extra.extend(more);
    }
    let work = Renderer::new(context);
    let string = given.get("string").filter(|text| truth(text)).map(value::python_str);
    let (source, path) = match string {
        Some(text) => (Source::new(":string:", &text), ":string:".to_owned()),
        None => {
            let path = given.text("path")?;
            let inside = path.trim_start_matches("salt://").to_owned();
            let found = work.source(&env, &inside).map_err(CallError::Diagnostic)?;
            let read = || {
                let bytes = context.look.read(path.as_ref(), 64 << 20).ok()?;
                Some(Source::new(&path, &String::from_utf8(bytes).ok()?))
            };
            let source = if path.starts_with('/') { read() } else { found };
            (source.ok_or_else(|| CallError::failed(format!("the file {path} does not exist")))?, inside)
        }
    };
    let at = crate::compile::Where { env: &env, sls: "", path: &path };
    if source.text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match work.render_with(&source, at, &extra, &pipe).map_err(CallError::Diagnostic)? {
        Rendered::Data(node) => Ok(yaml::to_value(&node)),
        Rendered::Text(text) => Ok(Value::String(text.text.clone())),
    }
}

fn exists(context: &Context<'_>, args: &Args, file: bool, dir: bool) -> Result<Value, CallError> {
    let given = Given::new(args, &["path", "saltenv"]);
    let path = given.text("path")?;
    let path = path.trim_start_matches("salt://").trim_matches('/').to_owned();
    let env = given.text_or("saltenv", "base");
    Ok(Value::Bool(file && context.tree.has(&env, &path) || dir && has_dir(context, &env, &path)))
}

fn has_dir(context: &Context<'_>, env: &str, path: &str) -> bool {
    let prefix = format!("{path}/");
    path.is_empty() || context.tree.files(env).iter().any(|file| file.starts_with(&prefix))
}

fn findup(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["startpath", "filenames", "saltenv"]);
    let env = given.text_or("saltenv", "base");
    let names = match given.need("filenames")? {
        Value::Array(names) => names.iter().map(value::python_str).collect(),
        one => vec![value::python_str(one)],
    };
    let mut folder = given.text("startpath")?.trim_matches('/').to_owned();
    loop {
        for name in &names {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if context.tree.has(&env, &path) || has_dir(context, &env, &path) {
                return Ok(Value::String(path));
            }
        }
        match folder.rsplit_once('/') {
            Some((parent, _)) => folder = parent.to_owned(),
            None if folder.is_empty() => {
                return Err(CallError::failed(format!(
                    "File pattern(s) not found in path ancestry: {}",
                    names.join(", ")
                )));
            }
            None => folder.clear(),
        }
    }
}
