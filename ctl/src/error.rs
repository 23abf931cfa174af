//! What went wrong, for the user's eyes. The kind decides the exit code; the text says the cause
//! and the hints what to do next. Every error of every command is printed here.

use std::{fmt::Write as _, io, process::ExitCode};

use proto::message::Fault;

use crate::term;

/// How a command ended, when it ended without an error of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    pub const OK: Exit = Exit(0);
    /// Some minion failed.
    pub const FAILED: Exit = Exit(1);
    /// Some minion gave no answer.
    pub const NO_ANSWER: Exit = Exit(3);
    /// Ctrl-C.
    pub const INTERRUPTED: Exit = Exit(130);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.0)
    }
}

/// What every command gives.
pub type Outcome = Result<Exit, Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and failed: exit code 1.
    Failed,
    /// Nothing was done: bad usage, no match, not permitted, no master. Exit code 2.
    Nothing,
    /// Ctrl-C before there was a job to detach from: exit code 130.
    Interrupted,
    /// Whoever read our output has gone. Nothing is printed; exit code 141, as a shell reports a
    /// program that SIGPIPE ended.
    Pipe,
}

/// An error with its place (inside the text, where there is one), cause and hints.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    /// Without "error: ", unless it is a rendered diagnostic.
    text: String,
    /// The text is a rendered diagnostic: it brings its own "error: " and hints.
    rendered: bool,
    hints: Vec<String>,
}

impl Error {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: without_number(text.into()), rendered: false, hints: Vec::new() }
    }

    /// Nothing was done.
    pub fn nothing(text: impl Into<String>) -> Self {
        Self::new(Kind::Nothing, text)
    }

    /// It was tried and failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Kind::Failed, text)
    }

    /// Ctrl-C.
    pub fn interrupted(text: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, text)
    }

    /// A text that was laid out elsewhere, with its own "error: ".
    pub fn rendered(kind: Kind, text: impl Into<String>) -> Self {
        Self { rendered: true, ..Self::new(kind, text) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Failed => Exit(1),
            Kind::Nothing => Exit(2),
            Kind::Interrupted => Exit::INTERRUPTED,
            Kind::Pipe => Exit(141),
        }
    }

    /// The whole message, with colours that [`term`] takes out where they do not belong.
    pub fn render(&self) -> String {
        let mut text = match self.rendered {
            true => self.text.trim_end().to_owned(),
            false => format!("{}error:{} {}", term::ERROR, term::ERROR.render_reset(), self.text),
        };
        for hint in &self.hints {
            let indented = hint.replace('\n', "\n        ");
            let _ = write!(text, "\n  {}hint:{} {indented}", term::HINT, term::HINT.render_reset());
        }
        text.push('\n');
        text
    }

    /// Prints it to standard error and gives the exit code.
    pub fn report(&self) -> Exit {
        if self.kind != Kind::Pipe {
            term::complain(&self.render());
        }
        self.exit()
    }
}

/// The system's errors without their numbers: `(os error 13)` says nothing to anybody.
fn without_number(text: String) -> String {
    let Some((before, rest)) = text.split_once(" (os error ") else { return text };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    match after.strip_prefix(')') {
        Some(after) => format!("{before}{after}"),
        None => text,
    }
}

/// Only for writing to standard output: everything else has a place to name.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::Pipe, ""),
            _ => Self::failed(format!("standard output cannot be written: {error}")),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::new(Kind::Nothing, fault.message).hints(fault.hint)
    }
}

/// A bug in this program becomes one line that says where, never a backtrace.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let what = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no reason given");
        let place = panic.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        term::complain(&format!("error: this is a bug in ctl{place}: {}\n", what.lines().next().unwrap_or_default()));
    }));
}

#[cfg(test)]
mod tests {
    use proto::message::FaultKind;

    use super::*;

    #[test]
    fn an_error_reads_as_the_manual_promises() {
        let error =
            Error::nothing("no minion matches 'wbe*'").hint("12 minions match 'web*'. `ctl minion list` shows all.");
        let text = anstream::adapter::strip_str(&error.render()).to_string();
        assert_eq!(
            text,
            "error: no minion matches 'wbe*'\n  hint: 12 minions match 'web*'. `ctl minion list` shows all.\n"
        );
        assert_eq!(error.exit(), Exit(2));
    }

    #[test]
    fn the_systems_numbers_are_left_out() {
        let system = io::Error::from_raw_os_error(13);
        assert_eq!(Error::nothing(format!("x: {system}, y")).text, "x: Permission denied, y");
        assert_eq!(Error::nothing("an (os error of ours").text, "an (os error of ours");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let error = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.exit(), Exit(141));
        assert_eq!(Error::from(io::Error::other("disk full")).exit(), Exit(1));
    }

    #[test]
    fn faults_of_the_master_keep_their_hint_and_mean_nothing_was_done() {
        let fault = Fault { kind: FaultKind::NotPermitted, message: "not permitted".into(), hint: Some("ask".into()) };
        let error = Error::from(fault);
        assert_eq!(error.exit(), Exit(2));
        assert!(error.render().contains("ask"));
    }
}
