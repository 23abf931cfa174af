//! Patterns of checks.

use fancy_regex::Regex;
use serde::Deserialize;

/// A pattern that can be read. What it is compiled to takes much more room than its text, and is not kept
/// from one look to the next.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pattern = Self(text);
        pattern.regex().map(|_| pattern)
    }
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// None, as the pattern was read before.
    pub fn regex(&self) -> Result<Regex, String> {
        Regex::new(&self.0).map_err(|error| format!("the pattern {:?} cannot be read: {error}", self.0))
    }
}
