//! `ctl check --last` and `--watch`: what the master knows of the checks that run all the time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    Glob, MinionId,
    checks::{CheckPage, HostChecks},
    message::{Query, Reply},
};

use super::{Args, for_people, render, room, show};
use crate::{
    cli::Global,
    client::{Client, block_on},
    error::{Error, Exit, Outcome},
    output::{
        Format,
        checks::{self, Report},
    },
    selection::{Selection, named},
    term, times,
};

/// What the master has told so far.
struct Picture {
    hosts: BTreeMap<MinionId, HostChecks>,
    /// The master's clock, and when it was heard.
    now: u64,
    heard: Instant,
    /// Everyone has been named.
    complete: bool,
}

impl Picture {
    fn new() -> Self {
        Self { hosts: BTreeMap::new(), now: 0, heard: Instant::now(), complete: false }
    }

    fn take(&mut self, page: CheckPage) {
        (self.now, self.heard) = (page.now, Instant::now());
        self.complete |= page.complete;
        page.gone.iter().for_each(|id| drop(self.hosts.remove(id)));
        self.hosts.extend(page.hosts.into_iter().map(|host| (host.id.clone(), host)));
    }

    /// As it is shown: the checks that are asked for, and whoever was named and is not known.
    ///
    /// # Errors
    /// Nobody matches, or nobody has such checks.
    fn report(&self, asked: &Asked) -> Result<Report, Error> {
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
struct Asked {
    target: String,
    /// Who was named one by one.
    ids: Vec<MinionId>,
    names: Vec<String>,
    globs: Vec<Glob>,
}

impl Asked {
    fn of(args: &Args) -> Result<Self, Error> {
        let target = args.target.clone().unwrap_or_default();
        let target = Selection { target, kind: args.kind.clone() }.expression()?;
        let globs = args.checks.iter().map(|name| Glob::new(name)).collect();
        Ok(Self { ids: named(&target), target, names: args.checks.clone(), globs })
    }

    fn wants(&self, check: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.is_match(check))
    }

    fn nobody_has<'a>(&self, hosts: impl Iterator<Item = &'a HostChecks>) -> Error {
        let names: std::collections::BTreeSet<&str> =
            hosts.flat_map(|host| host.rows.iter().map(|row| row.name.as_str())).collect();
        let near = self.names.iter().find_map(|name| states::diag::did_you_mean(name, names.iter().copied()));
        let all = || match names.is_empty() {
            true => "without --last they are run now".to_owned(),
            false => format!("there are {}", names.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        Error::nothing(format!("no host has a check named {}", self.names.join(" or "))).hint(near.unwrap_or_else(all))
    }

    fn query(&self, follow: bool) -> Query {
        Query::Checks { target: Some(self.target.clone()), follow }
    }
}

/// The master's checks of itself; nothing where the operator may not see them.
pub async fn of_the_master(client: &mut Client) -> Vec<HostChecks> {
    match client.answer(Query::Checks { target: None, follow: false }).await {
        Ok(Reply::Checks(page)) => page.hosts,
        _ => Vec::new(),
    }
}

/// What is known, at once.
pub fn last(args: &Args, global: &Global) -> Outcome {
    let asked = Asked::of(args)?;
    block_on(async {
        let mut client = Client::connect(global).await?;
        client.send(asked.query(false)).await?;
        let mut picture = Picture::new();
        while !picture.complete {
            picture.take(page(&mut client).await?);
        }
        let report = picture.report(&asked)?;
        show(&report, global)?;
        Ok(Exit(report.worst().code()))
    })
}

async fn page(client: &mut Client) -> Result<CheckPage, Error> {
    match client.next().await? {
        (_, Reply::Checks(page)) => Ok(*page),
        (_, Reply::Error(fault)) => Err(fault.into()),
        (_, other) => Err(client.unexpected(&other)),
    }
}

/// How long a master that went away may take to come back.
const MASTER_GONE: Duration = Duration::from_secs(60);
/// How often the screen is drawn at most, and how often for the ages on it.
const REDRAW: Duration = Duration::from_millis(200);
const AGES: Duration = Duration::from_secs(5);

/// What is known, and what changes, until Ctrl-C.
pub fn watch(args: &Args, global: &Global) -> Outcome {
    let asked = Asked::of(args)?;
    block_on(async {
        let mut client = Client::connect(global).await?;
        client.send(asked.query(true)).await?;
        let mut screen = Screen { global, asked: &asked, picture: Picture::new(), shown: None, drawn: None, due: None };
        loop {
            let wake = tokio::time::Instant::from_std(screen.due.unwrap_or_else(|| Instant::now() + AGES));
            tokio::select! {
                answer = client.next() => match answer {
                    Ok((_, Reply::Checks(page))) => screen.take(*page),
                    Ok((_, Reply::Error(fault))) => return Err(fault.into()),
                    Ok((_, other)) => return Err(client.unexpected(&other)),
                    Err(_) => match again(global).await? {
                        Some(new) => {
                            client = new;
                            client.send(asked.query(true)).await?;
                            screen.picture = Picture::new();
                        }
                        None => return Ok(screen.exit()),
                    },
                },
                () = tokio::time::sleep_until(wake) => screen.draw()?,
                _ = tokio::signal::ctrl_c() => return Ok(screen.exit()),
            }
        }
    })
}

/// A new connection to a master that went away; `None` after Ctrl-C.
async fn again(global: &Global) -> Result<Option<Client>, Error> {
    global.note("the connection to the master is lost; trying again …\n");
    let give_up = Instant::now() + MASTER_GONE;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(None),
        }
        match Client::connect(global).await {
            Ok(client) => return Ok(Some(client)),
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => {}
        }
    }
}

struct Screen<'a> {
    global: &'a Global,
    asked: &'a Asked,
    picture: Picture,
    /// What is to be seen.
    shown: Option<Report>,
    drawn: Option<Instant>,
    /// When it is to be drawn next.
    due: Option<Instant>,
}

impl Screen<'_> {
    fn take(&mut self, page: CheckPage) {
        self.picture.take(page);
        if self.picture.complete {
            let rested = self.drawn.map_or_else(Instant::now, |drawn| drawn + REDRAW);
            self.due = Some(self.due.map_or(rested, |due| due.min(rested)));
        }
    }

    /// As a monitoring plugin would end: by the worst that is known.
    fn exit(&self) -> Exit {
        Exit(self.shown.as_ref().map_or(super::UNKNOWN.0, |report| report.worst().code()))
    }

    fn draw(&mut self) -> Result<(), Error> {
        let terminal = for_people(self.global) && term::width().is_some();
        self.due = terminal.then(|| Instant::now() + AGES);
        self.drawn = Some(Instant::now());
        if !self.picture.complete {
            return Ok(());
        }
        let report = self.picture.report(self.asked)?;
        let text = match (&self.shown, self.global.out) {
            _ if terminal => on_a_terminal(&report, self.global),
            (None, _) => render(&report, self.global),
            (Some(before), Some(Format::Jsonl)) => checks::changed_lines(&report, before),
            (Some(before), _) if for_people(self.global) => timed(&report.news(before)),
            (Some(before), _) if report.is_like(before) => String::new(),
            (Some(_), _) => render(&report, self.global),
        };
        term::result(&text)?;
        self.shown = Some(report);
        Ok(())
    }
}

/// Drawn over what was there.
fn on_a_terminal(report: &Report, global: &Global) -> String {
    let mut room = room(global);
    room.rows = room.rows.map(|rows| rows.saturating_sub(1));
    let head = term::paint(term::DIM, format_args!("{}  Ctrl-C ends it", times::now().strftime("%H:%M:%S")));
    let text = format!("{head}\n{}", checks::screen(report, room));
    format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))
}

fn timed(news: &str) -> String {
    let now = times::now().strftime("%H:%M:%S").to_string();
    news.lines().map(|line| format!("{now}  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use proto::checks::{CheckRow, CheckStatus, Presence};

    use super::*;

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
