//! `cmd.*`: commands as states.

mod stateful;

use std::path::{Path, PathBuf};

use proto::{Args, Value};
use serde_json::json;

use super::{file::content, params::cmd as params};
use crate::{
    Command, Host, Output,
    functions::truth,
    plan::{self, Call, Doing, Done, Plan, State, StateError, StateModule, failed},
    resource::{command, files},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "cmd",
    states: &[
        State {
            name: "run",
            doc: "Runs a command, each time unless a condition says otherwise.\n\n    make install:\n      cmd.run:\n        - cwd: /usr/src/app\n        - creates: /usr/local/bin/app",
            params: params::RUN,
            plan: run,
        },
        State {
            name: "wait",
            doc: "Runs a command only when a state that it watches has changed.\n\n    ldconfig:\n      cmd.wait:\n        - watch:\n          - file: /etc/ld.so.conf",
            params: params::WAIT,
            plan: |_| Plan::keep(""),
        },
        State {
            name: "script",
            doc: "Fetches a script and runs it.\n\n    setup:\n      cmd.script:\n        - source: salt://app/setup.sh\n        - args: --all",
            params: params::SCRIPT,
            plan: script,
        },
        State {
            name: "wait_script",
            doc: "Runs a script only when a state that it watches has changed.\n\n    setup:\n      cmd.wait_script:\n        - source: salt://app/setup.sh\n        - watch:\n          - file: /etc/app.conf",
            params: params::WAIT_SCRIPT,
            plan: |_| Plan::keep(""),
        },
        State {
            name: "call",
            doc: "Calls an execution function.\n\n    x:\n      cmd.call:\n        - func: test.ping",
            params: params::CALL,
            plan: call_function,
        },
        State {
            name: "wait_call",
            doc: "Calls an execution function only when a state that it watches has changed.\n\n    x:\n      cmd.wait_call:\n        - func: test.ping\n        - watch:\n          - file: /etc/app.conf",
            params: params::WAIT_CALL,
            plan: |_| Plan::keep(""),
        },
    ],
    watch: Some(watch),
};

fn watch(call: &Call<'_>) -> Result<Plan, StateError> {
    match call.text_or("sfun", "").as_str() {
        "wait" | "run" | "watch" => run(call),
        "script" | "wait_script" => script(call),
        "call" | "wait_call" => call_function(call),
        other => failed(format!(
            "cmd.{other} does not work with the watch requisite, please use cmd.wait or cmd.wait_script"
        )),
    }
}

/// How a command's output is to be read (`stateful`).
struct Stateful {
    on: bool,
    /// The command to run in a dry run, which tells what would be changed.
    test_name: Option<String>,
}

impl Stateful {
    fn of(call: &Call<'_>) -> Self {
        match call.value("stateful") {
            Some(Value::Array(items)) => Self {
                on: true,
                test_name: items.first().and_then(|item| item.get("test_name")).map(value::python_str),
            },
            other => Self { on: other == Some(&Value::Bool(true)), test_name: None },
        }
    }
}

/// What decides whether a command went well.
struct Verdict {
    codes: Vec<i64>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    ignore_timeout: bool,
    stateful: bool,
    hide: bool,
}

impl Verdict {
    fn of(call: &Call<'_>, stateful: bool) -> Self {
        Self {
            codes: call.values("success_retcodes").iter().filter_map(Value::as_i64).collect(),
            stdout: call.list("success_stdout"),
            stderr: call.list("success_stderr"),
            ignore_timeout: call.flag("ignore_timeout", false),
            stateful,
            hide: call.flag("hide_output", false),
        }
    }

    fn done(&self, shown: &str, output: &Output, comment: String) -> Result<Done, StateError> {
        let (mut stdout, stderr) = (command::text(&output.stdout), command::text(&output.stderr));
        let mut code = i64::from(output.code);
        let said = |known: &[String], text: &str| known.iter().any(|known| known == text);
        if self.codes.contains(&code) || said(&self.stdout, &stdout) || said(&self.stderr, &stderr) {
            code = 0;
        }
        if output.timed_out {
            stdout = shown.to_owned();
            code = i64::from(!self.ignore_timeout);
        }
        let changes = json!({
            "pid": output.pid,
            "retcode": code,
            "stdout": if self.hide { "" } else { &stdout },
            "stderr": if self.hide { "" } else { &stderr },
        });
        let done = Done { result: code == 0, ..Done::new(comment, changes) };
        if self.stateful { stateful::read(done) } else { Ok(done) }
    }
}

fn settings<'c>(call: &'c Call<'_>) -> impl Fn(&str) -> Option<Value> + 'c {
    |key| call.value(key).cloned()
}

fn run(call: &Call<'_>) -> Result<Plan, StateError> {
    let stateful = Stateful::of(call);
    let mut name = call.name();
    let by_test = call.test && stateful.test_name.is_some();
    if by_test {
        name = stateful.test_name.clone().unwrap_or_default();
    }
    let mut command = command::shell(call.look, &name, &settings(call)).map_err(StateError::failed)?;
    if let Some(root) = call.some_text("root") {
        let shell = command.shell.take().unwrap_or_else(|| "/bin/sh".into());
        command.argv = vec!["chroot".into(), root, shell.to_string_lossy().into_owned(), "-c".into(), name.clone()];
    }
    let background = call.flag("bg", false) && !by_test;
    if background {
        command = in_background(command);
    }
    let verdict = Verdict::of(call, stateful.on);
    if by_test {
        // The tree says that this command only looks.
        let output = call.look.probe(&command).map_err(|why| StateError::failed(why.to_string()))?;
        let done = verdict.done(&timed_out(&name, &command), &output, format!("Command \"{name}\" run"))?;
        return match done.result && !done.changes.is_empty() {
            true => Plan::change(done.comment.clone(), done.changes.clone(), |_| Ok(done)),
            false => Ok(Plan::KeepWith(done)),
        };
    }
    let (comment, changes) = match stateful.on {
        true => (String::new(), json!({})),
        false => (format!("Command \"{name}\" would have been executed"), json!({ "cmd": name })),
    };
    Plan::change(comment, changes, move |doing| {
        check_cwd(doing.host, &command)?;
        let output = doing.host.run(&command).map_err(|why| StateError::failed(why.to_string()))?;
        if background {
            return Ok(left_alone(&output, &name));
        }
        verdict.done(&timed_out(&name, &command), &output, format!("Command \"{name}\" run"))
    })
}

/// `bg`: a shell that starts the command, tells its number and does not wait for it.
fn in_background(command: Command) -> Command {
    const START: &str = "\"$@\" </dev/null >/dev/null 2>&1 & echo $!";
    let shell = command.shell.as_ref().map(|shell| [shell.to_string_lossy().into_owned(), "-c".to_owned()]);
    let start = ["/bin/sh", "-c", START, "sh"].map(str::to_owned);
    let argv = start.into_iter().chain(shell.into_iter().flatten()).chain(command.argv).collect();
    Command { argv, shell: None, stdin: None, timeout: None, ..command }
}

/// Nobody knows how a command ends that nobody waits for.
fn left_alone(output: &Output, name: &str) -> Done {
    let pid: Option<u32> = command::text(&output.stdout).trim().parse().ok();
    let changes = json!({"pid": pid, "retcode": null, "stdout": "", "stderr": ""});
    Done::new(format!("Command \"{name}\" run"), changes)
}

fn timed_out(name: &str, command: &Command) -> String {
    let seconds = command.timeout.unwrap_or_default().as_secs_f64();
    format!("{name} : Timed out after {seconds} seconds")
}

fn check_cwd(host: &dyn Host, command: &Command) -> Result<(), StateError> {
    match &command.cwd {
        Some(cwd) if !files::is_dir(host, cwd) => {
            failed(format!("Desired working directory \"{}\" is not available", cwd.display()))
        }
        _ => Ok(()),
    }
}

fn script(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let source = call.some_text("source").unwrap_or_else(|| name.clone());
    let mut words = name.split_whitespace();
    let source = if call.some_text("source").is_none() { words.next().unwrap_or("").to_owned() } else { source };
    let rest = call.some_text("args").or_else(|| name.split_once(' ').map(|(_, rest)| rest.to_owned()));
    let stateful = Stateful::of(call);
    for key in ["context", "defaults"] {
        if call.value(key).is_some_and(|value| truth(value) && !value.is_object()) {
            return failed(format!("Invalidly-formatted '{key}' parameter. Must be formed as a dict."));
        }
    }
    let command = command::shell(call.look, "", &settings(call)).map_err(StateError::failed)?;
    let verdict = Verdict::of(call, stateful.on);
    let bytes = content::fetch(call, &source)
        .map_err(|_| StateError::Failed(format!("Unable to cache script {source} from saltenv '{}'", call.env())))?;
    let bytes = match call.some_text("template") {
        Some(engine) => content::rendered(call, &engine, &source, bytes)?,
        None => bytes,
    };
    let suffix = Path::new(&source).extension().map_or(String::new(), |ext| format!(".{}", ext.to_string_lossy()));
    Plan::change(format!("Command '{name}' would have been executed"), json!({}), move |doing| {
        check_cwd(doing.host, &command)?;
        let path = scratch(&suffix);
        let outcome = run_script(doing, &path, &bytes, rest.as_deref(), command);
        let _ = doing.host.remove(&path);
        let (line, output) = outcome?;
        verdict.done(&line, &output, format!("Command '{name}' run"))
    })
}

/// A name in the folder for temporary files that nobody can guess.
fn scratch(suffix: &str) -> PathBuf {
    std::env::temp_dir().join(format!("overstate-{:032x}{suffix}", rand::random::<u128>()))
}

fn run_script(
    doing: &Doing<'_>,
    path: &Path,
    bytes: &[u8],
    args: Option<&str>,
    command: Command,
) -> Result<(String, Output), StateError> {
    doing.host.write(path, bytes, 0o700).map_err(|why| StateError::io("write", path, &why))?;
    if let Some(uid) = command.runas.as_deref().and_then(|user| crate::resource::accounts::uid(doing.host, user)) {
        doing.host.set_owner(path, Some(uid), None).map_err(|why| StateError::io("own", path, &why))?;
    }
    let line = match args {
        Some(args) => format!("{} {args}", path.display()),
        None => path.display().to_string(),
    };
    let shown = timed_out(&line, &command);
    let command = Command { argv: vec![line], ..command };
    let output = doing.host.run(&command).map_err(|why| StateError::failed(why.to_string()))?;
    Ok((shown, output))
}

fn call_function(call: &Call<'_>) -> Result<Plan, StateError> {
    let Some(function) = call.some_text("func") else {
        return failed(format!("cmd.{} needs a named parameter func", call.text_or("sfun", "call")));
    };
    let args = Args { positional: call.values("args"), named: call.map("kws") };
    Plan::change(format!("Function {function} would have been called"), json!({}), move |doing| {
        if let Some(done) = doing.foretold() {
            return Ok(done);
        }
        let value = plan::call(doing.context, &function, args)?;
        let result = value.is_null() || truth(&value);
        let comment = value.as_str().unwrap_or("").to_owned();
        Ok(Done { result, ..Done::new(comment, json!({ "retval": value })) })
    })
}
