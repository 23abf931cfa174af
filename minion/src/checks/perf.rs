//! Figures behind a plugin's first line: `'label'=value[UOM];[warn];[crit];[min];[max]`.

use proto::{Map, Value};

use super::Thresholds;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Perf {
    pub label: String,
    /// `None`: it could not be measured (`U`).
    pub value: Option<f64>,
    pub uom: String,
    pub warn: Option<String>,
    pub crit: Option<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl Perf {
    /// As `check.run` returns it: what there is no limit for is left out.
    pub fn into_value(self) -> Value {
        let mut figure = Map::with_capacity(7);
        figure.insert("label".into(), self.label.into());
        figure.insert("value".into(), self.value.into());
        figure.insert("uom".into(), self.uom.into());
        let ranges = [("warn", self.warn), ("crit", self.crit)];
        let bounds = [("min", self.min), ("max", self.max)];
        let ranges = ranges.into_iter().filter_map(|(name, range)| Some((name.to_owned(), range?.into())));
        figure.extend(ranges);
        figure.extend(bounds.into_iter().filter_map(|(name, bound)| Some((name.to_owned(), bound?.into()))));
        Value::Object(figure)
    }

    pub fn new(label: impl Into<String>, value: f64, uom: &str) -> Self {
        let value = Some(value).filter(|value| value.is_finite());
        Self { label: label.into(), value, uom: uom.to_owned(), warn: None, crit: None, min: None, max: None }
    }

    pub fn judged(mut self, thresholds: &Thresholds) -> Self {
        // The unit stands behind the value; thresholds have none.
        let bare = |range: &super::Range| range.to_string().replace('%', "");
        self.warn = thresholds.warning.as_ref().map(bare);
        self.crit = thresholds.critical.as_ref().map(bare);
        self
    }

    pub fn between(mut self, min: f64, max: f64) -> Self {
        (self.min, self.max) = (Some(min), Some(max));
        self
    }
}

/// Figures of a plugin that are kept at most.
const MOST: usize = 256;

/// What can be read of a line of figures; what cannot is left out.
pub fn parse(text: &str) -> Vec<Perf> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let Some((label, after)) = label(rest) else {
            // Without an equals sign there is no figure any more.
            if !rest.starts_with('\'') {
                break;
            }
            rest = rest[word..].trim_start();
            continue;
        };
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        found.extend(figure(label, &after[..end]));
        rest = after[end..].trim_start();
        if found.len() >= MOST {
            break;
        }
    }
    found
}

/// A label and what stands behind its equals sign. In quotes, two quotes are one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, rest) = text.split_once('=')?;
        // What has no equals sign before the next figure is no figure.
        return match label.rsplit_once(char::is_whitespace) {
            Some((_, label)) => Some((label.to_owned(), rest)),
            None => Some((label.to_owned(), rest)),
        };
    };
    let (mut label, mut rest) = (String::new(), quoted);
    loop {
        let at = rest.find('\'')?;
        label.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => (label, rest) = (label + "'", more),
            None => return Some((label, rest.strip_prefix('=')?)),
        }
    }
}

fn figure(label: String, text: &str) -> Option<Perf> {
    let mut parts = text.split(';');
    let first = parts.next()?;
    // Some locales write a comma.
    let first = first.replace(',', ".");
    let (value, uom) = match first.as_str() {
        "U" => (None, String::new()),
        _ => number(&first)?,
    };
    let mut text = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (warn, crit) = (text(), text());
    let mut limit = || text()?.parse().ok().filter(|limit: &f64| limit.is_finite());
    let (min, max) = (limit(), limit());
    (!label.is_empty()).then_some(Perf { label, value, uom, warn, crit, min, max })
}

/// A number, with an exponent as programs print what is very small, and the unit behind it, which has no
/// digits.
fn number(text: &str) -> Option<(Option<f64>, String)> {
    let digits = |text: &str| text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')));
    let mut end = digits(text).unwrap_or(text.len());
    if let Some(exponent) = text[end..].strip_prefix(['e', 'E'])
        && exponent.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit())
    {
        end += 1 + digits(exponent).unwrap_or(exponent.len());
    }
    let value = text[..end].parse().ok().filter(|value: &f64| value.is_finite())?;
    let unit = &text[end..];
    (!unit.contains(|c: char| c.is_ascii_digit())).then(|| (Some(value), unit.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_guidelines_write_them() {
        let found =
            parse("time=0.012s;5;10;0;30 'free space (''/'')'=12.5%;~:80;@90:95 users=U bad x=abc size=1024KB;;;0");
        let shown: Vec<_> = found.iter().map(|perf| (perf.label.as_str(), perf.value, perf.uom.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("time", Some(0.012), "s"),
                ("free space ('/')", Some(12.5), "%"),
                ("users", None, ""),
                ("size", Some(1024.0), "KB")
            ]
        );
        assert_eq!((found[0].warn.as_deref(), found[0].min, found[0].max), (Some("5"), Some(0.0), Some(30.0)));
        assert_eq!((found[1].warn.as_deref(), found[1].crit.as_deref()), (Some("~:80"), Some("@90:95")));
    }

    #[test]
    fn thresholds_of_figures_have_no_unit() {
        let range = |text: &str| -> super::super::Range { text.parse().unwrap() };
        let thresholds = Thresholds::new(Some(&range("80%")), Some(&range("@90%:95%")));
        let perf = Perf::new("/", 12.0, "%").judged(&thresholds);
        assert_eq!((perf.warn.as_deref(), perf.crit.as_deref()), (Some("80"), Some("@90:95")));
    }

    #[test]
    fn what_is_no_figure_does_no_harm() {
        for bad in ["", "=", "'", "'a", "'a'b", "a=", "x=;;;;", "= = =", "'='='='"] {
            assert!(parse(bad).len() <= 1, "{bad:?}");
        }
        assert_eq!(parse(&"a=1 ".repeat(100_000)).len(), MOST);
        assert!(parse("a=1e-051e-05 b=5x5").is_empty(), "no unit has digits");
    }
}
