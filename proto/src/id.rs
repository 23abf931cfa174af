//! Names that come from outside, parsed once: after that the type says that they are safe to
//! print, to compare and to use as a file name.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{kind} is empty")]
    Empty { kind: &'static str },
    #[error("{kind} is {length} bytes long; at most {limit} are allowed")]
    TooLong { kind: &'static str, length: usize, limit: usize },
    #[error("{kind} {text:?} has the character {found:?}, which is not allowed there")]
    Character { kind: &'static str, text: String, found: char },
    #[error("{kind} {text:?} is not of the form {form}")]
    Form { kind: &'static str, text: String, form: &'static str },
}

/// A name that is parsed once, by a function that says why it is none.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = $crate::IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
pub(crate) use name_type;

name_type! {
    /// A minion's id: 1 to 253 bytes of `A-Z a-z 0-9 . _ - @ : +`, not beginning with `.` or `-`.
    /// What passes is a single, harmless path component.
    MinionId, check_minion
}
name_type! {
    /// An operator's name: 1 to 64 bytes of `A-Z a-z 0-9 . _ - @`.
    OperatorName, check_operator
}
name_type! {
    /// A function's full name, `module.function`, as Salt spells it.
    FunctionName, check_function
}

fn check_minion(text: &str) -> Result<(), IdError> {
    check("minion id", text, 253, |c| c.is_ascii_alphanumeric() || "._-@:+".contains(c))?;
    match text.chars().next() {
        Some(c @ ('.' | '-')) => Err(IdError::Character { kind: "minion id", text: text.into(), found: c }),
        _ => Ok(()),
    }
}

fn check_operator(text: &str) -> Result<(), IdError> {
    check("operator name", text, 64, |c| c.is_ascii_alphanumeric() || "._-@".contains(c))?;
    match text.chars().next() {
        Some(c @ ('.' | '-')) => Err(IdError::Character { kind: "operator name", text: text.into(), found: c }),
        _ => Ok(()),
    }
}

fn check_function(text: &str) -> Result<(), IdError> {
    check("function", text, 128, |c| c.is_ascii_alphanumeric() || "._".contains(c))?;
    let form = "module.function";
    match text.split_once('.') {
        Some((module, function)) if !module.is_empty() && !function.is_empty() && !function.contains('.') => Ok(()),
        _ => Err(IdError::Form { kind: "function", text: text.into(), form }),
    }
}

pub(crate) fn check(
    kind: &'static str,
    text: &str,
    limit: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > limit {
        return Err(IdError::TooLong { kind, length: text.len(), limit });
    }
    match text.chars().find(|&c| !allowed(c)) {
        Some(found) => Err(IdError::Character { kind, text: text.into(), found }),
        None => Ok(()),
    }
}

impl FunctionName {
    /// The part before the dot: `cmd` of `cmd.run`.
    pub fn module(&self) -> &str {
        self.0.split_once('.').map_or("", |(module, _)| module)
    }

    /// The part behind the dot: `run` of `cmd.run`.
    pub fn function(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, function)| function)
    }
}

/// A job's id: microseconds since 1970 (UTC), printed as Salt does, `YYYYMMDDhhmmssffffff`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(u64);

impl JobId {
    /// The id for a job made at `now` (microseconds since 1970) when `last` was the newest id
    /// so far: ids only grow, even when the clock is set back.
    pub fn next(now: u64, last: Option<JobId>) -> Self {
        Self(last.map_or(now, |JobId(last)| now.max(last + 1)))
    }

    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// When the job was made, in microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Times beyond jiff's range (year 9999) can only come from a forged id.
        let time =
            i64::try_from(self.0).ok().and_then(|us| Timestamp::from_microsecond(us).ok()).unwrap_or(Timestamp::MAX);
        f.pad(&time.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S%6f").to_string())
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for JobId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error =
            || IdError::Form { kind: "job id", text: text.chars().take(40).collect(), form: "YYYYMMDDhhmmssffffff" };
        if text.len() != 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let (seconds, micros) = text.split_at(14);
        let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", seconds).map_err(|_| error())?;
        let start = time.to_zoned(TimeZone::UTC).map_err(|_| error())?.timestamp().as_microsecond();
        let micros: u64 = micros.parse().map_err(|_| error())?;
        Ok(Self(u64::try_from(start).map_err(|_| error())? + micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_be_paths_are_refused() {
        for bad in ["", "..", ".", "../../etc", "a/b", "a b", "a\0b", "-rf", "é", &"a".repeat(254)] {
            assert!(bad.parse::<MinionId>().is_err(), "{bad:?}");
        }
        for good in ["web1", "web-1.example.org", "a", "db_1@rack:2+x"] {
            assert_eq!(good.parse::<MinionId>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_function_is_module_dot_function() {
        let name: FunctionName = "cmd.run".parse().unwrap();
        assert_eq!((name.module(), name.function()), ("cmd", "run"));
        for bad in ["cmd", "cmd.", ".run", "a.b.c", "cmd run", ""] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn job_ids_print_and_parse_as_salt_does_and_only_grow() {
        let id = JobId::from_micros(1_795_260_474_000_042);
        assert_eq!(id.to_string(), "20261121112754000042");
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        assert_eq!(JobId::next(5, Some(JobId(9))), JobId(10));
        assert_eq!(JobId::next(50, Some(JobId(9))), JobId(50));
        for bad in ["", "2026", "20261321112754000042", "2026112111275400004x", "99999999999999999999"] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
    }
}
