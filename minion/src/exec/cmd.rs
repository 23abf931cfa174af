//! `cmd.*`: running commands. Salt's `modules/cmdmod.py`.

mod code;
mod invocation;
mod params;
mod result;

use proto::{Args, Value};
use serde_json::json;
use states::{CallError, Context, Effect, Function, call::Param};

use super::bind::{Bound, bind, need, with};
use invocation::Invocation;
use params::{CODE, PLAIN, RUN, RUN_ALL, SCRIPT};
use result::{Finished, Judgement};
pub use states::resource::words::split as split_words;

pub static TABLE: &[Function] = &[
    Function {
        name: "cmd.run",
        doc: "Runs a command and gives its output. It fails when the command's return code is not 0 \
              (or not among `success_retcodes`), unless `ignore_retcode` is set.\n\n\
              A text is read by `shell`; a list is run as it is, without a shell. The time-out ends the \
              whole process group. Output beyond 16 MiB is cut.\n\n\
              ctl run '*' cmd.run 'ls -l | head -3' cwd=/var/log timeout=10",
        params: RUN,
        effect: Effect::Runs,
        call: |context, args| {
            let (bound, finished) = run("cmd.run", RUN, context, args, Shell::Asked)?;
            finished.stdout_or_error(&bound)
        },
    },
    Function {
        name: "cmd.shell",
        doc: "`cmd.run`, always through a shell.\n\n    ctl run '*' cmd.shell 'ls -l | grep foo'",
        params: RUN,
        effect: Effect::Runs,
        call: |context, args| {
            let (bound, finished) = run("cmd.shell", RUN, context, args, Shell::Always)?;
            finished.stdout_or_error(&bound)
        },
    },
    Function {
        name: "cmd.run_stdout",
        doc: "Runs a command and gives its standard output alone.\n\n    ctl run '*' cmd.run_stdout 'ls -l'",
        params: PLAIN,
        effect: Effect::Runs,
        call: |context, args| {
            let (bound, finished) = run("cmd.run_stdout", PLAIN, context, args, Shell::Asked)?;
            Ok(finished.shown(&bound, &finished.stdout))
        },
    },
    Function {
        name: "cmd.run_stderr",
        doc: "Runs a command and gives its standard error alone.\n\n    ctl run '*' cmd.run_stderr 'ls -l /none'",
        params: PLAIN,
        effect: Effect::Runs,
        call: |context, args| {
            let (bound, finished) = run("cmd.run_stderr", PLAIN, context, args, Shell::Asked)?;
            Ok(finished.shown(&bound, &finished.stderr))
        },
    },
    Function {
        name: "cmd.run_all",
        doc: "Runs a command and gives `pid`, `retcode`, `stdout` and `stderr`.\n\n    ctl run '*' cmd.run_all 'ls -l'",
        params: RUN_ALL,
        effect: Effect::Runs,
        call: |context, args| {
            let (bound, finished) = run("cmd.run_all", RUN_ALL, context, args, Shell::Asked)?;
            Ok(finished.all(&bound))
        },
    },
    Function {
        name: "cmd.retcode",
        doc: "Runs a command and gives its return code.\n\n    ctl run '*' cmd.retcode 'test -e /etc/passwd'",
        params: PLAIN,
        effect: Effect::Runs,
        call: |context, args| {
            let (_, finished) = run("cmd.retcode", PLAIN, context, args, Shell::Asked)?;
            Ok(finished.retcode.into())
        },
    },
    Function {
        name: "cmd.run_bg",
        doc: "Starts a command, does not wait for it, and gives its `pid`. Its output goes nowhere.\n\n\
              ctl run '*' cmd.run_bg 'sleep 60'",
        params: PLAIN,
        effect: Effect::Runs,
        call: |context, args| {
            let (_, finished) = run("cmd.run_bg", PLAIN, context, with_bg(args), Shell::Asked)?;
            Ok(json!({"pid": finished.pid}))
        },
    },
    Function {
        name: "cmd.script",
        doc: "Copies a script to the host, runs it, and gives `pid`, `retcode`, `stdout` and `stderr`. The \
              script is a path on the host or a `salt://` file.\n\n\
              ctl run '*' cmd.script /usr/local/share/check.sh args='-v all'",
        params: SCRIPT,
        effect: Effect::Runs,
        call: |context, args| code::script("cmd.script", context, args),
    },
    Function {
        name: "cmd.script_retcode",
        doc: "`cmd.script`, giving only the return code.\n\n    ctl run '*' cmd.script_retcode salt://check.sh",
        params: SCRIPT,
        effect: Effect::Runs,
        call: |context, args| Ok(code::script("cmd.script_retcode", context, args)?["retcode"].clone()),
    },
    Function {
        name: "cmd.exec_code",
        doc: "Runs code of an interpreted language and gives its standard output.\n\n\
              ctl run '*' cmd.exec_code python3 'print(6 * 7)'",
        params: CODE,
        effect: Effect::Runs,
        call: |context, args| Ok(code::exec_code("cmd.exec_code", context, args)?["stdout"].clone()),
    },
    Function {
        name: "cmd.exec_code_all",
        doc: "Runs code of an interpreted language and gives `pid`, `retcode`, `stdout` and `stderr`.\n\n\
              ctl run '*' cmd.exec_code_all python3 'print(6 * 7)'",
        params: CODE,
        effect: Effect::Runs,
        call: |context, args| code::exec_code("cmd.exec_code_all", context, args),
    },
    Function {
        name: "cmd.which",
        doc: "The path of a program, or null.\n\n    ctl run '*' cmd.which cat",
        params: &[need("cmd")],
        effect: Effect::Reads,
        call: |context, args| {
            let name = bind("cmd.which", &[need("cmd")], args)?.need_text("cmd")?;
            Ok(path_of(context, &name))
        },
    },
    Function {
        name: "cmd.which_bin",
        doc: "The path of the first of these programs that is there, or null.\n\n\
              ctl run '*' cmd.which_bin '[pip3, pip]'",
        params: &[need("cmds")],
        effect: Effect::Reads,
        call: |context, args| {
            let names = bind("cmd.which_bin", &[need("cmds")], args)?.list("cmds");
            let found = names.iter().map(|name| path_of(context, &super::bind::text_of(name)));
            Ok(found.into_iter().find(|path| !path.is_null()).unwrap_or_default())
        },
    },
    Function {
        name: "cmd.has_exec",
        doc: "Whether a program is there and may be run.\n\n    ctl run '*' cmd.has_exec cat",
        params: &[need("cmd")],
        effect: Effect::Reads,
        call: |context, args| {
            let name = bind("cmd.has_exec", &[need("cmd")], args)?.need_text("cmd")?;
            Ok((!path_of(context, &name).is_null()).into())
        },
    },
    Function {
        name: "cmd.shells",
        doc: "The login shells of `/etc/shells`.\n\n    ctl run '*' cmd.shells",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("cmd.shells", &[], args).map(|_| shells(context)),
    },
    Function {
        name: "cmd.tty",
        doc: "Writes a text to a terminal.\n\n    ctl run '*' cmd.tty pts3 'This is a test'",
        params: &[need("device"), with("echo", "''")],
        effect: Effect::Runs,
        call: tty,
    },
];

/// Whether a text goes through a shell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shell {
    /// As `python_shell` says; by default when an operator calls, not when a template does.
    Asked,
    Always,
}

/// Marks a call that came straight from an operator. Salt's mark, put there by the job runner.
pub const FROM_OPERATOR: &str = "__pub_jid";

fn run(
    function: &'static str,
    params: &'static [Param],
    context: &Context<'_>,
    args: Args,
    shell: Shell,
) -> Result<(Bound, Finished), CallError> {
    let by_default = shell == Shell::Always || args.named.contains_key(FROM_OPERATOR);
    let merge_by_default = params.iter().any(|p| p.name == "redirect_stderr" && p.default == Some("True"));
    let bound = bind(function, params, args)?;
    let mut invocation = Invocation::new(context, &bound)?;
    invocation.merge_stderr = bound.flag("redirect_stderr", merge_by_default);
    let command = bound.value("cmd").ok_or_else(|| CallError::arguments(format!("{function} needs a command")))?;
    let through_shell = bound.value("python_shell").map_or(by_default, super::bind::truth);
    invocation.take(command, through_shell)?;
    let finished = invocation.run(context, &Judgement::of(&bound)?)?;
    Ok((bound, finished))
}

fn with_bg(args: Args) -> Args {
    args.with("bg", true)
}

fn path_of(context: &Context<'_>, name: &str) -> Value {
    context.look.which(name).map_or(Value::Null, |path| path.to_string_lossy().into())
}

fn shells(context: &Context<'_>) -> Value {
    let bytes = context.look.read("/etc/shells".as_ref(), 1 << 20).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn tty(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("cmd.tty", &[need("device"), with("echo", "''")], args)?;
    let device = bound.need_text("device")?;
    let number = |prefix| device.strip_prefix(prefix).filter(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric()));
    let path = match (number("tty"), number("pts")) {
        (Some(_), _) => format!("/dev/{device}"),
        (_, Some(number)) => format!("/dev/pts/{number}"),
        _ => return Ok(json!({"Error": "The specified device is not a valid TTY"})),
    };
    let command = states::Command {
        argv: vec!["/bin/sh".into(), "-c".into(), "test -c \"$0\" && cat > \"$0\"".into(), path.clone()],
        stdin: Some(bound.text("echo")?.unwrap_or_default().into_bytes()),
        ..Default::default()
    };
    match context.host()?.run(&command) {
        Ok(output) if output.code == 0 => Ok(json!({"Success": format!("Message was successfully echoed to {path}")})),
        _ => Ok(json!({"Error": format!("Echoing to {path} returned error")})),
    }
}
