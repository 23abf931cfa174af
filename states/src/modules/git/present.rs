//! `git.present`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    plan::{Call, Done, Plan, StateError, failed},
    resource::{files, git::Git},
    value,
};

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let path = PathBuf::from(&name);
    if !path.is_absolute() {
        return failed(format!("'{name}' is not an absolute path"));
    }
    let (bare, force) = (call.flag("bare", true), call.flag("force", false));
    let mut changes = json!({});
    let mut would = format!("New {}repository would be created", if bare { "bare " } else { "" });
    let mut clear = false;
    if files::is_dir(call.look, &path) {
        let there = |inside: &str| call.look.stat(&path.join(inside)).is_ok();
        if bare && there("HEAD") || !bare && there(".git") {
            return Plan::keep("");
        }
        let full = !call.look.list(&path).unwrap_or_default().is_empty();
        if full && !force {
            return failed(format!(
                "Target '{name}' exists, is non-empty, and is not a git repository. Set the 'force' option to True to \
                 remove this directory's contents and proceed with initializing a repository"
            ));
        }
        if force {
            clear = true;
            would = format!(
                "Target directory {name} exists. Since force=True, the contents of {name} would be deleted, and a \
                 {}repository would be initialized in its place.",
                if bare { "bare " } else { "" }
            );
        }
    }
    if call.test || !clear {
        changes["new"] = name.as_str().into();
    }
    if clear {
        changes["forced init"] = true.into();
        changes["new"] = name.as_str().into();
    }
    let git = Git { user: call.some_text("user"), identities: Vec::new() };
    let shared = call.value("shared").map(|shared| match shared.as_bool() {
        Some(true) => "--shared".to_owned(),
        _ => format!("--shared={}", value::python_str(shared)),
    });
    let options = [
        bare.then(|| "--bare".to_owned()),
        call.some_text("template").map(|template| format!("--template={template}")),
        call.some_text("separate_git_dir").map(|folder| format!("--separate-git-dir={folder}")),
        shared.filter(|shared| shared != "--shared=False"),
    ];
    let (template, separate) = (call.some_text("template"), call.some_text("separate_git_dir"));
    Plan::change(would, changes.clone(), move |doing| {
        if clear {
            doing.host.remove(&path).map_err(|why| StateError::failed(format!("Unable to remove {name}: {why}")))?;
        }
        let words: Vec<&str> = std::iter::once("init").chain(options.iter().flatten().map(String::as_str)).collect();
        let words = [&words[..], &["--", &name]].concat();
        git.run(doing.host, Some(Path::new("/")), &words)?;
        let mut done = vec![format!("Initialized {}repository in {name}", if bare { "bare " } else { "" })];
        done.extend(template.map(|template| format!("Template directory set to {template}")));
        done.extend(separate.map(|folder| format!("Gitdir set to {folder}")));
        Ok(Done::new(super::sentences(&done), changes))
    })
}
