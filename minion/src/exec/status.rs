//! `status.*`: how the host is doing. Salt's `modules/status.py`, for Linux.

mod tables;

use std::{net::ToSocketAddrs, path::Path, time::Duration};

use fancy_regex::Regex;
use procfs::process::all_processes;
use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Command, Context, Effect, Function};

use super::bind::{REST, bind, need, text_of, with};

/// Files of /proc are small; this is far beyond them.
const LIMIT: u64 = 64 * 1024 * 1024;

type Reader = fn(&Context<'_>) -> Result<Value, CallError>;

macro_rules! plain {
    ($name:literal, $doc:literal, $read:path) => {
        Function {
            name: $name,
            doc: $doc,
            params: &[],
            effect: Effect::Reads,
            call: |context, args| {
                bind($name, &[], args)?;
                $read(context)
            },
        }
    };
}

pub static TABLE: &[Function] = &[
    plain!("status.loadavg", "The load averages of 1, 5 and 15 minutes.\n\n    ctl run '*' status.loadavg", loadavg),
    plain!("status.cpuinfo", "`/proc/cpuinfo` as a mapping.\n\n    ctl run '*' status.cpuinfo", cpuinfo),
    plain!("status.cpustats", "`/proc/stat` as a mapping.\n\n    ctl run '*' status.cpustats", cpustats),
    plain!("status.meminfo", "`/proc/meminfo` as a mapping.\n\n    ctl run '*' status.meminfo", meminfo),
    plain!("status.vmstats", "`/proc/vmstat` as a mapping.\n\n    ctl run '*' status.vmstats", vmstats),
    plain!("status.diskstats", "Counters of each block device.\n\n    ctl run '*' status.diskstats", diskstats),
    plain!("status.netdev", "Counters of each network interface.\n\n    ctl run '*' status.netdev", netdev),
    plain!("status.netstats", "Counters of the network stack.\n\n    ctl run '*' status.netstats", netstats),
    plain!("status.uptime", "How long the host has been up.\n\n    ctl run '*' status.uptime", uptime),
    plain!("status.nproc", "How many processors there are.\n\n    ctl run '*' status.nproc", nproc),
    plain!("status.version", "The kernel's version line.\n\n    ctl run '*' status.version", version),
    plain!("status.procs", "The processes: user and command by pid.\n\n    ctl run '*' status.procs", procs),
    plain!("status.w", "Who is logged in.\n\n    ctl run '*' status.w", logged_in),
    plain!(
        "status.all_status",
        "All of the above that Salt puts together.\n\n    ctl run web1 status.all_status",
        all_status
    ),
    Function {
        name: "status.diskusage",
        doc: "Bytes available and in all, of each mounted file system, of those of a type (glob), or of a path.\n\n\
              ctl run '*' status.diskusage / ext4",
        params: &[REST],
        effect: Effect::Reads,
        call: |context, args| diskusage(context, &bind("status.diskusage", &[REST], args)?.rest),
    },
    Function {
        name: "status.pid",
        doc: "The pids of processes whose line a regular expression finds, one a line.\n\n    ctl run '*' status.pid sshd",
        params: &[need("sig")],
        effect: Effect::Reads,
        call: |_, args| pid(&bind("status.pid", &[need("sig")], args)?.need_text("sig")?),
    },
    Function {
        name: "status.time",
        doc: "The host's local time, in a format of `strftime`.\n\n    ctl run '*' status.time '%s'",
        params: &[with("format", "'%A, %d. %B %Y %I:%M%p'")],
        effect: Effect::Reads,
        call: time,
    },
    Function {
        name: "status.ping_master",
        doc: "Whether a master (`HOST` or `HOST:PORT`) takes connections.\n\n    ctl run '*' status.ping_master salt",
        params: &[need("master")],
        effect: Effect::Reads,
        call: |_, args| {
            Ok(takes_connections(&bind("status.ping_master", &[need("master")], args)?.need_text("master")?).into())
        },
    },
];

fn file(context: &Context<'_>, path: &str) -> Result<String, CallError> {
    let bytes = context.look.read(Path::new(path), LIMIT);
    let bytes = bytes.map_err(|error| CallError::failed(format!("{path}: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn loadavg(context: &Context<'_>) -> Result<Value, CallError> {
    let text = file(context, "/proc/loadavg")?;
    let numbers: Vec<Value> = text.split_whitespace().take(3).map(tables::number).collect();
    Ok(json!({"1-min": numbers.first(), "5-min": numbers.get(1), "15-min": numbers.get(2)}))
}

fn cpuinfo(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/cpuinfo").map(|text| tables::cpuinfo(&text))
}

fn cpustats(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/stat").map(|text| tables::cpustats(&text))
}

fn meminfo(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/meminfo").map(|text| tables::meminfo(&text))
}

fn vmstats(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/vmstat").map(|text| tables::vmstats(&text))
}

fn diskstats(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/diskstats").map(|text| tables::diskstats(&text))
}

fn netdev(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/net/dev").map(|text| tables::netdev(&text))
}

fn netstats(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/net/netstat").map(|text| tables::netstats(&text))
}

fn version(context: &Context<'_>) -> Result<Value, CallError> {
    file(context, "/proc/version").map(|text| text.trim().into())
}

fn nproc(_: &Context<'_>) -> Result<Value, CallError> {
    Ok(std::thread::available_parallelism().map_or(0, usize::from).into())
}

fn uptime(context: &Context<'_>) -> Result<Value, CallError> {
    let text = file(context, "/proc/uptime")?;
    let up = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    let up = up.ok_or_else(|| CallError::failed("/proc/uptime cannot be read"))? as i64;
    let now = jiff::Timestamp::now();
    let since = now - jiff::SignedDuration::from_secs(up);
    let (days, rest) = (up / 86_400, up % 86_400);
    let mut shown = json!({
        "seconds": up,
        "since_iso": since.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
        "since_t": since.as_second(),
        "days": days,
        "time": format!("{}:{}", rest / 3600, rest % 3600 / 60),
    });
    if let Some(lines) = ask(context, &["who", "-s"]) {
        // As Salt counts: nobody is one line too.
        shown["users"] = lines.trim_end().split('\n').count().into();
    }
    Ok(shown)
}

/// A program's output, where the host has the program.
fn ask(context: &Context<'_>, argv: &[&str]) -> Option<String> {
    let program = context.look.which(argv.first()?)?;
    let mut argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
    argv[0] = program.to_string_lossy().into_owned();
    let output =
        context.look.probe(&Command { argv, timeout: Some(Duration::from_secs(10)), ..Command::default() }).ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn logged_in(context: &Context<'_>) -> Result<Value, CallError> {
    let lines = ask(context, &["w", "-fh"]).ok_or_else(|| CallError::failed("the program `w` is not there"))?;
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [user, tty, login, idle, jcpu, pcpu, what @ ..] = &words[..] else { return None };
        let what = what.join(" ");
        Some(json!({"idle": idle, "jcpu": jcpu, "login": login, "pcpu": pcpu, "tty": tty, "user": user, "what": what}))
    };
    Ok(lines.lines().filter_map(row).collect())
}

fn all_status(context: &Context<'_>) -> Result<Value, CallError> {
    let parts: [(&str, Reader); 11] = [
        ("cpuinfo", cpuinfo),
        ("cpustats", cpustats),
        ("diskstats", diskstats),
        ("diskusage", |context| diskusage(context, &[])),
        ("loadavg", loadavg),
        ("meminfo", meminfo),
        ("netdev", netdev),
        ("netstats", netstats),
        ("uptime", uptime),
        ("vmstats", vmstats),
        ("w", logged_in),
    ];
    // One part that this host does not have must not hide the others.
    let read = |(name, reader): (&str, Reader)| (name.to_owned(), reader(context).unwrap_or_else(|_| json!({})));
    Ok(Value::Object(parts.into_iter().map(read).collect()))
}

fn diskusage(context: &Context<'_>, wanted: &[Value]) -> Result<Value, CallError> {
    let wanted: Vec<String> = wanted.iter().map(text_of).collect();
    let (paths, types): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|word| word.starts_with('/'));
    let mut selected: std::collections::BTreeSet<String> = paths.iter().cloned().collect();
    if paths.is_empty() || !types.is_empty() {
        let matching = |kind: &str| types.is_empty() || types.iter().any(|glob| super::matches(glob, kind));
        let mounts = file(context, "/proc/mounts")?;
        selected.extend(mounts.lines().filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            matching(kind).then(|| unescape(point))
        }));
    }
    let usage = selected.into_iter().filter(|path| Path::new(path).exists()).map(|path| {
        let usage = match rustix::fs::statvfs(&path) {
            Ok(fs) => json!({"available": fs.f_bavail * fs.f_bsize, "total": fs.f_blocks * fs.f_bsize}),
            Err(_) => json!({"available": null, "total": null}),
        };
        (path, usage)
    });
    Ok(Value::Object(usage.collect()))
}

/// The kernel writes blanks in mount points as `\040`.
fn unescape(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// A process as a line of `ps -ef` would tell it.
struct Row {
    pid: i32,
    parent: i32,
    user: String,
    command: String,
}

fn processes() -> Vec<Row> {
    let row = |process: procfs::process::Process| {
        let stat = process.stat().ok()?;
        let words = process.cmdline().unwrap_or_default();
        let uid = nix::unistd::Uid::from_raw(process.uid().ok()?);
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
        let command = if words.is_empty() { format!("[{}]", stat.comm) } else { words.join(" ") };
        // As words with one blank between them, which is how Salt puts them together.
        let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Row { pid: stat.pid, parent: stat.ppid, user, command })
    };
    all_processes().into_iter().flatten().flatten().filter_map(row).collect()
}

fn procs(_: &Context<'_>) -> Result<Value, CallError> {
    let rows = processes().into_iter();
    Ok(Value::Object(
        rows.map(|row| (row.pid.to_string(), json!({"user": row.user, "cmd": row.command}))).collect::<Map>(),
    ))
}

fn pid(sig: &str) -> Result<Value, CallError> {
    let regex = Regex::new(sig).map_err(|error| CallError::arguments(format!("status.pid: {error}")))?;
    let own = std::process::id() as i32;
    let found = processes().into_iter().filter(|row| row.pid != own && row.parent != own).filter(|row| {
        let line = format!("{} {} {} {}", row.user, row.pid, row.parent, row.command);
        // An expression that is too costly finds nothing.
        regex.is_match(&line).unwrap_or(false)
    });
    Ok(found.map(|row| row.pid.to_string()).collect::<Vec<_>>().join("\n").into())
}

fn time(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let format = bind("status.time", &[with("format", "''")], args)?.text("format")?;
    let format = format.unwrap_or_else(|| "%A, %d. %B %Y %I:%M%p".into());
    let shown = jiff::fmt::strtime::format(&format, &jiff::Zoned::now());
    shown.map(Value::from).map_err(|error| CallError::arguments(format!("status.time: {error}")))
}

fn takes_connections(master: &str) -> bool {
    let Ok(address) = master.parse::<crate::config::Address>() else { return false };
    let resolved = (address.host.as_str(), address.port).to_socket_addrs();
    let connects = |address| std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok();
    resolved.is_ok_and(|mut addresses| addresses.any(connects))
}
