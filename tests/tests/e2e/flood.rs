//! Two thousand bad handshakes a second beside a working fleet.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use proto::{
    session::{Initiator, Peer},
    sign::StaticKey,
};
use tests::{
    Fleet, Transport,
    enemy::{Me, Wire},
    heavy,
};

/// A second's worth of the attack.
const RATE: u64 = 2000;

/// It comes from a host of its own: over ZeroMQ an address that knocks that often has to wait, and everybody
/// there with it.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);

/// Connections that an attacker leaves open behind it.
const HELD: usize = 32;

/// Pings of which the median is taken.
const PINGS: usize = 21;

tests::over_both! {
    two_thousand_bad_handshakes_a_second_leave_the_fleet_its_speed,
}

fn two_thousand_bad_handshakes_a_second_leave_the_fleet_its_speed(transport: Transport) {
    let _turn = heavy::turn();
    let mut fleet = Fleet::new(transport).minions(5).start();
    let calm = median_ping(&fleet);
    let idle = fleet.master.memory("VmRSS");

    let attack = Attack::start(transport, &fleet.address());
    thread::sleep(Duration::from_secs(1));
    let began = (Instant::now(), attack.count());
    let attacked = median_ping(&fleet);
    let rate = (attack.count() - began.1) as f64 / began.0.elapsed().as_secs_f64();
    attack.stop();

    assert!(rate > RATE as f64 * 0.9, "the attack itself was too slow to prove anything: {rate:.0} a second");
    assert!(attacked < calm * 2 + Duration::from_millis(10), "pings took {calm:?}, and {attacked:?} under attack");
    assert!(fleet.master.is_running());
    assert!(fleet.master.memory("VmHWM") < idle + 64 * 1024);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["5 targeted: 5 ok"]);
}

fn median_ping(fleet: &Fleet) -> Duration {
    let mut times: Vec<Duration> =
        (0..PINGS).map(|_| fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["5 targeted: 5 ok"]).took).collect();
    times.sort();
    times[PINGS / 2]
}

struct Attack {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Attack {
    /// Half of it is garbage, which costs the master little; the other half begins a handshake
    /// well, so that it has to compute, and goes on badly.
    fn start(transport: Transport, address: &str) -> Self {
        let (stop, count) = <(Arc<AtomicBool>, Arc<AtomicU64>)>::default();
        let threads = (0..4).map(|place| {
            let (stop, count, address) = (stop.clone(), count.clone(), address.to_owned());
            thread::spawn(move || {
                let first = messages();
                let began = Instant::now();
                // Held for a moment: who hangs up at once takes back what it has said.
                let mut held = VecDeque::with_capacity(HELD);
                for i in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let due = began + Duration::from_micros(i * 1_000_000 * 4 / RATE);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let mut wire = Wire::open_from(transport, &address, ATTACKER);
                    match (i + place) % 2 {
                        0 => wire.frame(&[0x5a; 120]),
                        _ => wire.frame(&first[i as usize % first.len()]),
                    };
                    if held.len() == HELD {
                        held.pop_front();
                    }
                    held.push_back(wire);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let threads = threads.collect();
        Self { stop, count, threads }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("an attacker ends");
        }
    }
}

/// First messages of handshakes: for a master that we take to have another key, and for one that
/// we do not know.
fn messages() -> Vec<Vec<u8>> {
    let me = Me::new();
    let wrong = || Peer { pin: None, known_static: Some(StaticKey::generate().public()) };
    let peers = (0..40).map(|i| if i % 2 == 0 { wrong() } else { Peer::default() });
    peers.map(|peer| Initiator::start(&me.local, &peer).expect("our own key is good").1).collect()
}
