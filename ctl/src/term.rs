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
    // What has nothing to take out (JSON) need not be looked through byte by byte.
    if !text.bytes().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        return out.flush();
    }
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

/// Whether standard output and standard error are one file or pipe (`2>&1`).
pub fn is_one_stream() -> bool {
    let (out, err) = (rustix::fs::fstat(io::stdout()), rustix::fs::fstat(io::stderr()));
    matches!((out, err), (Ok(out), Ok(err)) if (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino))
}

/// Columns of the terminal on standard output, if it is one.
pub fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Columns and rows of the terminal on standard output, if it is one that can be drawn on.
pub fn canvas() -> Option<(usize, usize)> {
    let drawable = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (drawable && size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// Columns and rows of the terminal on standard error; what most have where it does not say.
pub fn screen() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Lines at the end of the terminal that are drawn again and again in one place.
#[derive(Debug, Default)]
pub struct Region {
    drawn: usize,
}

impl Region {
    /// Draws these lines in place of those before, each cut to the terminal's width.
    pub fn draw(&mut self, lines: &[String]) {
        let (columns, rows) = screen();
        let lines = &lines[..lines.len().min(rows.saturating_sub(1))];
        // The terminal itself writes `^C` behind the last line: with that it must not be too long.
        let fitted: Vec<String> = lines.iter().map(|line| fit(line, columns.saturating_sub(3))).collect();
        control(&format!("{}{}", self.erasure(), fitted.join("\n")));
        self.drawn = lines.len();
    }

    /// Takes them away, before anything else is printed.
    pub fn clear(&mut self) {
        if self.drawn > 0 {
            control(&self.erasure());
            self.drawn = 0;
        }
    }

    fn erasure(&self) -> String {
        match self.drawn {
            0 | 1 => "\r\x1b[K".to_owned(),
            more => format!("\r\x1b[{}A\x1b[J", more - 1),
        }
    }
}

/// At most so many characters, not counting what colours them.
pub fn fit(line: &str, columns: usize) -> String {
    let (mut out, mut width, mut escape) = (String::new(), 0, false);
    for c in line.chars() {
        match (escape, c) {
            (false, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (true, _) => {}
            (false, _) if width == columns => continue,
            (false, _) => width += 1,
        }
        out.push(c);
    }
    out
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
    fn a_line_is_cut_to_the_terminal_and_its_colours_closed() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(fit("\x1b[31mlong text\x1b[0m", 4), "\x1b[31mlong\x1b[0m");
    }

    #[test]
    fn a_minion_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[31mred\x1b[0m\tb\r\n\x07\u{9b}2J"), "ared\tb\n2J");
        assert_eq!(clean("Grüße"), "Grüße");
    }
}
