//! Those who follow a job: what they are told, within a bound.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use proto::{
    JobId, MinionId,
    message::{Absent, Stream},
};
use tokio::sync::mpsc;

use crate::wire::PairEnd;

/// Bytes of returns and output that may wait for a reader. Beyond it, returns are read from the
/// store when their turn comes, and output is dropped.
const WAITING: usize = 8 * 1024 * 1024;

/// What a follower is told.
pub enum Note {
    Ended(Arc<PairEnd>, Weight),
    /// Ended, and to be read from the store.
    Stored(JobId, MinionId),
    Absent(Absent),
    Present(MinionId),
    Output(MinionId, Stream, String, Weight),
    Done,
}

/// Bytes that are given back when the note has been passed on.
pub struct Weight(Arc<AtomicUsize>, usize);

impl Drop for Weight {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// The job's end of the string. Every method gives false when nobody listens any more.
pub struct Watch {
    jid: JobId,
    notes: mpsc::UnboundedSender<Note>,
    waiting: Arc<AtomicUsize>,
}

impl Watch {
    pub fn new(jid: JobId) -> (Self, mpsc::UnboundedReceiver<Note>) {
        let (notes, reader) = mpsc::unbounded_channel();
        (Self { jid, notes, waiting: Arc::default() }, reader)
    }

    fn send(&self, note: Note) -> bool {
        self.notes.send(note).is_ok()
    }

    /// Room for `bytes` more, if there is.
    fn weigh(&self, bytes: usize) -> Option<Weight> {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let weight = Weight(self.waiting.clone(), bytes);
        (before < WAITING).then_some(weight)
    }

    pub(super) fn ended(&self, end: &Arc<PairEnd>) -> bool {
        match self.weigh(end.ret.weight() as usize) {
            Some(weight) => self.send(Note::Ended(end.clone(), weight)),
            None => self.stored(&end.minion),
        }
    }

    pub(super) fn stored(&self, minion: &MinionId) -> bool {
        self.send(Note::Stored(self.jid, minion.clone()))
    }

    pub(super) fn absent(&self, minion: &MinionId, since: u64) -> bool {
        self.send(Note::Absent(Absent { minion: minion.clone(), since: Some(since) }))
    }

    pub(super) fn present(&self, minion: &MinionId) -> bool {
        self.send(Note::Present(minion.clone()))
    }

    pub(super) fn output(&self, minion: &MinionId, stream: Stream, text: &str) -> bool {
        match self.weigh(text.len()) {
            Some(weight) => self.send(Note::Output(minion.clone(), stream, text.to_owned(), weight)),
            None => !self.notes.is_closed(),
        }
    }

    pub(super) fn done(&self) {
        self.send(Note::Done);
    }
}
