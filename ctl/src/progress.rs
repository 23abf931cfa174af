//! The line that shows how far a run has come: `▸ 118/129 answered · 3 failed · 2.1 s`. Only on
//! a terminal, and only once a run takes long enough to wonder.

use std::time::{Duration, Instant};

use crate::{account::Account, term};

const QUIET_START: Duration = Duration::from_millis(400);
const REDRAW: Duration = Duration::from_millis(100);

pub struct Progress {
    on: bool,
    start: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub fn new(wanted: bool) -> Self {
        Self { on: wanted && term::interactive(), start: Instant::now(), drawn: None }
    }

    /// How often it wants to be drawn.
    pub fn interval(&self) -> Duration {
        if self.on { REDRAW } else { Duration::from_secs(1) }
    }

    pub fn draw(&mut self, account: &Account) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if !self.on || !due || self.start.elapsed() < QUIET_START {
            return;
        }
        self.drawn = Some(Instant::now());
        term::control(&format!("\r\x1b[K{}", line(account, self.start.elapsed())));
    }

    /// Takes the line away, before anything else is printed.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            term::control("\r\x1b[K");
        }
    }
}

fn line(account: &Account, elapsed: Duration) -> String {
    let mut parts = vec![format!("▸ {}/{} answered", account.answered(), account.targeted())];
    if account.bad() > 0 {
        parts.push(format!("{} failed", account.bad()));
    }
    parts.push(format!("{:.1} s", elapsed.as_secs_f64()));
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use proto::Outcome;

    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let ids = ["a", "b", "c"].map(|id| id.parse().unwrap());
        let mut account = Account::new(&ids, &[]);
        account.end(&ids[0], Outcome::Ok);
        account.end(&ids[1], Outcome::Failed);
        assert_eq!(line(&account, Duration::from_millis(2100)), "▸ 2/3 answered · 1 failed · 2.1 s");
    }
}
