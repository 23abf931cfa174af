//! Who watches the watchers: the master's checks of itself.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use proto::{
    checks::{CheckRow, CheckStatus},
    layout,
    message::KeyState,
};

use crate::{clock, server::Master};

/// Seconds between two looks.
const INTERVAL: u32 = 15;
/// What the store may take to put a row on the disk before that is trouble.
const SLOW: Duration = Duration::from_secs(1);
const STUCK: Duration = Duration::from_secs(10);
/// Shares of a disk's space or inodes that are used, in percent.
const FULL: (u64, u64) = (90, 95);
/// What this clock may differ from the minions' (their median), in microseconds.
const OFF: (u64, u64) = (1_000_000, 60_000_000);
/// For so long a jump of this clock is told: who looks now and then must see it.
const JUMP_TOLD: Duration = Duration::from_secs(600);
/// Days after which a session key is old. It is made anew at a start without it, and minions take the new one,
/// since it is the identity that they know.
const OLD: u64 = 730;
/// How many clocks make a median that says something of ours.
const CLOCKS: usize = 3;

type Found = (CheckStatus, String);

/// Looks at the master until the task is dropped.
pub async fn keep(master: Arc<Master>, root_dir: PathBuf) {
    let mut ticks = tokio::time::interval(Duration::from_secs(INTERVAL.into()));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut steady = Steady { wall: clock::now(), since: Instant::now(), jumped: None };
    loop {
        ticks.tick().await;
        let store = store(&master, &root_dir).await;
        let here = root_dir.clone();
        let files = tokio::task::spawn_blocking(move || (disk(&here), keys_on_disk(&here))).await;
        let (disk, key_files) = files.unwrap_or_else(|_| (failed(), failed()));
        let found = [
            ("clock", clock_of(&master, &mut steady)),
            ("disk", disk),
            ("events", events(&master)),
            ("jobs", jobs(&master)),
            ("keys", keys(&master, key_files)),
            ("store", store),
        ];
        let before = master.checks.of_own().rows;
        let now = clock::now();
        let row = |(name, (status, output)): (&str, Found)| {
            let same = before.iter().find(|row| row.name == name && row.status == status);
            let since = same.map_or(now, |row| row.since);
            CheckRow { name: name.into(), status, flapping: false, output, since, at: now, interval: INTERVAL }
        };
        master.checks.set_own(found.into_iter().map(row).collect());
    }
}

fn failed() -> Found {
    (CheckStatus::Unknown, "the look at it failed; the master's log says more".into())
}

/// The wall clock beside one that never jumps.
struct Steady {
    wall: u64,
    since: Instant,
    /// When it jumped last, and by how many microseconds.
    jumped: Option<(Instant, i64)>,
}

impl Steady {
    /// The last jump of the wall clock, if it is not long ago. `wall` and `now` are what both clocks say.
    fn jump(&mut self, wall: u64, now: Instant) -> Option<(Duration, i64)> {
        let passed = now.saturating_duration_since(self.since);
        let jump = wall as i64 - self.wall as i64 - passed.as_micros() as i64;
        (self.wall, self.since) = (wall, now);
        if jump.unsigned_abs() > OFF.0 {
            self.jumped = Some((now, jump));
        }
        let (at, jump) = self.jumped?;
        let ago = now.saturating_duration_since(at);
        (ago < JUMP_TOLD).then_some((ago, jump))
    }
}

fn clock_of(master: &Master, steady: &mut Steady) -> Found {
    let jump = steady.jump(clock::now(), Instant::now());
    let beside = clock_beside(master.fleet.offsets());
    match jump {
        Some((ago, jump)) if beside.0 == CheckStatus::Ok => {
            let when = if ago.is_zero() { String::new() } else { format!(", {} min ago", ago.as_secs().div_ceil(60)) };
            (CheckStatus::Warning, format!("the clock has jumped by {}{when}", seconds(jump)))
        }
        _ => beside,
    }
}

/// `offsets` are the minions' clocks minus ours, in microseconds.
fn clock_beside(mut offsets: Vec<i64>) -> Found {
    if offsets.len() < CLOCKS {
        return (CheckStatus::Ok, format!("no jump; {} minions are too few to compare with", offsets.len()));
    }
    offsets.sort_unstable();
    let median = offsets[offsets.len() / 2];
    let status = match median.unsigned_abs() {
        off if off > OFF.1 => CheckStatus::Critical,
        off if off > OFF.0 => CheckStatus::Warning,
        _ => CheckStatus::Ok,
    };
    (status, format!("{} off the median of {} minions", seconds(-median), offsets.len()))
}

fn seconds(micros: i64) -> String {
    format!("{:+.3} s", micros as f64 / 1e6)
}

async fn store(master: &Master, root_dir: &Path) -> Found {
    let begun = Instant::now();
    let written = tokio::time::timeout(STUCK, master.store.probe()).await;
    let took = begun.elapsed();
    let size = size_of(&root_dir.join("store"));
    let size = format!("{:.1} MiB", size as f64 / (1 << 20) as f64);
    match written {
        Err(_) => (CheckStatus::Critical, format!("{size}; nothing reached the disk for {} s", STUCK.as_secs())),
        Ok(Err(error)) => (CheckStatus::Critical, format!("{size}; {error}")),
        Ok(Ok(())) if took > SLOW => (CheckStatus::Warning, format!("{size}; a write takes {} ms", took.as_millis())),
        Ok(Ok(())) => (CheckStatus::Ok, format!("{size}; a write takes {} ms", took.as_millis())),
    }
}

/// The bytes of a folder's files.
pub fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

fn disk(root_dir: &Path) -> Found {
    match rustix::fs::statvfs(root_dir) {
        Ok(found) => {
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            let free = bytes(found.f_bavail);
            // As `df` reckons: what only root may use is not there.
            let used = bytes(found.f_blocks.saturating_sub(found.f_bfree));
            used_of(
                percent(used, used + free),
                percent(found.f_files - found.f_ffree.min(found.f_files), found.f_files),
                free,
            )
        }
        Err(error) => (CheckStatus::Unknown, format!("{}: {error}", root_dir.display())),
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    (u128::from(part) * 100).div_ceil(u128::from(whole.max(1))) as u64
}

fn used_of(space: u64, inodes: u64, free: u64) -> Found {
    let status = match space.max(inodes) {
        used if used >= FULL.1 => CheckStatus::Critical,
        used if used >= FULL.0 => CheckStatus::Warning,
        _ => CheckStatus::Ok,
    };
    let free = free as f64 / f64::from(1 << 30);
    (status, format!("{space} % of the space used, {free:.1} GiB free, {inodes} % of the inodes used"))
}

/// How far the slowest listener is behind.
fn events(master: &Master) -> Found {
    let (behind, most) = master.events.lag();
    let status = match behind {
        behind if behind >= most => CheckStatus::Critical,
        behind if behind > most / 2 => CheckStatus::Warning,
        _ => CheckStatus::Ok,
    };
    let words = if status == CheckStatus::Critical { "; it misses events" } else { "" };
    (status, format!("the slowest listener is {behind} events behind{words}"))
}

fn jobs(master: &Master) -> Found {
    let (jobs, pairs) = master.jobs.load_now();
    let most = crate::jobs::MOST_LIVE;
    let status = match jobs {
        jobs if jobs >= most * 9 / 10 => CheckStatus::Critical,
        jobs if jobs >= most / 2 => CheckStatus::Warning,
        _ => CheckStatus::Ok,
    };
    (status, format!("{jobs} open jobs of at most {most}, {pairs} open pairs"))
}

/// How old the key files are. One that is gone would be made anew at the next start, and no minion
/// would know this master any more.
fn keys_on_disk(root_dir: &Path) -> Found {
    let (mut said, mut status, mut hint) = (Vec::new(), CheckStatus::Ok, String::new());
    for (word, path) in [("identity", layout::MASTER_KEY), ("session key", crate::pki::STATIC_KEY)] {
        let made = fs::metadata(root_dir.join(path)).and_then(|file| file.modified());
        match made {
            Ok(made) => {
                let days = SystemTime::now().duration_since(made).unwrap_or_default().as_secs() / 86_400;
                said.push(format!("{word} {days} days old"));
                if path == crate::pki::STATIC_KEY && days >= OLD {
                    status = CheckStatus::Warning;
                    hint = format!("; after {OLD} days a new one is due: remove {path}, then start the master again");
                }
            }
            Err(error) => return (CheckStatus::Critical, format!("{word}: {path}: {error}")),
        }
    }
    (status, said.join(", ") + &hint)
}

fn keys(master: &Master, (status, on_disk): Found) -> Found {
    let rows = master.keys.list();
    let pending = rows.iter().filter(|row| row.state == KeyState::Pending).count();
    let waiting = if pending == 0 { String::new() } else { format!(", {pending} minions wait to be accepted") };
    (status, format!("{on_disk}{waiting}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_held_against_the_median_of_the_others() {
        let status = |offsets: &[i64]| clock_beside(offsets.to_vec()).0;
        assert_eq!(status(&[0, 1, 90_000_000]), CheckStatus::Ok, "one clock that is off is not ours");
        assert_eq!(status(&[-600_000_000, -599_000_000, 0]), CheckStatus::Critical);
        assert_eq!(status(&[2_000_000, 2_000_001, 1_999_999]), CheckStatus::Warning);
        assert_eq!(status(&[90_000_000]), CheckStatus::Ok);
        assert_eq!(clock_beside(vec![2_000_000; 3]).1, "-2.000 s off the median of 3 minions");
    }

    #[test]
    fn a_jump_of_the_clock_is_told_for_a_while() {
        let begun = Instant::now();
        let mut steady = Steady { wall: 1_000_000_000, since: begun, jumped: None };
        // Both clocks after so many seconds, the wall clock changed by `off` of them.
        let mut at = |passed: u64, off: i64| {
            steady.jump((1_000 + passed) * 1_000_000 + (off * 1_000_000) as u64, begun + Duration::from_secs(passed))
        };
        assert_eq!(at(15, 0), None);
        assert_eq!(at(30, 600), Some((Duration::ZERO, 600_000_000)));
        assert_eq!(at(45, 600), Some((Duration::from_secs(15), 600_000_000)));
        assert_eq!(at(700, 600), None);
        assert_eq!(at(715, 0), Some((Duration::ZERO, -600_000_000)));
    }

    #[test]
    fn space_and_inodes_are_both_looked_at() {
        assert_eq!(used_of(50, 20, 1 << 30).0, CheckStatus::Ok);
        assert_eq!(used_of(50, 92, 1 << 30).0, CheckStatus::Warning);
        assert_eq!(used_of(96, 20, 0).0, CheckStatus::Critical);
        assert_eq!((percent(0, 0), percent(1, 3), percent(u64::MAX, u64::MAX)), (0, 34, 100));
    }

    #[test]
    fn a_key_file_that_is_gone_is_told_before_the_next_start_makes_another() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(keys_on_disk(folder.path()).0, CheckStatus::Critical);
        fs::create_dir(folder.path().join("pki")).unwrap();
        for name in [layout::MASTER_KEY, crate::pki::STATIC_KEY] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(
            keys_on_disk(folder.path()),
            (CheckStatus::Ok, "identity 0 days old, session key 0 days old".into())
        );
        let days = |n: u64| SystemTime::now() - Duration::from_secs(n * 86_400 + 60);
        let age = |name: &str, n: u64| {
            let file = fs::File::options().append(true).open(folder.path().join(name)).unwrap();
            file.set_modified(days(n)).unwrap();
        };
        age(layout::MASTER_KEY, 4000);
        age(crate::pki::STATIC_KEY, OLD - 1);
        let (status, text) = keys_on_disk(folder.path());
        assert_eq!((status, text.as_str()), (CheckStatus::Ok, "identity 4000 days old, session key 729 days old"));
        age(crate::pki::STATIC_KEY, OLD);
        let (status, text) = keys_on_disk(folder.path());
        assert!(status == CheckStatus::Warning && text.contains("session key 730 days old; after"), "{text}");
        assert_eq!(disk(Path::new("/nonexistent")).0, CheckStatus::Unknown);
        assert_eq!(size_of(&folder.path().join("pki")), 2);
    }
}
