//! Health checks of many hosts on one screen: totals, identical trouble once, who did not answer; and
//! the same for monitoring systems.

mod figures;
mod formats;
mod report;
mod row;
mod screen;
#[cfg(test)]
mod tests;
mod trouble;

pub use self::{
    formats::{changed_lines, lines, nagios, nagios_error, object, prometheus, txt},
    report::Report,
    screen::{Room, screen},
};
