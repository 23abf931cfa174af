//! Overstate's one binary: the operator's command line, the master, the minion, the masterless
//! tool and the instant test cluster.
//!
//! `commands/` holds one file a command. What a user sees of an error is made in `error.rs`,
//! what they see of a result in `output/`. Only `commands/{master,minion,call,dev}.rs`,
//! `catalogue.rs` and this file know the crates of the daemons.

mod access;
mod account;
mod arguments;
mod canvas;
mod catalogue;
mod cli;
mod client;
mod cluster;
mod commands;
mod compat;
mod daemon;
mod dispatch;
mod error;
mod logging;
mod orchestration;
mod output;
mod progress;
mod selection;
mod stages;
mod term;
mod times;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    error::install_panic_hook();
    // A job that changes the host runs in a process of its own, which is this program too.
    if let Some(code) = minion::child::main() {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    cli::main(std::env::args_os())
}
