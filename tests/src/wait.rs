//! Waiting for something that another process does.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Asks `ready` again and again until it gives something, and gives that.
///
/// # Panics
/// After `limit`, naming `what` was waited for.
///
/// ```
/// use std::time::Duration;
/// let mut tries = 0;
/// let third = tests::wait::until(Duration::from_secs(5), "the third try", || {
///     tries += 1;
///     (tries == 3).then_some(tries)
/// });
/// assert_eq!(third, 3);
/// ```
#[track_caller]
pub fn until<T>(limit: Duration, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(200));
    }
}

/// Seconds, for those who write many of them.
///
/// ```
/// assert_eq!(tests::wait::secs(2).as_millis(), 2000);
/// ```
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
