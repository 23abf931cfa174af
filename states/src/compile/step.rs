//! The steps of a run, and the kinds of requisites between them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Chunk;

/// Requisites by their weight: of several that bind one state, the heaviest decide its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Onfail,
    OnfailAny,
    OnfailAll,
    Require,
    RequireAny,
    Onchanges,
    OnchangesAny,
    Watch,
    WatchAny,
    Prereq,
}

/// Requisites that mean the same but for how many of their targets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Onfail,
    Require,
    Onchanges,
    Watch,
    Prereq,
}

impl Kind {
    pub fn group(self) -> Group {
        match self {
            Kind::Onfail | Kind::OnfailAny | Kind::OnfailAll => Group::Onfail,
            Kind::Require | Kind::RequireAny => Group::Require,
            Kind::Onchanges | Kind::OnchangesAny => Group::Onchanges,
            Kind::Watch | Kind::WatchAny => Group::Watch,
            Kind::Prereq => Group::Prereq,
        }
    }

    pub fn is_any(self) -> bool {
        matches!(self, Kind::OnfailAny | Kind::RequireAny | Kind::OnchangesAny | Kind::WatchAny)
    }

    pub fn is_all(self) -> bool {
        self == Kind::OnfailAll
    }
}

/// One step of a run: a state, or the trial of one that another is a `prereq` of.
#[derive(Debug, Clone)]
pub struct Step {
    pub chunk: Arc<Chunk>,
    /// Only tried: nothing is changed.
    pub trial: bool,
    /// The step that tried this one before.
    pub tried: Option<usize>,
    /// What it waits for: the kind, and which step.
    pub needs: Vec<(Kind, usize)>,
}
