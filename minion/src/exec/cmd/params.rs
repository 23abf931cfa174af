//! What each `cmd.*` function takes, in Salt's order, put together from the parts they share.

use states::call::Param;

use crate::exec::bind::{need, with};

/// Where and as whom.
const PLACE: [Param; 5] = [
    with("cwd", "None"),
    with("stdin", "None"),
    with("runas", "None"),
    with("group", "None"),
    with("shell", "'/bin/sh'"),
];
const SHELL: [Param; 2] = [with("python_shell", "None"), with("env", "None")];
const CLEAN_ENV: Param = with("clean_env", "False");
const RSTRIP: Param = with("rstrip", "True");
const ENCODING: [Param; 3] =
    [with("umask", "None"), with("output_encoding", "None"), with("output_loglevel", "'debug'")];
const HIDE: [Param; 3] = [with("hide_output", "False"), with("timeout", "None"), with("reset_system_locale", "True")];
const IGNORE_RETCODE: Param = with("ignore_retcode", "False");
const SETTING: [Param; 2] = [with("saltenv", "None"), with("use_vt", "False")];
const BACKGROUND: Param = with("bg", "False");
const PASSWORD: Param = with("password", "None");
const ENCODED: Param = with("encoded_cmd", "False");
const PREPEND_PATH: Param = with("prepend_path", "None");
const SUCCESS: [Param; 3] =
    [with("success_retcodes", "None"), with("success_stdout", "None"), with("success_stderr", "None")];
const LAST: [Param; 3] = [with("stdin_raw_newlines", "False"), with("pillarenv", "None"), with("pillar", "None")];

/// What those that take a command begin with.
const COMMAND: [Param; 21] = joined(&[
    &[need("cmd")],
    &PLACE,
    &SHELL,
    &[CLEAN_ENV, with("template", "None"), RSTRIP],
    &ENCODING,
    &[with("log_callback", "None")],
    &HIDE,
    &[IGNORE_RETCODE],
    &SETTING,
]);

/// `cmd.run` and `cmd.shell`.
pub static RUN: &[Param] = &joined::<33>(&[
    &COMMAND,
    &[with("redirect_stderr", "True"), BACKGROUND, PASSWORD, ENCODED, with("raise_err", "False"), PREPEND_PATH],
    &SUCCESS,
    &LAST,
]);

pub static RUN_ALL: &[Param] = &joined::<32>(&[
    &COMMAND,
    &[with("redirect_stderr", "False"), PASSWORD, ENCODED, PREPEND_PATH],
    &SUCCESS,
    &[BACKGROUND],
    &LAST,
]);

/// The others that take a command.
pub static PLAIN: &[Param] = &joined::<30>(&[&COMMAND, &[BACKGROUND, PASSWORD, PREPEND_PATH], &SUCCESS, &LAST]);

pub static SCRIPT: &[Param] = &joined::<30>(&[
    &[need("source"), with("args", "None")],
    &PLACE,
    &SHELL,
    &[with("template", "None")],
    &ENCODING,
    &[with("log_callback", "None")],
    &HIDE,
    &SETTING,
    &[BACKGROUND, PASSWORD],
    &SUCCESS,
    &[IGNORE_RETCODE, CLEAN_ENV, PREPEND_PATH],
    &LAST,
]);

pub static CODE: &[Param] = &joined::<22>(&[
    &[need("lang"), need("code"), with("cwd", "None"), with("args", "None"), with("stdin", "None")],
    &[with("runas", "None"), with("group", "None"), with("env", "None"), CLEAN_ENV, RSTRIP],
    &ENCODING,
    &HIDE,
    &[IGNORE_RETCODE, with("redirect_stderr", "False"), PREPEND_PATH],
    &SUCCESS,
]);

/// The parts one after the other. `N` is how many they are, which the compiler checks.
const fn joined<const N: usize>(parts: &[&[Param]]) -> [Param; N] {
    let mut all = [need(""); N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut n = 0;
        while n < parts[part].len() {
            all[at] = parts[part][n];
            (n, at) = (n + 1, at + 1);
        }
        part += 1;
    }
    assert!(at == N, "the number of parameters is wrong");
    all
}
