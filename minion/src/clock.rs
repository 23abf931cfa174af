//! The master's clock as this minion knows it.
//!
//! What the master says of its time is true of some moment between a word of ours that it had
//! heard and its own word that we heard: a busy master or network makes that long, and the offset then is
//! known only so far. The best of what several heartbeats tell is kept.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How fast two clocks may drift apart, of which one is being slewed: a millisecond a second.
const DRIFT: u32 = 1000;
/// Heartbeats of ours that the master may still mention.
const ASKED: usize = 4;

/// This host's clock, in microseconds since 1970.
pub fn local_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// How far this host's clock is ahead of the master's, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// As far as is known.
    pub likely: i64,
    /// It is so much more or less at most.
    pub within: u64,
}

impl Offset {
    /// How far off it is at least, in either direction.
    pub fn certain(self) -> u64 {
        self.likely.unsigned_abs().saturating_sub(self.within)
    }
}

/// Tells the master's time. It is set by what the master says and runs on by the monotonic clock,
/// so setting this host's clock changes nothing.
#[derive(Debug, Default)]
pub struct MasterClock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: Option<Bounds>,
    asked: VecDeque<(u64, Instant)>,
}

/// The master's time at a moment: between these two, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    low: u64,
    high: u64,
    at: Instant,
}

impl Bounds {
    /// A master that had heard our word of the moment `asked` no later than at `heard`, and whose word of
    /// `now` came at the moment `came`.
    fn new((heard, asked): (u64, Instant), (now, came): (u64, Instant)) -> Self {
        let high = heard.saturating_add(micros(came.saturating_duration_since(asked)));
        Self { low: now, high: high.max(now), at: came }
    }

    fn later(self, at: Instant) -> Self {
        let since = micros(at.saturating_duration_since(self.at));
        let apart = since / u64::from(DRIFT);
        let low = self.low.saturating_add(since - apart);
        Self { low, high: self.high.saturating_add(since + apart), at }
    }

    /// What is true by both; by the newer alone, if a clock was set in between.
    fn and(self, older: Self) -> Self {
        let older = older.later(self.at);
        let (low, high) = (self.low.max(older.low), self.high.min(older.high));
        if low <= high { Self { low, high, at: self.at } } else { self }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl MasterClock {
    /// The master answered that it is `now` (microseconds since 1970) to what was said at `asked`.
    pub fn answered(&self, now: u64, asked: Instant) {
        self.state().learn(Bounds::new((now, asked), (now, Instant::now())));
    }

    /// A heartbeat that is sent now; gives what it says of this host's clock.
    pub fn asks(&self) -> u64 {
        let (now, mut state) = (local_now(), self.state());
        state.asked.truncate(ASKED - 1);
        state.asked.push_front((now, Instant::now()));
        now
    }

    /// The master's heartbeat of `now`, which mentions one of ours, `echo`, that it heard at `heard`.
    pub fn told(&self, now: u64, echo: u64, heard: u64) {
        let (came, mut state) = (Instant::now(), self.state());
        let asked = state.asked.iter().find(|(said, _)| *said == echo).map(|(_, at)| *at);
        if let Some(asked) = asked {
            state.learn(Bounds::new((heard, asked), (now, came)));
        }
    }

    /// Microseconds since 1970 by the master's clock, which may be later already; by this host's before
    /// the master has spoken.
    pub fn now(&self) -> u64 {
        self.state().known.map_or_else(local_now, |known| known.later(Instant::now()).low)
    }

    /// How far this host's clock is off; nothing before the master has spoken.
    pub fn offset(&self) -> Option<Offset> {
        let known = self.state().known?.later(Instant::now());
        let within = (known.high - known.low).div_ceil(2);
        Some(Offset { likely: local_now() as i64 - (known.low + within) as i64, within })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn learn(&mut self, new: Bounds) {
        self.known = Some(self.known.map_or(new, |older| new.and(older)));
    }
}

/// How long a moment in the future is away; nothing when it has passed.
pub fn until(moment: u64, now: u64) -> Duration {
    Duration::from_micros(moment.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn the_master_decides_what_time_it_is() {
        let clock = MasterClock::default();
        let hour = 3600 * SECOND;
        assert_eq!(clock.offset(), None);
        clock.answered(local_now() - hour, Instant::now());
        let off = clock.offset().unwrap();
        assert!((off.likely - hour as i64).abs() < SECOND as i64, "{off:?}");
        assert!(clock.now() < local_now() - hour + 60 * SECOND);
        assert_eq!(until(5, 9), Duration::ZERO);
    }

    #[test]
    fn a_slow_answer_says_little_and_a_quick_one_is_kept() {
        let begin = Instant::now();
        let after = |seconds: u64| begin + Duration::from_secs(seconds);
        // Asked at 0, told at 20 that it is 1000: the master had that time somewhere in between.
        let slow = Bounds::new((1000 * SECOND, begin), (1000 * SECOND, after(20)));
        assert_eq!((slow.low, slow.high), (1000 * SECOND, 1020 * SECOND));
        // The heartbeat of 30 was heard at 1019, and the master's of 1025 came at 35.
        let quick = Bounds::new((1019 * SECOND, after(30)), (1024 * SECOND, after(35)));
        assert_eq!((quick.low, quick.high), (1024 * SECOND, 1024 * SECOND));
        let best = quick.and(slow);
        assert_eq!((best.low, best.high), (quick.low, quick.high));
        // A slow one does not spoil it.
        let slower = Bounds::new((1029 * SECOND, after(31)), (1030 * SECOND, after(50))).and(best);
        assert!(slower.high - slower.low < SECOND / 10, "{slower:?}");
        // A clock that was set is believed at once.
        let set = Bounds::new((5 * SECOND, after(60)), (5 * SECOND, after(60))).and(slower);
        assert_eq!((set.low, set.high), (5 * SECOND, 5 * SECOND));
    }

    #[test]
    fn only_what_lies_beyond_the_doubt_is_certain() {
        let certain = |likely, within| Offset { likely, within }.certain();
        assert_eq!([certain(-10, 20), certain(30, 20), certain(-600, 10)], [0, 10, 590]);
    }

    #[test]
    fn heartbeats_that_were_not_ours_teach_nothing() {
        let clock = MasterClock::default();
        clock.told(7, 7, 7);
        assert_eq!(clock.offset(), None);
        let said = clock.asks();
        clock.asks();
        clock.told(said + 5, said, said + 5);
        assert!(clock.offset().is_some());
    }
}
