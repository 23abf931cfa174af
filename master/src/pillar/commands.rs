//! `cmd.*` for pillar: run on the master, as the master's user, and only where `pillar_functions`
//! lists it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use proto::{Args, Value};
use states::{CallError, Effect, Function, call::Param};

use crate::process::{self, Ended};

/// How long a command may take.
const LONGEST: Duration = Duration::from_secs(60);
/// The most of its output that is used.
const MOST: usize = 1 << 20;

const PARAMS: &[Param] = &[
    Param { name: "cmd", default: None },
    Param { name: "cwd", default: Some("None") },
    Param { name: "python_shell", default: Some("True") },
];

const fn function(
    name: &'static str,
    doc: &'static str,
    call: fn(&states::Context<'_>, Args) -> Result<Value, CallError>,
) -> Function {
    Function { name, doc, params: PARAMS, effect: Effect::Runs, call }
}

pub const TABLE: &[Function] = &[
    function("cmd.run", "Runs a command in a shell and gives what it printed.", |_, args| {
        run(&args, true).map(|ended| text(&ended.output).into())
    }),
    function("cmd.shell", "As `cmd.run`.", |_, args| run(&args, true).map(|ended| text(&ended.output).into())),
    function("cmd.run_stdout", "Runs a command in a shell and gives its standard output.", |_, args| {
        run(&args, false).map(|ended| text(&ended.output).into())
    }),
    function("cmd.retcode", "Runs a command in a shell and gives its exit code.", |_, args| {
        run(&args, true).map(|ended| ended.status.code().unwrap_or(1).into())
    }),
];

/// With `together`, what it says on standard error stands among its output.
fn run(args: &Args, together: bool) -> Result<Ended, CallError> {
    let known = |name: &&String| !PARAMS.iter().any(|param| param.name == *name);
    if let Some(other) = args.named.keys().find(known) {
        return Err(CallError::arguments(format!("{other} is no argument of commands in pillar: cmd and cwd are")));
    }
    let given =
        |at: usize, name: &str| args.positional.get(at).or_else(|| args.named.get(name)).and_then(Value::as_str);
    let text = given(0, "cmd").ok_or_else(|| CallError::arguments("a command is needed"))?;
    let script = if together { format!("exec 2>&1\n{text}") } else { text.to_owned() };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).env("LC_ALL", "C").stdin(Stdio::null());
    if let Some(folder) = given(1, "cwd") {
        command.current_dir(folder);
    }
    process::run(&mut command, LONGEST).map_err(|error| CallError::failed(format!("the command failed: {error}")))
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(&output[..output.len().min(MOST)]).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_give_what_they_say_and_how_they_ended() {
        let both = Args::positional(["echo out; echo err >&2; exit 3".into()]);
        let ended = run(&both, true).unwrap();
        assert_eq!((text(&ended.output).as_str(), ended.status.code()), ("out\nerr", Some(3)));
        assert_eq!(text(&run(&both, false).unwrap().output), "out");
        let there = Args::positional(["pwd".into()]).with("cwd", "/");
        assert_eq!(text(&run(&there, true).unwrap().output), "/");
        assert!(run(&Args::positional(["id".into()]).with("runas", "nobody"), true).is_err());
        assert!(run(&Args::default(), true).is_err());
    }
}
