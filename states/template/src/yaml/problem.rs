//! The parser's own errors, in words that help and at the place where the mistake is: a bracket
//! or a quote that is not closed is shown where it was opened, not where the text ends.

use std::sync::Arc;

use saphyr_parser::ScanError;

use super::flow::{self, At};
use crate::diag::{Diagnostic, Place, Source};

/// `shifted` are the lines that [`flow::SHIFT`] blanks were put before.
pub fn of(source: &Arc<Source>, error: &ScanError, shifted: &[usize]) -> Diagnostic {
    let (line, mut column) = (error.marker().line().max(1), error.marker().col());
    if shifted.binary_search(&line).is_ok() {
        column = column.saturating_sub(flow::SHIFT);
    }
    let place = Place::new(source, narrow(line), narrow(column + 1), 1);
    let text = source.line(place.line);
    if let Some(tab) = text.find('\t').filter(|&tab| text[..tab].trim().is_empty()) {
        return tabbed(&Place::new(source, place.line, narrow(tab + 1), 1));
    }
    if let Some(found) = unclosed(source, error.info(), &place) {
        return found;
    }
    let (info, hint) = explained(error.info(), text);
    Diagnostic::new(format!("this is not valid YAML: {info}")).at(&place).hint_opt(hint)
}

pub fn tabbed(place: &Place) -> Diagnostic {
    Diagnostic::new("a tab stands where YAML wants spaces").at(place).hint("indent with spaces only")
}

/// What was opened and is not closed, or is closed by the wrong sign or too late.
fn unclosed(source: &Arc<Source>, info: &str, stopped: &Place) -> Option<Diagnostic> {
    let at = |at: At| Place::new(source, narrow(at.line), narrow(at.column), 1);
    let scan = flow::scan(&source.text);
    if info.contains("trailing content") {
        let quoted = scan
            .quoted
            .iter()
            .rev()
            .find(|(_, end)| (end.line, end.column) < (stopped.line as usize, stopped.column as usize + 1))?;
        let what = Diagnostic::new("something stands behind the quote that ends this text");
        let inside = "a quote inside of '…' is written twice, inside of \"…\" as \\\"";
        return Some(if quoted.0.line == quoted.1.line {
            what.at(stopped).hint(inside)
        } else {
            Diagnostic::new("the quote that is opened here is not closed on its line")
                .at(&at(quoted.0))
                .note("it ends only here, and more follows", stopped)
                .hint(format!("close it where the text ends; {inside}"))
        });
    }
    if let Some((opened, closed)) = scan.crossed {
        return Some(
            Diagnostic::new(format!("this `{}` is not closed", opened.sign))
                .at(&at(opened))
                .note(format!("here stands a `{}` instead", closed.sign), &at(closed)),
        );
    }
    let opened = scan.open?;
    let quote = matches!(opened.sign, '\'' | '"');
    let what = if quote { "quote" } else { "bracket" };
    let closing = match opened.sign {
        '[' => ']',
        '{' => '}',
        other => other,
    };
    let mut found = Diagnostic::new(format!("this {what} is never closed")).at(&at(opened));
    let ended = source.line(stopped.line).is_empty() || quote || stopped.line as usize == opened.line;
    if !ended {
        found = found.note("it cannot go on here", stopped);
    }
    Some(found.hint(format!("a `{closing}` is missing; or quote the value, if the sign is part of a text")))
}

/// The parser's words, ours where they say it better, and a hint.
fn explained<'i>(info: &'i str, line: &str) -> (&'i str, Option<&'static str>) {
    if info.contains("mapping values are not allowed") {
        return (info, Some("a `: ` inside of a value needs quotes; or the line is indented too far"));
    }
    if info.contains("illegal placement of ':'") {
        return ("a `:` cannot stand here", Some("a `: ` inside of a value needs quotes"));
    }
    if info.contains("misplaced bracket") {
        return ("this bracket closes what was never opened", Some("remove it, or quote the value if it is text"));
    }
    if info.contains("unknown escape") {
        return (info, Some("write \\\\ for a backslash inside of \"…\", or use '…', in which it is just a sign"));
    }
    if info.contains("unknown anchor") {
        return ("no anchor (`&name`) of this name stands above", Some("a value that begins with * needs quotes"));
    }
    if info.contains("anchor or alias") {
        return (info, Some("a value that begins with & or * needs quotes"));
    }
    let value = line.trim_start().trim_start_matches("- ");
    if value.contains("{%") || value.contains("{{") {
        return (info, Some("this is a template's sign: does the file's first line say #!yaml, without jinja?"));
    }
    if value.contains(": %") || value.starts_with(['%', '@', '`']) || value.contains(": @") || value.contains(": `") {
        return (info, Some("a value that begins with % @ or ` needs quotes"));
    }
    if info.contains("simple key") || info.contains("expected ':'") || info.contains("could not find") {
        return (info, Some("a `:` is missing behind a key, or the line above is not finished"));
    }
    let indentation = info.contains("did not find expected") || info.contains("block");
    (info, indentation.then_some("look at the indentation of this line and the one above"))
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    fn shown(text: &str) -> String {
        let why = yaml::parse("x", text).unwrap_err();
        let at = why.place.as_ref().map_or(String::new(), |place| format!("{}:{}", place.line, place.column));
        let notes: Vec<String> = why
            .notes
            .iter()
            .map(|note| format!(" ({} {})", note.what, note.place.as_ref().map_or(0, |place| place.line)))
            .collect();
        format!("{at} {}{}", why.message, notes.concat())
    }

    #[test]
    fn what_is_not_closed_is_shown_where_it_was_opened() {
        let cases = [
            ("a: [1, 2\nb: 3\nc: 4\n", "1:4 this bracket is never closed (it cannot go on here 2)"),
            ("a: {x: 1, y: 2\nb: [3]\n", "1:4 this bracket is never closed (it cannot go on here 2)"),
            ("a:\n  - [x\n  - y\n", "2:5 this bracket is never closed"),
            ("a: [\n\n", "1:4 this bracket is never closed"),
            ("a: [1, {x: 2]\nb: 1\n", "1:8 this `{` is not closed (here stands a `]` instead 1)"),
            ("a:\n  b: {x: 'y', z: [1, 2}\n  c: 1\n", "2:18 this `[` is not closed (here stands a `}` instead 2)"),
            ("a: 'it\nb: 3\nc: 4\n", "1:4 this quote is never closed"),
            ("a: [1, 'x]\nb: 1\n", "1:8 this quote is never closed"),
            (
                "a:\n  b: 'x\n  c: 'y'\n",
                "2:6 the quote that is opened here is not closed on its line (it ends only here, and more follows 3)",
            ),
            (
                "- 'abc\n- d\n- 'e'\n",
                "1:3 the quote that is opened here is not closed on its line (it ends only here, and more follows 3)",
            ),
            ("a: 'it's'\nb: 1\n", "1:8 something stands behind the quote that ends this text"),
            ("a: [1, 2]]\n", "1:10 this is not valid YAML: this bracket closes what was never opened"),
            (
                "a: [a b: c: d]\n",
                "1:11 this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn brackets_in_texts_and_comments_open_nothing() {
        for text in ["a: b # [\nb: c: d\n", "a: |\n  [ {\nb: c: d\n", "a: x[\nb: c: d\n", "a: '['\nb: c: d\n"] {
            assert!(shown(text).contains("mapping values"), "{text:?}: {}", shown(text));
        }
    }
}
