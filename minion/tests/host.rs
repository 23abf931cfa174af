//! The real host: commands in groups of their own, bounded and timed.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use minion::host::{Local, OUTPUT_LIMIT, System, Unwatched, Watch};
use proto::{Args, Map, Value};
use states::{Command, Host, Look, Output, call::Progress};

fn shell(script: &str) -> Command {
    Command { argv: vec![script.into()], shell: Some("/bin/sh".into()), ..Command::default() }
}

fn run(command: &Command) -> Output {
    Local::default().run(command).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn outputs_are_kept_apart_or_merged_in_order() {
    let apart = run(&shell("echo one; echo two >&2; echo three; exit 4"));
    assert_eq!((text(&apart.stdout), text(&apart.stderr), apart.code), ("one\nthree\n", "two\n", 4));
    let merged = run(&Command { merge_stderr: true, ..shell("echo one; echo two >&2; echo three") });
    assert_eq!(text(&merged.stdout), "one\ntwo\nthree\n");
    assert_eq!(run(&shell("kill -9 $$")).code, 137);
}

#[test]
fn a_timeout_ends_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; echo begun; wait", file.display());
    let begun = Instant::now();
    let output = run(&Command { timeout: Some(Duration::from_millis(300)), ..shell(&script) });
    assert!(output.timed_out && begun.elapsed() < Duration::from_secs(100));
    assert_eq!(text(&output.stdout), "begun\n");
    let pid = std::fs::read_to_string(file).unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    while !gone() {
        assert!(begun.elapsed() < Duration::from_secs(100), "{pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn output_is_bounded_and_the_rest_is_read_away() {
    let output = run(&shell(&format!("head -c {} /dev/zero; echo end >&2", OUTPUT_LIMIT + 5)));
    assert!(output.truncated && output.stdout.len() == OUTPUT_LIMIT && output.code == 0);
    assert_eq!(text(&output.stderr), "end\n");
}

#[test]
fn input_is_fed_and_who_does_not_read_it_is_no_harm() {
    let input = "x".repeat(1 << 20);
    let output = run(&Command { stdin: Some(input.clone().into_bytes()), ..shell("cat") });
    assert_eq!(output.stdout.len(), input.len());
    assert_eq!(run(&Command { stdin: Some(input.into_bytes()), ..shell("exit 3") }).code, 3);
    assert_eq!(run(&shell("cat")).code, 0, "without input there is none to wait for");
}

#[test]
fn a_command_gets_its_folder_environment_and_mask() {
    let command = Command {
        cwd: Some("/usr".into()),
        env: vec![("FOO".into(), "bar".into())],
        clean_env: true,
        umask: Some(0o027),
        ..shell("pwd; echo $FOO-$HOME; umask; ps -o pgid= -p $$ >/dev/null 2>&1; exit 0")
    };
    assert_eq!(text(&run(&command).stdout), "/usr\nbar-\n0027\n");
    let missing = Local::default().run(&Command { argv: vec!["/no/such".into()], ..Command::default() });
    assert!(missing.unwrap_err().to_string().contains("/no/such"));
    let nobody = Local::default().run(&Command { runas: Some("no-such-user".into()), ..shell("true") });
    assert_eq!(nobody.unwrap_err().to_string(), "User 'no-such-user' is not available");
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Watch for Seen {
    fn started(&self, group: u32) {
        self.0.lock().unwrap().push(format!("started {}", group > 1));
    }
    fn line(&self, line: Progress) {
        let (Progress::Stdout(line) | Progress::Stderr(line)) = line else { return };
        self.0.lock().unwrap().push(line);
    }
    fn ended(&self, _: u32, output: &Output) {
        self.0.lock().unwrap().push(format!("ended {}", output.code));
    }
}

#[test]
fn a_watch_sees_start_lines_and_end() {
    let seen = Seen::default();
    Local::default().run_watched(&shell("echo a; printf b"), &seen).unwrap();
    assert_eq!(*seen.0.lock().unwrap(), ["started true", "a", "b", "ended 0"]);
    assert_eq!(Local::default().run_watched(&shell("exit 1"), &Unwatched).unwrap().code, 1);
    assert!(Local::default().which("sh").is_some());
}

fn call(function: &str, args: Args) -> (Value, i32) {
    let dir = tempfile::tempdir().unwrap();
    let keys = minion::config::Keys { id: Some("web1".into()), root_dir: dir.path().into(), ..Default::default() };
    let config = minion::config::Config::new(dir.path(), keys, Map::new()).unwrap();
    let ret = minion::local::call(&config, function.parse().unwrap(), args, None);
    (ret.value, ret.retcode)
}

fn cmd(text: &str) -> Args {
    Args::positional([text.into()])
}

#[test]
fn commands_judge_their_end_as_salt_does() {
    assert_eq!(call("cmd.run", cmd("echo a; exit 3")), ("a".into(), 3));
    assert_eq!(call("cmd.run", cmd("exit 3").with("success_retcodes", vec![3])).1, 0);
    assert_eq!(call("cmd.run", cmd("exit 3").with("ignore_retcode", true)).1, 0);
    assert_eq!(call("cmd.run", cmd("echo fine; exit 3").with("success_stdout", vec!["fine"])).1, 0);
    assert_eq!(call("cmd.run", cmd("echo x").with("hide_output", true)).0, "");
    let (value, code) = call("cmd.run", cmd("echo part; sleep 60").with("timeout", 0.3));
    assert_eq!((value, code), ("echo part; sleep 60 : Timed out after 0.3 seconds\npart".into(), 1));
    let (value, code) = call("cmd.run", cmd("echo no; exit 2").with("raise_err", true));
    assert_eq!((value, code), ("no".into(), 2));
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    let why = |args: Args| call("cmd.run", args).0.as_str().unwrap().to_owned();
    assert_eq!(why(Args::default()), "cmd.run takes at least 1 argument (0 given)");
    assert!(why(cmd("true").with("cwd", "nowhere")).contains("either not absolute or does not exist"));
    assert!(why(cmd("true").with("shell", "/bin/none")).contains("The shell /bin/none is not available"));
    assert!(why(cmd("true").with("umask", "9")).contains("Invalid umask"));
    assert!(why(cmd("true").with("use_vt", true)).contains("use_vt"));
    assert!(why(cmd("true").with("timeout", "soon")).contains("'timeout' must be a number of seconds"));
    assert!(why(cmd("")).contains("no command"));
}

#[test]
fn scripts_and_code_run_from_a_file_that_is_gone_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("hello.sh");
    std::fs::write(&script, "#!/bin/sh\necho $1-$2; exit 6\n").unwrap();
    let (value, code) = call("cmd.script", cmd(&script.display().to_string()).with("args", "a 'b c'"));
    assert_eq!((&value["stdout"], &value["retcode"], code), (&"a-b c".into(), &6.into(), 6));
    let (value, _) = call("cmd.exec_code", Args::positional(["sh".into(), "echo $0".into()]));
    let path = value.as_str().unwrap();
    assert!(path.contains("overstate-") && !std::path::Path::new(path).exists(), "{path}");
}

#[test]
fn every_function_has_its_documentation() {
    use states::call::Functions;
    let mut seen = 0;
    for function in minion::exec::Table.all() {
        let name = function.name;
        assert!(name.parse::<proto::FunctionName>().is_ok(), "{name}");
        assert!(!function.doc.lines().next().unwrap_or_default().is_empty(), "{name} has no summary");
        let example = function.doc.lines().map(str::trim).find(|line| line.starts_with("ctl "));
        let example = example.unwrap_or_else(|| panic!("{name} has no example"));
        assert!(example.contains(name) || example.contains(&name.replacen("cmd.run", "cmd", 1)), "{name}: {example}");
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}
