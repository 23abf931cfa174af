//! The commands: one file each, holding its arguments (whose comments are its help) and the
//! function that runs it.

mod apply;
mod call;
mod check;
mod compat;
mod completion;
mod dev;
mod doc;
mod event;
mod job;
mod key;
pub mod master;
mod minion;
mod operator;
mod orchestrate;
mod overstate;
mod run;
mod target;

pub use job::Which;

use clap::Subcommand;
use serde_json::json;

use crate::{
    cli::Global,
    error::{Error, Exit, Outcome},
    output::{self, Format},
    term,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(run::Args),
    Apply(apply::Args),
    Check(check::Args),
    Overstate(overstate::Args),
    Orchestrate(orchestrate::Args),
    Target(target::Args),
    Job(job::Args),
    Minion(self::minion::Args),
    Key(key::Args),
    Operator(operator::Args),
    Event(event::Args),
    Doc(doc::Args),
    Call(call::Args),
    Compat(compat::Args),
    Master(self::master::Args),
    Dev(dev::Args),
    Completion(completion::Args),
}

impl Command {
    pub fn run(self, global: &Global) -> Outcome {
        let possible = self.check_config_dir(global).and_then(|()| self.check_format(global));
        match (&self, possible) {
            (Command::Check(_), Err(error)) => return check::unknown(&error, global),
            (_, possible) => possible?,
        }
        match self {
            Command::Run(args) => run::run(args, global),
            Command::Apply(args) => apply::run(args, global),
            Command::Check(args) => check::run(args, global),
            Command::Overstate(args) => overstate::run(args, global),
            Command::Orchestrate(args) => orchestrate::run(args, global),
            Command::Target(args) => target::run(args, global),
            Command::Job(args) => job::run(args, global),
            Command::Minion(args) => self::minion::run(args, global),
            Command::Key(args) => key::run(args, global),
            Command::Operator(args) => operator::run(args, global),
            Command::Event(args) => event::run(args, global),
            Command::Doc(args) => doc::run(args, global),
            Command::Call(args) => call::run(args, global),
            Command::Compat(args) => compat::run(args, global),
            Command::Master(args) => self::master::run(args, global),
            Command::Dev(args) => dev::run(args, global),
            Command::Completion(args) => completion::run(args),
        }
    }
}

impl Command {
    /// A folder that was named and is not there is a slip, and not an empty configuration.
    fn check_config_dir(&self, global: &Global) -> Result<(), Error> {
        let needs_none = matches!(
            self,
            Command::Operator(_) | Command::Doc(_) | Command::Compat(_) | Command::Dev(_) | Command::Completion(_)
        );
        match &global.config_dir {
            Some(dir) if !needs_none && !dir.is_dir() => {
                Err(Error::nothing(format!("the configuration folder {} does not exist", dir.display()))
                    .hint("--config-dir names the folder in which the files `master`, `minion` and `ctl` lie"))
            }
            _ => Ok(()),
        }
    }
}

impl Command {
    fn check_format(&self, global: &Global) -> Result<(), Error> {
        match (self, global.out) {
            (Command::Check(_), _) => Ok(()),
            (_, Some(Format::Nagios | Format::Prometheus)) => {
                Err(Error::nothing("--out nagios and --out prometheus are for `ctl check`")
                    .hint("for programs: json, jsonl, yaml, txt"))
            }
            _ => Ok(()),
        }
    }
}

/// Says what a change was made to.
fn changed(global: &Global, what: &str, ids: &[String]) -> Outcome {
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => {
            output::one(global.out, &json!({(what): ids}))?;
        }
        _ => ids.iter().try_for_each(|id| term::result(&format!("{what} {}\n", term::clean(id))))?,
    }
    Ok(Exit::OK)
}
