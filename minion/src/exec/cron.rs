//! `cron.*`: jobs and variables of users' crontabs. Salt's `modules/cron.py`.

use proto::{Map, Value};
use rand::RngExt;
use serde_json::json;
use states::{
    CallError, Context, Function,
    plan::StateError,
    resource::cron::{self, Job, Set, Tab, When},
};

use super::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "cron.list_tab",
        Reads,
        [need("user")],
        list,
        "Shows what is in a user's crontab.\n\n    ctl run '*' cron.list_tab root"
    ),
    row!("cron.ls", Reads, [need("user")], list, "The same as `cron.list_tab`.\n\n    ctl run '*' cron.ls root"),
    row!(
        "cron.raw_cron",
        Reads,
        [need("user")],
        |context, bound| cron::raw(context.look, &bound.need_text("user")?).map(Value::from).map_err(why),
        "Gives the text of a user's crontab.\n\n    ctl run '*' cron.raw_cron root"
    ),
    row!(
        "cron.get_entry",
        Reads,
        [need("user"), with("identifier", "None"), with("cmd", "None")],
        |context, bound| {
            let tab = tab(context, bound)?;
            let (identifier, cmd) = (bound.text("identifier")?, bound.text("cmd")?);
            let fits = |job: &&Job| match &identifier {
                Some(wanted) if !wanted.is_empty() => job.identifier.as_ref() == Some(wanted),
                _ => cmd.as_ref().is_some_and(|cmd| !cmd.is_empty() && job.cmd == *cmd),
            };
            Ok(tab.jobs.iter().find(fits).map_or(Value::Bool(false), shown))
        },
        "Shows one job of a user's crontab, by its identifier or its command; false if there is none.\n\n    \
         ctl run '*' cron.get_entry root identifier=backup"
    ),
    row!(
        "cron.set_job",
        Writes,
        [
            need("user"),
            need("minute"),
            need("hour"),
            need("daymonth"),
            need("month"),
            need("dayweek"),
            need("cmd"),
            with("commented", "False"),
            with("comment", "None"),
            with("identifier", "None"),
        ],
        |context, bound| {
            let mut times = ["minute", "hour", "daymonth", "month", "dayweek"].map(str::to_owned);
            for time in &mut times {
                *time = settled(time, &bound.text(time)?.unwrap_or_else(|| "*".into()).to_lowercase());
            }
            set(context, bound, When::At(times))
        },
        "Puts a job into a user's crontab; gives `new`, `updated` or `present`.\n\n    \
         ctl run '*' cron.set_job root '*' '*' '*' '*' 1 /usr/local/weekly"
    ),
    row!(
        "cron.set_special",
        Writes,
        [
            need("user"),
            need("special"),
            need("cmd"),
            with("commented", "False"),
            with("comment", "None"),
            with("identifier", "None"),
        ],
        |context, bound| {
            let special = bound.need_text("special")?;
            match special.starts_with('@') && special[1..].chars().all(|c| c.is_ascii_lowercase()) {
                true => set(context, bound, When::Special(special)),
                false => Err(CallError::arguments(format!("special: '{special}' is none of cron's, such as @daily"))),
            }
        },
        "Puts a job with a time such as `@hourly` into a user's crontab.\n\n    \
         ctl run '*' cron.set_special root @hourly 'echo foobar'"
    ),
    row!(
        "cron.rm_job",
        Writes,
        [
            need("user"),
            need("cmd"),
            with("minute", "None"),
            with("hour", "None"),
            with("daymonth", "None"),
            with("month", "None"),
            with("dayweek", "None"),
            with("identifier", "None"),
        ],
        remove_job,
        "Takes a job out of a user's crontab; gives `removed` or `absent`.\n\n    ctl run '*' cron.rm_job root /usr/local/weekly"
    ),
    row!(
        "cron.rm",
        Writes,
        [
            need("user"),
            need("cmd"),
            with("minute", "None"),
            with("hour", "None"),
            with("daymonth", "None"),
            with("month", "None"),
            with("dayweek", "None"),
            with("identifier", "None"),
        ],
        remove_job,
        "The same as `cron.rm_job`.\n\n    ctl run '*' cron.rm root /usr/local/weekly"
    ),
    row!(
        "cron.rm_special",
        Writes,
        [need("user"), need("cmd"), with("special", "None"), with("identifier", "None")],
        |context, bound| {
            let special = bound.text("special")?;
            remove(context, bound, |job| match &job.when {
                When::Special(word) => special.as_ref().is_none_or(|wanted| wanted == word),
                When::At(_) => false,
            })
        },
        "Takes a job with a time such as `@hourly` out of a user's crontab.\n\n    \
         ctl run '*' cron.rm_special root /usr/bin/foo"
    ),
    row!(
        "cron.set_env",
        Writes,
        [need("user"), need("name"), with("value", "None")],
        |context, bound| {
            let mut tab = tab(context, bound)?;
            let (name, value) = (line(bound, "name")?, bound.text("value")?.unwrap_or_default());
            if name.is_empty() || name.contains(['=', ' ']) || value.contains('\n') {
                return Err(CallError::arguments(format!("'{name}' cannot be set")));
            }
            let done = tab.set_env(&name, &value);
            keep(context, bound, &tab, word(done), done != Set::Present)
        },
        "Sets a variable in a user's crontab.\n\n    ctl run '*' cron.set_env root MAILTO user@example.com"
    ),
    row!(
        "cron.rm_env",
        Writes,
        [need("user"), need("name")],
        |context, bound| {
            let mut tab = tab(context, bound)?;
            let gone = tab.remove_env(&bound.need_text("name")?);
            keep(context, bound, &tab, if gone { "removed" } else { "absent" }, gone)
        },
        "Takes a variable out of a user's crontab.\n\n    ctl run '*' cron.rm_env root MAILTO"
    ),
    row!(
        "cron.write_cron_file",
        Writes,
        [need("user"), need("path")],
        |context, bound| Ok((install(context, bound)?.code == 0).into()),
        "Makes a file the whole of a user's crontab.\n\n    ctl run '*' cron.write_cron_file root /tmp/new_cron"
    ),
    row!(
        "cron.write_cron_file_verbose",
        Writes,
        [need("user"), need("path")],
        |context, bound| {
            let output = install(context, bound)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
            Ok(json!({
                "pid": output.pid, "retcode": output.code, "stdout": text(&output.stdout), "stderr": text(&output.stderr),
            }))
        },
        "Makes a file the whole of a user's crontab, and shows what `crontab` said.\n\n    \
         ctl run '*' cron.write_cron_file_verbose root /tmp/new_cron"
    ),
];

fn why(error: StateError) -> CallError {
    CallError::failed(error.to_string())
}

fn tab(context: &Context<'_>, bound: &Bound) -> Result<Tab, CallError> {
    Tab::of(context.look, &bound.need_text("user")?).map_err(why)
}

/// A text of one line.
fn line(bound: &Bound, key: &str) -> Result<String, CallError> {
    let text = bound.need_text(key)?;
    match text.contains(['\n', '\0']) {
        true => Err(CallError::arguments(format!("{key} must be one line"))),
        false => Ok(text),
    }
}

fn shown(job: &Job) -> Value {
    let mut row = match &job.when {
        When::At([minute, hour, daymonth, month, dayweek]) => json!({
            "minute": minute, "hour": hour, "daymonth": daymonth, "month": month, "dayweek": dayweek,
        }),
        When::Special(word) => json!({"spec": word}),
    };
    if let Some(map) = row.as_object_mut() {
        map.insert("identifier".into(), job.identifier.clone().into());
        map.insert("cmd".into(), job.cmd.clone().into());
        map.insert("comment".into(), job.comment.clone().into());
        map.insert("commented".into(), job.commented.into());
    }
    row
}

fn list(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let tab = tab(context, bound)?;
    let jobs = |special: bool| -> Vec<Value> {
        tab.jobs.iter().filter(|job| matches!(job.when, When::Special(_)) == special).map(shown).collect()
    };
    let env: Vec<Value> = tab.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    Ok(json!({"pre": tab.before, "crons": jobs(false), "special": jobs(true), "env": env}))
}

/// `1:30` is any number between the two, as Salt reads it.
fn settled(key: &str, time: &str) -> String {
    let most = if key == "minute" { 59 } else { 31 };
    let range = time.split_once(':').and_then(|(from, to)| Some((from.parse::<u8>().ok()?, to.parse::<u8>().ok()?)));
    match range {
        Some((from, to)) if from.max(to) <= most => rand::rng().random_range(from.min(to)..=from.max(to)).to_string(),
        _ => time.to_owned(),
    }
}

fn word(set: Set) -> &'static str {
    match set {
        Set::Present => "present",
        Set::New => "new",
        Set::Updated => "updated",
    }
}

fn set(context: &Context<'_>, bound: &Bound, when: When) -> Result<Value, CallError> {
    let mut tab = tab(context, bound)?;
    let job = Job {
        when,
        cmd: line(bound, "cmd")?,
        identifier: bound.text("identifier")?,
        comment: bound.text("comment")?,
        commented: bound.flag("commented", false),
    };
    let done = tab.set(job);
    keep(context, bound, &tab, word(done), done != Set::Present)
}

/// Writes the crontab if it changed. As in Salt, what `crontab` has against it is the answer.
fn keep(context: &Context<'_>, bound: &Bound, tab: &Tab, said: &str, changed: bool) -> Result<Value, CallError> {
    let host = context.host()?;
    if !changed {
        return Ok(said.into());
    }
    match cron::write(host, &bound.need_text("user")?, &tab.render()) {
        Ok(()) => Ok(said.into()),
        Err(error) => Ok(error.to_string().into()),
    }
}

fn remove_job(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let mut wanted = Map::new();
    for key in ["minute", "hour", "daymonth", "month", "dayweek"] {
        wanted.extend(bound.value(key).map(|value| (key.to_owned(), text_of(value).into())));
    }
    remove(context, bound, |job| match &job.when {
        When::At(_) => {
            let row = shown(job);
            wanted.iter().all(|(key, value)| row[key] == *value || value == "random" && row[key] != "*")
        }
        When::Special(_) => false,
    })
}

fn remove(context: &Context<'_>, bound: &Bound, fits: impl Fn(&Job) -> bool) -> Result<Value, CallError> {
    let mut tab = tab(context, bound)?;
    let (cmd, identifier) = (bound.need_text("cmd")?, bound.text("identifier")?.filter(|id| !id.is_empty()));
    let is = |job: &Job| match job.identifier.as_ref().filter(|id| !id.is_empty()) {
        Some(own) if identifier.is_some() => identifier.as_ref() == Some(own),
        _ => job.cmd == cmd,
    };
    let found = tab.jobs.iter().position(|job| fits(job) && is(job));
    found.map(|at| tab.jobs.remove(at));
    keep(context, bound, &tab, if found.is_some() { "removed" } else { "absent" }, found.is_some())
}

fn install(context: &Context<'_>, bound: &Bound) -> Result<states::Output, CallError> {
    let (user, path) = (super::user::checked(bound.need_text("user")?)?, bound.need_text("path")?);
    if path.starts_with('-') {
        return Err(CallError::arguments(format!("{path} is no path")));
    }
    let argv = ["crontab", "-u", &user, &path].map(str::to_owned).to_vec();
    let command = states::Command { argv, ..states::Command::default() };
    context.host()?.run(&command).map_err(|error| CallError::failed(error.to_string()))
}
