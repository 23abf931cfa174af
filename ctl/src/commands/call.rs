//! `ctl call FUNCTION [ARG…]`

use minion::config::Config;
use proto::Outcome as Ended;

use crate::{
    access::diagnosed,
    arguments,
    cli::Global,
    dispatch,
    error::{Error, Exit, Outcome},
    logging,
    output::{self, Format},
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
const HERE: &str = "local";

pub fn run(args: Args, global: &Global) -> Outcome {
    let (function, given) = arguments::call(args.function.as_deref(), &args.args, &args.argv)?;
    let function = dispatch::function(function)?;
    let (config, warnings) = Config::load(&global.config_dir()).map_err(diagnosed)?;
    logging::start(Some("warning"), config.keys.log_format.as_deref(), global.verbose)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let ret = minion::local::call(&config, function, given, None);
    let good = ret.outcome == Ended::Ok;
    let format = global.out.unwrap_or(Format::Highstate);
    term::result(&output::block(format, HERE, &ret.value, good))?;
    if ret.truncated {
        global.note("the output was longer than may be kept, and was cut\n");
    }
    match ret.outcome {
        Ended::Ok => Ok(Exit::OK),
        Ended::Refused => Err(Error::nothing("it was not run")),
        _ => Ok(Exit::FAILED),
    }
}
