//! `ctl check TARGET [CHECK…]`

mod known;
mod picture;
mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use proto::{Args as CallArgs, Outcome as Ended, PackedValue, Value, checks::HostChecks};

use crate::{
    canvas::Canvas,
    cli::Global,
    client::{Client, block_on},
    dispatch::{self, Options},
    error::{Error, Exit, Outcome},
    output::{
        self, Format, Returns,
        checks::{self, Report, Room},
    },
    selection::{Kind, Selection, miss_named},
    term, times,
    watch::{Gathered, Patience, Watch},
};

/// Run health checks now, all at once, and show what is wrong
///
///   ctl check '*'                       what is configured, or load, memory, disk …
///   ctl check 'web*' disk 'tcp*'        some of them, by name
///   ctl check '*' --last                what the master knows already, with ages
///   ctl check '*' --watch               the same, kept current until Ctrl-C
///   ctl check --local                   this host, without a master (-t 10s: in that time)
///   ctl check '*' --out prometheus > /var/lib/node_exporter/overstate.prom
///
/// Equal trouble is shown once, with the hosts that have it; -v shows all, and what
/// was slow. Who gives no answer is UNKNOWN. Exit codes are those of monitoring
/// plugins: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also when nothing could be
/// done); the worst one counts, a warning more than what is unknown.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Who, as for `ctl run`; with --local, the first check
    #[arg(value_name = "TARGET", required_unless_present = "local")]
    target: Option<String>,
    /// Names of checks; globs too [default: all that are configured]
    #[arg(value_name = "CHECK", help_heading = None)]
    checks: Vec<String>,
    /// On this host, without a master
    #[arg(long, help_heading = None, conflicts_with_all = ["last", "watch"])]
    local: bool,
    /// Do it again after this time, until Ctrl-C
    #[arg(long, value_name = "TIME", help_heading = None, value_parser = times::seconds,
          conflicts_with_all = ["detach", "last", "watch"])]
    every: Option<u32>,
    /// What the master knows already from the checks that run all the time, at once
    #[arg(long, help_heading = None, conflicts_with = "watch")]
    last: bool,
    /// As --last, and what changes as it changes, until Ctrl-C
    #[arg(long, help_heading = None, conflicts_with = "detach")]
    watch: bool,
    #[command(flatten)]
    kind: Kind,
    #[command(flatten)]
    options: Options,
}

/// As for a monitoring plugin, what could not be done is UNKNOWN.
const UNKNOWN: Exit = Exit(3);

pub fn run(args: Args, global: &Global) -> Outcome {
    match work(&args, global) {
        Err(error) if [Exit(1), Exit(2)].contains(&error.exit()) => unknown(&error, global),
        outcome => outcome,
    }
}

/// What could not be done is UNKNOWN, and said where a monitoring system reads it.
pub fn unknown(error: &Error, global: &Global) -> Outcome {
    match global.out {
        Some(Format::Nagios) => term::result(&checks::nagios_error(&error.render()))?,
        _ => drop(error.report()),
    }
    Ok(UNKNOWN)
}

fn work(args: &Args, global: &Global) -> Outcome {
    match args.every {
        _ if args.last => known::last(args, global),
        _ if args.watch => watch::watch(args, global),
        Some(seconds) => again(args, seconds, global),
        None => once(args, global),
    }
}

fn again(args: &Args, seconds: u32, global: &Global) -> Outcome {
    let mut canvas = if for_people(global) { Canvas::open() } else { None };
    // On a picture there is no room for a line of progress.
    let quiet = Global { quiet: global.quiet || canvas.is_some(), ..global.clone() };
    loop {
        let begun = Instant::now();
        let Some(report) = look(args, &quiet)? else { return Ok(Exit::INTERRUPTED) };
        match &mut canvas {
            Some(canvas) => {
                let (width, rows) = canvas.size();
                let room = Room { width, rows: Some(rows.saturating_sub(1)), all: global.verbose > 0 };
                let head = format!("{}  every {seconds} s, Ctrl-C ends it", times::now().strftime("%H:%M:%S"));
                canvas.draw(&format!("{}\n{}", term::paint(term::DIM, head), checks::screen(&report, room)))?;
            }
            None => show(&report, global)?,
        }
        let rest = Duration::from_secs(seconds.into()).saturating_sub(begun.elapsed());
        let stopped = block_on(async {
            tokio::select! {
                () = tokio::time::sleep(rest) => Ok::<_, Error>(false),
                _ = tokio::signal::ctrl_c() => Ok(true),
            }
        })?;
        if stopped {
            if canvas.take().is_some() {
                show(&report, global)?;
            }
            return Ok(Exit(report.worst().code()));
        }
    }
}

/// Whether people read the result.
fn for_people(global: &Global) -> bool {
    matches!(global.out, None | Some(Format::Nested | Format::Highstate))
}

fn once(args: &Args, global: &Global) -> Outcome {
    let Some(report) = look(args, global)? else {
        return Ok(if args.options.detach { Exit::OK } else { Exit::INTERRUPTED });
    };
    show(&report, global)?;
    let exit = Exit(report.worst().code());
    // The process ends: the rows of ten thousand hosts are not freed one by one.
    std::mem::forget(report);
    Ok(exit)
}

/// `None`: there is nothing to report, for it goes on without us.
fn look(args: &Args, global: &Global) -> Result<Option<Report>, Error> {
    let begun = Instant::now();
    let report = if args.local { here(args, global)? } else { there(args, global)? };
    Ok(report.map(|mut report| {
        report.seconds = begun.elapsed().as_secs_f64();
        report.sort();
        report
    }))
}

fn show(report: &Report, global: &Global) -> Result<(), Error> {
    Ok(term::result(&render(report, global))?)
}

fn render(report: &Report, global: &Global) -> String {
    match global.out {
        Some(Format::Json) => output::json(&checks::object(report)),
        Some(Format::Jsonl) => checks::lines(report),
        Some(Format::Yaml) => output::yaml(&checks::object(report)),
        Some(Format::Txt) => checks::txt(report),
        Some(Format::Nagios) => checks::nagios(report),
        Some(Format::Prometheus) => checks::prometheus(report),
        Some(Format::Quiet) => String::new(),
        None | Some(Format::Nested | Format::Highstate) => checks::screen(report, room(global)),
    }
}

fn room(global: &Global) -> Room {
    let (width, rows) = match term::width() {
        Some(width) => (width.into(), Some(term::screen().1)),
        None => (usize::from(u16::MAX), None),
    };
    Room { width, rows, all: global.verbose > 0 }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> CallArgs {
    CallArgs::positional(names.map(|name| Value::String(name.clone())))
}

fn here(args: &Args, global: &Global) -> Result<Option<Report>, Error> {
    let names = names(args.target.iter().chain(&args.checks));
    let value = match args.options.timeout {
        None => super::call::here(global, "check.run", names)?,
        Some(seconds) => in_time(seconds, global.clone(), names)?,
    };
    let mut report = Report::default();
    report.add(super::call::HERE, packed(&value)?);
    Ok(Some(report))
}

/// Each check has a time of its own; whoever asks may have less.
fn in_time(seconds: u32, global: Global, names: CallArgs) -> Result<Value, Error> {
    let (send, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(super::call::here(&global, "check.run", names)));
    done.recv_timeout(Duration::from_secs(seconds.into())).unwrap_or_else(|_| {
        end_children();
        Err(Error::failed(format!("the checks did not end within {seconds} s"))
            .hint("`timeout:` of a check gives it less time; -v shows which are slow"))
    })
}

/// Plugins that still run end with us, and what they have started too: each has a process group.
fn end_children() {
    let text = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let text = text.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    for child in text.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()) {
        if let Some(child) = child.parse().ok().filter(|pid: &i32| *pid > 1).map(Pid::from_raw) {
            let _ = killpg(child, Signal::SIGKILL);
        }
    }
}

/// `None`: there is nothing to report, for it goes on without us.
fn there(args: &Args, global: &Global) -> Result<Option<Report>, Error> {
    let target = args.target.clone().unwrap_or_default();
    let target = Selection { target, kind: args.kind.clone() }.expression()?;
    let function = dispatch::function("check.run")?;
    let options = &args.options;
    block_on(async {
        let mut client = Client::connect(global).await?;
        // Who watches over the others is looked at with them, unless something else is asked for.
        let own = match args.checks.is_empty() && !options.detach {
            true => known::of_the_master(&mut client).await,
            false => Vec::new(),
        };
        let request = client.sign(&target, function, names(args.checks.iter()), options.signed(false))?;
        let patience = Patience { timeout: options.timeout, ttl: options.ttl };
        let mut watch = Watch::new(global, Returns::new(Format::Json, false, false), patience).showing_output(false);
        let mut start = watch.begin(&mut client, request, !options.detach).await?;
        if options.subset.is_none() {
            miss_named(&target, &mut start);
        }
        if options.detach {
            dispatch::detached(global, Format::Nested, &start)?;
            return Ok(None);
        }
        Ok(watch.gather(client, start).await?.map(|gathered| report(gathered, &own)))
    })
}

fn packed(value: &Value) -> Result<PackedValue, Error> {
    PackedValue::new(value).map_err(|error| Error::failed(format!("the checks gave too much: {error}")))
}

fn report(gathered: Gathered, own: &[HostChecks]) -> Report {
    let mut report = Report::default();
    own.iter().for_each(|master| report.add_known(master, |_| true));
    for end in gathered.ends.into_iter().map(Arc::unwrap_or_clone) {
        match end.ret.outcome {
            Ended::Ok | Ended::Failed => report.add(end.minion.as_str(), end.ret.value),
            other => {
                let why: String = end.ret.value.read().unwrap_or_default();
                report.silent(end.minion.as_str(), &format!("{other}: {why}"));
            }
        }
    }
    for (minion, why) in gathered.account.silent(&times::now()) {
        report.silent(minion.as_str(), &why);
    }
    report
}
