//! When those may come again who found no place: one after the other, as fast as handshakes are
//! finished. Values and time in, decisions out.

use std::time::{Duration, Instant};

/// Handshakes that any machine is believed to finish in a second. Who is refused again in its slot
/// costs little; a slot that is far away for nothing costs everyone.
const LEAST: f64 = 1_000.0;
/// How much faster than lately they may come: a master shows only what it was given to do.
const FASTER: f64 = 1.25;
/// The longest that anybody is asked to wait.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Slots {
    /// The slot that was given out last.
    last: Option<Instant>,
    /// Handshakes finished since then, and how many a second there were before.
    finished: u32,
    since: Option<Instant>,
    rate: f64,
}

impl Default for Slots {
    fn default() -> Self {
        Self { last: None, finished: 0, since: None, rate: LEAST }
    }
}

impl Slots {
    /// A handshake has ended, well or not.
    pub fn finished(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.finished += 1;
        let passed = now.saturating_duration_since(since);
        if passed >= Duration::from_secs(1) {
            self.rate = (f64::from(self.finished) / passed.as_secs_f64() * FASTER).max(LEAST);
            self.finished = 0;
            self.since = Some(now);
        }
    }

    /// How long the next who finds no place has to wait, with so many before it at the door.
    pub fn next(&mut self, pending: usize, now: Instant) -> Duration {
        let behind = now + Duration::from_secs_f64(pending as f64 / self.rate);
        let slot = self.last.filter(|last| *last > behind).unwrap_or(behind) + Duration::from_secs_f64(1.0 / self.rate);
        let slot = slot.min(now + LONGEST);
        self.last = Some(slot);
        slot.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_come_again_one_after_the_other() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let waits: Vec<Duration> = (0..10_000).map(|_| slots.next(2_000, now)).collect();
        assert!(waits[0] > Duration::from_secs(2), "those at the door go first");
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((11.9..12.1).contains(&waits[9_999].as_secs_f64()), "a thousand a second");
        // When they have come, nobody waits for slots that are over.
        assert!(slots.next(0, now + Duration::from_secs(20)) < Duration::from_millis(2));
    }

    #[test]
    fn a_fast_master_calls_them_faster_and_nobody_waits_for_ever() {
        let (mut slots, start) = (Slots::default(), Instant::now());
        for n in 0..8_000_u32 {
            slots.finished(start + Duration::from_micros(250) * n);
        }
        let now = start + Duration::from_secs(2);
        let waits: Vec<Duration> = (0..10_000).map(|_| slots.next(0, now)).collect();
        assert!(waits[9_999] < Duration::from_millis(2_100));
        let far = (0..10_000_000).step_by(100_000).map(|_| slots.next(1_000_000, now)).max();
        assert_eq!(far, Some(LONGEST));
    }
}
