//! Many checks at once, none of them for longer than it may.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use super::{
    Configured, Found, Row, Scene,
    places::{PATIENCE, Place},
};

/// Checks that run at once.
const AT_ONCE: usize = 16;
/// Kinds that start a program. So many of them begin at once: a host has work of its own to do.
const BY_PROGRAM: [&str; 3] = ["plugin", "service", "systemd"];
const PROGRAMS: usize = 2;
/// Checks of this process that did not end in time and still hang, at most.
const STUCK: usize = 32;
/// A plugin ends itself at its time-out; this much later a check is given up.
const GRACE: Duration = Duration::from_millis(500);
/// How often a killed job is noticed.
const LOOK: Duration = Duration::from_millis(200);

static HANGING: AtomicUsize = AtomicUsize::new(0);

/// Runs checks and gives their rows in order. `cancelled` ends it early.
pub fn run(checks: Vec<Configured>, scene: &Scene, cancelled: &dyn Fn() -> bool) -> Vec<Row> {
    let (send, ended) = mpsc::channel();
    let names: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    let mut rows: Vec<Option<Row>> = names.iter().map(|_| None).collect();
    let mut waiting: VecDeque<(usize, Configured)> = checks.into_iter().enumerate().collect();
    let mut active: HashMap<usize, Instant> = HashMap::new();
    let mut brisk: Vec<(usize, Arc<Place>)> = Vec::new();
    while !(waiting.is_empty() && active.is_empty()) {
        brisk.retain(|(at, place)| active.contains_key(at) && !place.is_left());
        while active.len() < AT_ONCE
            && let Some((at, check)) = next(&mut waiting, brisk.len() < PROGRAMS)
        {
            let place = by_program(&check).then(Arc::<Place>::default);
            brisk.extend(place.clone().map(|place| (at, place)));
            match start(at, check, place, scene, &send) {
                Ok(deadline) => drop(active.insert(at, deadline)),
                Err(why) => rows[at] = Some(unknown(&names[at], why, Duration::ZERO)),
            }
        }
        let first = active.values().min().copied().unwrap_or_else(Instant::now);
        match ended.recv_timeout(first.saturating_duration_since(Instant::now()).min(LOOK)) {
            Ok((at, row)) if active.remove(&at).is_some() => rows[at] = Some(row),
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) if cancelled() => break,
            Err(RecvTimeoutError::Timeout) => give_up(&mut active, &mut rows, &names),
        }
    }
    let missing = |(name, row): (&String, Option<Row>)| {
        row.unwrap_or_else(|| unknown(name, "the job was killed".into(), Duration::ZERO))
    };
    names.iter().zip(rows).map(missing).collect()
}

fn by_program(check: &Configured) -> bool {
    BY_PROGRAM.contains(&check.kind.name)
}

/// The first that waits, or the first that starts no program.
fn next(waiting: &mut VecDeque<(usize, Configured)>, programs: bool) -> Option<(usize, Configured)> {
    let at = waiting.iter().position(|(_, check)| programs || !by_program(check))?;
    waiting.remove(at)
}

fn unknown(name: &str, why: String, duration: Duration) -> Row {
    Row { name: name.to_owned(), found: Found::unknown(why), duration }
}

fn give_up(active: &mut HashMap<usize, Instant>, rows: &mut [Option<Row>], names: &[String]) {
    let now = Instant::now();
    let late: Vec<usize> = active.iter().filter(|(_, deadline)| **deadline <= now).map(|(at, _)| *at).collect();
    for at in late {
        active.remove(&at);
        HANGING.fetch_add(1, SeqCst);
        rows[at] = Some(unknown(&names[at], "it did not end in time".into(), Duration::ZERO));
    }
}

fn start(
    at: usize,
    check: Configured,
    place: Option<Arc<Place>>,
    scene: &Scene,
    send: &mpsc::Sender<(usize, Row)>,
) -> Result<Instant, String> {
    if HANGING.load(SeqCst) >= STUCK {
        return Err("too many checks hang; restart the minion once their cause is mended".into());
    }
    let (scene, send) = (Scene { timeout: check.timeout, ..scene.clone() }, send.clone());
    let patience = if place.is_some() { PATIENCE } else { Duration::ZERO };
    let deadline = Instant::now() + patience + check.timeout + GRACE;
    let name = Arc::<str>::from(check.name.as_str());
    let work = move || {
        if let Some(place) = &place {
            place.take();
        }
        let begun = Instant::now();
        let looked = catch_unwind(AssertUnwindSafe(|| check.check.look(&scene)));
        let found = looked.unwrap_or_else(|_| Err("the check panicked, which is a fault of ours".into()));
        let found = found.unwrap_or_else(Found::unknown);
        // Nobody may wait for it any more: then it hung, and hangs no longer.
        let row = Row { name: name.to_string(), found, duration: begun.elapsed() };
        if let Some(place) = &place {
            place.leave();
        }
        if send.send((at, row)).is_err() || Instant::now() > deadline {
            let _ = HANGING.fetch_update(SeqCst, SeqCst, |hanging| hanging.checked_sub(1));
        }
    };
    let started = std::thread::Builder::new().name("check".into()).stack_size(256 << 10).spawn(work);
    started.map(|_| deadline).map_err(|error| format!("the check could not be started: {error}"))
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

    fn named(name: &str, check: Box<dyn Check>, timeout: u64) -> Configured {
        Configured {
            name: name.into(),
            kind: &kinds::TABLE[0],
            check: check.into(),
            timeout: Duration::from_millis(timeout),
            interval: Duration::from_secs(60),
            source: Source::Config,
            text: String::new(),
        }
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
            Configured { kind: plugin, ..named(&n.to_string(), Box::new(counted), 60_000) }
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
