//! What went wrong, where, and what to try: one type for YAML, templates, SLS and configuration.

use std::{fmt, fmt::Write as _, sync::Arc};

/// A text that was read from somewhere, and the name it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
    /// The template that this text was rendered from.
    pub origin: Option<Origin>,
}

/// Which line of a template each line of a rendered text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub source: Arc<Source>,
    /// Counted from 1, one for each line of the rendered text; 0 where nothing is known.
    pub lines: Vec<u32>,
}

impl Source {
    pub fn new(name: &str, text: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), text: text.to_owned(), origin: None })
    }

    /// A text that `origin` was rendered to.
    pub fn rendered(origin: Origin, text: String) -> Arc<Self> {
        Arc::new(Self { name: origin.source.name.clone(), text, origin: Some(origin) })
    }

    /// Line `number`, counted from 1, without its end; empty when there is no such line.
    pub fn line(&self, number: u32) -> &str {
        self.text.lines().nth((number as usize).saturating_sub(1)).unwrap_or("")
    }
}

/// A place in a source. Cheap to copy about: it shares the source.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    pub source: Arc<Source>,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// How many characters to underline.
    pub length: u32,
}

impl Place {
    pub fn new(source: &Arc<Source>, line: u32, column: u32, length: u32) -> Self {
        Self { source: source.clone(), line, column, length: length.max(1) }
    }

    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// The place in the template that this one was rendered from, and whether its line is the same there.
    fn written(&self) -> Option<(Place, bool)> {
        let origin = self.source.origin.as_ref()?;
        let line = *origin.lines.get((self.line as usize).checked_sub(1)?)?;
        if line == 0 {
            return None;
        }
        let (text, shown) = (origin.source.line(line), self.source.line(self.line));
        if text.trim_end() == shown.trim_end() {
            return Some((Place { source: origin.source.clone(), line, ..self.clone() }, true));
        }
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let length = text.trim().chars().count();
        let at = |number: usize| u32::try_from(number).unwrap_or(1);
        Some((Place::new(&origin.source, line, at(indent) + 1, at(length)), false))
    }
}

impl fmt::Display for Place {
    /// `file:line:column`, as it was written: of a rendered text, the template's line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written() {
            Some((place, true)) => write!(f, "{}:{}:{}", place.source.name, place.line, place.column),
            Some((place, false)) => write!(f, "{}:{}", place.source.name, place.line),
            None if self.source.origin.is_some() => {
                write!(f, "{}: line {} of the rendered text", self.source.name, self.line)
            }
            None => write!(f, "{}:{}:{}", self.source.name, self.line, self.column),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One step of the way that led to an error, nearest first: `included from`, `imported by` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub what: String,
    pub place: Option<Place>,
}

/// An error with its place, its cause and a hint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostic {
    /// The cause in one sentence, without a full stop.
    pub message: String,
    pub place: Option<Place>,
    /// What to try.
    pub hint: Option<String>,
    /// Other places that matter, each with a word about it (`first given here`).
    pub notes: Vec<Frame>,
    /// How we came there, nearest first.
    pub chain: Vec<Frame>,
}

impl Diagnostic {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Gives it a place, unless it has one already.
    pub fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    pub fn hint_opt(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    pub fn note(mut self, what: impl Into<String>, place: &Place) -> Self {
        self.notes.push(Frame { what: what.into(), place: Some(place.clone()) });
        self
    }

    /// Adds the next step outwards of the way that led here.
    pub fn from(mut self, what: impl Into<String>, place: Option<&Place>) -> Self {
        self.chain.push(Frame { what: what.into(), place: place.cloned() });
        self
    }

    /// The text for a terminal; `color` adds ANSI colours.
    pub fn render(&self, color: bool) -> String {
        self.render_as("error", color)
    }

    /// As [`render`](Self::render), beginning with another word than "error".
    pub fn render_as(&self, word: &str, color: bool) -> String {
        let mut out = String::new();
        let paint = Paint(color);
        let _ = writeln!(out, "{}{}", paint.red(word), paint.bold(&format!(": {}", self.message)));
        if let Some(place) = &self.place {
            snippet(&mut out, paint, "-->", place);
        }
        for Frame { what, place } in &self.notes {
            let _ = writeln!(out, "  {what}:");
            if let Some(place) = place {
                snippet(&mut out, paint, "-->", place);
            }
        }
        way(&mut out, &self.chain);
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  {}: {hint}", paint.green("hint"));
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostic {}

/// All of them, one after the other with an empty line between.
pub fn render_all(all: &[Diagnostic], color: bool) -> String {
    all.iter().map(|d| d.render(color)).collect::<Vec<_>>().join("\n")
}

/// Steps of the way that are shown at each end of a long one.
const STEPS: usize = 4;

fn way(out: &mut String, chain: &[Frame]) {
    let left_out = STEPS..chain.len().saturating_sub(STEPS);
    for (number, Frame { what, place }) in chain.iter().enumerate() {
        if number == left_out.start && left_out.len() > 1 {
            let _ = writeln!(out, "  … {} steps more …", left_out.len());
        }
        if left_out.len() > 1 && left_out.contains(&number) {
            continue;
        }
        let at = place.as_ref().map_or(String::new(), |p| format!(" {p}"));
        let _ = writeln!(out, "  {what}{at}");
    }
}

/// A long line is shown only around its place.
const SHOWN: usize = 160;

fn snippet(out: &mut String, paint: Paint, arrow: &str, place: &Place) {
    let number = place.line.to_string();
    match place.written() {
        None => {
            let _ = writeln!(out, "{}{} {place}", " ".repeat(number.len()), paint.blue(arrow));
            line_of(out, paint, place);
        }
        Some((written, same)) => {
            let pad = " ".repeat(written.line.to_string().len());
            let _ = writeln!(out, "{pad}{} {place}", paint.blue(arrow));
            line_of(out, paint, &written);
            if !same {
                let _ = writeln!(out, "  this is rendered to:");
                line_of(out, paint, place);
            }
        }
    }
}

/// The line of a place with what is meant underlined.
fn line_of(out: &mut String, paint: Paint, place: &Place) {
    let number = place.line.to_string();
    let pad = " ".repeat(number.len());
    let line = place.source.line(place.line).replace('\t', " ");
    let column = (place.column as usize).saturating_sub(1);
    let total = line.chars().count();
    if total == 0 {
        return;
    }
    let column = column.min(total);
    let skip = if column > SHOWN / 2 && total > SHOWN { column - SHOWN / 2 } else { 0 };
    let shown: String = line.chars().skip(skip).take(SHOWN).collect();
    let width = (place.length as usize).min(total.saturating_sub(column)).clamp(1, SHOWN);
    let caret = " ".repeat(column - skip) + &"^".repeat(width);
    let bar = paint.blue("|");
    let _ = writeln!(out, "{pad} {bar}");
    let _ = writeln!(out, "{} {bar} {}", paint.blue(&number), shown.trim_end());
    let _ = writeln!(out, "{pad} {bar} {}", paint.red(&caret));
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }
    fn blue(self, text: &str) -> String {
        self.with("1;34", text)
    }
    fn green(self, text: &str) -> String {
        self.with("1;32", text)
    }
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// The name among `known` that is most like `name`, if any is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .filter(|other| *other != name && other.len().abs_diff(name.len()) <= limit * 4)
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| other)
}

/// `did you mean X?`, where something near is known.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|other| format!("did you mean {other}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_line_and_a_hint() {
        let source = Source::new("webserver/init.sls", "a:\n  file.manged:\n    - name: x\n");
        let error = Diagnostic::new("state file.manged does not exist")
            .at(&Place::new(&source, 2, 3, 11))
            .hint("did you mean file.managed?")
            .from("included from", Some(&Place::new(&source, 1, 1, 1)));
        assert_eq!(
            error.render(false),
            "error: state file.manged does not exist\n \
             --> webserver/init.sls:2:3\n  |\n\
             2 |   file.manged:\n  |   ^^^^^^^^^^^\n  \
             included from webserver/init.sls:1:1\n  hint: did you mean file.managed?\n"
        );
    }

    #[test]
    fn a_rendered_line_is_shown_as_it_was_written() {
        let template = Source::new("web.sls", "a:\n{% for x in y %}\n  b: {{ x }}\n{% endfor %}\n");
        let lines = vec![1, 2, 3, 3];
        let shown = Source::rendered(Origin { source: template, lines }, "a:\n\n  b: c: d\n".into());
        let error = Diagnostic::new("bad").at(&Place::new(&shown, 3, 7, 1)).render(false);
        assert_eq!(
            error,
            "error: bad\n --> web.sls:3\n  |\n3 |   b: {{ x }}\n  |   ^^^^^^^^^^\n  this is rendered to:\n  |\n3 |   b: c: d\n  |       ^\n"
        );
        assert_eq!(Place::new(&shown, 1, 1, 1).to_string(), "web.sls:1:1");
        assert_eq!(Place::new(&shown, 5, 1, 1).to_string(), "web.sls: line 5 of the rendered text");
    }

    #[test]
    fn a_line_of_megabytes_is_cut() {
        let source = Source::new("x", &"é".repeat(1_000_000));
        let shown = Diagnostic::new("m").at(&Place::new(&source, 1, 500_000, 900_000)).render(true);
        assert!(shown.len() < 2_000, "{}", shown.len());
    }

    #[test]
    fn a_long_way_is_cut_in_its_middle() {
        let way = |steps: usize| (0..steps).fold(Diagnostic::new("m"), |why, n| why.from(format!("step {n}"), None));
        assert!(way(9).render(false).contains("step 4"));
        let shown = way(200).render(false);
        assert!(shown.contains("step 3\n  … 192 steps more …\n  step 196\n"), "{shown}");
    }

    #[test]
    fn only_near_names_are_meant() {
        assert_eq!(nearest("file.manged", ["file.managed", "file.append"]), Some("file.managed"));
        assert_eq!(nearest("zzz", ["file.managed"]), None);
    }
}
