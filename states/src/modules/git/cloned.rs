//! `git.cloned`.

use serde_json::json;

use super::{Source, is_repository, rev_name};
use crate::{
    plan::{Call, Done, Plan, StateError, failed},
    resource::files,
};

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let source = Source::of(call, "'target' path must be absolute")?;
    let branch = call.value("branch").map(|_| rev_name(call, "branch", "")).transpose()?;
    let with = branch.as_ref().map_or(String::new(), |branch| format!(" with branch '{branch}'"));
    if !files::exists(call.look, &source.target) {
        let target = source.shown();
        let changes = json!({"new": source.arrow()});
        let would = format!("{} would be cloned to {target}{with}", source.name);
        return Plan::change(would, changes.clone(), move |doing| {
            let options: Vec<&str> = branch.iter().flat_map(|branch| ["--branch", branch]).collect();
            source.clone_with(doing.host, &options)?;
            Ok(Done::new(format!("{} cloned to {target}{with}", source.name), changes))
        });
    }
    let status = source.git.ask(call.look, Some(&source.target), &["status", "--porcelain"])?;
    if status.code != 0 || !is_repository(call, &source, false) && !is_repository(call, &source, true) {
        let why = crate::resource::command::complaint(&status);
        return failed(if why.is_empty() { format!("{} is not a git repository", source.shown()) } else { why });
    }
    let there = format!("Repository already exists at {}", source.shown());
    let Some(branch) = branch else { return Plan::keep(there) };
    let now = source.git.branch(call.look, &source.target)?.unwrap_or_default();
    if now == branch {
        return Plan::keep(format!("{there} and is checked out to branch '{branch}'"));
    }
    let changes = json!({"branch": {"old": now, "new": branch}});
    Plan::change(format!("Branch would be changed to '{branch}'"), changes.clone(), move |doing| {
        let start = format!("origin/{branch}");
        let known = source.git.commit(doing.host, &source.target, &branch)?.is_some();
        let words = if known { vec!["checkout", &branch] } else { vec!["checkout", "-b", &branch, &start] };
        let done = source.run(doing.host, &words);
        done.map_err(|why| StateError::failed(format!("Failed to change branch to '{branch}': {why}")))?;
        Ok(Done::new(format!("Branch changed to '{branch}'"), changes))
    })
}
