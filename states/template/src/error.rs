//! What went wrong when a function was called.

/// Why a call gave no value. The text is for the operator; [`CallError::hint`] adds what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    #[error("function {name} does not exist")]
    Unknown { name: String, nearest: Option<String> },
    #[error("{0}")]
    Arguments(String),
    #[error("{0}")]
    Failed(String),
    /// A failure with a place, in a template or a tree that the function read.
    #[error("{}", .0.to_string().trim_start_matches("error: "))]
    Diagnostic(Box<crate::Diagnostic>),
    /// All that is wrong with a tree.
    #[error("{}", crate::diag::render_all(.0, false).trim_start_matches("error: ").trim_end())]
    Problems(Vec<crate::Diagnostic>),
    #[error("this would start a process or change the host, which is not possible here")]
    NotHere,
    #[error("this needs a running minion; there is none behind `ctl call`")]
    NoAgent,
}

impl CallError {
    pub fn unknown(name: &str, functions: impl Iterator<Item = &'static str>) -> Self {
        if crate::known::is_salts(name) {
            return Self::Failed(format!("the function {name} of Salt is not available here"));
        }
        let nearest = functions
            .map(|of| (strsim::damerau_levenshtein(name, of), of))
            .filter(|&(distance, _)| distance <= 3)
            .min_by_key(|&(distance, _)| distance)
            .map(|(_, name)| name.to_owned());
        Self::Unknown { name: name.to_owned(), nearest }
    }

    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    pub fn arguments(why: impl Into<String>) -> Self {
        Self::Arguments(why.into())
    }

    /// What to try instead, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(name), .. } => Some(format!("did you mean {name}?")),
            Self::Unknown { nearest: None, .. } => Some("`ctl doc` lists what there is".into()),
            _ => None,
        }
    }
}
