//! Many checks at once, none of them for longer than it may.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use super::{
    Configured, Found, Row, Scene,
    kinds::Work,
    places::{PATIENCE, Place},
};

/// Checks that run at once.
const AT_ONCE: usize = 16;
/// Programs that begin at once: a host has work of its own to do.
const PROGRAMS: usize = 2;
/// Checks of this process that did not end in time and still hang, at most.
pub const STUCK: usize = 32;
/// A plugin ends itself at its time-out; this much later a check is given up.
pub const GRACE: Duration = Duration::from_millis(500);
/// When nothing has ended for so long, one more thread begins with what waits.
const MORE: Duration = Duration::from_millis(10);
/// How often a killed job is noticed.
const LOOK: Duration = Duration::from_millis(200);

static HANGING: AtomicUsize = AtomicUsize::new(0);

impl Configured {
    /// Looks, here and now, for as long as the check itself takes.
    pub fn look(&self, scene: &Scene) -> Found {
        let looked = catch_unwind(AssertUnwindSafe(|| self.check.look(scene)));
        let found = looked.unwrap_or_else(|_| Err("the check panicked, which is a fault of ours".into()));
        found.unwrap_or_else(Found::unknown)
    }
}

/// Runs checks and gives their rows in order. `cancelled` ends it early.
///
/// What the kernel answers at once is asked on this thread: it takes less time than another would to
/// begin. For the rest there is one thread, which others join while it waits for something.
pub fn run(checks: Vec<Arc<Configured>>, scene: &Scene, cancelled: &dyn Fn() -> bool) -> Vec<Row> {
    let (send, ended) = mpsc::channel();
    let names: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    let mut rows: Vec<Option<Row>> = names.iter().map(|_| None).collect();
    let (quick, slow): (Vec<_>, Vec<_>) =
        checks.into_iter().enumerate().partition(|(_, check)| check.kind.work == Work::Quick);
    let round = Arc::new(Round { scene: scene.clone(), send, at: Mutex::new(At::new(slow.into())) });
    round.more();
    let mut left = names.len();
    for (at, check) in quick {
        rows[at] = (!cancelled()).then(|| round.look(&check, None));
        left -= 1;
    }
    while left > 0 {
        match ended.recv_timeout(round.patience()) {
            Ok((at, row)) if rows[at].is_none() => {
                rows[at] = Some(row);
                left -= 1;
            }
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) if cancelled() => break,
            Err(RecvTimeoutError::Timeout) => {
                round.give_up();
                round.more();
            }
        }
    }
    round.at().waiting.clear();
    let missing = |(name, row): (&String, Option<Row>)| row.unwrap_or_else(|| unknown(name, "the job was killed"));
    names.iter().zip(rows).map(missing).collect()
}

fn unknown(name: &str, why: impl Into<String>) -> Row {
    Row { name: name.to_owned(), found: Found::unknown(why), duration: Duration::ZERO }
}

/// Checks that run together.
struct Round {
    scene: Scene,
    send: mpsc::Sender<(usize, Row)>,
    at: Mutex<At>,
}

/// How far a round is.
struct At {
    waiting: VecDeque<(usize, Arc<Configured>)>,
    /// What is looked at, by its number.
    active: HashMap<usize, Active>,
    threads: usize,
}

struct Active {
    name: String,
    deadline: Instant,
    place: Option<Arc<Place>>,
}

impl At {
    fn new(waiting: VecDeque<(usize, Arc<Configured>)>) -> Self {
        Self { waiting, active: HashMap::new(), threads: 0 }
    }

    /// The first that waits, or the first that starts no program while enough of these begin.
    fn next(&self) -> Option<usize> {
        let brisk = |active: &&Active| active.place.as_ref().is_some_and(|place| !place.is_left());
        let programs = self.active.values().filter(brisk).count() < PROGRAMS;
        self.waiting.iter().position(|(_, check)| programs || !by_program(check))
    }

    fn begin(&mut self) -> Option<(usize, Arc<Configured>, Option<Arc<Place>>)> {
        let (at, check) = self.waiting.remove(self.next()?)?;
        let place = by_program(&check).then(Arc::<Place>::default);
        let patience = if place.is_some() { PATIENCE } else { Duration::ZERO };
        let deadline = Instant::now() + patience + check.timeout + GRACE;
        self.active.insert(at, Active { name: check.name.clone(), deadline, place: place.clone() });
        Some((at, check, place))
    }
}

fn by_program(check: &Configured) -> bool {
    check.kind.work == Work::Starts
}

impl Round {
    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nothing may end before it is looked what else can be done.
    fn patience(&self) -> Duration {
        let at = self.at();
        let first = at.active.values().map(|active| active.deadline).min().unwrap_or_else(Instant::now);
        let look = if at.next().is_some() { MORE } else { LOOK };
        first.saturating_duration_since(Instant::now()).clamp(Duration::from_micros(100), look)
    }

    /// One more thread, if there is something for it to do.
    fn more(self: &Arc<Self>) {
        let mut at = self.at();
        if at.threads >= AT_ONCE || at.next().is_none() {
            return;
        }
        let round = self.clone();
        let started =
            std::thread::Builder::new().name("check".into()).stack_size(256 << 10).spawn(move || round.work());
        match started {
            Ok(_) => at.threads += 1,
            Err(error) if at.threads == 0 => self.fail(&mut at, &format!("the check could not be started: {error}")),
            Err(_) => {}
        }
    }

    fn fail(&self, at: &mut At, why: &str) {
        for (number, check) in at.waiting.drain(..) {
            let _ = self.send.send((number, unknown(&check.name, why)));
        }
    }

    /// What has not ended in time is nobody's any more; nor is its thread.
    fn give_up(&self) {
        let (mut at, now) = (self.at(), Instant::now());
        let late: Vec<usize> =
            at.active.iter().filter(|(_, active)| active.deadline <= now).map(|(number, _)| *number).collect();
        for number in late {
            let Some(active) = at.active.remove(&number) else { continue };
            at.threads -= 1;
            HANGING.fetch_add(1, SeqCst);
            let _ = self.send.send((number, unknown(&active.name, "it did not end in time")));
        }
    }

    /// A thread's work: one check after the other, until there is none or it has been given up.
    fn work(&self) {
        loop {
            let begun = self.at().begin();
            let Some((number, check, place)) = begun else { break };
            let row = self.look(&check, place.as_deref());
            if self.at().active.remove(&number).is_none() {
                // It hung, and hangs no longer.
                let _ = HANGING.fetch_update(SeqCst, SeqCst, |hanging| hanging.checked_sub(1));
                return;
            }
            let _ = self.send.send((number, row));
        }
        self.at().threads -= 1;
    }

    fn look(&self, check: &Configured, place: Option<&Place>) -> Row {
        if HANGING.load(SeqCst) >= STUCK {
            return unknown(&check.name, "too many checks hang; restart the minion once their cause is mended");
        }
        if let Some(place) = place {
            place.take();
        }
        let begun = Instant::now();
        let found = check.look(&Scene { timeout: check.timeout, ..self.scene.clone() });
        if let Some(place) = place {
            place.leave();
        }
        Row { name: check.name.clone(), found, duration: begun.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Check, Source, Status, kinds},
        *,
    };

    struct Fixed(Duration);

    impl Check for Fixed {
        fn look(&self, _: &Scene) -> Result<Found, String> {
            std::thread::sleep(self.0);
            Ok(Found::new(Status::Ok, "well"))
        }
    }

    struct Panics;

    impl Check for Panics {
        fn look(&self, _: &Scene) -> Result<Found, String> {
            panic!("on purpose")
        }
    }

    fn named(name: &str, check: Box<dyn Check>, timeout: u64) -> Arc<Configured> {
        of_kind(&kinds::TABLE[0], name, check, timeout)
    }

    fn of_kind(kind: &'static kinds::Kind, name: &str, check: Box<dyn Check>, timeout: u64) -> Arc<Configured> {
        Arc::new(Configured {
            name: name.into(),
            kind,
            check: check.into(),
            timeout: Duration::from_millis(timeout),
            interval: Duration::from_secs(60),
            source: Source::Config,
            text: String::new(),
        })
    }

    /// Notes how many looked at once.
    struct Counted {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
        takes: Duration,
    }

    impl Check for Counted {
        fn look(&self, _: &Scene) -> Result<Found, String> {
            self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(self.takes);
            self.now.fetch_sub(1, SeqCst);
            Ok(Found::new(Status::Ok, "well"))
        }
    }

    fn most_plugins(takes: Duration) -> usize {
        let (now, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let plugin = kinds::TABLE.iter().find(|kind| kind.name == "plugin").unwrap();
        let one = |n: usize| {
            let counted = Counted { now: now.clone(), most: most.clone(), takes };
            of_kind(plugin, &n.to_string(), Box::new(counted), 60_000)
        };
        assert_eq!(run((0..8).map(one).collect(), &SCENE, &|| false).len(), 8);
        most.load(SeqCst)
    }

    #[test]
    fn brisk_programs_run_two_at_a_time_and_slow_ones_hold_up_nobody() {
        assert_eq!(most_plugins(Duration::from_millis(50)), 2);
        assert!(most_plugins(Duration::from_millis(2500)) >= 4);
    }

    const SCENE: Scene = Scene { offset: None, timeout: Duration::ZERO, memory: None, drift: None };

    #[test]
    fn rows_come_in_order_and_what_hangs_or_panics_harms_no_other() {
        let mut checks = vec![
            named("hangs", Box::new(Fixed(Duration::from_secs(600))), 1),
            named("panics", Box::new(Panics), 60_000),
        ];
        checks.extend((0..40).map(|n| named(&n.to_string(), Box::new(Fixed(Duration::ZERO)), 60_000)));
        let rows = run(checks, &SCENE, &|| false);
        assert_eq!(rows.len(), 42);
        assert_eq!((rows[0].found.status, rows[0].found.output.as_str()), (Status::Unknown, "it did not end in time"));
        assert!(rows[1].found.output.contains("panicked"));
        assert!(rows[2..].iter().all(|row| row.found.status == Status::Ok));
        assert_eq!(rows[41].name, "39");
    }

    #[test]
    fn a_killed_job_waits_for_nothing() {
        let checks = vec![named("slow", Box::new(Fixed(Duration::from_secs(600))), 600_000)];
        let rows = run(checks, &SCENE, &|| true);
        assert_eq!(rows[0].found.output, "the job was killed");
    }
}
