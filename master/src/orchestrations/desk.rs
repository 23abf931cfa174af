//! The fleet as the master gives it to an orchestration. Its methods block: they are called from
//! the threads of the runner, never from those of the sockets.

use std::{future::Future, sync::Arc, time::Duration};

use orchestrate::{
    Fleet,
    fleet::{Child, Follow, Listen, Matched, Note, Refused, Side},
};
use proto::{
    Args, JobId, MinionId, Outcome, Request, RunOptions, Value, event,
    message::{
        Absent, Fault, FaultKind, OperatorEntry,
        orchestration::{Call, StageEvent},
    },
    sign::PublicKey,
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc},
};

use super::live::Live;
use crate::{
    clock,
    jobs::{self, Part, Started},
    server::Master,
    store::StoreError,
    survey::survey,
    wire::PairEnd,
};

/// Children of the past whose minions answered long ago are read from the store; a return that is
/// on its way to the disk is asked for again so often, 100 ms apart.
const TRIES: usize = 600;
/// How long an operator's request must still be good for when a job is made of it, in microseconds.
const LAST: u64 = 10_000_000;
/// Targets that nobody matches for which something like them is looked for: that is slow.
const HINTS: usize = 5;

/// For a plan, without a `live`; for a run, with one.
pub struct Desk {
    pub master: Arc<Master>,
    pub runtime: Handle,
    /// The operator on whose word all is done.
    pub asker: PublicKey,
    pub live: Option<Arc<Live>>,
}

impl Desk {
    fn live(&self) -> Result<&Arc<Live>, Refused> {
        self.live.as_ref().ok_or_else(|| Refused::Other("nothing is run for a plan".into()))
    }

    /// The same for another part of it.
    pub fn again(&self) -> Self {
        let Self { master, runtime, asker, live } = self;
        Self { master: master.clone(), runtime: runtime.clone(), asker: *asker, live: live.clone() }
    }

    /// The operator as the rules know them now.
    pub fn operator(&self) -> Result<OperatorEntry, Refused> {
        let operator = self.master.operators.by_key(&self.asker);
        operator.ok_or_else(|| Refused::Other("the operator who started this is none any more".into()))
    }

    /// Waits for something, unless the orchestration is killed meanwhile.
    fn wait<T>(&self, what: impl Future<Output = T>) -> Result<T, Refused> {
        let live = self.live()?;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                why = live.dead() => Err(why),
                value = what => Ok(value),
            }
        })
    }

    async fn publish_now(&self, step: &str, call: &Call, options: &RunOptions) -> Result<Child, Refused> {
        let live = self.live()?;
        live.alive()?;
        let (master, jobs) = (&self.master, &self.master.jobs);
        if let Some(jid) = live.next_child(step)
            && let Some(record) = master.store.job_record(jid).await.map_err(stored)?
        {
            let expected = record.expected.to_vec();
            let absent = master.fleet.absent(&expected);
            return Ok(Child { jid, expected, absent });
        }
        let jid = jobs.next_jid();
        let operator = self.operator()?;
        let left = live.valid_until.saturating_sub(clock::now());
        if left < LAST {
            let hint = format!("`--resume {}` goes on from here with a new one", live.jid);
            let why = format!("the request that {} signed is no longer good: it was for a day", live.operator);
            return Err(Refused::Other(format!("{why}\n  hint: {hint}")));
        }
        let id = step.split("_|-").nth(1).unwrap_or(step);
        let request = Request {
            nonce: rand::random(),
            operator: operator.name.clone(),
            target: call.target.clone(),
            function: call.function.clone(),
            args: call.args.clone(),
            valid_until: live.valid_until,
            options: RunOptions { comment: Some(format!("stage {id} of {}", live.jid)), ..options.clone() },
        };
        // The step's name is written with the job, before it is published.
        let part = Part { parent: live.jid, step: step.to_owned(), authority: live.authority.clone(), tree: live.tree };
        let Started { start, notes } =
            jobs.run_part(&master.keys, &operator, &live.origin, request, jid, part).await.map_err(refused)?;
        live.add_child(step, jid);
        // Killed just now, and not among what was ended with it.
        if live.was_killed() {
            jobs.kill(jid, &live.operator).await;
        }
        if let Some(notes) = notes {
            live.keep_stream(jid, notes);
        }
        Ok(Child { jid, expected: start.expected, absent: start.absent })
    }
}

fn stored(error: StoreError) -> Refused {
    Refused::Other(error.to_string())
}

fn refused(fault: Fault) -> Refused {
    let text = match fault.hint {
        Some(hint) => format!("{}\n  hint: {hint}", fault.message),
        None => fault.message,
    };
    if fault.kind == FaultKind::NoMatch { Refused::NoMatch(text) } else { Refused::Other(text) }
}

impl Fleet for Desk {
    fn resolve(&self, target: &str) -> Result<Matched, Refused> {
        let fleet = &self.master.fleet;
        let parsed = fleet.parse(target).map_err(|error| Refused::Other(error.to_string()))?;
        if fleet.asks_pillar(&parsed) {
            self.runtime.block_on(self.master.pillars.learn());
        }
        let minions = fleet.resolve(&parsed);
        if minions.is_empty() {
            let hint = fleet.nearest(target).map(|hint| format!(" ({hint})")).unwrap_or_default();
            return Err(Refused::NoMatch(format!("no minion matches '{target}'{hint}")));
        }
        let absent = fleet.absent(&minions).into_iter().map(|Absent { minion, since }| (minion, since)).collect();
        Ok(Matched { minions, absent })
    }

    fn survey(&self, targets: &[String]) -> Vec<Result<Matched, Refused>> {
        let fleet = &self.master.fleet;
        let parsed: Vec<_> = targets.iter().map(|target| fleet.parse(target)).collect();
        if parsed.iter().flatten().any(|target| fleet.asks_pillar(target)) {
            self.runtime.block_on(self.master.pillars.learn());
        }
        let (all, good) = (fleet.candidates(), parsed.iter().flatten().cloned().collect::<Vec<_>>());
        let mut found = survey(&all, &good, fleet.nodegroups()).into_iter();
        let mut hints = HINTS;
        let mut one = |(text, parsed): (&String, &Result<_, proto::TargetError>)| {
            if let Err(error) = parsed {
                return Err(Refused::Other(error.to_string()));
            }
            let places = found.next().unwrap_or_default();
            if places.is_empty() {
                hints = hints.saturating_sub(1);
                let hint = (hints > 0).then(|| fleet.nearest(text)).flatten().map(|hint| format!(" ({hint})"));
                return Err(Refused::NoMatch(format!("no minion matches '{text}'{}", hint.unwrap_or_default())));
            }
            let absent = |at: &usize| Some((all[*at].id.clone(), all[*at].absent?));
            Ok(Matched {
                absent: places.iter().filter_map(absent).collect(),
                minions: places.into_iter().map(|at| all[at].id.clone()).collect(),
            })
        };
        targets.iter().zip(&parsed).map(&mut one).collect()
    }

    fn publish(&self, step: &str, call: &Call, options: &RunOptions) -> Result<Child, Refused> {
        let live = self.live()?;
        self.master.orchestrations.stay();
        // Not cut off by a kill: what is written down is published, or known not to be.
        let child = self.runtime.block_on(self.publish_now(step, call, options))?;
        let what = StageEvent::Job {
            jid: child.jid,
            function: call.function.to_string(),
            expected: child.expected.len() as u32,
            absent: child.absent.clone(),
        };
        live.tell(step, what);
        Ok(child)
    }

    fn follow(&self, child: &Child) -> Result<Box<dyn Follow + '_>, Refused> {
        let notes = match self.live()?.take_stream(child.jid) {
            Some(notes) => notes,
            None => self
                .runtime
                .block_on(self.master.jobs.follow(child.jid))
                .map_err(stored)?
                .ok_or_else(|| Refused::Other(format!("job {} is not known any more", child.jid)))?,
        };
        Ok(Box::new(Following { desk: self, notes }))
    }

    fn stop(&self, child: JobId) {
        if let Ok(live) = self.live() {
            self.runtime.block_on(self.master.jobs.kill(child, &live.operator));
        }
    }

    fn listen(&self) -> Box<dyn Listen + '_> {
        Box::new(Listening { desk: self, events: self.master.events.subscribe() })
    }

    fn call(&self, step: &str, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
        self.live()?.alive()?;
        super::runners::call(self, step, side, function, args)
    }

    fn look(&self, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
        super::runners::look(self, side, function, args)
    }

    fn pause(&self, step: &str, length: Duration) -> Result<(), Refused> {
        let live = self.live()?;
        live.alive()?;
        if live.is_behind(step) {
            return Ok(());
        }
        let _clock = self.runtime.enter();
        self.wait(tokio::time::sleep(length))
    }

    fn counts(&self, step: &str, ends: &[(Outcome, u32)], open: u32) {
        if let Some(live) = &self.live {
            live.tell(step, StageEvent::Counts { ends: ends.to_vec(), open });
        }
    }

    fn failed(&self, step: &str, minion: &MinionId, why: &str) {
        if let Some(live) = &self.live {
            live.tell(step, StageEvent::Failed { minion: minion.clone(), why: why.to_owned() });
        }
    }

    fn says(&self, step: &str, text: String) {
        if let Some(live) = &self.live {
            live.tell(step, StageEvent::Says(text));
        }
    }

    fn send_event(&self, tag: &str, data: Value) -> Result<(), Refused> {
        if !event::may_publish(tag) {
            return Err(Refused::Other(format!("nobody but the bus itself may publish {tag}")));
        }
        self.master.events.send(tag.to_owned(), data);
        Ok(())
    }
}

struct Following<'a> {
    desk: &'a Desk,
    notes: mpsc::UnboundedReceiver<jobs::Note>,
}

impl Follow for Following<'_> {
    fn next(&mut self, patience: Duration) -> Result<Note, Refused> {
        let _clock = self.desk.runtime.enter();
        loop {
            let note = self.desk.wait(tokio::time::timeout(patience, self.notes.recv()))?;
            return Ok(match note {
                Err(_) => Note::Quiet,
                Ok(None | Some(jobs::Note::Done)) => Note::Done,
                Ok(Some(jobs::Note::Ended(end, _))) => opened(&end)?,
                Ok(Some(jobs::Note::Stored(jid, minion))) => match self.desk.wait(end_of(self.desk, jid, &minion))? {
                    Some(end) => opened(&end)?,
                    None => continue,
                },
                Ok(Some(jobs::Note::Absent(absent))) => Note::Absent(absent),
                Ok(Some(jobs::Note::Present(minion))) => Note::Present(minion),
                Ok(Some(jobs::Note::Output(..))) => continue,
            });
        }
    }
}

fn opened(end: &PairEnd) -> Result<Note, Refused> {
    let end = end.open().map_err(|why| Refused::Other(format!("the return of {}: {why}", end.minion)))?;
    Ok(Note::Ended(Arc::new(end)))
}

async fn end_of(desk: &Desk, jid: JobId, minion: &MinionId) -> Option<PairEnd> {
    for _ in 0..TRIES {
        match desk.master.store.end_of(jid, minion).await {
            Ok(Some(end)) => return Some(end),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, %jid, %minion, "cannot read a return"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

struct Listening<'a> {
    desk: &'a Desk,
    events: broadcast::Receiver<Arc<event::Event>>,
}

impl Listen for Listening<'_> {
    fn next(&mut self, patience: Duration) -> Result<Option<Arc<event::Event>>, Refused> {
        let _clock = self.desk.runtime.enter();
        match self.desk.wait(tokio::time::timeout(patience, self.events.recv()))? {
            Ok(Ok(event)) => Ok(Some(event)),
            // Events that came too fast are lost; the wait goes on.
            Ok(Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => Ok(None),
            Ok(Err(broadcast::error::RecvError::Closed)) => {
                Err(Refused::Other("the master tells no events any more".into()))
            }
        }
    }
}
