//! The figures in what a check says. `93 % full` on one host and `97 % full` on another are the same
//! trouble: the texts are one but for their figures, which are shown as a range.

/// A text with its figures taken out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<String>);

/// The figures of some texts of one shape: the lowest and the highest at each place, as they were
/// written.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges(Vec<(String, String)>);

/// What makes a number a figure: a unit behind it. One without may be a port, a status or a name.
const UNITS: &[&str] = &[
    "%",
    "s",
    "ms",
    "µs",
    "us",
    "min",
    "h",
    "d",
    "second",
    "seconds",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "B",
    "KB",
    "kB",
    "MB",
    "GB",
    "TB",
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "byte",
    "bytes",
    "process",
    "processes",
    "user",
    "users",
    "line",
    "lines",
    "package",
    "packages",
    "update",
    "updates",
];

/// Takes a text apart.
pub fn split(text: &str) -> (Shape, Ranges) {
    let (mut parts, mut figures, mut from) = (Vec::new(), Vec::new(), 0);
    let mut at = 0;
    while at < text.len() {
        match figure(text, at) {
            Some(length) => {
                parts.push(text[from..at].to_owned());
                let found = text[at..at + length].to_owned();
                figures.push((found.clone(), found));
                at += length;
                from = at;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(text[from..].to_owned());
    (Shape(parts), Ranges(figures))
}

/// How long the figure is that begins at this place, if one does.
fn figure(text: &str, at: usize) -> Option<usize> {
    let begins = text[..at].chars().next_back().is_none_or(|before| matches!(before, ' ' | '(' | '=' | ','));
    let rest = &text[at..];
    let whole = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if !begins || whole == 0 {
        return None;
    }
    let fraction = match rest[whole..].strip_prefix('.') {
        Some(more) => more.find(|c: char| !c.is_ascii_digit()).unwrap_or(more.len()),
        None => 0,
    };
    let length = if fraction > 0 { whole + 1 + fraction } else { whole };
    let behind = &rest[length..];
    let word: String = behind.trim_start_matches(' ').chars().take_while(|c| c.is_alphabetic() || *c == '%').collect();
    let ends = behind.is_empty() || behind.starts_with([' ', ',', ';', ')', '%']) || behind.starts_with(&word);
    // `10.0.0.5` and `10:41` are no figures, and neither is the 7 of `7zip`.
    let plain = !behind.starts_with(['.', ':', '/', '-', '_']) || behind == ".";
    (ends && plain && (fraction > 0 || UNITS.contains(&word.as_str()))).then_some(length)
}

impl Ranges {
    /// Takes in the figures of one more text of the same shape.
    pub fn widen(&mut self, others: Self) {
        for ((low, high), (one, _)) in self.0.iter_mut().zip(others.0) {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            if number(&one) < number(low) {
                *low = one;
            } else if number(&one) > number(high) {
                *high = one;
            }
        }
    }
}

impl Shape {
    /// The text again, with ranges where its figures differ: `91 to 97 % full`.
    pub fn filled(&self, ranges: &Ranges) -> String {
        let mut text = String::new();
        for (index, part) in self.0.iter().enumerate() {
            text += part;
            match ranges.0.get(index) {
                Some((low, high)) if low == high => text += low,
                Some((low, high)) => text += &format!("{low} to {high}"),
                None => {}
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What some texts are together, if they are of one shape.
    fn together(texts: &[&str]) -> Option<String> {
        let (shape, mut ranges) = split(texts[0]);
        for text in &texts[1..] {
            let (other, figures) = split(text);
            if other != shape {
                return None;
            }
            ranges.widen(figures);
        }
        Some(shape.filled(&ranges))
    }

    #[test]
    fn figures_become_ranges() {
        for (texts, expected) in [
            (&["/ 93 % full", "/ 97 % full", "/ 91 % full"][..], "/ 91 to 97 % full"),
            (
                &["load average 4.00, 2.50 (critical at 3.0)", "load average 9.10, 2.50 (critical at 3.0)"],
                "load average 4.00 to 9.10, 2.50 (critical at 3.0)",
            ),
            (&["it ends in 9 days", "it ends in 10 days"], "it ends in 9 to 10 days"),
            (&["/ 1024 MiB (7% inode=93%);", "/ 512 MiB (3% inode=93%);"], "/ 512 to 1024 MiB (3 to 7% inode=93%);"),
            (&["took 12ms", "took 7ms"], "took 7 to 12ms"),
            (&["5 % für Größe", "6 % für Größe"], "5 to 6 % für Größe"),
        ] {
            assert_eq!(together(texts).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_a_name_stays_one() {
        for texts in [
            ["port 80 refuses", "port 443 refuses"],
            ["unit web1.service has failed", "unit web2.service has failed"],
            ["10.0.0.5 does not answer", "10.0.0.6 does not answer"],
            ["answered 404", "answered 500"],
            ["silent since 10:41", "silent since 10:42"],
            ["/dev/sda1 93 %", "/dev/sdb1 93 %"],
        ] {
            assert_eq!(together(&texts), None, "{texts:?}");
        }
        for text in ["", "7", "3.", "1.2.3", "Ω 5", "5", "100 %", "= 3.5"] {
            assert_eq!(together(&[text]).as_deref(), Some(text));
        }
    }
}
