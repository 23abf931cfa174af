//! Running and following an orchestration: plan, sign, watch the stages, say what became of them.

use std::time::{Duration, Instant};

use proto::{
    JobId, Outcome as Ended, RunOptions, Value,
    message::{
        ORCHESTRATE, Query,
        orchestration::{Call, Orchestration, OrchestrationEnd, OrchestrationStart, Plan},
    },
};
use serde_json::json;

use crate::{
    cli::Global,
    client::{Client, Lost, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{self, Format, highstate, stages as screen},
    stages::{Run, Status},
    term::{self, Region},
};

/// How the run is shown and kept.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "How")]
pub struct Options {
    /// Plan and show what each stage would change; change nothing
    #[arg(long, help_heading = None)]
    pub test: bool,
    /// Only this stage and those that wait for it; the others count as done
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    pub from: Option<String>,
    /// Only this stage; the others count as done
    #[arg(long, value_name = "STAGE")]
    pub only: Option<String>,
    /// Go on where this one failed: what ended well is not run again. `last` is your latest that was no dry run
    #[arg(long, value_name = "JID")]
    pub resume: Option<crate::commands::Which>,
    /// Also while another run of the same is under way
    #[arg(long)]
    pub concurrent: bool,
    /// Print the job's id and return at once
    #[arg(long = "async")]
    pub detach: bool,
    /// Kept in the audit log
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

impl Options {
    /// Writes what was chosen into the orchestration.
    pub async fn choose(&self, client: &mut Client, orchestration: &mut Orchestration) -> Result<(), Error> {
        orchestration.test = self.test;
        orchestration.from.clone_from(&self.from);
        orchestration.only.clone_from(&self.only);
        orchestration.concurrent = self.concurrent;
        if let Some(which) = &self.resume {
            orchestration.resume = Some(which.find_resumable(client).await?);
        }
        Ok(())
    }
}

/// Plans it, runs it and watches it until it ends.
pub fn carry_out(global: &Global, mut orchestration: Orchestration, options: &Options) -> Outcome {
    block_on(async {
        let mut client = Client::connect(global).await?;
        options.choose(&mut client, &mut orchestration).await?;
        begin(global, client, orchestration, options.comment.clone(), options.detach).await
    })
}

/// As [`carry_out`], with everything chosen.
pub async fn begin(
    global: &Global,
    mut client: Client,
    mut orchestration: Orchestration,
    comment: Option<String>,
    detach: bool,
) -> Outcome {
    let plan = match client.answer(Query::Plan(Box::new(orchestration.clone()))).await? {
        Reply::Plan(plan) => plan,
        other => return Err(client.unexpected(&other)),
    };
    if !detach {
        global.note(&format!("{}\n", screen::plan(&plan, term::screen().0)));
    }
    let hashes: Result<_, _> = plan.calls.iter().map(Call::hash).collect();
    orchestration.calls = hashes.map_err(|why| Error::nothing(format!("the plan cannot be signed: {why}")))?;
    let function = ORCHESTRATE.parse().map_err(|why: proto::IdError| Error::nothing(why.to_string()))?;
    let options = RunOptions { comment, ..RunOptions::default() };
    let request = client.sign(&orchestration.source.name(), function, orchestration.args(), options)?;
    client.send(Query::Orchestrate { request, follow: !detach }).await?;
    let start = match client.next().await.map_err(Lost::before_start)? {
        (_, Reply::Orchestration(start)) => *start,
        (_, Reply::Error(fault)) => return Err(fault.into()),
        (_, other) => return Err(client.unexpected(&other)),
    };
    if detach {
        return detached(global, &start);
    }
    if global.verbose > 0 {
        global.note(&format!("job {}\n", start.jid));
    }
    Watch::new(global, start.jid, start.plan).follow(client).await
}

fn detached(global: &Global, start: &OrchestrationStart) -> Outcome {
    let jid = start.jid.to_string();
    match global.out {
        None => term::result(&format!("{jid}\n"))?,
        format => output::one(format, &json!({"jid": jid, "stages": start.plan.stages.len()}))?,
    }
    global.note(&format!("`ctl job follow {jid}` shows its stages\n"));
    Ok(Exit::OK)
}

/// Joins one that began earlier.
pub async fn join(global: &Global, mut client: Client, jid: JobId, plan: Plan) -> Outcome {
    client.send(Query::Follow { jid }).await?;
    Watch::new(global, jid, plan).follow(client).await
}

/// How long a master that went away may take to come back before we give up following.
const MASTER_GONE: Duration = Duration::from_secs(60);
const REDRAW: Duration = Duration::from_millis(100);

struct Watch<'a> {
    global: &'a Global,
    jid: JobId,
    run: Run,
    end: Option<OrchestrationEnd>,
    region: Region,
    begun: Instant,
    /// When the master's clock was last heard.
    heard: Instant,
    drawn: Instant,
    /// Whether each stage's end was told already, where lines are written instead of a screen.
    told: Vec<bool>,
}

enum Stop {
    Done,
    Interrupted,
    MasterGone,
}

impl<'a> Watch<'a> {
    fn new(global: &'a Global, jid: JobId, plan: Plan) -> Self {
        let now = Instant::now();
        let told = vec![false; plan.stages.len()];
        let run = Run::new(plan, jid.micros());
        Self { global, jid, run, end: None, region: Region::default(), begun: now, heard: now, drawn: now, told }
    }

    fn format(&self) -> Option<Format> {
        self.global.out
    }

    async fn follow(mut self, mut client: Client) -> Outcome {
        loop {
            let stop = self.until_stop(&mut client).await;
            self.region.clear();
            match stop? {
                Stop::Done => return self.finish(),
                Stop::Interrupted => return self.detach(),
                Stop::MasterGone => match self.reconnect().await? {
                    Some(again) => client = again,
                    None => return self.detach(),
                },
            }
        }
    }

    async fn until_stop(&mut self, client: &mut Client) -> Result<Stop, Error> {
        loop {
            tokio::select! {
                answer = client.next() => match answer {
                    Ok((_, Reply::Done)) => return Ok(Stop::Done),
                    Ok((_, reply)) => self.take(reply)?,
                    Err(_) => return Ok(Stop::MasterGone),
                },
                () = tokio::time::sleep(REDRAW) => {}
                _ = tokio::signal::ctrl_c() => return Ok(Stop::Interrupted),
            }
            self.draw();
        }
    }

    fn take(&mut self, reply: Reply) -> Result<(), Error> {
        match reply {
            // All over again, after a lost connection.
            Reply::Orchestration(start) => {
                self.told.resize(start.plan.stages.len(), false);
                self.run = Run::new(start.plan, start.jid.micros());
            }
            Reply::Stage(note) => {
                self.heard = Instant::now();
                if let Some(ended) = self.run.take(*note) {
                    self.tell(ended)?;
                }
            }
            Reply::Orchestrated(end) => self.end = Some(*end),
            Reply::Error(fault) => return Err(fault.into()),
            _ => {}
        }
        Ok(())
    }

    /// A stage ended: a line for logs and programs, where no screen is drawn.
    fn tell(&mut self, index: usize) -> Result<(), Error> {
        if std::mem::replace(&mut self.told[index], true) {
            return Ok(());
        }
        match self.format() {
            Some(Format::Jsonl) => term::result(&(stage_object(&self.run, index).to_string() + "\n"))?,
            Some(Format::Txt) => term::result(&stage_text(&self.run, index))?,
            _ if !term::interactive() => self.global.note(&screen::line(&self.run, index)),
            _ => {}
        }
        Ok(())
    }

    fn draw(&mut self) {
        if self.global.quiet || !term::interactive() || self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        let now = self.run.latest + micros(self.heard.elapsed());
        let elapsed = now.saturating_sub(self.jid.micros()).max(micros(self.begun.elapsed()));
        self.region.draw(&screen::live(&self.run, now, elapsed, term::screen().1));
    }

    async fn reconnect(&mut self) -> Result<Option<Client>, Error> {
        self.global.note("the connection to the master is lost; the stages go on, trying again …\n");
        let give_up = Instant::now() + MASTER_GONE;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(300)) => {}
                _ = tokio::signal::ctrl_c() => return Ok(None),
            }
            match Client::connect(self.global).await {
                Ok(mut client) => {
                    client.send(Query::Follow { jid: self.jid }).await?;
                    return Ok(Some(client));
                }
                Err(error) if Instant::now() > give_up => {
                    return Err(error.hint(format!("it goes on; `ctl job follow {}` shows its stages", self.jid)));
                }
                Err(_) => {}
            }
        }
    }

    fn detach(self) -> Outcome {
        let jid = self.jid;
        term::complain(&format!(
            "detached; it goes on: {jid}\n  hint: `ctl job follow {jid}` shows its stages, `ctl job kill {jid}` stops it\n"
        ));
        Ok(Exit::INTERRUPTED)
    }

    fn finish(self) -> Outcome {
        let Some(end) = &self.end else {
            return Err(Error::failed("the master did not say how it ended")
                .hint(format!("`ctl job show {}` shows its stages", self.jid)));
        };
        self.show(end)?;
        let exit = if end.outcome == Ended::Ok { Exit::OK } else { Exit::FAILED };
        let killed = if end.outcome == Ended::Refused { "; it was killed" } else { "" };
        let style = if exit == Exit::OK { term::GOOD } else { term::BAD };
        self.global.note(&format!("{}\n", term::paint(style, self.run.account() + killed)));
        if exit != Exit::OK && !self.run.plan.test {
            let jid = self.jid;
            self.global.note(&format!("  after a repair, `ctl overstate --resume {jid}` goes on from there\n"));
        }
        Ok(exit)
    }

    fn show(&self, end: &OrchestrationEnd) -> Result<(), Error> {
        let all = self.global.verbose > 0;
        let text = match self.format() {
            None | Some(Format::Nested) => {
                let width = term::width().map_or(usize::MAX, usize::from);
                // Whoever reads both streams as one has read these lines as the stages ended.
                let read = !self.global.quiet && !term::interactive() && term::is_one_stream();
                let table = if read { String::new() } else { screen::table(&self.run, width) };
                table + &screen::details(&self.run.plan, &end.value, all)
            }
            Some(Format::Highstate) => {
                rows(&end.value).map(|(master, rows)| highstate::render(master, rows, all)).unwrap_or_default()
            }
            Some(Format::Json) => output::json(&end.value),
            Some(Format::Yaml) => output::yaml(&end.value),
            Some(_) => String::new(),
        };
        Ok(term::result(&text)?)
    }
}

fn rows(value: &Value) -> Option<(&String, &Value)> {
    value.get("data")?.as_object()?.iter().next()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A stage that has ended, for programs.
fn stage_object(run: &Run, index: usize) -> Value {
    let (planned, stage) = (&run.plan.stages[index], &run.stages[index]);
    let jobs: Vec<String> = stage.jobs.iter().map(JobId::to_string).collect();
    let mut object = json!({"stage": planned.id, "jobs": jobs, "expected": stage.expected});
    if let Status::Ended(ended) = &stage.status {
        object["result"] = json!(ended.result);
        object["ran"] = json!(ended.ran);
        object["changed"] = json!(ended.changed);
        object["comment"] = json!(ended.comment);
        object["duration_seconds"] = json!(ended.duration as f64 / 1e6);
    }
    let failures = stage.failures.iter().map(|(minion, why)| (minion.to_string(), Value::from(why.as_str())));
    object["failures"] = Value::Object(failures.collect());
    object
}

/// `database: ok`
fn stage_text(run: &Run, index: usize) -> String {
    let word = match &run.stages[index].status {
        Status::Ended(ended) if !ended.ran => "not run",
        Status::Ended(ended) if ended.result == Some(false) => "failed",
        _ => "ok",
    };
    format!("{}: {word}\n", term::clean(&run.plan.stages[index].id))
}
