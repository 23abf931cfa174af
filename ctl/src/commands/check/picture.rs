//! What the master has told of the checks that run all the time, and what of it is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use proto::{
    Glob, MinionId,
    checks::{CheckPage, HostChecks},
    message::Query,
};

use super::Args;
use crate::{
    error::Error,
    output::checks::Report,
    selection::{Selection, named},
};

/// What the master has told so far.
pub struct Picture {
    hosts: BTreeMap<MinionId, HostChecks>,
    /// The master's clock, and when it was heard.
    now: u64,
    heard: Instant,
    /// Everyone has been named.
    pub complete: bool,
}

impl Picture {
    pub fn new() -> Self {
        Self { hosts: BTreeMap::new(), now: 0, heard: Instant::now(), complete: false }
    }

    pub fn take(&mut self, page: CheckPage) {
        (self.now, self.heard) = (page.now, Instant::now());
        self.complete |= page.complete;
        page.gone.iter().for_each(|id| drop(self.hosts.remove(id)));
        self.hosts.extend(page.hosts.into_iter().map(|host| (host.id.clone(), host)));
    }

    /// As it is shown: the checks that are asked for, and whoever was named and is not known.
    ///
    /// # Errors
    /// Nobody matches, or nobody has such checks.
    pub fn report(&self, asked: &Asked) -> Result<Report, Error> {
        let now = self.now + u64::try_from(self.heard.elapsed().as_micros()).unwrap_or(0);
        let mut report = Report::at(now);
        self.hosts.values().for_each(|host| report.add_known(host, |name| asked.wants(name)));
        let unknown = asked.ids.iter().filter(|id| !self.hosts.contains_key(*id));
        unknown.for_each(|id| report.silent(id.as_str(), "never seen"));
        if report.is_empty() {
            return Err(Error::nothing(format!("no minion matches '{}'", asked.target))
                .hint("`ctl minion list` shows who there is"));
        }
        if !asked.names.is_empty() && report.has_no_rows() {
            return Err(asked.nobody_has(self.hosts.values()));
        }
        report.sort();
        Ok(report)
    }
}

/// What the operator wants to see.
pub struct Asked {
    target: String,
    /// Who was named one by one.
    ids: Vec<MinionId>,
    names: Vec<String>,
    globs: Vec<Glob>,
}

impl Asked {
    pub fn of(args: &Args) -> Result<Self, Error> {
        let target = args.target.clone().unwrap_or_default();
        let target = Selection { target, kind: args.kind.clone() }.expression()?;
        let globs = args.checks.iter().map(|name| Glob::new(name)).collect();
        Ok(Self { ids: named(&target), target, names: args.checks.clone(), globs })
    }

    fn wants(&self, check: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.is_match(check))
    }

    fn nobody_has<'a>(&self, hosts: impl Iterator<Item = &'a HostChecks>) -> Error {
        let names: BTreeSet<&str> = hosts.flat_map(|host| host.rows.iter().map(|row| row.name.as_str())).collect();
        let near = self.names.iter().find_map(|name| states::diag::did_you_mean(name, names.iter().copied()));
        let all = || match names.is_empty() {
            true => "without --last they are run now".to_owned(),
            false => format!("there are {}", names.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        Error::nothing(format!("no host has a check named {}", self.names.join(" or "))).hint(near.unwrap_or_else(all))
    }

    pub fn query(&self, follow: bool) -> Query {
        Query::Checks { target: Some(self.target.clone()), follow }
    }
}

#[cfg(test)]
mod tests {
    use proto::checks::{CheckRow, CheckStatus, Presence};

    use super::*;
    use crate::output::checks;

    fn host(id: &str, names: &[&str]) -> HostChecks {
        let row = |name: &&str| CheckRow {
            name: (*name).into(),
            status: CheckStatus::Ok,
            flapping: false,
            output: "fine".into(),
            since: 1,
            at: 2,
            interval: 60,
        };
        let (id, rows) = (id.parse().unwrap(), names.iter().map(row).collect());
        HostChecks { id, master: false, presence: Presence::Here, confirmed: Some(2), rows }
    }

    fn picture() -> Picture {
        let mut picture = Picture::new();
        let hosts = vec![host("web1", &["disk /", "load"]), host("web2", &["load"])];
        picture.take(CheckPage { now: 5, hosts, gone: Vec::new(), complete: false });
        picture.take(CheckPage { now: 6, hosts: vec![host("db1", &[])], gone: Vec::new(), complete: true });
        picture
    }

    fn asked(target: &str, names: &[&str]) -> Asked {
        let globs = names.iter().map(|name| Glob::new(name)).collect();
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Asked { ids: named(target), target: target.into(), names, globs }
    }

    #[test]
    fn pages_make_a_picture() {
        let mut picture = picture();
        assert!(picture.complete && picture.hosts.len() == 3);
        let gone = vec!["db1".parse().unwrap()];
        picture.take(CheckPage { now: 7, hosts: vec![host("web2", &["load", "x"])], gone, complete: true });
        assert_eq!(picture.hosts.len(), 2);
        assert_eq!(picture.hosts["web2"].rows.len(), 2);
    }

    #[test]
    fn nobody_is_left_out_in_silence() {
        let report = picture().report(&asked("web1,web9", &[])).unwrap();
        assert_eq!(report.worst().code(), 3, "web9 is unknown, and db1 has told of no checks");
        let error = picture().report(&asked("*", &["laod"])).err().unwrap().render();
        assert!(error.contains("no host has a check named laod") && error.contains("did you mean load?"), "{error}");
        assert!(Picture::new().report(&asked("x*", &[])).err().unwrap().render().contains("no minion matches 'x*'"));
    }

    #[test]
    fn only_what_is_asked_for_counts() {
        let mut only = Picture::new();
        let hosts = vec![host("web1", &["disk /", "load"]), host("web2", &["load"])];
        only.take(CheckPage { now: 5, hosts, gone: Vec::new(), complete: true });
        let report = only.report(&asked("*", &["disk*"])).unwrap();
        assert_eq!(checks::txt(&report), "web1: OK disk /: fine\n");
        assert_eq!(report.worst().code(), 0);
    }
}
