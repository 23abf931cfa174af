//! The door of a listener that strangers can reach.

use std::{
    future::poll_fn,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Channel, Counters, Gate, GateLimits, Link, NetError, NoPlace, Pass, Refused,
    channel::{Admission, accept_with, refuse},
};
use crate::{
    session::{Local, SessionError},
    sign::PublicKey,
};

/// Seconds that a crowded master asks strangers to wait.
const COME_AGAIN: u16 = 5;

/// Peers that are being told to come again, at once, and how long each may take to go.
const FAREWELLS: usize = 4096;
const FAREWELL: Duration = Duration::from_secs(1);

/// Seconds after which a peer that was turned away may come again, and a little by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned(pub u16);

type Admit = dyn Fn(&PublicKey) -> Result<(), SessionError> + Send + Sync;

/// Makes sessions for strangers within bounds: so many handshakes at once, at most one of them
/// being computed (the rest of the processor belongs to those who are in), none for an address
/// that has failed too often. Every refusal is counted.
pub struct Acceptor {
    local: Arc<Local>,
    gate: Gate,
    computing: Semaphore,
    farewells: Semaphore,
    admit: Box<Admit>,
    pub counters: Arc<Counters>,
}

impl Acceptor {
    pub fn new(local: Arc<Local>, limits: GateLimits) -> Self {
        let gate = Gate::new(limits);
        Self {
            local,
            gate,
            computing: Semaphore::new(1),
            farewells: Semaphore::new(FAREWELLS),
            admit: Box::new(|_| Ok(())),
            counters: Arc::default(),
        }
    }

    /// Asks `admit` as soon as an identity is certain, in an IK handshake before its costly half.
    /// [`SessionError::Busy`] makes the peer wait that long.
    pub fn admitting(self, admit: impl Fn(&PublicKey) -> Result<(), SessionError> + Send + Sync + 'static) -> Self {
        Self { admit: Box::new(admit), ..self }
    }

    /// To be asked before a task is spent on a new connection. Those on this machine have other
    /// means, and are a whole fleet in a test: their address does not count.
    ///
    /// # Errors
    /// Too many are pending, or too many from that address: [`turn_away`](Self::turn_away).
    pub fn enter(&self, ip: Option<IpAddr>) -> Result<Pass, Turned> {
        let pass = self.gate.enter(ip.filter(|ip| !ip.is_loopback()), Instant::now());
        pass.map_err(|why| match why {
            NoPlace::AtAll(wait) => {
                self.counters.refuse(Refused::Busy);
                Turned(wait.as_secs() as u16)
            }
            NoPlace::ForAddress => {
                self.counters.refuse(Refused::Crowd);
                Turned(COME_AGAIN)
            }
        })
    }

    /// Tells a peer that found no place when to come again. Nothing is computed for it, and for
    /// more than some at a time nothing is said either.
    pub async fn turn_away(&self, mut link: Link, turned: Turned) {
        let Ok(_place) = self.farewells.try_acquire() else { return };
        let goodbye = async {
            refuse(link.drain.as_mut(), &NetError::Session(SessionError::Busy(turned.0))).await;
            // To hang up on what the peer has said would take our word from it again.
            while let Ok(Some(_)) = poll_fn(|cx| link.source.poll_frame(cx)).await {}
        };
        let _ = tokio::time::timeout(FAREWELL, goodbye).await;
    }

    /// The handshake and the peer's first message, within
    /// [`HANDSHAKE`](super::HANDSHAKE).
    pub async fn accept(&self, link: Link, pass: Pass) -> Result<Channel, NetError> {
        let visit = Visit { acceptor: self, ip: link.ip, computed: AtomicBool::new(false) };
        let result = accept_with(link, &self.local, &visit).await;
        match &result {
            Ok(_) => self.counters.accept(),
            Err(error) => visit.failed(error),
        }
        drop(pass);
        result
    }
}

struct Visit<'a> {
    acceptor: &'a Acceptor,
    ip: Option<IpAddr>,
    computed: AtomicBool,
}

impl Visit<'_> {
    fn failed(&self, error: &NetError) {
        self.acceptor.counters.note(error);
        // What failed before anything was computed has cost nothing.
        if self.computed.load(Ordering::Relaxed) {
            self.acceptor.gate.failed(self.ip, Instant::now());
        }
    }
}

impl Admission for Visit<'_> {
    async fn compute(&self) -> Result<Option<SemaphorePermit<'_>>, SessionError> {
        // Whoever is on this machine has other means, and the operator's own `ctl` must not suffer.
        let local = self.ip.is_some_and(|ip| ip.is_loopback());
        if !local && !self.acceptor.gate.trusts(self.ip, Instant::now()) {
            self.acceptor.counters.refuse(Refused::Address);
            return Err(SessionError::Busy(COME_AGAIN));
        }
        self.computed.store(true, Ordering::Relaxed);
        Ok(self.acceptor.computing.acquire().await.ok())
    }

    fn admit(&self, peer: &PublicKey) -> Result<(), SessionError> {
        (self.acceptor.admit)(peer)
    }
}
