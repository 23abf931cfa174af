//! What an agent knows of its jobs: which it has seen, which run, whose returns wait.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use proto::{Job, JobId, PackedValue, Return};

use crate::{job::Running, spool::Found};

/// Jobs that may run or wait to run at once. What is more is refused, and can be asked again.
pub const JOBS: usize = 1024;
/// Ended jobs that are remembered before the oldest are looked through.
const REMEMBERED: usize = 256;
/// Jobs that ended are remembered this long after they expired, in microseconds.
const GRACE: u64 = 60_000_000;

/// A return that the master has not stored yet.
#[derive(Clone)]
pub struct Pending {
    pub jid: JobId,
    /// `None`: only in the spool.
    pub ret: Option<Return<PackedValue>>,
    pub spooled: bool,
    /// The job has a mark, which must be ended too.
    pub marked: bool,
}

struct Known {
    nonce: [u8; 16],
    expires: u64,
    valid_until: u64,
    /// Asking it again does no harm.
    repeatable: bool,
    running: Option<Arc<Running>>,
}

/// What to do with a job that came.
pub enum Admission {
    Begin,
    /// It is here already: running, or its return is on its way.
    Here,
    /// It ended, and the master has said that it stored the return.
    Over,
    /// Its request was carried out under another jid, or is older than what is remembered.
    Replayed,
    Full,
}

#[derive(Default)]
pub struct Ledger {
    known: HashMap<JobId, Known>,
    nonces: HashMap<[u8; 16], JobId>,
    pending: BTreeMap<u64, Pending>,
    next: u64,
    floor: u64,
    running: usize,
}

impl Ledger {
    /// Takes up what an earlier run left. Gives the jobs that were begun and have no return.
    pub fn restore(&mut self, found: Found) -> Vec<(JobId, u64)> {
        self.floor = found.floor;
        let mut open = Vec::new();
        for (jid, mark) in found.marks {
            self.nonces.insert(mark.nonce, jid);
            let known = Known {
                nonce: mark.nonce,
                expires: mark.expires,
                valid_until: mark.valid_until,
                repeatable: false,
                running: None,
            };
            self.known.entry(jid).or_insert(known);
            if !mark.ended {
                open.push((jid, mark.started));
            }
        }
        for (jid, _) in found.returns {
            self.push(Pending { jid, ret: None, spooled: true, marked: true });
        }
        open
    }

    /// Whether to begin a job that was verified.
    pub fn admit(&self, job: &Job) -> Admission {
        if let Some(known) = self.known.get(&job.jid) {
            return match known {
                known if known.nonce != job.request.nonce => Admission::Replayed,
                Known { running: Some(_), .. } => Admission::Here,
                _ if self.is_pending(job.jid) => Admission::Here,
                Known { repeatable: true, .. } => Admission::Begin,
                _ => Admission::Over,
            };
        }
        match () {
            () if self.nonces.contains_key(&job.request.nonce) => Admission::Replayed,
            () if job.request.valid_until <= self.floor => Admission::Replayed,
            () if self.running >= JOBS => Admission::Full,
            () => Admission::Begin,
        }
    }

    pub fn begin(&mut self, running: Arc<Running>, repeatable: bool) {
        let (jid, expires) = (running.job.jid, running.job.expires);
        let (nonce, valid_until) = (running.job.request.nonce, running.job.request.valid_until);
        self.nonces.insert(nonce, jid);
        self.running += 1;
        self.known.insert(jid, Known { nonce, expires, valid_until, repeatable, running: Some(running) });
    }

    /// A job that was begun by an earlier run goes on.
    pub fn readopt(&mut self, running: Arc<Running>) {
        if let Some(known) = self.known.get_mut(&running.job.jid) {
            known.running = Some(running);
            self.running += 1;
        }
    }

    /// A job of the minion's own ended: nobody asks for it again.
    pub fn discard(&mut self, jid: JobId) {
        if let Some(known) = self.known.remove(&jid) {
            self.nonces.remove(&known.nonce);
            self.running -= usize::from(known.running.is_some());
        }
    }

    /// A job ended; its return waits for the master.
    pub fn end(&mut self, pending: Pending, now: u64) {
        if let Some(known) = self.known.get_mut(&pending.jid)
            && known.running.take().is_some()
        {
            self.running -= 1;
        }
        self.push(pending);
        if self.known.len() > REMEMBERED + self.running {
            self.purge(now);
        }
    }

    fn push(&mut self, pending: Pending) {
        self.pending.insert(self.next, pending);
        self.next += 1;
    }

    fn purge(&mut self, now: u64) {
        let nonces = &mut self.nonces;
        self.known.retain(|_, known| {
            let keep = known.running.is_some() || !known.repeatable || known.expires + GRACE > now;
            if !keep {
                nonces.remove(&known.nonce);
            }
            keep
        });
    }

    /// Forgets jobs that can come no more at `now`, as [`crate::spool::Spool::prune`] does on the
    /// disk. Requests of that time are refused from then on.
    pub fn prune(&mut self, now: u64) {
        let past = now.saturating_sub(crate::spool::GRACE);
        let owed: std::collections::HashSet<JobId> = self.pending.values().map(|pending| pending.jid).collect();
        let (nonces, floor) = (&mut self.nonces, &mut self.floor);
        self.known.retain(|jid, known| {
            let over = known.expires.max(known.valid_until) < past;
            let keep = known.running.is_some() || owed.contains(jid) || !over;
            if !keep {
                nonces.remove(&known.nonce);
                *floor = (*floor).max(known.valid_until);
            }
            keep
        });
    }

    /// The first return at or after `cursor`, and its place.
    pub fn pending_from(&self, cursor: u64) -> Option<(u64, Pending)> {
        self.pending.range(cursor..).next().map(|(&place, pending)| (place, pending.clone()))
    }

    /// The first returns at or after `cursor` that only the spool has: places and jobs.
    pub fn spooled_from(&self, cursor: u64, most: usize) -> Vec<(u64, JobId)> {
        let pending = self.pending.range(cursor..).take_while(|(_, pending)| pending.ret.is_none());
        pending.take(most).map(|(&place, pending)| (place, pending.jid)).collect()
    }

    /// The master has stored the return at this place.
    pub fn stored(&mut self, place: u64) -> Option<Pending> {
        self.pending.remove(&place)
    }

    pub fn is_pending(&self, jid: JobId) -> bool {
        self.pending.values().any(|pending| pending.jid == jid)
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn knows(&self, jid: JobId) -> bool {
        self.known.contains_key(&jid)
    }

    pub fn running(&self, jid: JobId) -> Option<Arc<Running>> {
        self.known.get(&jid)?.running.clone()
    }

    pub fn all_running(&self) -> Vec<Arc<Running>> {
        self.known.values().filter_map(|known| known.running.clone()).collect()
    }

    pub fn pending_jids(&self) -> Vec<JobId> {
        self.pending.values().map(|pending| pending.jid).collect()
    }
}

#[cfg(test)]
mod tests {
    use proto::{Args, Outcome, Request, RunOptions};

    use super::*;

    fn job(jid: u64, nonce: u8) -> Job {
        let request = Request {
            nonce: [nonce; 16],
            operator: "root".parse().unwrap(),
            target: "*".into(),
            function: "test.ping".parse().unwrap(),
            args: Args::default(),
            valid_until: 100,
            options: RunOptions::default(),
        };
        Job { jid: JobId::from_micros(jid), request, expires: 50, tree: None }
    }

    fn begin(ledger: &mut Ledger, job: Job, repeatable: bool) {
        assert!(matches!(ledger.admit(&job), Admission::Begin));
        ledger.begin(Arc::new(Running::new(job, None)), repeatable);
    }

    fn end(ledger: &mut Ledger, jid: u64, now: u64) {
        let ret = crate::job::ended(JobId::from_micros(jid), Outcome::Ok, "", 0);
        ledger.end(Pending { jid: ret.jid, ret: Some(ret.pack()), spooled: false, marked: false }, now);
    }

    #[test]
    fn a_job_that_comes_again_is_not_begun_again() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, job(1, 1), false);
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Here));
        end(&mut ledger, 1, 0);
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Here));
        let (place, pending) = ledger.pending_from(0).unwrap();
        assert_eq!(pending.jid, JobId::from_micros(1));
        assert!(ledger.stored(place).is_some() && !ledger.has_pending());
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Over));
    }

    #[test]
    fn a_request_is_carried_out_once_whatever_jid_it_comes_under() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, job(1, 1), false);
        assert!(matches!(ledger.admit(&job(2, 1)), Admission::Replayed));
        assert!(matches!(ledger.admit(&job(1, 2)), Admission::Replayed));
    }

    #[test]
    fn what_only_reads_may_be_asked_again() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, job(1, 1), true);
        end(&mut ledger, 1, 0);
        ledger.stored(0);
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Begin));
    }

    #[test]
    fn a_restart_knows_what_was_begun_and_what_is_owed() {
        let mut ledger = Ledger::default();
        let mark = |nonce, ended| crate::spool::Mark {
            nonce: [nonce; 16],
            started: 9,
            expires: 50,
            valid_until: 100,
            function: "cmd.run".into(),
            ended,
        };
        let marks = [(1, false), (2, true)].map(|(n, ended)| (JobId::from_micros(n), mark(n as u8, ended)));
        let found = Found { marks: marks.into(), returns: vec![(JobId::from_micros(2), 64)], floor: 100 };
        assert_eq!(ledger.restore(found), [(JobId::from_micros(1), 9)]);
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Over));
        assert!(matches!(ledger.admit(&job(2, 2)), Admission::Here));
        assert!(matches!(ledger.admit(&job(3, 3)), Admission::Replayed), "older than what is remembered");
    }

    #[test]
    fn what_can_come_no_more_is_forgotten_and_refused() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, job(1, 1), false);
        end(&mut ledger, 1, 0);
        ledger.prune(100 + crate::spool::GRACE + 1);
        assert!(ledger.knows(JobId::from_micros(1)), "its return is still owed");
        ledger.stored(0);
        ledger.prune(100 + crate::spool::GRACE + 1);
        assert!(!ledger.knows(JobId::from_micros(1)));
        assert!(matches!(ledger.admit(&job(1, 1)), Admission::Replayed), "whatever the clocks say");
    }

    #[test]
    fn a_job_of_the_minions_own_leaves_nothing() {
        let mut ledger = Ledger::default();
        begin(&mut ledger, job(1, 1), true);
        ledger.discard(JobId::from_micros(1));
        assert!(!ledger.knows(JobId::from_micros(1)) && !ledger.has_pending() && ledger.running == 0);
        assert!(matches!(ledger.admit(&job(2, 1)), Admission::Begin));
    }

    #[test]
    fn memory_is_bounded() {
        let mut ledger = Ledger::default();
        for n in 0..JOBS as u64 {
            ledger.begin(Arc::new(Running::new(job(n, 0), None)), true);
        }
        assert!(matches!(ledger.admit(&job(9999, 1)), Admission::Full));
        for n in 0..JOBS as u64 {
            end(&mut ledger, n, u64::MAX);
        }
        assert!(ledger.known.len() <= REMEMBERED + 1, "{}", ledger.known.len());
    }
}
