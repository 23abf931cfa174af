//! One operator's connection: questions in, answers out.

use std::sync::Arc;

use proto::{
    JobId,
    frame::LaneLimits,
    message::{Absent, Ask, Fault, FaultKind, Lane, OperatorEntry, Query, Refusal},
    net::{Receiver, Sender},
};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet};

use super::{Master, checks, farewell};
use crate::{
    access, clock,
    jobs::{Note, fault},
    orchestrations::{self, Followed, News},
    server::admin,
    store::Store,
    wire::{PairEnd, Reply, ToOperator},
};

/// Questions that one connection may have open at once.
const MOST_OPEN: usize = 256;
/// What an operator must be allowed to call on all minions of a job to kill it.
const KILL: &str = "saltutil.kill_job";
/// Returns of about this many bytes travel in one message.
const TOGETHER: u64 = 32 * 1024;

/// Where a question's answers go.
#[derive(Clone)]
pub(super) struct Answers {
    id: u32,
    sender: Sender,
}

impl Answers {
    /// Gives false when the operator is gone.
    pub async fn give(&self, reply: Reply) -> bool {
        self.sender.send(Lane::Returns, &ToOperator::Answer { id: self.id, reply }).await.is_ok()
    }

    pub async fn fault(&self, fault: Fault) {
        self.give(Reply::Error(fault)).await;
    }
}

/// What is known of who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub operator: OperatorEntry,
    pub origin: String,
}

/// Serves an operator until it goes.
pub(super) async fn serve(master: Arc<Master>, caller: Caller, sender: Sender, mut receiver: Receiver) {
    let welcome = ToOperator::Welcome {
        master: master.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        operator: caller.operator.name.clone(),
        now: clock::now(),
    };
    if sender.send(Lane::Control, &welcome).await.is_err() {
        return;
    }
    receiver.set_limits(LaneLimits::default());
    // Dropped with the connection, and with it every question that is still open.
    let mut open = JoinSet::new();
    let mut handles = std::collections::HashMap::new();
    loop {
        let ask = match receiver.recv::<Ask>().await {
            Ok(Some(ask)) => ask,
            Ok(None) => return,
            Err(error) => {
                return tracing::info!(operator = %caller.operator.name, %error, "operator's connection ended");
            }
        };
        while let Some(done) = open.try_join_next_with_id() {
            let finished = done.map_or_else(|error| error.id(), |(id, ())| id);
            handles.retain(|_, handle: &mut tokio::task::AbortHandle| handle.id() != finished);
        }
        // Looked up each time: rules change, and operators are revoked.
        let Some(operator) = master.operators.by_key(&caller.operator.key) else {
            return farewell(&ToOperator::Refused { why: Refusal::UnknownOperator }, &sender, &mut receiver).await;
        };
        let caller = Caller { operator, origin: caller.origin.clone() };
        let answers = Answers { id: ask.id, sender: sender.clone() };
        match ask.query {
            Query::Forget { id } => {
                handles.remove(&id).inspect(|handle| handle.abort());
            }
            _ if open.len() >= MOST_OPEN => {
                let message = format!("more than {MOST_OPEN} questions at once");
                answers.fault(Fault { kind: FaultKind::Usage, message, hint: None }).await;
            }
            query => {
                let handle = open.spawn(answer(master.clone(), caller, query, answers));
                handles.insert(ask.id, handle);
            }
        }
    }
}

async fn answer(master: Arc<Master>, caller: Caller, query: Query, answers: Answers) {
    let result = match query {
        Query::Run { request, follow } => return run(&master, &caller, request, follow, &answers).await,
        Query::Follow { jid } => return follow_job(&master, &caller, jid, &answers).await,
        Query::Job { jid } => return show_job(&master, &caller, jid, &answers).await,
        Query::Events { tag } => return events(&master, &caller, &tag, &answers).await,
        Query::Checks { target, follow } => {
            return checks::answer(&master, &caller, target.as_deref(), follow, &answers).await;
        }
        Query::Kill { jid } => kill(&master, &caller, jid).await,
        Query::Plan(wanted) => {
            orchestrations::plan(&master, &caller, *wanted).await.map(|plan| Reply::Plan(Box::new(plan)))
        }
        Query::Orchestrate { request, follow } => {
            return orchestrate(&master, &caller, request, follow, &answers).await;
        }
        query => admin::answer(&master, &caller, query).await,
    };
    match result {
        Ok(reply) => {
            answers.give(reply).await;
        }
        Err(fault) => answers.fault(fault).await,
    }
}

async fn run(master: &Master, caller: &Caller, request: proto::sign::Signed, follow: bool, answers: &Answers) {
    match master.jobs.run(&master.keys, &caller.operator, &caller.origin, request, follow).await {
        Err(fault) => {
            master.audit(caller, "run", &fault.message).await;
            answers.fault(fault).await;
        }
        Ok(started) => {
            if answers.give(Reply::Job(started.start)).await
                && let Some(notes) = started.notes
            {
                pass_on(&master.store, notes, answers).await;
            }
        }
    }
}

async fn orchestrate(
    master: &Arc<Master>,
    caller: &Caller,
    request: proto::sign::Signed,
    follow: bool,
    answers: &Answers,
) {
    match orchestrations::start(master, caller, request).await {
        Err(fault) => {
            master.audit(caller, "orchestrate", &fault.message).await;
            answers.fault(fault).await;
        }
        Ok(followed) if follow => pass_on_news(followed, answers).await,
        Ok(followed) => {
            answers.give(Reply::Orchestration(Box::new(followed.start))).await;
        }
    }
}

/// What happens to an orchestration, from its start to its end.
async fn pass_on_news(followed: Followed, answers: &Answers) {
    let Followed { start, mut news } = followed;
    if !answers.give(Reply::Orchestration(Box::new(start))).await {
        return;
    }
    while let Some(news) = news.recv().await {
        match news {
            News::Stage(note) => {
                if !answers.give(Reply::Stage(note)).await {
                    return;
                }
            }
            News::Ended(end) => {
                if answers.give(Reply::Orchestrated(Box::new((*end).clone()))).await {
                    answers.give(Reply::Done).await;
                }
                return;
            }
        }
    }
}

/// Takes the same right as to end it where it runs.
async fn kill(master: &Master, caller: &Caller, jid: JobId) -> Result<Reply, Fault> {
    if let Some(jobs) = orchestrations::kill(master, caller, jid).await? {
        return Ok(Reply::Stopped { jobs });
    }
    let ended = || {
        let hint = format!("`ctl job show {jid}` shows how");
        fault(FaultKind::NotFound, format!("job {jid} is not open (any more)"), Some(hint))
    };
    let minions = master.jobs.concerned(jid).ok_or_else(ended)?;
    let fixed = master.keys.fixed_grains(&minions);
    let seen = minions.iter().zip(&fixed).map(|(id, fixed_grains)| access::Seen { id, fixed_grains });
    let function = KILL.parse().map_err(|error: proto::IdError| fault(FaultKind::Usage, error.to_string(), None))?;
    let killed = match access::permit(&caller.operator, &function, seen) {
        Ok(()) => master.jobs.kill(jid, &caller.operator.name).await.ok_or_else(ended),
        Err(fault) => Err(fault),
    };
    let outcome = killed.as_ref().err().map_or("done", |fault| fault.message.as_str());
    master.audit(caller, &format!("job kill {jid}"), outcome).await;
    Ok(Reply::Changed(killed?.iter().map(ToString::to_string).collect()))
}

async fn follow_job(master: &Master, caller: &Caller, jid: JobId, answers: &Answers) {
    if let Err(fault) = access::permit_admin(&caller.operator, "job.follow") {
        return answers.fault(fault).await;
    }
    match orchestrations::follow(master, jid).await {
        Ok(Some(followed)) => return pass_on_news(followed, answers).await,
        Ok(None) => {}
        Err(fault) => return answers.fault(fault).await,
    }
    match master.jobs.follow(jid).await {
        Ok(Some(notes)) => pass_on(&master.store, notes, answers).await,
        Ok(None) => answers.fault(admin::no_job(jid)).await,
        Err(error) => answers.fault(admin::store_fault(&error)).await,
    }
}

/// The returns that are on disk, read one by one and sent as they come, then all else: a job may
/// have more of them than fit into one message, or into memory.
async fn show_job(master: &Master, caller: &Caller, jid: JobId, answers: &Answers) {
    if let Err(fault) = access::permit_admin(&caller.operator, "job.list") {
        return answers.fault(fault).await;
    }
    match orchestrations::detail(master, jid).await {
        Ok(None) => {}
        Ok(Some(detail)) => {
            answers.give(Reply::OrchestrationDetail(Box::new(detail))).await;
            return;
        }
        Err(fault) => return answers.fault(fault).await,
    }
    let (detail, ended) = match master.jobs.detail(jid).await {
        Ok(Some(found)) => found,
        Ok(None) => return answers.fault(admin::no_job(jid)).await,
        Err(error) => return answers.fault(admin::store_fault(&error)).await,
    };
    let mut ends = Together::default();
    for minion in &ended {
        if let Some(end) = stored(&master.store, jid, minion).await
            && !ends.add(end, answers).await
        {
            return;
        }
    }
    if ends.send(answers).await {
        answers.give(Reply::JobDetail(Box::new(detail))).await;
    }
}

/// Passes on what becomes of a job; returns that come close together travel together.
async fn pass_on(store: &Store, mut notes: UnboundedReceiver<Note>, answers: &Answers) {
    let mut waiting = Vec::new();
    loop {
        waiting.clear();
        if notes.recv_many(&mut waiting, 512).await == 0 {
            return;
        }
        let mut ends = Together::default();
        for note in waiting.drain(..) {
            let passed = match note {
                Note::Ended(end, _weight) => ends.add(end, answers).await,
                Note::Stored(jid, minion) => match stored(store, jid, &minion).await {
                    Some(end) => ends.add(end, answers).await,
                    None => true,
                },
                Note::Absent(Absent { minion, since }) => answers.give(Reply::Absent(Absent { minion, since })).await,
                Note::Present(minion) => answers.give(Reply::Present { minion }).await,
                Note::Output(minion, stream, text, _weight) => {
                    answers.give(Reply::Output { minion, stream, text }).await
                }
                Note::Done => {
                    ends.send(answers).await;
                    answers.give(Reply::Done).await;
                    return;
                }
            };
            if !passed {
                return;
            }
        }
        if !ends.send(answers).await {
            return;
        }
    }
}

#[derive(Default)]
struct Together {
    ends: Vec<Arc<PairEnd>>,
    bytes: u64,
}

impl Together {
    async fn add(&mut self, end: Arc<PairEnd>, answers: &Answers) -> bool {
        self.bytes += end.ret.weight();
        self.ends.push(end);
        self.bytes < TOGETHER || self.send(answers).await
    }

    async fn send(&mut self, answers: &Answers) -> bool {
        self.bytes = 0;
        self.ends.is_empty() || answers.give(Reply::Ends(std::mem::take(&mut self.ends))).await
    }
}

/// A return that is on disk, or will be in a moment.
async fn stored(store: &Store, jid: JobId, minion: &proto::MinionId) -> Option<Arc<PairEnd>> {
    for _ in 0..600 {
        match store.end_of(jid, minion).await {
            Ok(Some(end)) => return Some(Arc::new(end)),
            Ok(None) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(error) => tracing::error!(%error, %jid, %minion, "cannot read a return"),
        }
    }
    None
}

async fn events(master: &Master, caller: &Caller, tag: &str, answers: &Answers) {
    if let Err(fault) = access::permit_admin(&caller.operator, "event.watch") {
        return answers.fault(fault).await;
    }
    let mut events = master.events.subscribe();
    loop {
        match events.recv().await {
            Ok(event) if proto::event::matches(tag, &event.tag) => {
                if !answers.give(Reply::Event { tag: event.tag.clone(), data: event.data.clone() }).await {
                    return;
                }
            }
            Ok(_) => {}
            Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                let data = serde_json::json!({ "missed": missed });
                answers.give(Reply::Event { tag: proto::event::MISSED.into(), data }).await;
            }
            Err(_) => return,
        }
    }
}
