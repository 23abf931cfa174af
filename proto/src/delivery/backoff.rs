use std::time::Duration;

/// When to try again. Full jitter: anything between nothing and a ceiling that doubles, so that
/// ten thousand minions do not come back in one moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    refusals: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30))
    }
}

impl Backoff {
    /// A peer that refuses us is not asked more often than this, in the end.
    pub const REFUSED: Duration = Duration::from_secs(300);

    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0, refusals: 0 }
    }

    /// The connection broke or never came. `random` is uniform in `0.0..1.0`.
    pub fn failed(&mut self, random: f64) -> Duration {
        let ceiling = doubled(self.first, self.failures, self.longest);
        self.failures += 1;
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// The peer refused us and asked for so much patience. It gets that, then twice as much each
    /// time it refuses again, up to five minutes; and up to half as much on top, at random.
    pub fn refused(&mut self, asked: Duration, random: f64) -> Duration {
        let wait = doubled(asked.max(self.first), self.refusals, Self::REFUSED);
        self.refusals += 1;
        wait.mul_f64(1.0 + random.clamp(0.0, 1.0) / 2.0).min(Self::REFUSED)
    }

    /// A connection stood: start anew.
    pub fn reset(&mut self) {
        (self.failures, self.refusals) = (0, 0);
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(times.min(31)).unwrap_or(u32::MAX)).min(longest)
}
