//! The command line: global options, the list of commands, and how one is chosen.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    commands::Command,
    error::{Error, Exit, Outcome},
    output::Format,
    term,
};

/// Where the configuration is, unless `--config-dir` says otherwise.
pub const CONFIG_DIR: &str = "/etc/overstate";

/// Run commands and apply states on many machines, and know what happened on each.
#[derive(Debug, Parser)]
#[command(name = "ctl", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Folder of the files `master`, `minion` and `ctl` (YAML) [default: /etc/overstate]
    #[arg(long, global = true, value_name = "DIR", env = "OVERSTATE_CONFIG_DIR", hide_env = true)]
    pub config_dir: Option<PathBuf>,
    /// The master to talk to
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub master: Option<String>,
    /// Talk to the newest test cluster that `ctl dev` runs
    #[arg(long, global = true, conflicts_with = "master")]
    pub dev: bool,
    /// How results look
    #[arg(long, global = true, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub out: Option<Format>,
    /// Colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub color: Color,
    /// Say more (-vv for debugging)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The folder of the configuration.
    pub fn config_dir(&self) -> PathBuf {
        self.config_dir.clone().unwrap_or_else(|| CONFIG_DIR.into())
    }

    /// Says something about the work, unless `-q`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            term::complain(text);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

const WELCOME: &str = "\
Overstate runs commands and applies states on many machines, and knows what happened on each.

  ctl dev                          a test cluster of three minions, in this terminal
  ctl run '*' test.ping            call a function on every minion
  ctl run 'web*' cmd 'df -h /'     run a command on some of them
  ctl run 'G@os:Debian' -- uptime  the same without a shell, where the system is Debian
  ctl minion list                  who is here
  ctl job list                     who ran what
  ctl doc cmd                      what there is to call, with examples

`ctl help` lists every command, `ctl COMMAND --help` explains one.
";

/// The command line as clap knows it: `-h` and `--help` say the same, with a command's whole
/// comment (its examples) at the top and its options close together.
pub fn command() -> clap::Command {
    whole_help(Cli::command())
}

fn whole_help(command: clap::Command) -> clap::Command {
    let command = match command.get_long_about().map(ToString::to_string) {
        Some(text) => command
            .long_about(None::<&str>)
            .help_template(format!("{text}\n\n{{usage-heading}} {{usage}}\n\n{{all-args}}{{after-help}}")),
        None => command,
    };
    command.mut_subcommands(whole_help)
}

/// Parses the command line, runs the command, reports its error, gives the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = command().try_get_matches_from(&args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let exit = usage(&error);
            return if exit == Exit(2) && is_check(&args) { Exit(3) } else { exit }.into();
        }
    };
    choose_colour(cli.global.color);
    let outcome = match cli.command {
        Some(command) => command.run(&cli.global),
        None => term::result(WELCOME).map(|()| Exit::OK).map_err(Error::from),
    };
    finish(outcome).into()
}

/// Whether it is a monitoring plugin that was called wrongly: the guideline has that be UNKNOWN.
fn is_check(args: &[OsString]) -> bool {
    let lenient = command().ignore_errors(true).try_get_matches_from(args);
    lenient.is_ok_and(|matches| matches.subcommand_name() == Some("check"))
}

fn finish(outcome: Outcome) -> Exit {
    outcome.unwrap_or_else(|error| error.report())
}

fn choose_colour(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Help and version are results; everything else that clap says is an error in our tone.
fn usage(error: &clap::Error) -> Exit {
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            finish(term::result(&text).map(|()| Exit::OK).map_err(Error::from))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            term::complain(&text);
            Exit(2)
        }
        ErrorKind::InvalidSubcommand => unknown_command(error).report(),
        ErrorKind::UnknownArgument if error.get(ContextKind::InvalidArg) == Some(&test_option()) => {
            term::complain(&text.lines().next().map(|line| format!("{line}\n")).unwrap_or_default());
            term::complain(TEST_HINT);
            Exit(2)
        }
        _ => {
            term::complain(&text.replace("tip:", "hint:"));
            Exit(2)
        }
    }
}

/// `ctl call state.apply --test`: what an option is of `ctl apply` is an argument of a function.
fn test_option() -> ContextValue {
    ContextValue::String("--test".into())
}

const TEST_HINT: &str = "  hint: a function takes `test=True`; `ctl apply TARGET --test` plans on a fleet\n";

/// `ctl rnu`: the nearest of the commands that could stand there.
fn unknown_command(error: &clap::Error) -> Error {
    let typed = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => typed.clone(),
        _ => String::new(),
    };
    let root = command();
    let all: Vec<&str> = root
        .get_subcommands()
        .flat_map(|command| {
            std::iter::once(command.get_name()).chain(command.get_subcommands().map(clap::Command::get_name))
        })
        .collect();
    Error::nothing(format!("there is no command {typed}"))
        .hints(states::diag::did_you_mean(&typed, all))
        .hint("`ctl help` lists them all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command() {
        let mut root = command().term_width(80);
        root.build();
        snapshot(&mut root, "ctl");
    }

    /// The options that every command has are in the help of `ctl` itself.
    fn snapshot(command: &mut clap::Command, name: &str) {
        let help = command.render_help().to_string();
        let own = help.split("\nGlobal options:").next().unwrap_or_default();
        insta::with_settings!({snapshot_path => "snapshots/help", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, if name == "ctl" { &help } else { own });
        });
        let subcommands = command.get_subcommands_mut().filter(|sub| sub.get_name() != "help");
        subcommands.for_each(|sub| snapshot(sub, &format!("{name} {}", sub.get_name())));
    }
}
