//! `file.recurse`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use proto::{Map, Value};
use serde_json::json;

use super::{directory, managed, moves::chosen, owner};
use crate::{
    compile::Chunk,
    plan::{Apply, Call, Done, Plan, StateError, failed},
    resource::files,
};

pub fn recurse(call: &Call<'_>) -> Result<Plan, StateError> {
    let root = super::path(call)?;
    let name = root.display().to_string();
    if call.value("mode").is_some() {
        return failed("'mode' is not allowed in 'file.recurse'. Please use 'file_mode' and 'dir_mode'.");
    }
    owner::permissions(call, "file_mode")?;
    if files::exists(call.look, &root) && !files::is_dir(call.look, &root) {
        return failed(format!("The path {name} exists and is not a directory"));
    }
    let (source, env) = source(call)?;
    let wanted = wanted(call, &source, &env);
    let mut parts = Parts::default();
    let mut keep: BTreeSet<PathBuf> = BTreeSet::from([root.clone()]);
    for folder in &wanted.folders {
        let path = if folder.as_os_str().is_empty() { root.clone() } else { root.join(folder) };
        keep.insert(path.clone());
        parts.add(&path, sub_plan(call, &path, "directory", &folder_args())?);
    }
    for file in &wanted.files {
        let path = root.join(file);
        keep.extend(path.ancestors().take_while(|above| above.starts_with(&root)).map(Path::to_owned));
        let from = format!("salt://{}/{}?saltenv={env}", source, file.display());
        parts.add(&path, sub_plan(call, &path, "managed", &file_args(call, from))?);
    }
    let removed = if call.flag("clean", false) { stale(call, &root, keep)? } else { Vec::new() };
    parts.finish(root, removed)
}

/// The source folder's path inside its tree.
fn source(call: &Call<'_>) -> Result<(String, String), StateError> {
    let sources = call.list("source");
    let tree = call.context().tree;
    for source in &sources {
        let Some(inside) = source.strip_prefix("salt://") else {
            return failed(format!("Recurse failed: Invalid source '{source}' (must be a salt:// address)"));
        };
        let (inside, env) = match inside.split_once("?saltenv=") {
            Some((inside, env)) => (inside, env.to_owned()),
            None => (inside, call.env()),
        };
        let inside = inside.trim_end_matches('/').to_owned();
        let prefix = format!("{inside}/");
        if tree.files(&env).iter().any(|file| file.starts_with(&prefix)) {
            return Ok((inside, env));
        }
    }
    failed("Recurse failed: none of the specified sources were found")
}

/// What is to be in the folder.
struct Wanted {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

fn wanted(call: &Call<'_>, source: &str, env: &str) -> Wanted {
    let (include, exclude) = (call.some_text("include_pat"), call.some_text("exclude_pat"));
    let depth = call.int("maxdepth").and_then(|depth| usize::try_from(depth).ok());
    let prefix = format!("{source}/");
    let mut folders = BTreeSet::from([PathBuf::new()]);
    let mut files = Vec::new();
    for file in call.context().tree.files(env).iter().filter_map(|file| file.strip_prefix(&prefix)) {
        let path = PathBuf::from(file);
        let deep = path.components().count() - 1;
        let stays_inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !stays_inside || depth.is_some_and(|depth| deep > depth) {
            continue;
        }
        if chosen(call.look, &path, include.as_deref(), exclude.as_deref()) {
            folders.extend(path.ancestors().skip(1).map(Path::to_owned));
            files.push(path);
        }
    }
    Wanted { folders: folders.into_iter().collect(), files }
}

/// Arguments of the sub-states that are not the state's own.
const OWN: [&str; 16] = [
    "source",
    "clean",
    "require",
    "include_pat",
    "exclude_pat",
    "maxdepth",
    "recurse",
    "file_mode",
    "include_empty",
    "keep_symlinks",
    "force_symlinks",
    "sym_mode",
    "contents",
    "mode",
    "check_cmd",
    "source_hash",
];

fn folder_args() -> Map {
    json!({"makedirs": true}).as_object().cloned().unwrap_or_default()
}

fn file_args(call: &Call<'_>, source: String) -> Map {
    let mut args = Map::new();
    args.insert("source".into(), source.into());
    args.insert("makedirs".into(), true.into());
    if let Some(mode) = call.value("file_mode") {
        args.insert("mode".into(), mode.clone());
    }
    args
}

fn sub_plan(call: &Call<'_>, path: &Path, fun: &str, more: &Map) -> Result<Plan, StateError> {
    let mut low = call.low.clone();
    OWN.iter().for_each(|key| drop(low.shift_remove(*key)));
    low.extend(more.clone());
    low.insert("name".into(), path.display().to_string().into());
    low.insert("fun".into(), fun.into());
    let sub = Call {
        look: call.look,
        low: &low,
        test: call.test,
        context: call.context,
        steps: call.steps,
        needs: Vec::<(_, &Chunk)>::new(),
        accumulated: call.accumulated,
        watched: Vec::new(),
    };
    let plan = if fun == "managed" { managed::plan(&sub) } else { directory::plan(&sub) };
    plan.map_err(|why| StateError::Failed(format!("#### {} ####\n{why}", path.display())))
}

fn stale(call: &Call<'_>, root: &Path, mut keep: BTreeSet<PathBuf>) -> Result<Vec<PathBuf>, StateError> {
    keep.extend(directory::kept(call, root));
    if !files::is_dir(call.look, root) {
        return Ok(Vec::new());
    }
    let pattern = call.some_text("exclude_pat");
    let below = files::walk(call.look, root).map_err(|why| StateError::io("list", root, &why))?;
    let stays = |path: &PathBuf| {
        keep.contains(path) || pattern.as_deref().is_some_and(|pattern| directory::excluded(pattern, root, path))
    };
    let holds =
        |folder: &PathBuf| below.iter().any(|(inner, _)| inner.starts_with(folder) && inner != folder && stays(inner));
    let gone: BTreeSet<PathBuf> =
        below.iter().map(|(path, _)| path).filter(|path| !stays(path) && !holds(path)).cloned().collect();
    Ok(gone.iter().filter(|path| path.parent().is_none_or(|parent| !gone.contains(parent))).cloned().collect())
}

/// Plans of many paths as one.
#[derive(Default)]
struct Parts {
    changes: Map,
    comments: Vec<String>,
    applies: Vec<(String, Apply)>,
}

impl Parts {
    fn add(&mut self, path: &Path, plan: Plan) {
        let Plan::Change { comment, changes, apply, .. } = plan else { return };
        let path = path.display().to_string();
        self.comments.push(format!("\n#### {path} ####\n{comment}"));
        self.changes.insert(path.clone(), Value::Object(changes));
        self.applies.push((path, apply));
    }

    fn finish(self, root: PathBuf, removed: Vec<PathBuf>) -> Result<Plan, StateError> {
        let name = root.display().to_string();
        if self.applies.is_empty() && removed.is_empty() {
            return Plan::keep(format!("The directory {name} is in the correct state"));
        }
        let mut comments = self.comments;
        let gone: Vec<String> = removed.iter().map(|path| path.display().to_string()).collect();
        if !gone.is_empty() {
            comments.push(format!("\n#### removed ####\n{}", gone.join("\n")));
        }
        let applies = self.applies;
        Plan::change(comments.join("\n").trim().to_owned(), self.changes, move |doing| {
            let mut changes = Map::new();
            for (path, apply) in applies {
                let done = apply(doing).map_err(|why| StateError::Failed(format!("#### {path} ####\n{why}")))?;
                // Salt makes the folder itself before it counts.
                if !done.changes.is_empty() && path != name {
                    changes.insert(path, Value::Object(done.changes));
                }
            }
            for path in &removed {
                doing.host.remove(path).map_err(|why| StateError::io("remove", path, &why))?;
            }
            if !gone.is_empty() {
                changes.insert("removed".into(), gone.into_iter().collect());
            }
            Ok(Done::new(format!("Recursively updated {name}"), changes))
        })
    }
}
