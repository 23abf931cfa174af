//! `ctl run TARGET FUNCTION [ARG…]`

use crate::{
    arguments,
    cli::Global,
    dispatch::{self, Call, Options},
    error::Outcome,
    selection::Selection,
};

/// Call a function on every minion that matches
///
///   ctl run '*' test.ping
///   ctl run 'web*' cmd 'df -h /'           `cmd` is short for cmd.run
///   ctl run 'G@os:Debian' -- df -h /       a command line without a shell
///   ctl run web1 cmd.run 'make' cwd=/src   KEY=VALUE is a named argument
///
/// `ctl doc` lists the functions. Exit codes: 0 all well, 1 some minion failed,
/// 2 nothing was done, 3 some minion gave no answer, 130 Ctrl-C (the job goes on).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// What to call: module.function, or `cmd` for cmd.run
    #[arg(value_name = "FUNCTION", help_heading = None, required_unless_present = "argv")]
    function: Option<String>,
    /// Arguments, read as YAML; KEY=VALUE for named ones
    #[arg(value_name = "ARG", help_heading = None, allow_negative_numbers = true)]
    args: Vec<String>,
    /// A command line, word by word; behind a FUNCTION, more of its arguments
    #[arg(value_name = "WORD", help_heading = None, last = true)]
    argv: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let target = args.selection.expression()?;
    let (function, given) = arguments::call(args.function.as_deref(), &args.args, &args.argv)?;
    let function = dispatch::function(function)?;
    dispatch::check_arguments(&function, &given)?;
    let format = dispatch::natural_format(&function);
    dispatch::carry_out(global, Call { target, function, args: given }, &args.options, format)
}
