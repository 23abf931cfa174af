//! `cp.*` that read the tree of files.

use proto::{Args, Value};
use sha2::Digest;

use super::{args::Given, need, opt};
use crate::{CallError, Context, Effect, Function};

pub const TABLE: &[Function] = &[
    Function {
        name: "cp.list_states",
        doc: "Lists the SLS of an environment.\n\nctl run '*' cp.list_states",
        params: &[opt("saltenv", "base")],
        effect: Effect::Reads,
        call: list_states,
    },
    Function {
        name: "cp.list_master",
        doc: "Lists the files of an environment.\n\nctl run '*' cp.list_master prefix=web",
        params: &[opt("saltenv", "base"), opt("prefix", "")],
        effect: Effect::Reads,
        call: |context, args| {
            let given = Given::new(&args, &["saltenv", "prefix"]);
            let prefix = given.text_or("prefix", "");
            let files = context.tree.files(&given.text_or("saltenv", "base"));
            Ok(files.iter().filter(|file| file.starts_with(&prefix)).cloned().collect())
        },
    },
    Function {
        name: "cp.list_master_dirs",
        doc: "Lists the folders of an environment.\n\nctl run '*' cp.list_master_dirs",
        params: &[opt("saltenv", "base"), opt("prefix", "")],
        effect: Effect::Reads,
        call: list_dirs,
    },
    Function {
        name: "cp.get_file_str",
        doc: "Gives the text of a file of the tree.\n\nctl run '*' cp.get_file_str salt://web/motd",
        params: &[need("path"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: |context, args| {
            let text = read(context, &args)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Ok(text.map_or(Value::Bool(false), Value::String))
        },
    },
    Function {
        name: "cp.hash_file",
        doc: "Gives the SHA-256 of a file of the tree.\n\nctl run '*' cp.hash_file salt://web/motd",
        params: &[need("path"), opt("saltenv", "base")],
        effect: Effect::Reads,
        call: |context, args| {
            let Some(bytes) = read(context, &args)? else { return Ok(Value::Object(proto::Map::new())) };
            let digest: String = sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(serde_json::json!({"hash_type": "sha256", "hsum": digest}))
        },
    },
    Function {
        name: "cp.envs",
        doc: "Lists the environments.\n\nctl run '*' cp.envs",
        params: &[],
        effect: Effect::Reads,
        call: |context, _| Ok(context.tree.environments().into_iter().collect()),
    },
];

fn list_states(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let env = Given::new(&args, &["saltenv"]).text_or("saltenv", "base");
    let name = |path: &String| {
        let name = path.strip_suffix(".sls")?;
        Some(name.strip_suffix("/init").unwrap_or(name).replace('/', "."))
    };
    let mut names: Vec<String> = context.tree.files(&env).iter().filter_map(name).collect();
    names.sort();
    Ok(names.into_iter().collect())
}

fn list_dirs(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["saltenv", "prefix"]);
    let prefix = given.text_or("prefix", "");
    let mut dirs = std::collections::BTreeSet::from([".".to_owned()]);
    for file in context.tree.files(&given.text_or("saltenv", "base")).iter() {
        let mut dir = file.as_str();
        while let Some((parent, _)) = dir.rsplit_once('/') {
            dirs.insert(parent.to_owned());
            dir = parent;
        }
    }
    Ok(dirs.into_iter().filter(|dir| dir.starts_with(&prefix)).collect())
}

fn read(context: &Context<'_>, args: &Args) -> Result<Option<Vec<u8>>, CallError> {
    let given = Given::new(args, &["path", "saltenv"]);
    let path = given.text("path")?;
    let (path, env) = match path.trim_start_matches("salt://").split_once("?saltenv=") {
        Some((path, env)) => (path.to_owned(), env.to_owned()),
        None => (path.trim_start_matches("salt://").to_owned(), given.text_or("saltenv", "base")),
    };
    context.tree.read(&env, &path).map_err(|why| CallError::failed(format!("{path} cannot be read: {why}")))
}
