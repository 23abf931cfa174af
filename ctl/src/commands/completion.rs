//! `ctl completion SHELL`

use clap_complete::Shell;

use crate::{
    cli,
    error::{Exit, Outcome},
    term,
};

/// Print a completion script for a shell
///
/// bash:  ctl completion bash > /etc/bash_completion.d/ctl
/// zsh:   ctl completion zsh > /usr/local/share/zsh/site-functions/_ctl
/// fish:  ctl completion fish > ~/.config/fish/completions/ctl.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

pub fn run(args: Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "ctl", &mut script);
    term::result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::OK)
}
