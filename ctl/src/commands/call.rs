//! `ctl call FUNCTION [ARG…]`

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minion::{config::Config, job::Live, local::Called};
use proto::{Outcome as Ended, Value};
use states::{CallError, call::Progress as Told, diag};

use crate::{
    access::diagnosed,
    arguments,
    cli::Global,
    dispatch,
    error::{Error, Exit, Kind, Outcome},
    logging,
    output::{self, Format},
    progress::{Progress, Step},
    term,
};

/// Call a function on this host, without a master
///
///   ctl call grains.item os
///   ctl call cmd.run 'df -h' cwd=/
///   ctl --config-dir /srv/masterless call state.apply nginx test=True
///
/// Reads DIR/minion for grains, file_roots and the like. Exit codes: 0 well,
/// 1 failed, 2 nothing was done.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// What to call: module.function, or `cmd` for cmd.run
    #[arg(value_name = "FUNCTION", required_unless_present = "argv")]
    function: Option<String>,
    /// Arguments, read as YAML; KEY=VALUE for named ones
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// A command line, word by word; behind a FUNCTION, more of its arguments
    #[arg(value_name = "WORD", last = true)]
    argv: Vec<String>,
}

/// The name that stands for this host, as in Salt.
pub const HERE: &str = "local";

pub fn run(args: Args, global: &Global) -> Outcome {
    let (function, given) = arguments::call(args.function.as_deref(), &args.args, &args.argv)?;
    let function = dispatch::function(function)?;
    dispatch::check_arguments(&function, &given)?;
    let (config, warnings) = Config::load(&global.config_dir()).map_err(diagnosed)?;
    logging::start(Some("warning"), config.keys.log_format.as_deref(), global.verbose)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let name = function.as_str().to_owned();
    let format = global.out.unwrap_or(dispatch::natural_format(&function));
    let progress = (function.module() == "state" && !global.quiet).then(|| Arc::new(Mutex::new(Progress::new(true))));
    let Called { ret, error } = minion::local::perform(&config, function, given, progress.as_ref().map(told));
    progress.iter().for_each(|progress| lock(progress).clear());
    let good = ret.outcome == Ended::Ok;
    // A text that says why there is no value is for people to read, and not a result.
    if error.is_none() || !for_people(global) {
        term::result(&output::block(format, HERE, &ret.value, good, global.verbose > 0))?;
    }
    if ret.truncated {
        global.note("the output was longer than may be kept, and was cut\n");
    }
    match (error, ret.outcome) {
        (Some(error), _) => Err(failed(&name, &error)),
        (None, Ended::Ok) => Ok(Exit::OK),
        (None, Ended::Refused) => Err(Error::nothing("it was not run")),
        (None, _) => Ok(Exit::FAILED),
    }
}

/// A function's value on this host, for commands that show it in their own way.
///
/// # Errors
/// A configuration that cannot be read, or why there is no value.
pub fn here(global: &Global, function: &str, args: proto::Args) -> Result<Value, Error> {
    let name = dispatch::function(function)?;
    let (config, warnings) = Config::load(&global.config_dir()).map_err(diagnosed)?;
    logging::start(Some("warning"), config.keys.log_format.as_deref(), global.verbose)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let Called { ret, error } = minion::local::perform(&config, name, args, None);
    match error {
        Some(error) => Err(failed(function, &error)),
        None => Ok(ret.value),
    }
}

/// Draws how far a run of states has come.
fn told(progress: &Arc<Mutex<Progress>>) -> Live {
    let progress = progress.clone();
    Box::new(move |told| {
        let Told::State(step) = told else { return };
        if step.get("waiting").is_none() && !lock(&progress).draws() {
            return;
        }
        let Some(step) = Step::parse(&step.to_string()) else { return };
        match step.line().filter(|_| step.waits()) {
            // This may take minutes: whoever has no terminal is told of it too.
            Some(line) => {
                lock(&progress).clear();
                term::complain(&format!("{line}\n"));
            }
            None => lock(&progress).draw_step(&step),
        }
    })
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn for_people(global: &Global) -> bool {
    !matches!(global.out, Some(Format::Json | Format::Jsonl | Format::Yaml))
}

/// Why a function gave no value, with its places.
fn failed(function: &str, error: &CallError) -> Error {
    match error {
        CallError::Diagnostic(why) => Error::rendered(Kind::Failed, why.render(true)),
        CallError::Problems(all) => Error::rendered(Kind::Failed, diag::render_all(all, true)),
        CallError::Arguments(why) => {
            Error::failed(why.as_str()).hint(format!("`ctl doc {function}` shows how it is called"))
        }
        other => Error::failed(other.to_string()).hints(other.hint()),
    }
}
