//! A small fleet that is attacked, and must be as before when it is over.

use proto::message::{Query, Reply};
use serde_json::Value;
use tests::{
    Fleet, Transport,
    bridge::Bridge,
    enemy::Me,
    wait::{self, secs},
};

/// What stands between an enemy, who speaks TCP, and a master that does not.
pub fn bridge(transport: Transport, master: &str) -> Option<Bridge> {
    (transport == Transport::Zeromq).then(|| Bridge::to(proto::net::Transport::ZeroMq, master))
}

/// A fleet of two, whose ping is asserted, and its master's memory remembered.
pub struct Victim {
    pub fleet: Fleet,
    bridge: Option<Bridge>,
    idle: u64,
}

impl Victim {
    pub fn new(transport: Transport) -> Self {
        let fleet = Fleet::new(transport).minions(2).start();
        let bridge = bridge(transport, &fleet.address());
        fleet.ctl(&["run", "*", "test.ping"]).expect(0);
        let idle = fleet.master.memory("VmRSS");
        Self { fleet, bridge, idle }
    }

    /// Where an enemy finds the master.
    pub fn address(&self) -> String {
        self.bridge.as_ref().map_or_else(|| self.fleet.address(), Bridge::address)
    }

    /// The same process answers, both minions do, and memory is what it was, more or less.
    #[track_caller]
    pub fn is_unharmed(&mut self) {
        assert!(self.fleet.master.is_running());
        self.fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["2 targeted: 2 ok"]);
        let now = self.fleet.master.memory("VmHWM");
        assert!(now < self.idle + 64 * 1024, "the master grew from {} to {now} KiB", self.idle);
    }

    /// The master's counters of refusals.
    fn counters(&self) -> Value {
        let me = Me::first_operator(&self.fleet.master_dir().join("root"));
        let (mut talk, _) = me.as_operator(&self.address()).expect("the first operator is let in");
        match talk.ask(1, Query::Status) {
            Some(Reply::Value(status)) => status["refused"].clone(),
            other => panic!("no status: {other:?}"),
        }
    }

    #[track_caller]
    pub fn counted(&self, name: &str, at_least: u64) {
        wait::until(secs(15), &format!("{at_least} of {name} in {}", self.counters()), || {
            (self.counters()[name].as_u64() >= Some(at_least)).then_some(())
        });
    }
}
