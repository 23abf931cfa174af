//! Following a job: answers as they come, a progress line, and the account at the end.

use std::{collections::HashSet, sync::Arc, time::Duration};

use proto::{
    JobId, MinionId, Outcome,
    job::PairEnd,
    message::{Absent, JobDetail, JobStart, PairState, Query, Stream},
    sign::Signed,
};
use tokio::time::{Instant, sleep_until};

use crate::{
    account::Account,
    cli::Global,
    client::{self, Client, Lost, PackedEnd, Reply},
    error::{self, Error, Exit},
    output::Returns,
    progress::{Progress, Step},
    term, times,
};

/// How long a master that went away may take to come back before we give up following.
const MASTER_GONE: Duration = Duration::from_secs(60);
/// How long an absent minion may take, where the operator says nothing; the master's default.
const DEFAULT_TTL: u32 = 30;

/// How long to wait, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    /// For answers; without it, until every connected minion has answered.
    pub timeout: Option<u32>,
    /// For a minion that loses its connection while it is waited for.
    pub ttl: Option<u32>,
}

/// The state of following one job.
pub struct Watch<'a> {
    global: &'a Global,
    returns: Returns,
    /// Returns that the caller shows; without it, they are shown as they come.
    gathered: Option<Vec<Arc<PackedEnd>>>,
    account: Account,
    progress: Progress,
    /// Whether output is shown while it runs.
    live: bool,
    /// Minions whose output was shown while they ran.
    streamed: HashSet<MinionId>,
    patience: Patience,
    deadline: Option<Instant>,
    /// Minions that lost their connection, and when we stop waiting for each.
    dropped: Vec<(MinionId, Instant)>,
}

/// What came of a job, for who shows it otherwise.
pub struct Gathered {
    pub ends: Vec<Arc<PackedEnd>>,
    pub account: Account,
}

/// Why following stops.
enum Stop {
    Complete,
    TimedOut,
    Interrupted,
    MasterGone,
}

impl<'a> Watch<'a> {
    pub fn new(global: &'a Global, returns: Returns, patience: Patience) -> Self {
        let deadline = patience.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        Self {
            global,
            account: Account::default(),
            progress: Progress::new(!global.quiet).logging(!global.quiet && returns.at_the_end()),
            returns,
            gathered: None,
            live: true,
            streamed: HashSet::new(),
            patience,
            deadline,
            dropped: Vec::new(),
        }
    }

    /// Whether output that comes while the job runs is shown.
    pub fn showing_output(self, live: bool) -> Self {
        Self { live, ..self }
    }

    /// Sends the request and waits until the master has written it down.
    ///
    /// # Errors
    /// The master's refusal: nothing was done.
    pub async fn begin(&mut self, client: &mut Client, request: Signed, follow: bool) -> Result<JobStart, Error> {
        let question = client.send(Query::Run { request, follow }).await?;
        let begun = || "`ctl job list` shows whether the job was begun";
        let answer = tokio::select! {
            answer = client.next() => answer,
            () = sleep_until(self.deadline.unwrap_or_else(far)) => {
                return Err(Error::failed("the master did not answer in time").hint(begun()));
            }
            _ = tokio::signal::ctrl_c() => {
                return Err(Error::interrupted("interrupted before the master had answered").hint(begun()));
            }
        };
        match answer.map_err(Lost::before_start)? {
            (id, Reply::Job(start)) if id == question => Ok(start),
            (_, Reply::Error(fault)) => Err(fault.into()),
            (_, other) => Err(client.unexpected(&other)),
        }
    }

    /// Shows answers until everybody who is connected has answered, time is up or Ctrl-C.
    pub async fn follow(mut self, client: Client, start: JobStart) -> error::Outcome {
        self.account = Account::new(&start.expected, &start.absent);
        if self.global.verbose > 0 {
            self.say(&format!("job {}\n", start.jid));
        }
        self.go_on(client, start.jid).await
    }

    /// As [`follow`](Self::follow), for a job that began earlier.
    pub async fn join(mut self, mut client: Client, detail: &JobDetail) -> error::Outcome {
        let jid = detail.row.jid;
        let expected: Vec<MinionId> = detail
            .ends
            .iter()
            .map(|end| end.minion.clone())
            .chain(detail.open.iter().map(|(id, _)| id.clone()))
            .collect();
        let open: Vec<&str> = detail.open.iter().map(|(id, _)| id.as_str()).collect();
        let absent = match open.is_empty() {
            true => Vec::new(),
            false => client.absent(&open).await?,
        };
        self.account = Account::new(&expected, &absent);
        for (minion, state) in &detail.open {
            self.account.refine(minion, *state);
        }
        client.send(Query::Follow { jid }).await?;
        self.go_on(client, jid).await
    }

    /// As [`follow`](Self::follow), but the answers are for the caller to show. `None` after Ctrl-C.
    pub async fn gather(mut self, client: Client, start: JobStart) -> Result<Option<Gathered>, Error> {
        self.account = Account::new(&start.expected, &start.absent);
        self.gathered = Some(Vec::with_capacity(start.expected.len()));
        if self.see_through(client, start.jid).await? {
            self.progress.clear();
            return Ok(Some(Gathered { ends: self.gathered.unwrap_or_default(), account: self.account }));
        }
        self.progress.clear();
        detached(start.jid);
        Ok(None)
    }

    async fn go_on(mut self, client: Client, jid: JobId) -> error::Outcome {
        if self.see_through(client, jid).await? { self.finish(jid) } else { self.detach(jid) }
    }

    /// Gives whether it came to an end, and not to Ctrl-C.
    async fn see_through(&mut self, mut client: Client, jid: JobId) -> Result<bool, Error> {
        loop {
            match self.until_stop(&mut client).await? {
                Stop::Interrupted => return Ok(false),
                Stop::Complete => return Ok(true),
                Stop::TimedOut => {
                    self.ask_states(&mut client, jid).await;
                    return Ok(true);
                }
                Stop::MasterGone => match self.reconnect(jid).await? {
                    Some(again) => client = again,
                    None => return Ok(false),
                },
            }
        }
    }

    async fn until_stop(&mut self, client: &mut Client) -> Result<Stop, Error> {
        while !self.complete() {
            self.progress.draw(&self.account);
            let wake = self.next_wake();
            tokio::select! {
                answer = client.next() => match answer {
                    Ok((_, reply)) => {
                        if self.take(reply)? {
                            return Ok(Stop::Complete);
                        }
                    }
                    Err(_) => return Ok(Stop::MasterGone),
                },
                () = sleep_until(wake) => {
                    if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Ok(Stop::TimedOut);
                    }
                }
                _ = tokio::signal::ctrl_c() => return Ok(Stop::Interrupted),
            }
        }
        Ok(Stop::Complete)
    }

    /// Nobody is left to wait for: neither connected ones nor such as may be back in a moment.
    fn complete(&mut self) -> bool {
        let now = Instant::now();
        self.dropped.retain(|(_, until)| *until > now);
        self.account.complete() && self.dropped.is_empty()
    }

    fn next_wake(&self) -> Instant {
        let tick = Instant::now() + self.progress.interval();
        self.dropped.iter().map(|(_, until)| *until).chain(self.deadline).fold(tick, Instant::min)
    }

    /// Takes one answer in. Gives true when the master says that every pair has ended.
    fn take(&mut self, reply: Reply) -> Result<bool, Error> {
        match reply {
            Reply::Ends(ends) => self.ends(&ends)?,
            Reply::Output { minion, stream, text } => self.output(minion, stream, &text)?,
            Reply::Absent(absent) => self.absent(absent),
            Reply::Present { minion } => self.present(&minion),
            Reply::Error(fault) => return Err(fault.into()),
            Reply::Done => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    /// A minion that may still answer lost its connection: it has its time to come back.
    fn absent(&mut self, absent: Absent) {
        let grace = Duration::from_secs(self.patience.ttl.unwrap_or(DEFAULT_TTL).into());
        if self.account.gone(&absent.minion, absent.since) {
            let until = Instant::now() + grace;
            self.progress.lost(absent.minion.clone(), until);
            self.dropped.push((absent.minion, until));
        }
    }

    fn present(&mut self, minion: &MinionId) {
        self.forgive(minion);
        self.account.progress(minion, PairState::Sent);
    }

    fn forgive(&mut self, minion: &MinionId) {
        self.dropped.retain(|(dropped, _)| dropped != minion);
        self.progress.found(minion);
    }

    /// A master that was away has to be asked who is connected to it now.
    async fn learn(&mut self, client: &mut Client) -> Result<(), Error> {
        let open = self.account.open();
        let ids: Vec<&str> = open.iter().map(MinionId::as_str).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let absent = client.absent(&ids).await?;
        let here = open.iter().filter(|id| !absent.iter().any(|absent| absent.minion == **id));
        here.for_each(|minion| self.present(minion));
        absent.into_iter().for_each(|absent| self.absent(absent));
        Ok(())
    }

    /// Answers that came together are written together.
    fn ends(&mut self, ends: &[Arc<PackedEnd>]) -> Result<(), Error> {
        let (mut answers, mut notes) = (String::new(), String::new());
        for end in ends {
            self.forgive(&end.minion);
            self.progress.ended(&end.minion);
            let new = self.account.end(&end.minion, end.ret.outcome);
            if !new || matches!(end.ret.outcome, Outcome::Offline | Outcome::Expired) {
                continue;
            }
            if let Some(gathered) = &mut self.gathered {
                gathered.push(end.clone());
                continue;
            }
            let end = Arc::new(client::opened(end)?);
            answers += &self.answer(&end);
            notes += &self.note(&end);
        }
        if !answers.is_empty() {
            self.progress.clear();
            term::result(&answers)?;
        }
        if !notes.is_empty() {
            self.say(&notes);
        }
        Ok(())
    }

    /// A return as it is shown; one whose output was streamed says nothing new.
    fn answer(&mut self, end: &Arc<PairEnd>) -> String {
        let seen = self.streamed.contains(&end.minion) && end.ret.value.is_string() && self.returns.for_people();
        if seen { String::new() } else { self.returns.add(end) }
    }

    /// What a return does not say by itself.
    fn note(&self, end: &PairEnd) -> String {
        let mut text = String::new();
        if good_to_know(&end.ret) && self.returns.for_people() {
            text += &format!("{} ended with code {}\n", end.minion, end.ret.retcode);
        }
        if end.ret.truncated {
            text += &format!("{}: its output was longer than may be kept, and was cut\n", end.minion);
        }
        text
    }

    fn output(&mut self, minion: MinionId, stream: Stream, text: &str) -> Result<(), Error> {
        if stream == Stream::Progress {
            return self.state_ended(minion, text);
        }
        if !self.live {
            return Ok(());
        }
        self.progress.clear();
        let style = if stream == Stream::Stderr { term::BAD } else { term::DIM };
        let head = term::paint(style, format_args!("{minion} |"));
        let lines = term::clean(text).lines().fold(String::new(), |all, line| all + &format!("{head} {line}\n"));
        self.streamed.insert(minion);
        match self.returns.for_people() {
            true => term::result(&lines)?,
            false => self.say(&lines),
        }
        Ok(())
    }

    /// A state ended on a minion: the progress line says how far it is, and `--stream` what it did.
    fn state_ended(&mut self, minion: MinionId, text: &str) -> Result<(), Error> {
        let Some(step) = Step::parse(text) else { return Ok(()) };
        if let (true, Some(line)) = (self.live || step.waits(), step.line()) {
            self.progress.clear();
            let line = format!("{} {line}\n", term::paint(term::DIM, format_args!("{minion} |")));
            match self.returns.for_people() && self.live {
                true => term::result(&line)?,
                false => self.say(&line),
            }
        }
        self.progress.step(minion, step);
        Ok(())
    }

    /// Why the others have not answered: asked once, when time is up.
    async fn ask_states(&mut self, client: &mut Client, jid: JobId) {
        let asked = tokio::time::timeout(Duration::from_secs(2), client.answer(Query::Job { jid })).await;
        if let Ok(Ok(Reply::JobDetail(detail))) = asked {
            for (minion, state) in detail.open {
                self.account.refine(&minion, state);
            }
        }
    }

    /// Follows the job on a new connection. `None` after Ctrl-C.
    async fn reconnect(&mut self, jid: JobId) -> Result<Option<Client>, Error> {
        self.say("the connection to the master is lost; the job goes on, trying again …\n");
        let give_up = self.deadline.unwrap_or_else(|| Instant::now() + MASTER_GONE);
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(300)) => {}
                _ = tokio::signal::ctrl_c() => return Ok(None),
            }
            match Client::connect(self.global).await {
                Ok(mut client) => {
                    if self.learn(&mut client).await.is_ok() && client.send(Query::Follow { jid }).await.is_ok() {
                        self.say("the master is back\n");
                        return Ok(Some(client));
                    }
                }
                Err(error) if Instant::now() > give_up => {
                    return Err(error.hint(format!("the job goes on; `ctl job follow {jid}` shows its answers")));
                }
                Err(_) => {}
            }
        }
    }

    fn detach(mut self, jid: JobId) -> error::Outcome {
        self.progress.clear();
        self.returns.finish()?;
        detached(jid);
        Ok(Exit::INTERRUPTED)
    }

    fn finish(mut self, jid: JobId) -> error::Outcome {
        self.progress.clear();
        self.returns.finish()?;
        let exit = self.account.exit();
        let style = if exit == Exit::OK { term::GOOD } else { term::BAD };
        self.global.note(&format!("{}\n", term::paint(style, self.account.line(&times::now()))));
        if exit == Exit::NO_ANSWER {
            self.global.note(&format!("  `ctl job show {jid}` shows what came later\n"));
        }
        Ok(exit)
    }

    fn say(&mut self, text: &str) {
        self.progress.clear();
        self.global.note(text);
    }
}

fn detached(jid: JobId) {
    term::complain(&format!("detached; the job goes on: {jid}\n  hint: `ctl job follow {jid}` shows its answers\n"));
}

/// Whether a failed command's code says what its output does not.
fn good_to_know(ret: &proto::Return) -> bool {
    let silent = ret.value.as_str().is_some_and(str::is_empty);
    ret.outcome == Outcome::Failed && ret.value.is_string() && ret.retcode != 0 && (silent || ret.retcode != 1)
}

/// A moment that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(365 * 86_400)
}

/// What `ctl job show` shows: the ends of a job that needs no following.
pub fn account_of(detail: &JobDetail) -> Account {
    let expected: Vec<MinionId> =
        detail.ends.iter().map(|end| end.minion.clone()).chain(detail.open.iter().map(|(id, _)| id.clone())).collect();
    let mut account = Account::new(&expected, &[]);
    for end in &detail.ends {
        account.end(&end.minion, end.ret.outcome);
    }
    for (minion, state) in &detail.open {
        account.progress(minion, *state);
    }
    account
}
