//! `ctl dev`: a real master and real minions in this terminal, gone when it ends.

mod cast;

use std::{
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use states::{
    Diagnostic,
    yaml::{self, Node},
};
use tokio::{
    process::Command,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    cli::Global,
    client::block_on,
    cluster::{Cluster, folder, program},
    compat,
    error::{Error, Exit, Outcome},
    term,
};
use cast::Cast;

/// Minions where nobody says how many.
const MINIONS: u16 = 3;

/// A master and minions to try things with, in this terminal
///
///   ctl dev                                   until Ctrl-C; `ctl --dev …` elsewhere reaches it
///   ctl dev --minions 10
///   ctl dev -- run '*' cmd uptime             one command line, then it all goes away
///   ctl dev --tree /srv -- apply '*' --test   with your states (/srv/salt, /srv/pillar)
///
/// They are real processes that talk over TCP, in a temporary folder. They run on
/// this host: without --test, `apply` changes it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// How many minions [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    minions: Option<u16>,
    /// State tree for them: a folder of SLS, or one with `salt` and `pillar` in it. Its `minions.yaml`
    /// ({ID: {grains: …}}) names the minions, its `master.yaml` adds to the master's configuration
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// A command line of ctl to run there; its exit code becomes ours
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Remove this folder, and what runs from it, once standard input ends
    #[arg(long, hide = true, value_name = "DIR", conflicts_with = "command")]
    janitor: Option<PathBuf>,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    if let Some(left) = args.janitor {
        return folder::janitor(&left);
    }
    let start = Instant::now();
    let roots = args.tree.as_deref().map(compat::roots).transpose()?;
    let cast = match &args.tree {
        Some(tree) => Cast::of(tree, args.minions)?,
        None => Cast::usual(args.minions.unwrap_or(MINIONS)),
    };
    let mut cluster = Cluster::begin()?;
    let outcome = block_on(async {
        // From here on a signal is noticed, and does not end us before the cluster.
        let mut stop = Stop::listen()?;
        tokio::select! {
            started = cluster.start(&cast.minions, &cast.master, roots.as_ref(), global) => started?,
            () = stop.wait() => return Ok(Exit::INTERRUPTED),
        }
        match args.command.is_empty() {
            true => {
                term::result(&welcome(&cluster, &cast, roots.is_some(), start.elapsed()))?;
                stand(&mut cluster, &mut stop).await
            }
            false => carry_out(&cluster, &args.command, global, &mut stop).await,
        }
    });
    cluster.end();
    outcome
}

/// Whether a mapping is a minion's configuration.
fn for_minion(node: &Node) -> Result<(), Diagnostic> {
    yaml::from_node::<minion::config::Keys>(node).map(drop)
}

/// Whether a mapping is a master's configuration.
fn for_master(node: &Node) -> Result<(), Diagnostic> {
    yaml::from_node::<master::Config>(node).map(drop)
}

/// Signals that end the cluster.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::nothing(format!("signals cannot be received: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Lets the cluster stand until it is told to end, or none of it is left. A daemon that ends is an
/// experiment of somebody's, as a rule: the others stay.
async fn stand(cluster: &mut Cluster, stop: &mut Stop) -> Outcome {
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(Exit::OK),
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                for ended in cluster.ended() {
                    term::complain(&ended);
                }
                if cluster.is_empty() {
                    return Err(Error::failed("nothing is left of the cluster"));
                }
            }
        }
    }
}

/// Runs a command line of `ctl` against the cluster. Ctrl-C is its own business: the terminal
/// tells it too.
async fn carry_out(cluster: &Cluster, words: &[String], global: &Global, stop: &mut Stop) -> Outcome {
    let words = match words {
        [first, rest @ ..] if first == "ctl" => rest,
        words => words,
    };
    let mut child = Command::new(program()?)
        .arg("--config-dir")
        .arg(cluster.master_dir())
        .args(passed_on(global))
        .args(words)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Error::nothing(format!("ctl cannot be started: {error}")))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            _ = stop.interrupt.recv() => {}
            _ = stop.terminate.recv() => return Ok(Exit(143)),
            _ = stop.hangup.recv() => return Ok(Exit(129)),
        }
    };
    let status = status.map_err(|error| Error::failed(format!("ctl cannot be waited for: {error}")))?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Exit(u8::try_from(code).unwrap_or(1)))
}

/// Global options that were given before `dev` and are meant for the command behind it.
fn passed_on(global: &Global) -> Vec<String> {
    use clap::ValueEnum as _;
    let mut words = Vec::new();
    if let Some(format) = global.out.and_then(|format| Some(format.to_possible_value()?.get_name().to_owned())) {
        words.extend(["--out".to_owned(), format]);
    }
    if let Some(color) = global.color.to_possible_value() {
        words.extend(["--color".to_owned(), color.get_name().to_owned()]);
    }
    words.extend(std::iter::repeat_n("-v".to_owned(), global.verbose.into()));
    words.extend(global.quiet.then(|| "-q".to_owned()));
    words
}

fn welcome(cluster: &Cluster, cast: &Cast, states: bool, took: Duration) -> String {
    let called = std::env::args().next().filter(|name| name.contains('/')).unwrap_or_else(|| "ctl".into());
    let names: Vec<&str> = cast.minions.keys().map(String::as_str).collect();
    let shown = if names.len() > 12 {
        format!("{} … {}", names[..3].join(" "), names[names.len() - 1])
    } else {
        names.join(" ")
    };
    let usual: &[&str] = &["run 'web*' cmd uptime", "run 'G@role:db' -- df -h /"];
    let by_target: &[&str] = if cast.own { &["target 'G@os:*'"] } else { usual };
    let states: &[&str] = if states { &["apply '*' --test"] } else { &[] };
    let next: String = [&["run '*' test.ping"], by_target, states, &["check '*'", "minion list", "event watch"]]
        .concat()
        .into_iter()
        .map(|words| format!("  {}\n", term::paint(term::BOLD, format_args!("{called} --dev {words}"))))
        .collect();
    format!(
        "A master and {} are running after {:.1} s: {shown}\n\nIn another terminal:\n{next}\n\
         Logs and all else are in {}\nCtrl-C ends it and removes that folder.\n",
        crate::output::highstate::plural(names.len(), "minion"),
        took.as_secs_f64(),
        cluster.folder.display()
    )
}
