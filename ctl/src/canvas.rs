//! The whole terminal as a picture that is drawn again and again, on the screen beside the one that
//! people scroll. However it ends, the terminal is as it was before.

use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::term;

/// The other screen, without a cursor, where lines that are too long end at the edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal on standard output, while it is ours.
pub struct Canvas {
    /// What is to be seen, line by line.
    lines: Vec<String>,
    size: (usize, usize),
    /// How the terminal was before.
    before: Option<Termios>,
}

impl Canvas {
    /// Takes the terminal; `None` where standard output is none that can be drawn on.
    pub fn open() -> Option<Self> {
        let mut canvas = Self { lines: Vec::new(), size: term::canvas()?, before: None };
        canvas.enter();
        Some(canvas)
    }

    /// Takes the terminal again, after [`leave`](Self::leave).
    pub fn enter(&mut self) {
        self.lines.clear();
        self.before = silence();
        let _ = write(&format!("{ENTER}\x1b[2J"));
    }

    /// Gives the terminal back.
    pub fn leave(&mut self) {
        let _ = write(LEAVE);
        if let Some(before) = self.before.take() {
            // What was typed meanwhile was meant for nobody.
            let _ = tcsetattr(io::stdout(), OptionalActions::Flush, &before);
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        term::canvas().unwrap_or(self.size)
    }

    /// Shows this text. Only lines that differ are written, for terminals that are slow.
    ///
    /// # Errors
    /// The terminal has gone.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let size = self.size();
        if size != self.size {
            (self.size, self.lines) = (size, Vec::new());
            write("\x1b[2J")?;
        }
        let lines = picture(text, size);
        let changed = difference(&self.lines, &lines);
        self.lines = lines;
        write(&changed)
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The lines of a text as far as there is room, in colours if they are wanted.
fn picture(text: &str, (columns, rows): (usize, usize)) -> Vec<String> {
    let plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
    let dyed = |line: &str| if plain { strip_str(line).to_string() } else { line.to_owned() };
    text.lines().take(rows).map(|line| dyed(&term::fit(line, columns))).collect()
}

/// What turns one picture into another.
fn difference(before: &[String], after: &[String]) -> String {
    let place = |row: usize| format!("\x1b[{};1H", row + 1);
    let news = after.iter().enumerate().filter(|(row, line)| before.get(*row) != Some(line));
    let mut text: String = news.map(|(row, line)| format!("{}\x1b[2K{line}", place(row))).collect();
    if before.len() > after.len() {
        text += &format!("{}\x1b[J", place(after.len()));
    }
    text
}

/// Has the terminal show nothing of what is typed; gives how it was before. A terminal that is
/// another program's is left alone.
fn silence() -> Option<Termios> {
    let out = io::stdout();
    if tcgetpgrp(&out).ok()? != rustix::process::getpgrp() {
        return None;
    }
    let before = tcgetattr(&out).ok()?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&out, OptionalActions::Now, &quiet).ok()?;
    Some(before)
}

/// Past the filter of colours, which knows no other sequences.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_differs_is_written() {
        assert_eq!(difference(&[], &lines("a\nb")), "\x1b[1;1H\x1b[2Ka\x1b[2;1H\x1b[2Kb");
        assert_eq!(difference(&lines("a\nb\nc"), &lines("a\nx\nc")), "\x1b[2;1H\x1b[2Kx");
        assert_eq!(difference(&lines("a\nb\nc"), &lines("a")), "\x1b[2;1H\x1b[J");
        assert_eq!(difference(&lines("a"), &lines("a")), "");
    }

    #[test]
    fn a_picture_has_no_more_than_the_terminal() {
        assert_eq!(picture("one\ntwo\nthree", (2, 2)), ["on", "tw"]);
    }
}
