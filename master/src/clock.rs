//! The one place where the master looks at a clock.

/// Microseconds since 1970.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}
