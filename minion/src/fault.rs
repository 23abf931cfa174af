//! Places where a test lets the process die, as a power cut would.
//!
//! `OVERSTATE_CRASH_AT=after-mark` dies between a job's mark and its start, `before-spool` between
//! its end and its spool, `mid-write` between a new file's bytes and its name. Only builds with debug assertions or the feature `fault-injection` look
//! at the variable.

/// Dies here if a test has asked for it.
pub fn crash_point(name: &str) {
    let armed = cfg!(any(debug_assertions, feature = "fault-injection"));
    if armed && std::env::var("OVERSTATE_CRASH_AT").is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}
