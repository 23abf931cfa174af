//! One job whose pairs have not all ended: values in, decisions out. No socket, no store, no clock.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use proto::{
    JobId, MinionId, Outcome, PackedValue, RunOptions,
    message::{PairState, Stream},
};

use crate::{
    jobs::watch::Watch,
    store::JobRecord,
    wire::{PairEnd, Return},
};

/// An open job.
pub(super) struct LiveJob {
    pub record: Arc<JobRecord>,
    pub options: RunOptions,
    /// Pairs that have not ended, in no order.
    open: HashMap<MinionId, PairState>,
    /// Minions of a batch that wait for their turn.
    queue: VecDeque<MinionId>,
    /// How many may run at once.
    window: usize,
    /// How many were let go and have not ended.
    running: usize,
    pub wave: u32,
    counts: Vec<(Outcome, u32)>,
    watches: Vec<Watch>,
}

/// What a minion that (re)connects is to be told about one job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It has it: the return will come.
    Wait,
    Send,
    /// Too late to send; ask what became of it.
    Fate,
}

impl LiveJob {
    /// A job that was just recorded. `connected` tells who can be sent it now: in a batch, only
    /// these queue for a turn; the others may pick it up when they come.
    pub fn new(record: Arc<JobRecord>, options: RunOptions, connected: impl Fn(&MinionId) -> bool) -> Self {
        let open = record.expected.iter().map(|id| (id.clone(), PairState::Targeted)).collect();
        let mut job = Self::with(record, options, open);
        job.queue = job.record.expected.iter().filter(|id| connected(id)).cloned().collect();
        job
    }

    /// A job found open in the store when the master starts: who has not ended may have been sent it.
    pub fn restored(record: Arc<JobRecord>, options: RunOptions, ended: &[(MinionId, Outcome)]) -> Self {
        let mut open: HashMap<MinionId, PairState> =
            record.expected.iter().map(|id| (id.clone(), PairState::Sent)).collect();
        for (minion, _) in ended {
            open.remove(minion);
        }
        let mut job = Self::with(record, options, open);
        ended.iter().for_each(|(_, outcome)| job.count(*outcome));
        job
    }

    fn with(record: Arc<JobRecord>, options: RunOptions, open: HashMap<MinionId, PairState>) -> Self {
        let window = options.batch.map_or(usize::MAX, |batch| batch.window(record.expected.len()));
        Self {
            record,
            options,
            open,
            queue: VecDeque::new(),
            window,
            running: 0,
            wave: 0,
            counts: Vec::new(),
            watches: Vec::new(),
        }
    }

    pub fn jid(&self) -> JobId {
        self.record.jid
    }

    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    pub fn state(&self, minion: &MinionId) -> Option<PairState> {
        self.open.get(minion).copied()
    }

    pub fn open(&self) -> impl Iterator<Item = (&MinionId, PairState)> {
        self.open.iter().map(|(id, state)| (id, *state))
    }

    pub fn counts(&self) -> &[(Outcome, u32)] {
        &self.counts
    }

    fn count(&mut self, outcome: Outcome) {
        match self.counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((outcome, 1)),
        }
    }

    /// Lets the next minions of the batch go, as many as the window has room for.
    pub fn next_wave(&mut self) -> Vec<MinionId> {
        let mut wave = Vec::new();
        while self.running < self.window
            && let Some(minion) = self.queue.pop_front()
        {
            if self.open.contains_key(&minion) {
                self.running += 1;
                self.open.insert(minion.clone(), PairState::Sent);
                wave.push(minion);
            }
        }
        self.wave += u32::from(!wave.is_empty());
        wave
    }

    /// A pair has come further. Steps that come out of order change nothing.
    pub fn step(&mut self, minion: &MinionId, state: PairState) {
        if let Some(known) = self.open.get_mut(minion)
            && rank(state) > rank(*known)
        {
            *known = state;
        }
    }

    /// A pair has ended. Gives false if it had before, or never was.
    pub fn end(&mut self, end: &Arc<PairEnd>) -> bool {
        let Some(state) = self.open.remove(&end.minion) else { return false };
        if rank(state) > rank(PairState::Targeted) {
            self.running = self.running.saturating_sub(1);
        }
        self.count(end.ret.outcome);
        self.watches.retain(|watch| watch.ended(end));
        if self.is_done() {
            self.watches.drain(..).for_each(|watch| watch.done());
        }
        true
    }

    /// With `--fail-fast`, the minions that a failure keeps from starting.
    pub fn cut_short(&mut self, outcome: Outcome) -> Vec<MinionId> {
        if !self.options.fail_fast || outcome == Outcome::Ok {
            return Vec::new();
        }
        self.queue.drain(..).filter(|minion| self.open.contains_key(minion)).collect()
    }

    /// Lets nobody else go, and gives those who were not.
    pub fn stop_sending(&mut self) -> Vec<MinionId> {
        self.queue.clear();
        let waiting = self.open.iter().filter(|(_, state)| **state == PairState::Targeted);
        let mut waiting: Vec<MinionId> = waiting.map(|(id, _)| id.clone()).collect();
        waiting.sort();
        waiting
    }

    /// A minion is here (again). `has` tells whether it said that it has the job.
    pub fn connected(&mut self, minion: &MinionId, has: bool, now: u64) -> Again {
        let again = self.on_connect(minion, has, now);
        self.watches.retain(|watch| watch.present(minion));
        again
    }

    fn on_connect(&mut self, minion: &MinionId, has: bool, now: u64) -> Again {
        if has {
            self.step(minion, PairState::Running);
            return Again::Wait;
        }
        let batch = self.options.batch.is_some();
        if batch && now <= self.record.expires && self.open.get(minion) == Some(&PairState::Targeted) {
            if !self.queue.contains(minion) {
                self.queue.push_back(minion.clone());
            }
            return Again::Wait;
        }
        if now > self.record.expires && !batch {
            return Again::Fate;
        }
        if self.open.get(minion) == Some(&PairState::Targeted) {
            self.running += 1;
        }
        self.open.insert(minion.clone(), PairState::Sent);
        Again::Send
    }

    pub fn gone(&mut self, minion: &MinionId, since: u64) {
        self.watches.retain(|watch| watch.absent(minion, since));
    }

    pub fn output(&mut self, minion: &MinionId, stream: Stream, text: &str) {
        self.watches.retain(|watch| watch.output(minion, stream, text));
    }

    /// Pairs that will not start any more because nobody came for them, and pairs of which there
    /// has been no word for `lost_after` microseconds.
    pub fn overdue(
        &self,
        now: u64,
        lost_after: u64,
        connected: impl Fn(&MinionId) -> bool,
    ) -> Vec<(MinionId, Outcome)> {
        let expired = now > self.record.expires;
        let lost = now > self.record.expires.saturating_add(lost_after);
        let verdict = |id: &MinionId, state: PairState| match state {
            PairState::Targeted if expired && !self.queue.contains(id) => Some(Outcome::Offline),
            _ if lost && !connected(id) => Some(Outcome::Lost),
            _ => None,
        };
        if !expired {
            return Vec::new();
        }
        self.open.iter().filter_map(|(id, &state)| Some((id.clone(), verdict(id, state)?))).collect()
    }

    /// Follows the job: first what has ended already (to be read from the store), then what ends.
    pub fn watch(&mut self, watch: Watch) {
        let mut ended = self.record.expected.iter().filter(|id| !self.open.contains_key(*id));
        let alive = ended.all(|id| watch.stored(id));
        match self.is_done() {
            true => watch.done(),
            false if alive => self.watches.push(watch),
            false => {}
        }
    }
}

fn rank(state: PairState) -> u8 {
    match state {
        PairState::Targeted => 0,
        PairState::Sent => 1,
        PairState::Received => 2,
        PairState::Running => 3,
    }
}

/// The end of a pair that the master itself decides on.
pub(super) fn verdict(jid: JobId, minion: MinionId, outcome: Outcome, why: String, now: u64) -> Arc<PairEnd> {
    let value = PackedValue::text(&why);
    let ret = Return { jid, outcome, value, retcode: 1, started: 0, duration: 0, truncated: false };
    Arc::new(PairEnd { minion, ret, at: now })
}
