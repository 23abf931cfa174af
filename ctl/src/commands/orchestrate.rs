//! `ctl orchestrate SLS…`

use proto::message::orchestration::Source;

use super::overstate::named;
use crate::{
    cli::Global,
    error::{Error, Outcome},
    orchestration::{self, Options},
};

/// Run orchestrate SLS on the master (salt.state, salt.function, salt.runner …)
///
///   ctl orchestrate orch.deploy
///   ctl orchestrate orch.deploy --test
///   ctl orchestrate orch.deploy pillar='{version: 2}' saltenv=dev
///
/// As `salt-run state.orchestrate`, with a plan first and the stages as they
/// run. Ctrl-C detaches: it goes on. Exit codes: 0 all well, 1 one failed,
/// 2 nothing was done, 130 Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// SLS of the tree; KEY=VALUE: saltenv=…, pillar='{…}'
    #[arg(value_name = "SLS", help_heading = None)]
    words: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let (names, mut orchestration) = named(&args.words)?;
    orchestration.source = match (names.is_empty(), &args.options.resume) {
        (false, _) => Source::Sls(names.iter().flat_map(|name| name.split(',')).map(str::to_owned).collect()),
        (true, Some(_)) => Source::Resumed,
        (true, None) => {
            return Err(Error::nothing("no SLS is named").hint("for overstate.sls of the tree:  ctl overstate"));
        }
    };
    orchestration::carry_out(global, orchestration, &args.options)
}
