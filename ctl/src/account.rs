//! The account at the end of a run: every targeted minion is in it exactly once.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Zoned;
use proto::{MinionId, Outcome, message::Absent, message::PairState};

use crate::{error::Exit, times};

/// More names than this are counted, not listed.
const NAMES: usize = 12;

/// What is known of one targeted minion.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    Ended(Outcome),
    /// Not connected, since then if it was ever seen.
    Absent(Option<u64>),
    Open(PairState),
}

/// What became of each minion of a run.
#[derive(Debug, Default)]
pub struct Account {
    pairs: IndexMap<MinionId, Standing>,
    /// Pairs that may still end, among the minions that are connected.
    awaited: usize,
}

impl Account {
    /// Every minion that was targeted, and which of them are not connected.
    pub fn new(expected: &[MinionId], absent: &[Absent]) -> Self {
        let mut account = Self::default();
        for minion in expected {
            account.set(minion, Standing::Open(PairState::Targeted));
        }
        for Absent { minion, since } in absent {
            account.set(minion, Standing::Absent(*since));
        }
        account
    }

    fn set(&mut self, minion: &MinionId, standing: Standing) {
        let open = |s: &Standing| usize::from(matches!(s, Standing::Open(_)));
        let now = open(&standing);
        let before = self.pairs.insert(minion.clone(), standing);
        self.awaited = self.awaited + now - before.as_ref().map_or(0, open);
    }

    /// A pair ended. Gives false if it had ended before.
    pub fn end(&mut self, minion: &MinionId, outcome: Outcome) -> bool {
        if matches!(self.pairs.get(minion), Some(Standing::Ended(_))) {
            return false;
        }
        let standing = match (outcome, self.pairs.get(minion)) {
            // The master's word says no more than what we know already: since when.
            (Outcome::Offline, Some(Standing::Absent(since))) => Standing::Absent(*since),
            _ => Standing::Ended(outcome),
        };
        self.set(minion, standing);
        true
    }

    /// A pair that has not ended is known to have come this far.
    pub fn progress(&mut self, minion: &MinionId, state: PairState) {
        if matches!(self.pairs.get(minion), Some(Standing::Open(_) | Standing::Absent(_))) {
            self.set(minion, Standing::Open(state));
        }
    }

    /// As [`progress`](Self::progress), but a minion that is not connected stays so.
    pub fn refine(&mut self, minion: &MinionId, state: PairState) {
        if matches!(self.pairs.get(minion), Some(Standing::Open(_))) {
            self.set(minion, Standing::Open(state));
        }
    }

    /// A minion lost its connection. Gives whether we were waiting for it.
    pub fn gone(&mut self, minion: &MinionId, since: Option<u64>) -> bool {
        let waited = matches!(self.pairs.get(minion), Some(Standing::Open(_)));
        if waited {
            self.set(minion, Standing::Absent(since));
        }
        waited
    }

    /// Those whose pairs have not ended, connected or not.
    pub fn open(&self) -> Vec<MinionId> {
        let open = |(minion, standing): (&MinionId, &Standing)| {
            (!matches!(standing, Standing::Ended(_))).then(|| minion.clone())
        };
        self.pairs.iter().filter_map(open).collect()
    }

    /// Nobody is left to wait for: all have ended or are not connected.
    pub fn complete(&self) -> bool {
        self.awaited == 0
    }

    pub fn targeted(&self) -> usize {
        self.pairs.len()
    }

    pub fn count(&self, outcome: Outcome) -> usize {
        self.pairs.values().filter(|s| **s == Standing::Ended(outcome)).count()
    }

    /// How many have given an answer of any kind.
    pub fn answered(&self) -> usize {
        [Outcome::Ok, Outcome::Failed, Outcome::Refused, Outcome::Lost].into_iter().map(|o| self.count(o)).sum()
    }

    /// How many answers were not good ones.
    pub fn bad(&self) -> usize {
        self.answered() - self.count(Outcome::Ok)
    }

    pub fn exit(&self) -> Exit {
        match () {
            () if self.bad() > 0 => Exit::FAILED,
            () if self.answered() < self.targeted() => Exit::NO_ANSWER,
            () => Exit::OK,
        }
    }

    /// `129 targeted: 124 ok, 2 failed, 3 no answer (web7 offline since 10:41, …)`.
    pub fn line(&self, now: &Zoned) -> String {
        let mut parts = vec![format!("{} ok", self.count(Outcome::Ok))];
        for outcome in [Outcome::Failed, Outcome::Refused, Outcome::Lost] {
            match self.count(outcome) {
                0 => {}
                count if outcome == Outcome::Failed => parts.push(format!("{count} {outcome}")),
                count => parts.push(format!("{count} {outcome} ({})", self.names(outcome))),
            }
        }
        let silent = self.targeted() - self.answered();
        if silent > 0 {
            parts.push(format!("{silent} no answer ({})", self.reasons(now)));
        }
        format!("{} targeted: {}", self.targeted(), parts.join(", "))
    }

    /// Who gave no answer, and why.
    pub fn silent(&self, now: &Zoned) -> Vec<(MinionId, String)> {
        let silent = |(minion, standing): (&MinionId, &Standing)| Some((minion.clone(), reason(standing, now)?));
        self.pairs.iter().filter_map(silent).collect()
    }

    fn names(&self, outcome: Outcome) -> String {
        let ended = self.pairs.iter().filter(|(_, s)| **s == Standing::Ended(outcome));
        shorten(ended.map(|(minion, _)| minion.to_string()).collect())
    }

    fn reasons(&self, now: &Zoned) -> String {
        let sorted: BTreeMap<_, _> = self.pairs.iter().collect();
        shorten(
            sorted
                .into_iter()
                .filter_map(|(minion, standing)| Some(format!("{minion} {}", reason(standing, now)?)))
                .collect(),
        )
    }
}

/// Why there is no answer; `None` if there is one.
fn reason(standing: &Standing, now: &Zoned) -> Option<String> {
    Some(match standing {
        Standing::Ended(Outcome::Expired) => "expired before it was started".into(),
        Standing::Ended(Outcome::Offline) => "offline".into(),
        Standing::Ended(_) => return None,
        Standing::Absent(Some(since)) => format!("offline since {}", times::show(*since, now)),
        Standing::Absent(None) => "never seen".into(),
        Standing::Open(PairState::Running) => "still running".into(),
        Standing::Open(PairState::Received) => "has it, not started yet".into(),
        Standing::Open(PairState::Sent) => "sent, not confirmed yet".into(),
        Standing::Open(PairState::Targeted) => "not started yet".into(),
    })
}

fn shorten(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    match more {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-21T12:00:00+00:00[UTC]".parse().unwrap()
    }

    fn id(text: &str) -> MinionId {
        text.parse().unwrap()
    }

    fn ids(count: usize) -> Vec<MinionId> {
        (1..=count).map(|n| id(&format!("m{n}"))).collect()
    }

    #[test]
    fn the_account_always_adds_up() {
        let expected: Vec<_> = ["web1", "web2", "web7", "web9", "db2"].map(id).into();
        let at = "2026-11-21T10:41:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond() as u64;
        let absent = [Absent { minion: id("web7"), since: Some(at) }, Absent { minion: id("web9"), since: None }];
        let mut account = Account::new(&expected, &absent);
        assert!(account.end(&id("web1"), Outcome::Ok));
        assert!(!account.end(&id("web1"), Outcome::Failed), "a pair ends once");
        account.end(&id("web2"), Outcome::Failed);
        account.progress(&id("db2"), PairState::Running);
        assert!(!account.complete());
        account.end(&id("web7"), Outcome::Offline);
        assert_eq!(
            account.line(&now()),
            "5 targeted: 1 ok, 1 failed, 3 no answer (db2 still running, web7 offline since 10:41, web9 never seen)"
        );
        assert_eq!(account.exit(), Exit::FAILED);
        assert!(account.gone(&id("db2"), Some(at)));
        assert!(account.complete());
        assert!(account.line(&now()).contains("db2 offline since 10:41"));
    }

    #[test]
    fn no_answer_is_3_and_all_well_is_0() {
        let mut account = Account::new(&ids(2), &[]);
        account.end(&id("m1"), Outcome::Ok);
        account.end(&id("m2"), Outcome::Expired);
        assert_eq!(account.exit(), Exit::NO_ANSWER);
        assert!(account.complete());
        let mut account = Account::new(&ids(1), &[]);
        account.end(&id("m1"), Outcome::Ok);
        assert_eq!((account.exit(), account.line(&now())), (Exit::OK, "1 targeted: 1 ok".into()));
        account = Account::new(&ids(2), &[]);
        account.end(&id("m1"), Outcome::Refused);
        account.end(&id("m2"), Outcome::Lost);
        assert_eq!(account.line(&now()), "2 targeted: 0 ok, 1 refused (m1), 1 lost (m2)");
        assert_eq!(account.exit(), Exit::FAILED);
    }

    #[test]
    fn long_lists_of_names_are_counted() {
        let account = Account::new(&ids(20), &[]);
        assert!(account.line(&now()).ends_with("and 8 more)"), "{}", account.line(&now()));
    }

    #[test]
    fn a_minion_that_comes_back_is_awaited_again() {
        let mut account = Account::new(&ids(1), &[Absent { minion: id("m1"), since: None }]);
        assert!(account.complete());
        account.progress(&id("m1"), PairState::Sent);
        assert!(!account.complete());
    }
}
