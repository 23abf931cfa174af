//! `ctl apply TARGET [SLS…]`

use crate::{
    arguments,
    cli::Global,
    dispatch::{self, Call, Options},
    error::Outcome,
    output::Format,
    selection::Selection,
};

/// Apply states: the highstate, or the named SLS
///
///   ctl apply 'web*'                        the highstate, as top.sls says
///   ctl apply 'web*' nginx users --test     what would these two change?
///   ctl apply web1 nginx pillar='{port: 8080}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// SLS files, by name; KEY=VALUE for named arguments (pillar=…, saltenv=…)
    #[arg(value_name = "SLS", help_heading = None)]
    sls: Vec<String>,
    /// Plan and show the differences; change nothing
    #[arg(long, help_heading = None)]
    test: bool,
    #[command(flatten)]
    options: Options,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let mut given = arguments::parse(&args.sls);
    if args.test {
        given = given.with("test", true);
    }
    let call = Call { target: args.selection.expression()?, function: dispatch::function("state.apply")?, args: given };
    dispatch::carry_out(global, call, &args.options, Format::Highstate)
}
