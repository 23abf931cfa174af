//! Real processes, from the command line to the disk and back. One file a subject; each test
//! has a fleet of its own.

mod checks;
mod continuous;
mod enemies;
mod events;
mod faults;
mod flood;
mod hosts;
mod jobs;
mod keys;
mod load;
mod metrics;
mod mongodb;
mod newcomer;
mod operators;
mod overstate;
mod overstate_faults;
mod pillars;
mod runs;
mod secrets;
mod states;
mod victim;
mod watchers;
