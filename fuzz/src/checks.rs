//! What monitoring plugins print and what people write for them: figures and thresholds.

use std::fmt::Write as _;

use minion::checks::{Perf, Range, figures};

/// What ranges are held against.
const VALUES: [f64; 7] = [-1e12, -1.0, 0.0, 0.5, 10.0, 4096.0, 1e12];

/// The first line is a threshold, all of it a plugin's figures. What is read of either can be written as the
/// guidelines have it, and reads the same again.
pub fn checks(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    threshold(text.lines().next().unwrap_or_default());
    let found = figures(&text);
    let written = found.iter().map(written).collect::<Vec<_>>().join(" ");
    assert_eq!(figures(&written), found, "{text:?} was written as {written:?}");
}

fn threshold(text: &str) {
    let Ok(range) = text.parse::<Range>() else { return };
    let shown = range.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&range), "{text:?} was written as {shown:?}");
    let turned: Range = match shown.strip_prefix('@') {
        Some(bare) => bare.parse(),
        None => format!("@{shown}").parse(),
    }
    .expect("what is within can be asked as well as what is not");
    assert!(VALUES.iter().all(|value| range.alerts(*value) != turned.alerts(*value)), "{text:?} is within or not");
}

fn written(perf: &Perf) -> String {
    let value = perf.value.map_or_else(|| "U".to_owned(), |value| value.to_string());
    let mut text = format!("'{}'={value}{}", perf.label.replace('\'', "''"), perf.uom);
    let limits = [perf.min, perf.max].map(|limit| limit.map(|limit| limit.to_string()));
    let parts = [perf.warn.as_deref(), perf.crit.as_deref(), limits[0].as_deref(), limits[1].as_deref()];
    parts.iter().for_each(|part| write!(text, ";{}", part.unwrap_or_default()).expect("text can be written"));
    text
}
