//! The harness of the end-to-end tests: fleets of real processes in a temporary folder.
//!
//! * [`fleet::Fleet`] is a master and its minions, each a process of the built `ctl`, laid out as
//!   a person would by hand; it knows how to kill, freeze, restart and question them.
//! * [`hosts::Net`] gives each of them a network namespace, an address and a hostname of its own.
//! * [`process::Daemon`] is one such process; it dies with the test, whatever happens to the test.
//! * [`alone::Alone`] is a host without a master.
//! * [`binary::ctl`] finds, or first builds, the binary under test.
//! * [`booted::Booted`] is a throw-away copy of this machine with a systemd of its own.
//! * [`bridge`] carries what `enemy` says over TCP to other transports.
//! * [`enemy`] plays both roles of the protocol by hand, and badly.
//! * [`wire::Wire`] is a connection on which anything can be said, of either transport.
//! * [`preload`] makes crashes happen at an exact point, and clocks go wrong.
//! * [`machine::Machine`] is a throw-away copy of this machine.
//! * [`needs`] names what a test wants of the machine; a test never passes by not running.
//!
//! Nothing here is asynchronous, and nothing sleeps longer than it must: everything that waits
//! goes through [`wait::until`], which gives up loudly.

pub mod alone;
pub mod binary;
pub mod booted;
pub mod bridge;
pub mod enemy;
pub mod fleet;
pub mod heavy;
pub mod hosts;
pub mod machine;
pub mod needs;
pub mod preload;
pub mod process;
pub mod ran;
pub mod wait;
pub mod wire;

pub use alone::Alone;
pub use booted::Booted;
pub use fleet::{Fleet, Transport};
pub use ran::Ran;

/// Turns test bodies that take a [`Transport`] into one test per transport:
/// `over_both! { pings, pings_twice }` gives `tcp::pings`, `zeromq::pings` and so on.
#[macro_export]
macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        mod tcp {
            $(#[test] fn $name() { super::$name($crate::Transport::Tcp) })*
        }
        mod zeromq {
            $(#[test] fn $name() { super::$name($crate::Transport::Zeromq) })*
        }
    };
}
