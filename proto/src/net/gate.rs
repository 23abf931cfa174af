//! How many strangers may be at the door at once, and which addresses have lost their credit.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::slots::Slots;

/// What a [`Gate`] lets through.
#[derive(Debug, Clone, Copy)]
pub struct GateLimits {
    /// Handshakes under way at once …
    pub pending: usize,
    /// … and with one address: those who dawdle there keep nobody else out.
    pub pending_per_address: usize,
    /// Failures that an address may have in a row …
    pub burst: f64,
    /// … and how many of them are forgotten a second. A flood from one address makes the master
    /// compute this often, and no more. Not less either: a rogue peer may share its address with
    /// an operator and half of the fleet (one host, one NAT), who are locked out beyond it.
    pub per_second: f64,
    /// Addresses that are remembered; those beyond it share one account.
    pub addresses: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { pending: 2048, pending_per_address: 512, burst: 6000.0, per_second: 3000.0, addresses: 4096 }
    }
}

/// Counts handshakes under way and failures by address. An IPv6 peer's address is its /64.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limits: GateLimits,
    pending: usize,
    /// When those come again who find none.
    slots: Slots,
    /// How many of them come from each address.
    pending_from: HashMap<IpAddr, usize>,
    failures: HashMap<Option<IpAddr>, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    level: f64,
    at: Instant,
}

impl Gate {
    pub fn new(limits: GateLimits) -> Self {
        Self(Arc::new(Mutex::new(State {
            slots: Slots::default(),
            limits,
            pending: 0,
            pending_from: HashMap::new(),
            failures: HashMap::new(),
        })))
    }

    /// A place among the pending, until the pass is dropped. No address means that it does not
    /// matter who it is.
    ///
    /// # Errors
    /// There is no place, or none for that address.
    pub fn enter(&self, ip: Option<IpAddr>, now: Instant) -> Result<Pass, NoPlace> {
        let mut state = self.lock();
        let pending = state.pending;
        if pending >= state.limits.pending {
            return Err(NoPlace::AtAll(state.slots.next(pending, now)));
        }
        let (from, most) = (ip.map(network), state.limits.pending_per_address);
        if let Some(from) = from {
            let count = state.pending_from.entry(from).or_default();
            if *count >= most {
                return Err(NoPlace::ForAddress);
            }
            *count += 1;
        }
        state.pending += 1;
        Ok(Pass(self.clone(), from))
    }

    /// Whether a handshake with this address is worth computing.
    pub fn trusts(&self, ip: Option<IpAddr>, now: Instant) -> bool {
        let mut state = self.lock();
        let limits = state.limits;
        let key = state.account(ip);
        state.failures.get_mut(&key).is_none_or(|failures| failures.settle(now, &limits) < limits.burst)
    }

    /// Notes that a handshake failed after something was computed for it.
    pub fn failed(&self, ip: Option<IpAddr>, now: Instant) {
        let mut state = self.lock();
        let limits = state.limits;
        state.make_room(now);
        let key = state.account(ip);
        let failures = state.failures.entry(key).or_insert(Failures { level: 0.0, at: now });
        failures.settle(now, &limits);
        failures.level += 1.0;
    }

    /// Handshakes under way.
    pub fn pending(&self) -> usize {
        self.lock().pending
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// Forgets what time has forgiven, and gives what remains.
    fn settle(&mut self, now: Instant, limits: &GateLimits) -> f64 {
        let passed = now.saturating_duration_since(self.at).max(Duration::ZERO).as_secs_f64();
        self.level = (self.level - passed * limits.per_second).max(0.0);
        self.at = now;
        self.level
    }
}

impl State {
    /// Under which name an address is remembered; `None` is the account of all that found no room.
    fn account(&self, ip: Option<IpAddr>) -> Option<IpAddr> {
        let key = ip.map(network);
        let known = self.failures.contains_key(&key) || self.failures.len() < self.limits.addresses;
        key.filter(|_| known)
    }

    fn make_room(&mut self, now: Instant) {
        if self.failures.len() >= self.limits.addresses {
            let limits = self.limits;
            self.failures.retain(|_, failures| failures.settle(now, &limits) > 0.0);
        }
    }
}

fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

/// Why a stranger has to wait outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// There is one for it after this time, if it is like those before.
    AtAll(Duration),
    ForAddress,
}

/// A place among the pending handshakes.
#[derive(Debug)]
pub struct Pass(Gate, Option<IpAddr>);

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pending -= 1;
        state.slots.finished(Instant::now());
        let Some(from) = self.1 else { return };
        if let Some(count) = state.pending_from.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                state.pending_from.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GateLimits =
        GateLimits { pending: 2, pending_per_address: 1, burst: 3.0, per_second: 1.0, addresses: 2 };

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn places_are_given_back() {
        let (gate, now) = (Gate::new(LIMITS), Instant::now());
        let (first, second) = (gate.enter(None, now), gate.enter(None, now));
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(gate.enter(None, now).unwrap_err(), NoPlace::AtAll(wait) if wait > Duration::ZERO));
        drop(first);
        assert!(gate.enter(None, now).is_ok());
        drop(second);
        assert_eq!(gate.pending(), 0);
    }

    #[test]
    fn those_who_dawdle_at_one_address_keep_no_other_out() {
        let (gate, now) = (Gate::new(LIMITS), Instant::now());
        let dawdler = gate.enter(ip("2001:db8::1"), now).unwrap();
        assert_eq!(gate.enter(ip("2001:db8::2"), now).unwrap_err(), NoPlace::ForAddress);
        assert!(gate.enter(ip("10.0.0.1"), now).is_ok());
        drop(dawdler);
        assert!(gate.enter(ip("2001:db8::2"), now).is_ok());
        assert!(gate.lock().pending_from.is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn an_address_loses_its_credit_and_regains_it() {
        let (gate, start) = (Gate::new(LIMITS), Instant::now());
        for _ in 0..3 {
            assert!(gate.trusts(ip("10.0.0.1"), start));
            gate.failed(ip("10.0.0.1"), start);
        }
        assert!(!gate.trusts(ip("10.0.0.1"), start));
        assert!(gate.trusts(ip("10.0.0.2"), start));
        assert!(gate.trusts(ip("10.0.0.1"), start + Duration::from_secs(1)));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let (gate, start) = (Gate::new(LIMITS), Instant::now());
        for n in 1..=3 {
            gate.failed(ip(&format!("2001:db8::{n}")), start);
        }
        assert!(!gate.trusts(ip("2001:db8::9"), start));
        assert!(gate.trusts(ip("2001:db8:0:1::9"), start));
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let (gate, start) = (Gate::new(LIMITS), Instant::now());
        for n in 0..100 {
            gate.failed(ip(&format!("10.0.1.{n}")), start);
        }
        assert!(gate.lock().failures.len() <= 3);
        assert!(!gate.trusts(ip("10.9.9.9"), start), "strangers share an account when there is no room");
        assert!(gate.trusts(ip("10.9.9.9"), start + Duration::from_secs(200)));
    }
}
