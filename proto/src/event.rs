//! Events, and every tag that we give one. Salt's tag where Salt has one, because reactors and
//! scripts wait for these; `overstate/…` for what is ours.

use serde::{Deserialize, Serialize};

use crate::{Glob, JobId, MinionId, Value, checks::CheckStatus};

/// A fact that somebody may wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub tag: String,
    pub data: Value,
    /// When it was published, in microseconds since 1970.
    pub stamp: u64,
}

/// Minions came or went: `{"new": […], "lost": […]}`.
pub const PRESENCE_CHANGE: &str = "salt/presence/change";
/// Who is here, said now and then: `{"present": […]}`.
pub const PRESENCE_PRESENT: &str = "salt/presence/present";
/// What [`minion_start`] was called before Salt 0.17, and still is beside it.
pub const MINION_START: &str = "minion_start";
/// A peer asked to be let in and was not.
pub const AUTH: &str = "salt/auth";
/// A key was accepted, rejected or deleted.
pub const KEY: &str = "salt/key";
/// A follower was too slow, and missed this many events.
pub const MISSED: &str = "overstate/events/missed";
/// The master started.
pub const MASTER_START: &str = "overstate/master/start";

/// A job was recorded.
pub fn job_new(jid: JobId) -> String {
    format!("salt/job/{jid}/new")
}

/// A pair of a job ended.
pub fn job_ret(jid: JobId, minion: &MinionId) -> String {
    format!("salt/job/{jid}/ret/{minion}")
}

/// An orchestration began.
pub fn run_new(jid: JobId) -> String {
    format!("salt/run/{jid}/new")
}

/// An orchestration ended.
pub fn run_ret(jid: JobId) -> String {
    format!("salt/run/{jid}/ret")
}

/// A stage of an orchestration ended.
pub fn stage_ended(jid: JobId) -> String {
    format!("overstate/run/{jid}/stage")
}

/// A check of a minion, or of the master itself, has another status (or has begun or ceased to flap).
pub fn check(minion: &MinionId, name: &str, status: CheckStatus) -> String {
    format!("overstate/check/{minion}/{name}/{status}")
}

/// A minion connected.
pub fn minion_start(minion: &MinionId) -> String {
    format!("salt/minion/{minion}/start")
}

/// Whether only the master may publish under this tag: facts about the bus are the bus's own to
/// tell. `salt` itself counts, and so does a tag that only differs in slashes before it.
pub fn is_reserved(tag: &str) -> bool {
    let first = tag.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(first, "salt" | "overstate" | "minion_start") || tag.trim().is_empty()
}

/// Longest tag that anybody may publish under, in bytes.
pub const LONGEST_TAG: usize = 1024;

/// Whether a minion or a local sender may publish under this tag: it is not the bus's own, not too
/// long, and can be printed on one line.
pub fn may_publish(tag: &str) -> bool {
    !is_reserved(tag) && tag.len() <= LONGEST_TAG && !tag.contains(char::is_control)
}

/// Whether a tag matches a glob such as `salt/job/*/ret/web*`; `*` crosses slashes, as in Salt.
/// To hold many tags against one glob, keep a [`Glob`].
pub fn matches(glob: &str, tag: &str) -> bool {
    Glob::new(glob).is_match(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_salts() {
        let jid = JobId::from_micros(1_795_260_474_000_042);
        let web: MinionId = "web1".parse().unwrap();
        assert_eq!(job_new(jid), "salt/job/20261121112754000042/new");
        assert_eq!(job_ret(jid, &web), "salt/job/20261121112754000042/ret/web1");
        assert_eq!(minion_start(&web), "salt/minion/web1/start");
    }

    #[test]
    fn the_bus_keeps_its_own_tags() {
        for reserved in ["salt/job/1/new", "salt", "/salt/auth", "overstate/x", "//overstate", "", "minion_start"] {
            assert!(is_reserved(reserved), "{reserved:?}");
        }
        for free in ["deploy/done", "salted/x", "my/salt/x"] {
            assert!(!is_reserved(free), "{free:?}");
        }
    }

    #[test]
    fn tags_of_others_are_bounded_and_printable() {
        assert!(may_publish("deploy/done"));
        for bad in ["salt/x", "", "a\nb", "a\u{1b}[2J", &"a".repeat(1025)] {
            assert!(!may_publish(bad), "{bad:?}");
        }
    }

    #[test]
    fn globs_cross_slashes() {
        assert!(matches("salt/job/*", "salt/job/1/ret/web1"));
        assert!(matches("*", "a/b"));
        assert!(!matches("salt/auth", "salt/auth/x"));
        assert!(matches("deploy/[ab]", "deploy/b") && !matches("deploy/{a,b}", "deploy/a"));
    }
}
