//! A master and a minion in one thread, with a network and crashes between them that a random
//! script commands. Whatever it does, in the end every job has exactly one end on the master's
//! disk, and no job has run twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use crate::delivery::{Arrival, Dedupe, DeliveryError, Inbox, Outbox, Seen};

type Jid = u64;

#[derive(Debug, Clone, PartialEq)]
enum Down {
    Publish { seq: u64, jid: Jid },
    Stored { up_to: u64 },
    Credit { bytes: u64 },
    Fate { jid: Jid },
}

#[derive(Debug, Clone, PartialEq)]
enum Up {
    Hello { running: Vec<Jid>, spooled: Vec<Jid> },
    Received { up_to: u64 },
    Return { seq: u64, jid: Jid, lost: bool, bytes: u64 },
    Want { bytes: u64 },
    Unknown { jid: Jid },
}

const UP: u64 = 100;

/// What a return weighs: some more than the credit that is given unasked.
fn weight(jid: Jid) -> u64 {
    [10, 40, 90, 250][jid as usize % 4]
}

struct Master {
    // On disk.
    expected: BTreeSet<Jid>,
    ended: BTreeMap<Jid, bool>,
    // In memory, for one connection.
    outbox: Outbox<Jid>,
    inbox: Inbox,
    writing: VecDeque<(u64, Jid, bool, u64)>,
    greeted: bool,
}

impl Master {
    fn connect(&mut self) {
        self.outbox = Outbox::windowed(3, 1000);
        self.inbox = Inbox::new(UP);
        self.writing.clear();
        self.greeted = false;
    }

    fn open(&self) -> impl Iterator<Item = Jid> + '_ {
        self.expected.iter().copied().filter(|jid| !self.ended.contains_key(jid))
    }

    fn publish(&mut self, jid: Jid, out: &mut VecDeque<Down>) {
        self.expected.insert(jid);
        if self.greeted {
            self.outbox.push(jid, 100);
            self.send(out);
        }
    }

    fn send(&mut self, out: &mut VecDeque<Down>) {
        while let Some((seq, &jid)) = self.outbox.take_next() {
            out.push_back(Down::Publish { seq, jid });
        }
    }

    fn hear(&mut self, message: Up, out: &mut VecDeque<Down>) -> Result<(), DeliveryError> {
        match message {
            Up::Hello { running, spooled } if !self.greeted => {
                self.greeted = true;
                let has: BTreeSet<Jid> = running.into_iter().chain(spooled).collect();
                for (n, jid) in self.open().filter(|jid| !has.contains(jid)).collect::<Vec<_>>().into_iter().enumerate()
                {
                    // Half of them are beyond their time: asked about instead of sent again.
                    if n.is_multiple_of(2) { self.outbox.push(jid, 100) } else { out.push_back(Down::Fate { jid }) }
                }
                self.send(out);
            }
            Up::Hello { .. } => {}
            Up::Received { up_to } => {
                self.outbox.ack(up_to)?;
                self.send(out);
            }
            Up::Return { seq, jid, lost, bytes } => {
                if self.inbox.accept(seq, bytes)? == Arrival::New {
                    self.writing.push_back((seq, jid, lost, bytes));
                }
            }
            Up::Want { bytes } => out.push_back(Down::Credit { bytes: self.inbox.grant(bytes) }),
            Up::Unknown { jid } if self.greeted && !self.ended.contains_key(&jid) => self.publish(jid, out),
            Up::Unknown { .. } => {}
        }
        Ok(())
    }

    /// A group of returns reaches the disk.
    fn store(&mut self, out: &mut VecDeque<Down>) {
        let group: Vec<_> = self.writing.drain(..).collect();
        // Ends are written once, whoever sends them again.
        for (_, jid, lost, _) in &group {
            self.ended.entry(*jid).or_insert(*lost);
        }
        for (seq, _, _, bytes) in group.into_iter().rev() {
            out.extend(self.inbox.finish(seq, bytes).map(|up_to| Down::Stored { up_to }));
        }
        out.extend(self.inbox.credit().map(|bytes| Down::Credit { bytes }));
    }
}

#[derive(Default)]
struct Minion {
    // On disk.
    marks: BTreeSet<Jid>,
    spool: BTreeMap<Jid, bool>,
    /// How often each job was run.
    runs: BTreeMap<Jid, u32>,
    // In memory.
    waiting: VecDeque<Jid>,
    running: BTreeSet<Jid>,
    // For one connection.
    inbox: Option<Inbox>,
    outbox: Option<Outbox<(Jid, bool)>>,
}

impl Minion {
    fn connect(&mut self, out: &mut VecDeque<Up>) {
        self.inbox = Some(Inbox::new(u64::MAX / 4));
        let mut outbox = Outbox::credited(UP);
        self.spool.iter().for_each(|(&jid, &lost)| outbox.push((jid, lost), weight(jid)));
        self.outbox = Some(outbox);
        let running = self.running.iter().chain(&self.waiting).copied().collect();
        out.push_back(Up::Hello { running, spooled: self.spool.keys().copied().collect() });
        self.send(out);
    }

    fn send(&mut self, out: &mut VecDeque<Up>) {
        let Some(outbox) = &mut self.outbox else { return };
        while let Some((seq, &(jid, lost))) = outbox.take_next() {
            out.push_back(Up::Return { seq, jid, lost, bytes: weight(jid) });
        }
        out.extend(outbox.wants().map(|bytes| Up::Want { bytes }));
    }

    fn knows(&self, jid: Jid) -> bool {
        self.marks.contains(&jid) || self.waiting.contains(&jid)
    }

    fn hear(&mut self, message: Down, out: &mut VecDeque<Up>) -> Result<(), DeliveryError> {
        let (Some(inbox), Some(outbox)) = (&mut self.inbox, &mut self.outbox) else { return Ok(()) };
        match message {
            Down::Publish { seq, jid } => {
                if inbox.accept(seq, 100)? == Arrival::New {
                    out.extend(inbox.finish(seq, 100).map(|up_to| Up::Received { up_to }));
                    if !self.knows(jid) {
                        self.waiting.push_back(jid);
                    }
                }
            }
            Down::Stored { up_to } => {
                for (jid, _) in outbox.ack(up_to)? {
                    self.spool.remove(&jid);
                }
            }
            Down::Credit { bytes } => outbox.grant(bytes),
            Down::Fate { jid } if self.knows(jid) => {}
            Down::Fate { jid } => out.push_back(Up::Unknown { jid }),
        }
        self.send(out);
        Ok(())
    }

    fn start(&mut self) {
        if let Some(jid) = self.waiting.pop_front() {
            self.marks.insert(jid);
            *self.runs.entry(jid).or_default() += 1;
            self.running.insert(jid);
        }
    }

    fn end(&mut self, out: &mut VecDeque<Up>) {
        if let Some(jid) = self.running.pop_first() {
            self.keep(jid, false);
            self.send(out);
        }
    }

    fn keep(&mut self, jid: Jid, lost: bool) {
        self.spool.insert(jid, lost);
        if let Some(outbox) = &mut self.outbox {
            outbox.push((jid, lost), weight(jid));
        }
    }

    /// Memory is gone; what was running can never return.
    fn restart(&mut self) {
        (self.inbox, self.outbox) = (None, None);
        self.waiting.clear();
        for jid in std::mem::take(&mut self.running) {
            self.keep(jid, true);
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Publish,
    DeliverDown,
    DeliverUp,
    Start,
    End,
    Store,
    Cut,
    MinionCrash,
    MasterCrash,
    // What only a peer that breaks the contract could cause; the session refuses it before.
    DoubleDown,
    DoubleUp,
    SwapDown,
    SwapUp,
    ForgeDown(u64),
    ForgeUp(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Publish),
        12 => Just(Event::DeliverDown),
        12 => Just(Event::DeliverUp),
        6 => Just(Event::Start),
        6 => Just(Event::End),
        4 => Just(Event::Store),
        1 => Just(Event::Cut),
        1 => Just(Event::MinionCrash),
        1 => Just(Event::MasterCrash),
        1 => Just(Event::DoubleDown),
        1 => Just(Event::DoubleUp),
        1 => Just(Event::SwapDown),
        1 => Just(Event::SwapUp),
        1 => (0u64..9).prop_map(Event::ForgeDown),
        1 => (0u64..9).prop_map(Event::ForgeUp),
    ]
}

struct World {
    master: Master,
    minion: Minion,
    down: VecDeque<Down>,
    up: VecDeque<Up>,
    next: Jid,
}

impl World {
    fn new() -> Self {
        let master = Master {
            expected: BTreeSet::new(),
            ended: BTreeMap::new(),
            outbox: Outbox::windowed(3, 1000),
            inbox: Inbox::new(UP),
            writing: VecDeque::new(),
            greeted: false,
        };
        let mut world = Self { master, minion: Minion::default(), down: VecDeque::new(), up: VecDeque::new(), next: 0 };
        world.reconnect();
        world
    }

    /// What was under way is lost; the next connection begins with a hello.
    fn reconnect(&mut self) {
        self.down.clear();
        self.up.clear();
        self.master.connect();
        self.minion.connect(&mut self.up);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Publish => {
                self.next += 1;
                self.master.publish(self.next, &mut self.down);
            }
            Event::DeliverDown => {
                if let Some(message) = self.down.pop_front() {
                    self.judge(|world| world.minion.hear(message, &mut world.up));
                }
            }
            Event::DeliverUp => {
                if let Some(message) = self.up.pop_front() {
                    self.judge(|world| world.master.hear(message, &mut world.down));
                }
            }
            Event::Start => self.minion.start(),
            Event::End => self.minion.end(&mut self.up),
            Event::Store => self.master.store(&mut self.down),
            Event::Cut => self.reconnect(),
            Event::MinionCrash => {
                self.minion.restart();
                self.reconnect();
            }
            // All that it had not written is forgotten with the connection.
            Event::MasterCrash => self.reconnect(),
            Event::DoubleDown => self.down.front().cloned().into_iter().for_each(|m| self.down.push_front(m)),
            Event::DoubleUp => self.up.front().cloned().into_iter().for_each(|m| self.up.push_front(m)),
            Event::SwapDown if self.down.len() > 1 => self.down.swap(0, 1),
            Event::SwapUp if self.up.len() > 1 => self.up.swap(0, 1),
            Event::SwapDown | Event::SwapUp => {}
            Event::ForgeDown(n) => self.judge(|world| world.minion.hear(forged_down(n), &mut world.up)),
            Event::ForgeUp(n) => self.judge(|world| world.master.hear(Up::Received { up_to: n + 50 }, &mut world.down)),
        }
    }

    /// A breach of the contract ends the connection, and nothing worse.
    fn judge(&mut self, act: impl FnOnce(&mut Self) -> Result<(), DeliveryError>) {
        if act(self).is_err() {
            self.reconnect();
        }
    }

    /// From now on everything goes well.
    fn settle(&mut self) {
        self.reconnect();
        for _ in 0..40 * (self.next + 10) {
            [Event::DeliverDown, Event::DeliverUp, Event::Start, Event::End, Event::Store]
                .into_iter()
                .for_each(|event| self.happen(event));
        }
    }
}

/// Numbers that were never given out.
fn forged_down(n: u64) -> Down {
    if n < 4 { Down::Stored { up_to: n + 50 } } else { Down::Publish { seq: n + 50, jid: 1_000_000 + n } }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_and_nothing_runs_twice(script in proptest::collection::vec(event(), 0..250)) {
        let mut world = World::new();
        script.into_iter().for_each(|event| world.happen(event));
        world.settle();
        let (master, minion) = (&world.master, &world.minion);
        prop_assert_eq!(master.open().collect::<Vec<_>>(), Vec::<Jid>::new(), "every job has its end");
        prop_assert!(master.ended.keys().eq(master.expected.iter()), "and no other has one");
        prop_assert!(minion.spool.is_empty(), "nothing waits that the master has");
        prop_assert!(minion.runs.values().all(|&runs| runs == 1), "no job ran twice: {:?}", minion.runs);
        for (jid, lost) in &master.ended {
            prop_assert!(minion.runs.contains_key(jid), "{} ended without having run (lost: {})", jid, lost);
        }
    }

    #[test]
    fn a_nonce_is_taken_once_while_it_is_valid(tries in proptest::collection::vec((0u8..20, 0u64..3), 1..300)) {
        let (mut seen, mut now, mut taken) = (Dedupe::new(1000), 0, BTreeMap::new());
        for (nonce, passed) in tries {
            now += passed;
            let expires = 40 + u64::from(nonce) * 10;
            // Who asks refuses what has expired; the memory must know the rest.
            if now <= expires && seen.insert(nonce, expires, now) == Seen::New {
                prop_assert!(taken.insert(nonce, now).is_none(), "{} taken twice", nonce);
            }
        }
    }
}
