//! The master of Overstate: keys, jobs, delivery, presence, events, access, store.
