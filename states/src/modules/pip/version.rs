//! Requirements and versions of Python packages (PEP 440 and 508, as far as states name them).

use std::cmp::Ordering;

use crate::plan::{StateError, failed};

/// `name[extra] >= 1.0, < 2`, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As it was written.
    pub text: String,
    /// In its plain form; none for addresses that do not name it.
    pub name: Option<String>,
    /// Operators with versions.
    pub versions: Vec<(String, String)>,
}

/// A name as the index compares it: small letters, `-` for any run of `-_.`.
pub fn normalized(name: &str) -> String {
    let mut out = String::new();
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

impl Requirement {
    pub fn parse(text: &str) -> Result<Self, StateError> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('-') {
            return failed(format!("pip raised an exception while parsing '{text}': it names no package"));
        }
        if text.contains("://") || text.starts_with(['/', '.']) {
            let name = text.split_once("#egg=").map(|(_, name)| name).or_else(|| Some(text.split_once(" @ ")?.0));
            let name = name.map(|name| normalized(name.split(['&', '[', '=']).next().unwrap_or(name)));
            return Ok(Self { text: text.to_owned(), name, versions: Vec::new() });
        }
        let bare = text.split(';').next().unwrap_or(text);
        let end = bare.find(|c: char| "<>=!~[ (@".contains(c)).unwrap_or(bare.len());
        let (name, mut rest) = bare.split_at(end);
        if let Some((_, behind)) = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            rest = behind;
        }
        let mut versions = Vec::new();
        for part in rest.split(',').map(|part| part.trim().trim_matches(['(', ')'])).filter(|part| !part.is_empty()) {
            let Some(operator) = OPERATORS.iter().find(|operator| part.starts_with(**operator)) else {
                return failed(format!(
                    "Invalid version specification in package {text}. '=' is not supported, use '==' instead."
                ));
            };
            versions.push(((*operator).to_owned(), part[operator.len()..].trim().to_owned()));
        }
        Ok(Self { text: text.to_owned(), name: Some(normalized(name)), versions })
    }
}

/// The parts of a version that are compared: epoch, release, and what comes before or after it.
fn parts(version: &str) -> (u64, Vec<u64>, (i8, u64)) {
    let version = version.trim().trim_start_matches(['v', 'V']).to_lowercase();
    let version = version.split('+').next().unwrap_or_default();
    let (epoch, rest) =
        version.split_once('!').map_or((0, version), |(epoch, rest)| (epoch.parse().unwrap_or(0), rest));
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let (release, suffix) = rest.split_at(end);
    let mut release: Vec<u64> = release.split('.').filter_map(|part| part.parse().ok()).collect();
    while release.last() == Some(&0) {
        release.pop();
    }
    let suffix = suffix.trim_start_matches(['-', '_', '.']);
    let number = suffix.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = number.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let rank = match suffix {
        "" => 0,
        _ if suffix.starts_with("dev") => -4,
        _ if suffix.starts_with('a') => -3,
        _ if suffix.starts_with('b') => -2,
        _ if suffix.starts_with("rc") || suffix.starts_with('c') || suffix.starts_with("pre") => -1,
        _ => 1,
    };
    (epoch, release, (rank, number))
}

pub fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

/// Whether a version is what all conditions ask for.
pub fn fulfils(version: &str, conditions: &[(String, String)]) -> bool {
    conditions.iter().all(|(operator, wanted)| {
        if let Some(start) = wanted.strip_suffix(".*") {
            let starts = parts(version).1.starts_with(&parts(start).1);
            return (operator == "==") == starts;
        }
        let order = compare(version, wanted);
        match operator.as_str() {
            "==" => order == Ordering::Equal,
            "===" => version == wanted,
            "!=" => order != Ordering::Equal,
            "<=" => order != Ordering::Greater,
            ">=" => order != Ordering::Less,
            "<" => order == Ordering::Less,
            ">" => order == Ordering::Greater,
            // `~= 1.4.2` is `>= 1.4.2, == 1.4.*`.
            _ => {
                let release: Vec<&str> = wanted.split('.').collect();
                let start = release[..release.len().saturating_sub(1)].join(".");
                order != Ordering::Less && parts(version).1.starts_with(&parts(&start).1)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read() {
        let found = Requirement::parse("Foo_Bar[x,y] >= 1.0, <2").unwrap();
        assert_eq!((found.name.as_deref(), found.versions.len()), (Some("foo-bar"), 2));
        assert_eq!(Requirement::parse("git+https://h/x.git#egg=My.Pkg").unwrap().name.as_deref(), Some("my-pkg"));
        assert!(Requirement::parse("a=1").is_err() && Requirement::parse("--evil").is_err());
    }

    #[test]
    fn versions_are_compared_as_python_does() {
        let holds =
            |version: &str, text: &str| fulfils(version, &Requirement::parse(&format!("p{text}")).unwrap().versions);
        assert!(holds("1.10", ">1.9") && holds("2.0", "==2") && holds("2.0rc1", "<2.0") && holds("1.0.post1", ">1.0"));
        assert!(
            holds("1.4.5", "~=1.4.2")
                && !holds("1.5", "~=1.4.2")
                && holds("3.2.1", "==3.2.*")
                && !holds("3.3", "==3.2.*")
        );
        assert!(holds("1.0", "!=1.1") && !holds("1!1.0", "<2.0"));
    }
}
