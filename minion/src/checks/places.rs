//! How many programs of checks begin at once on this machine, whichever minions and operators begin
//! them: hosts in containers of one kernel are asked together, and a plugin that walks through all
//! processes takes longer for each other one that runs.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{available_parallelism, sleep},
    time::{Duration, Instant},
};

use rand::RngExt;
use rustix::fs::{FlockOperation, flock};

/// Root's alone: nobody else may make checks wait.
const FOLDER: &str = "/run/overstate";
/// For each processor; a program waits for the disk too.
const EACH: usize = 2;
/// A program that takes longer than this probably waits for something, and others begin beside it.
const BRISK: Duration = Duration::from_secs(1);
/// Nobody waits longer than this for a place.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long after the first look for a place the next one comes, on average; each further one takes twice
/// as long, up to the last.
const LOOK: Duration = Duration::from_millis(4);
const SELDOM: Duration = Duration::from_millis(40);

/// One thread of a process looks for a place, the others wait for it.
static TURN: Mutex<()> = Mutex::new(());

/// One of the machine's places for a program that begins; free again when it is dropped, when the
/// program turned out not to be brisk, or when this process ends in whatever way.
#[derive(Debug, Default)]
pub struct Place(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    /// The lock is what others see; there is none where nothing can be locked.
    Begun {
        since: Instant,
        _lock: Option<File>,
    },
    Over,
}

impl Place {
    /// Waits for a place, with patience; after that the program begins without one.
    pub fn take(&self) {
        self.take_in(Path::new(FOLDER), available_parallelism().map_or(1, usize::from) * EACH);
    }

    fn take_in(&self, folder: &Path, places: usize) {
        let lock = lock_one(open(folder, places));
        *self.state() = State::Begun { since: Instant::now(), _lock: lock };
    }

    /// Whether others may begin beside it; gives its place away then.
    pub fn is_left(&self) -> bool {
        let mut state = self.state();
        if matches!(&*state, State::Begun { since, .. } if since.elapsed() >= BRISK) {
            *state = State::Over;
        }
        matches!(*state, State::Over)
    }

    /// The program has ended.
    pub fn leave(&self) {
        *self.state() = State::Over;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files to lock; none for who may not have them (an operator who is not root).
fn open(folder: &Path, places: usize) -> Vec<File> {
    let _ = DirBuilder::new().mode(0o700).create(folder);
    let file = |n| OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(n));
    (0..places).map_while(|n| file(format!("program{n}")).ok()).collect()
}

fn lock_one(files: Vec<File>) -> Option<File> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (begun, mut pause) = (Instant::now(), LOOK);
    while !files.is_empty() && begun.elapsed() < PATIENCE {
        let free = files.iter().position(|file| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok());
        if let Some(free) = free {
            return files.into_iter().nth(free);
        }
        // Of its own length for each, so that not all look at the same moment.
        sleep(pause.mul_f64(rand::rng().random_range(0.5..1.5)));
        pause = (pause * 2).min(SELDOM);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_process_s_until_it_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("places");
        let (first, second) = (Place::default(), Place::default());
        first.take_in(&folder, 2);
        second.take_in(&folder, 2);
        let free = || {
            open(&folder, 2).iter().filter(|file| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()).count()
        };
        assert_eq!(free(), 0);
        assert!(!first.is_left());
        first.leave();
        assert!(first.is_left());
        assert_eq!(free(), 1);
        drop(second);
        assert_eq!(free(), 2);
    }

    #[test]
    fn what_is_not_brisk_gives_its_place_away() {
        let folder = tempfile::tempdir().unwrap();
        let (slow, next) = (Place::default(), Place::default());
        slow.take_in(folder.path(), 1);
        std::thread::scope(|scope| {
            scope.spawn(|| next.take_in(folder.path(), 1));
            while !slow.is_left() {
                sleep(LOOK);
            }
        });
        assert!(matches!(&*next.state(), State::Begun { _lock: Some(_), .. }));
    }

    #[test]
    fn who_may_not_lock_begins_at_once() {
        let place = Place::default();
        place.take_in(Path::new("/proc/no such folder"), 2);
        assert!(matches!(&*place.state(), State::Begun { _lock: None, .. }));
    }
}
