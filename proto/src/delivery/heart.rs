use std::{collections::VecDeque, time::Duration};

use crate::message::{DEAD_AFTER, HEARTBEAT};

/// Heartbeats of one connection. Times are of any clock that only goes forward.
#[derive(Debug, Clone)]
pub struct Heart {
    heard: Duration,
    pinged: Duration,
}

/// What is to be done about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Send a ping, and ask again.
    Ping,
    /// Nothing was heard for too long: the peer is dead.
    Dead,
    /// Ask again at that time.
    Wait(Duration),
}

impl Heart {
    const PERIOD: Duration = Duration::from_secs(HEARTBEAT);

    /// The connection began now.
    pub fn new(now: Duration) -> Self {
        Self { heard: now, pinged: now }
    }

    /// Any message came: who talks lives.
    pub fn heard(&mut self, now: Duration) {
        self.heard = self.heard.max(now);
    }

    /// What to do now. A [`Beat::Ping`] counts as sent.
    pub fn beat(&mut self, now: Duration) -> Beat {
        let dead = self.heard + Self::PERIOD * DEAD_AFTER as u32;
        if now >= dead {
            return Beat::Dead;
        }
        if now >= self.pinged + Self::PERIOD {
            self.pinged = now;
            return Beat::Ping;
        }
        Beat::Wait(dead.min(self.pinged + Self::PERIOD))
    }
}

/// How far another clock is ahead of ours, learnt from authenticated messages that carry its time.
///
/// A message takes time, so each sample is too small by its way; the largest of the last few is
/// nearest to the truth.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset {
    samples: VecDeque<i64>,
}

impl ClockOffset {
    const SAMPLES: usize = 8;
    /// A sample that far off (1 s, in microseconds) means that a clock was set.
    const STEP: u64 = 1_000_000;

    /// The peer's clock said `theirs` when ours said `ours`, both in microseconds since 1970.
    pub fn sample(&mut self, theirs: u64, ours: u64) {
        let sample = theirs.wrapping_sub(ours) as i64;
        if self.micros().is_some_and(|known| known.abs_diff(sample) > Self::STEP) {
            self.samples.clear();
        }
        self.samples.truncate(Self::SAMPLES - 1);
        self.samples.push_front(sample);
    }

    /// Their clock minus ours, in microseconds; `None` before the first sample.
    pub fn micros(&self) -> Option<i64> {
        self.samples.iter().max().copied()
    }

    /// What their clock says when ours says `ours`.
    pub fn theirs(&self, ours: u64) -> u64 {
        ours.saturating_add_signed(self.micros().unwrap_or(0))
    }
}
