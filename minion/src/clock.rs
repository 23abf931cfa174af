//! The master's clock as this minion knows it.

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// This host's clock, in microseconds since 1970.
pub fn local_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Tells the master's time. It is set by what the master says and runs on by the monotonic clock,
/// so setting this host's clock changes nothing.
#[derive(Debug, Default)]
pub struct MasterClock {
    told: Mutex<Option<(u64, Instant)>>,
}

impl MasterClock {
    /// The master said that it is `now` (microseconds since 1970).
    pub fn told(&self, now: u64) {
        *self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((now, Instant::now()));
    }

    /// Microseconds since 1970 by the master's clock; by this host's before the master has spoken.
    pub fn now(&self) -> u64 {
        match *self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((told, at)) => told + at.elapsed().as_micros() as u64,
            None => local_now(),
        }
    }

    /// Whether the master has spoken.
    pub fn is_known(&self) -> bool {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_some()
    }

    /// How far this host's clock is ahead of the master's, in microseconds.
    pub fn offset(&self) -> i64 {
        local_now() as i64 - self.now() as i64
    }
}

/// How long a moment in the future is away; nothing when it has passed.
pub fn until(moment: u64, now: u64) -> Duration {
    Duration::from_micros(moment.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_decides_what_time_it_is() {
        let clock = MasterClock::default();
        let hour = 3_600_000_000;
        clock.told(local_now() - hour);
        let off = (clock.offset() - hour as i64).abs();
        assert!(off < 1_000_000, "{off}");
        assert_eq!(until(5, 9), Duration::ZERO);
    }
}
