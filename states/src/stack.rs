//! Room for templates that nest deeply: they are evaluated on a thread with a large stack.

use std::{cell::Cell, thread};

/// Address space, of which only what is touched is memory.
const SIZE: usize = 256 << 20;

thread_local! {
    static DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` where there is room. A panic in it goes on here.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if DEEP.get() {
        return work();
    }
    let inside = || {
        DEEP.set(true);
        work()
    };
    thread::scope(|scope| {
        let handle = thread::Builder::new().name("compile".into()).stack_size(SIZE).spawn_scoped(scope, inside);
        match handle.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(why) => panic!("no thread can be started: {why}"),
        }
    })
}
