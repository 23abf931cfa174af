//! One orchestration under way, as values: its jobs, what happened to it, and who follows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use orchestrate::fleet::Refused;
use proto::{
    Hash, JobId, Map, OperatorName,
    message::orchestration::{OrchestrationEnd, OrchestrationStart, Plan, StageEvent, StageNote},
    sign::Signed,
};
use states::{compile::Step, run::Row};
use tokio::sync::{mpsc, watch};

use crate::{clock, jobs::Note};

/// Notes that are kept for those who come later, beside one for each stage's end.
const NOTES: usize = 10_000;

/// What followers are told.
#[derive(Debug, Clone)]
pub enum News {
    Stage(Box<StageNote>),
    Ended(Arc<OrchestrationEnd>),
}

/// What does not change about it.
pub struct Live {
    pub jid: JobId,
    pub name: String,
    pub saltenv: String,
    pub test: bool,
    pub pillar: Map,
    pub operator: OperatorName,
    /// The operator's signed request, and until when it is good for.
    pub authority: Signed,
    pub valid_until: u64,
    pub origin: String,
    pub tree: Option<Hash>,
    pub steps: Vec<Step>,
    pub plan: Plan,
    /// Which stage of the plan a tag is.
    stages: HashMap<String, u32>,
    /// Says who killed it.
    killed: watch::Sender<Option<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The jobs of each step, oldest first.
    children: HashMap<String, Vec<JobId>>,
    /// How many of them were asked for since this process began.
    asked: HashMap<String, usize>,
    /// Streams of jobs that were just published.
    streams: HashMap<JobId, mpsc::UnboundedReceiver<Note>>,
    notes: Vec<StageNote>,
    counts: HashMap<u32, StageNote>,
    followers: Vec<mpsc::UnboundedSender<News>>,
}

/// What is known of an orchestration before it runs.
pub struct Born {
    pub jid: JobId,
    pub name: String,
    pub saltenv: String,
    pub test: bool,
    pub pillar: Map,
    pub operator: OperatorName,
    pub authority: Signed,
    pub valid_until: u64,
    pub origin: String,
    pub tree: Option<Hash>,
    pub steps: Vec<Step>,
    pub plan: Plan,
    pub children: Vec<(String, JobId)>,
}

impl Live {
    pub fn new(born: Born) -> Self {
        let mut children: HashMap<String, Vec<JobId>> = HashMap::new();
        for (step, jid) in born.children {
            children.entry(step).or_default().push(jid);
        }
        let stages = (0_u32..).zip(&born.plan.stages).map(|(index, stage)| (stage.tag.clone(), index)).collect();
        Self {
            jid: born.jid,
            name: born.name,
            saltenv: born.saltenv,
            test: born.test,
            pillar: born.pillar,
            operator: born.operator,
            authority: born.authority,
            valid_until: born.valid_until,
            origin: born.origin,
            tree: born.tree,
            steps: born.steps,
            plan: born.plan,
            stages,
            killed: watch::Sender::new(None),
            state: Mutex::new(State { children, ..State::default() }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self) -> OrchestrationStart {
        OrchestrationStart { jid: self.jid, plan: self.plan.clone() }
    }

    pub fn kill(&self, who: &OperatorName) {
        self.killed.send_replace(Some(format!("killed by {who}")));
    }

    /// # Errors
    /// It was killed.
    pub fn alive(&self) -> Result<(), Refused> {
        match self.killed.borrow().clone() {
            Some(who) => Err(Refused::Killed(who)),
            None => Ok(()),
        }
    }

    pub fn was_killed(&self) -> bool {
        self.killed.borrow().is_some()
    }

    /// Resolves when it is killed.
    pub async fn dead(&self) -> Refused {
        let mut killed = self.killed.subscribe();
        let who = killed.wait_for(Option::is_some).await.ok().and_then(|who| who.clone());
        Refused::Killed(who.unwrap_or_default())
    }

    /// The job that a step published next before an interruption, if it did.
    pub fn next_child(&self, step: &str) -> Option<JobId> {
        let mut state = self.state();
        let asked = state.asked.entry(step.to_owned()).or_default();
        let at = *asked;
        *asked += 1;
        state.children.get(step)?.get(at).copied()
    }

    /// Whether a step is still making up for an interruption.
    pub fn is_behind(&self, step: &str) -> bool {
        let state = self.state();
        let asked = state.asked.get(step).copied().unwrap_or(0);
        state.children.get(step).is_some_and(|children| children.len() > asked)
    }

    pub fn add_child(&self, step: &str, jid: JobId) {
        self.state().children.entry(step.to_owned()).or_default().push(jid);
    }

    /// All jobs of its steps.
    pub fn children(&self) -> Vec<JobId> {
        let state = self.state();
        let mut all: Vec<JobId> = state.children.values().flatten().copied().collect();
        all.sort();
        all
    }

    pub fn keep_stream(&self, jid: JobId, notes: mpsc::UnboundedReceiver<Note>) {
        self.state().streams.insert(jid, notes);
    }

    pub fn take_stream(&self, jid: JobId) -> Option<mpsc::UnboundedReceiver<Note>> {
        self.state().streams.remove(&jid)
    }

    /// Tells who follows that something happened to a step; a part of a nested run is told as its
    /// outermost step's.
    pub fn tell(&self, step: &str, what: StageEvent) {
        let outer = self.stages.keys().find(|tag| step.starts_with(tag.as_str()));
        let Some(&stage) = self.stages.get(step).or_else(|| self.stages.get(outer?)) else { return };
        let note = StageNote { stage, at: clock::now(), what };
        let mut state = self.state();
        match note.what {
            StageEvent::Counts { .. } => {
                state.counts.insert(stage, note.clone());
            }
            StageEvent::Ended { .. } => state.notes.push(note.clone()),
            _ if state.notes.len() < NOTES => state.notes.push(note.clone()),
            _ => {}
        }
        let news = News::Stage(Box::new(note));
        state.followers.retain(|follower| follower.send(news.clone()).is_ok());
    }

    pub fn ended(&self, tag: &str, row: &Row) {
        let what = StageEvent::Ended {
            result: row.result,
            ran: row.ran,
            changed: !row.changes.is_empty(),
            comment: row.comment.clone(),
            duration: row.duration,
        };
        self.tell(tag, what);
    }

    /// Tells everyone that it is over.
    pub fn over(&self, end: &Arc<OrchestrationEnd>) {
        for follower in self.state().followers.drain(..) {
            // Whoever has gone does not mind.
            let _ = follower.send(News::Ended(end.clone()));
        }
    }

    /// What was, then what comes.
    pub fn follow(&self) -> mpsc::UnboundedReceiver<News> {
        let (teller, news) = mpsc::unbounded_channel();
        let mut state = self.state();
        let tell = |note: &StageNote| drop(teller.send(News::Stage(Box::new(note.clone()))));
        for note in &state.notes {
            // Who hears that a stage has ended wants to know by then how it stood.
            if let (StageEvent::Ended { .. }, Some(counts)) = (&note.what, state.counts.get(&note.stage)) {
                tell(counts);
            }
            tell(note);
        }
        state.counts.values().for_each(tell);
        state.followers.push(teller);
        news
    }
}
