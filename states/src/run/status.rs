//! What a state's requisites say of it: Salt's truth table (`State._check_requisites` of Salt
//! 3008), over the rows of the states that it waits for.

use super::Row;
use crate::compile::{Group, Kind};

/// What is to become of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing speaks against it.
    Met,
    /// Something that it needs has failed.
    Fail,
    /// A state that would have made it run asks for others to be left alone.
    SkipReq,
    SkipWatch,
    /// What it is a `prereq` of will not change.
    Pre,
    /// Nothing failed that it would answer to.
    Onfail,
    /// Nothing changed that it would answer to.
    Onchanges,
    /// Something that it watches has changed.
    Change,
}

/// What the states of one kind of requisite say together.
#[derive(Debug, Default, Clone, Copy)]
struct Signs {
    skip_req: bool,
    onfail: bool,
    onchanges: bool,
    onchanges_met: bool,
    fail: bool,
    change: bool,
    pre_met: bool,
    pre: bool,
    met: bool,
}

impl Signs {
    fn add(&mut self, group: Group, row: &Row) {
        self.skip_req |= row.skip_req;
        match group {
            // What a dry run would change is taken to succeed, as by all other requisites. Salt takes it
            // for a failure here, and plans to run what answers to one.
            Group::Onfail if !row.failed() => {
                self.onfail = true;
                return;
            }
            Group::Onfail => {}
            Group::Onchanges => {
                let changed = !row.failed() && !row.changes.is_empty();
                self.onchanges_met |= changed;
                self.onchanges |= !changed;
                return;
            }
            _ if row.failed() => {
                self.fail = true;
                return;
            }
            Group::Watch if !row.changes.is_empty() => {
                self.change = true;
                return;
            }
            _ => {}
        }
        match group {
            Group::Prereq if row.result.is_none() => self.pre_met = true,
            Group::Prereq => self.pre = true,
            _ => self.met |= row.ran,
        }
    }

    /// What one that holds makes of the others.
    fn settle(&mut self, kind: Kind) {
        if kind.is_any() || kind == Kind::Onfail {
            if self.met || self.change {
                self.fail = false;
            }
            if self.onchanges_met {
                self.onchanges = false;
                self.fail = false;
            }
            if self.met {
                self.onfail = false;
            }
        }
        if kind.is_all() && self.onfail {
            self.met = false;
        }
    }

    fn join(&mut self, other: Signs) {
        self.skip_req |= other.skip_req;
        self.onfail |= other.onfail;
        self.onchanges |= other.onchanges;
        self.onchanges_met |= other.onchanges_met;
        self.fail |= other.fail;
        self.change |= other.change;
        self.pre_met |= other.pre_met;
        self.pre |= other.pre;
        self.met |= other.met;
    }

    fn status(self) -> Status {
        match self {
            Signs { fail: true, .. } => Status::Fail,
            Signs { skip_req: true, onchanges_met, pre_met, .. } if onchanges_met || pre_met => Status::SkipReq,
            Signs { skip_req: true, change: true, .. } => Status::SkipWatch,
            Signs { pre: true, pre_met: true, .. } => Status::Met,
            Signs { pre: true, .. } => Status::Pre,
            Signs { onfail: true, onchanges_met: false, .. } => Status::Onfail,
            Signs { onchanges: true, onchanges_met: false, .. } => Status::Onchanges,
            Signs { change: true, .. } => Status::Change,
            Signs { onfail: true, .. } => Status::Onfail,
            _ => Status::Met,
        }
    }
}

/// Judges a state by the rows of what it waits for.
pub fn judge<'r>(needs: impl IntoIterator<Item = (Kind, &'r Row)>) -> Status {
    let mut by_kind: Vec<(Kind, Signs)> = Vec::new();
    for (kind, row) in needs {
        let index = by_kind.iter().position(|(other, _)| *other == kind).unwrap_or_else(|| {
            by_kind.push((kind, Signs::default()));
            by_kind.len() - 1
        });
        by_kind[index].1.add(kind.group(), row);
    }
    let mut all = Signs::default();
    for (kind, mut signs) in by_kind {
        signs.settle(kind);
        all.join(signs);
    }
    all.status()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::IntoMap;

    fn skipped() -> Row {
        Row::not_run(true, "")
    }
    fn failed() -> Row {
        Row::ran(Some(false), "", Default::default())
    }
    fn same() -> Row {
        Row::ran(Some(true), "", Default::default())
    }
    fn changed() -> Row {
        Row::ran(Some(true), "", json!({"a": 1}).into_map())
    }

    /// Each row of the table: a kind, and what a skipped, failed, unchanged and changed target make.
    #[test]
    fn every_cell_of_the_table() {
        use Status::*;
        let not_run_after_failure = Row::not_run(false, "");
        for (kind, of_failed, of_same, of_changed) in [
            (Kind::Require, Fail, Met, Met),
            (Kind::RequireAny, Fail, Met, Met),
            (Kind::Watch, Fail, Met, Change),
            (Kind::WatchAny, Fail, Met, Change),
            (Kind::Onchanges, Onchanges, Onchanges, Met),
            (Kind::OnchangesAny, Onchanges, Onchanges, Met),
            (Kind::Onfail, Met, Onfail, Onfail),
            (Kind::OnfailAny, Met, Onfail, Onfail),
            (Kind::OnfailAll, Met, Onfail, Onfail),
            (Kind::Prereq, Fail, Pre, Pre),
        ] {
            assert_eq!(judge([(kind, &failed())]), of_failed, "{kind:?}: failed");
            assert_eq!(judge([(kind, &same())]), of_same, "{kind:?}: unchanged");
            assert_eq!(judge([(kind, &changed())]), of_changed, "{kind:?}: changed");
        }
        assert_eq!(judge([(Kind::Require, &not_run_after_failure)]), Fail);
        assert_eq!(judge([(Kind::Onchanges, &skipped())]), Onchanges);
        let would_change = Row::ran(None, "", json!({"a": 1}).into_map());
        assert_eq!(judge([(Kind::Prereq, &would_change)]), Met);
        assert_eq!(judge([(Kind::Onfail, &would_change)]), Onfail);
        assert_eq!(judge([]), Met);
    }

    #[test]
    fn any_and_all_over_several_targets() {
        use Status::*;
        let pair = |kind, a: &Row, b: &Row| judge([(kind, a), (kind, b)]);
        assert_eq!(pair(Kind::Require, &failed(), &same()), Fail);
        assert_eq!(pair(Kind::RequireAny, &failed(), &same()), Met);
        assert_eq!(pair(Kind::RequireAny, &failed(), &failed()), Fail);
        assert_eq!(pair(Kind::WatchAny, &failed(), &changed()), Change);
        assert_eq!(pair(Kind::Onchanges, &same(), &changed()), Met);
        assert_eq!(pair(Kind::OnchangesAny, &same(), &changed()), Met);
        assert_eq!(pair(Kind::Onfail, &same(), &failed()), Met);
        assert_eq!(pair(Kind::OnfailAny, &same(), &failed()), Met);
        assert_eq!(pair(Kind::OnfailAll, &same(), &failed()), Onfail);
        assert_eq!(pair(Kind::OnfailAll, &failed(), &failed()), Met);
        // A failed requirement weighs more than a change.
        assert_eq!(judge([(Kind::Require, &failed()), (Kind::Onchanges, &changed())]), Fail);
    }
}
