//! `cron.*`: jobs and variables of crontabs.

use proto::{Map, Value};
use serde_json::json;

use super::{file::content, params::cron as params};
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts,
        cron::{self, Job, Set, Tab, When},
        diff,
    },
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "cron",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a job is in a user's crontab.\n\n    /usr/local/bin/backup:\n      cron.present:\n        - user: root\n        - minute: random\n        - hour: 2\n        - identifier: backup",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a job is not in a user's crontab.\n\n    backup:\n      cron.absent:\n        - identifier: backup",
            params: params::ABSENT,
            plan: absent,
        },
        State {
            name: "file",
            doc: "Makes a file the whole of a user's crontab.\n\n    salt://cron/app:\n      cron.file:\n        - user: app",
            params: params::FILE,
            plan: file,
        },
        State {
            name: "env_present",
            doc: "Makes sure that a crontab sets a variable.\n\n    PATH:\n      cron.env_present:\n        - value: /usr/local/bin:/usr/bin:/bin",
            params: params::ENV_PRESENT,
            plan: env_present,
        },
        State {
            name: "env_absent",
            doc: "Makes sure that a crontab does not set a variable.\n\n    MAILTO:\n      cron.env_absent",
            params: params::ENV_ABSENT,
            plan: env_absent,
        },
    ],
    watch: None,
};

fn user(call: &Call<'_>) -> String {
    call.text_or("user", "root")
}

/// What a job is known by: the command, unless another identifier is given, or none at all.
fn identifier(call: &Call<'_>, name: &str) -> Option<String> {
    match call.low.get("identifier") {
        Some(Value::Null) => None,
        None | Some(Value::Bool(false)) => Some(name.to_owned()),
        Some(other) => Some(value::python_str(other)),
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name().trim().to_owned();
    let when = match call.some_text("special") {
        Some(word) => When::Special(word),
        None => When::At(
            ["minute", "hour", "daymonth", "month", "dayweek"].map(|key| call.text_or(key, "*").to_lowercase()),
        ),
    };
    let job = Job {
        when,
        cmd: name.clone(),
        identifier: identifier(call, &name),
        comment: call.text("comment"),
        commented: call.flag("commented", false),
    };
    if [&name, &job.comment.clone().unwrap_or_default()].iter().any(|text| text.contains('\0')) || name.contains('\n') {
        return failed(format!("Cron {name} is more than one line"));
    }
    set(call, "Cron", &name, move |tab| tab.set(job.clone()))
}

fn env_present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, value) = (call.name(), call.text_or("value", ""));
    set(call, "Cron env", &call.name(), move |tab| tab.set_env(&name, &value))
}

fn set(
    call: &Call<'_>,
    what: &str,
    name: &str,
    set: impl Fn(&mut Tab) -> Set + Send + 'static,
) -> Result<Plan, StateError> {
    let user = user(call);
    let done = set(&mut Tab::of(call.look, &user)?);
    let (would, did) = match done {
        Set::Present => return Plan::keep(format!("{what} {name} already present")),
        Set::New => ("is set to be added", format!("{what} {name} added to {user}'s crontab")),
        Set::Updated => ("is set to be updated", format!("{what} {name} updated")),
    };
    let refused = format!("{what} {name} for user {user} failed to commit with error \n");
    let changes = json!({ user.as_str(): name });
    Plan::change(format!("{what} {name} {would}"), json!({}), move |doing| {
        let mut tab = Tab::of(doing.host, &user)?;
        set(&mut tab);
        match cron::write(doing.host, &user, &tab.render()) {
            Ok(()) => Ok(Done::new(did, changes)),
            Err(why) => failed(format!("{refused}{why}")),
        }
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name().trim().to_owned();
    let (identifier, special) = (identifier(call, &name), call.some_text("special"));
    remove(call, "Cron", &name.clone(), move |tab| tab.remove(&name, identifier.as_deref(), special.as_deref()))
}

fn env_absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name().trim().to_owned();
    remove(call, "Cron env", &name.clone(), move |tab| tab.remove_env(&name))
}

fn remove(
    call: &Call<'_>,
    what: &str,
    name: &str,
    remove: impl Fn(&mut Tab) -> bool + Send + 'static,
) -> Result<Plan, StateError> {
    let user = user(call);
    if !remove(&mut Tab::of(call.look, &user)?) {
        return Plan::keep(format!("{what} {name} {}", if call.test { "is absent" } else { "already absent" }));
    }
    let did = format!("{what} {name} removed from {user}'s crontab");
    let refused = format!("{what} {name} for user {user} failed to commit with error ");
    let changes = json!({ user.as_str(): name });
    Plan::change(format!("{what} {name} is set to be removed"), json!({}), move |doing| {
        let mut tab = Tab::of(doing.host, &user)?;
        remove(&mut tab);
        match cron::write(doing.host, &user, &tab.render()) {
            Ok(()) => Ok(Done::new(did, changes)),
            Err(why) => failed(format!("{refused}{why}")),
        }
    })
}

fn file(call: &Call<'_>) -> Result<Plan, StateError> {
    let user = user(call);
    if accounts::user(call.look, &user).is_none() && !accounts::user_expected(call.look, &user) {
        return failed(format!("Could not identify group for user {user}"));
    }
    let mut now = cron::raw(call.look, &user)?;
    if !now.is_empty() && !call.flag("replace", true) {
        return Plan::keep(format!("User {user} already has a crontab. No changes made"));
    }
    if !now.ends_with('\n') {
        now.push('\n');
    }
    let bytes = content::of_source(call, &call.name())?;
    if bytes == now.as_bytes() {
        return Plan::keep(format!("Crontab for user {user} is in the correct state"));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return failed("Unable to manage file: a crontab is text in UTF-8");
    };
    let mut changes: Map =
        [("diff".to_owned(), diff::of_bytes(now.as_bytes(), text.as_bytes()).into())].into_iter().collect();
    let would = format!("The following values are set to be changed:\ndiff: {}\n", value::python_str(&changes["diff"]));
    // Salt gives the user the file that it hands to `crontab`, and tells of that.
    if user != "root" {
        let group = accounts::all_groups_of(call.look, &user).into_iter().next().unwrap_or_default();
        changes.extend([("user".to_owned(), user.clone().into()), ("group".to_owned(), group.into())]);
    }
    Plan::change(would, json!({}), move |doing| match cron::write(doing.host, &user, &text) {
        Ok(()) => Ok(Done::new(format!("Crontab for user {user} was updated"), changes)),
        Err(why) => failed(format!("Unable to update user {user} crontab. Error: {why}")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, refused, said, thrice};

    /// A host whose `crontab` takes one job.
    fn host(job: &'static str) -> Memory {
        Memory::new(json!({})).with(&[("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")]).answer(move |host, line| {
            match line {
                "crontab -u root -l" => host.text("/tab").map_or(refused(1, "no crontab"), |tab| said(&tab)),
                "crontab -u root -" => {
                    host.put("/tab", &format!("# Lines below here are managed by Salt, do not edit\n{job}"));
                    said("")
                }
                _ => None,
            }
        })
    }

    #[test]
    fn a_job_comes_once() {
        let host = host("# SALT_CRON_IDENTIFIER:b\n1 2 * * * /bin/b\n");
        let sls = "/bin/b:\n  cron.present:\n    - minute: 1\n    - hour: 2\n    - identifier: b\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!((test.1.as_str(), &test.2), ("Cron /bin/b is set to be added", &json!({})));
        assert_eq!(first.1, "Cron /bin/b added to root's crontab");
        assert_eq!((first.2, second.1.as_str()), (json!({"root": "/bin/b"}), "Cron /bin/b already present"));
    }

    #[test]
    fn a_file_is_the_whole_crontab() {
        let host = host("");
        let files = [
            ("t.sls", "salt://tab:\n  cron.file: []\n"),
            ("tab", "# Lines below here are managed by Salt, do not edit\n"),
        ];
        let [_, first, second] = thrice(&host, &files);
        assert_eq!(first.1, "Crontab for user root was updated");
        assert_eq!(second.1, "Crontab for user root is in the correct state");
    }
}
