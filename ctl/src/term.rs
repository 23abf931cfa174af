//! The two streams. Results go to standard output and nothing else does; everything that is
//! said about them goes to standard error. Colours are always written here and taken out on the
//! way where `--color`, `NO_COLOR` or a missing terminal says so.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

pub const ERROR: Style = AnsiColor::Red.on_default().bold();
pub const HINT: Style = AnsiColor::Cyan.on_default();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const CHANGED: Style = AnsiColor::Cyan.on_default();
pub const VALUE: Style = AnsiColor::Yellow.on_default();

/// `text` in a style, closed at its end.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes a result. An error means that nobody can read it any more.
pub fn result(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something about the work. Where nobody listens, nothing is lost.
pub fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Moves the cursor or clears a line: meant for a terminal that is there, whatever its colours.
pub fn control(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether standard error is a terminal: only then a progress line makes sense.
pub fn interactive() -> bool {
    io::stderr().is_terminal()
}

/// Columns of the terminal on standard output, if it is one.
pub fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Columns of the terminal on standard error, if it is one.
pub fn error_width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Text from a minion, safe to print: no escape sequences and no other control characters than
/// tabs and line ends, so that a host's output cannot steer the operator's terminal.
pub fn clean(text: &str) -> String {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .filter(|&c| !c.is_control() || c == '\n' || c == '\t')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minion_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[31mred\x1b[0m\tb\r\n\x07\u{9b}2J"), "ared\tb\n2J");
        assert_eq!(clean("Grüße"), "Grüße");
    }
}
