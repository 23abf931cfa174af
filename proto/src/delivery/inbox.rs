use std::collections::BTreeSet;

use super::DeliveryError;

/// What has come over one connection, what of it is finished with, and what the sender may send.
///
/// Items may be finished out of order (a store writes in groups); acknowledgements are
/// cumulative, so they wait for the oldest.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// The last number that came, and the last below which all are finished.
    come: u64,
    acked: u64,
    /// Finished ones above a gap.
    finished: BTreeSet<u64>,
    /// Bytes: unacknowledged ones that are let in at any time, granted so far, come, finished.
    window: u64,
    granted: u64,
    bytes_come: u64,
    bytes_finished: u64,
}

/// What to do with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    New,
    /// It came before: nothing to do.
    Again,
}

impl Inbox {
    /// The sender may have `window` bytes unfinished; it was told so at the start.
    pub fn new(window: u64) -> Self {
        Self { come: 0, acked: 0, finished: BTreeSet::new(), window, granted: window, bytes_come: 0, bytes_finished: 0 }
    }

    /// An item came. One that came before is ignored; a number that skips one, and more bytes
    /// than were granted, are the peer's fault.
    pub fn accept(&mut self, number: u64, bytes: u64) -> Result<Arrival, DeliveryError> {
        if number <= self.come && number > 0 {
            return Ok(Arrival::Again);
        }
        if number != self.come + 1 {
            return Err(DeliveryError::Gap { expected: self.come + 1, found: number });
        }
        let found = self.bytes_come.saturating_add(bytes);
        if found > self.granted {
            return Err(DeliveryError::OverCredit { granted: self.granted, found });
        }
        self.come = number;
        self.bytes_come = found;
        Ok(Arrival::New)
    }

    /// An item is finished with. Gives the number to acknowledge, if that moved.
    pub fn finish(&mut self, number: u64, bytes: u64) -> Option<u64> {
        if number <= self.acked || number > self.come || !self.finished.insert(number) {
            return None;
        }
        self.bytes_finished += bytes;
        let before = self.acked;
        while self.finished.remove(&(self.acked + 1)) {
            self.acked += 1;
        }
        (self.acked > before).then_some(self.acked)
    }

    /// The credit (cumulative) to tell the sender of, when that is worth a message: half of the
    /// window has been finished since the last time.
    pub fn credit(&mut self) -> Option<u64> {
        let due = self.bytes_finished + self.window;
        (due >= self.granted + self.window / 2 && due > self.granted).then(|| {
            self.granted = due;
            due
        })
    }

    /// Grants what the sender asked for, beyond the window; gives the credit to tell it of.
    pub fn grant(&mut self, total: u64) -> u64 {
        self.granted = self.granted.max(total);
        self.granted
    }

    /// Bytes that came and are not finished with.
    pub fn open_bytes(&self) -> u64 {
        self.bytes_come.saturating_sub(self.bytes_finished)
    }
}
