//! A fleet of values, and a context to compile and run over it.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::Duration,
};

use proto::{
    Args, JobId, Map, MinionId, Outcome, Return, RunOptions, Target, Value,
    job::PairEnd,
    message::{Absent, orchestration::Call},
    target::Subject,
};
use serde_json::json;
use states::{
    Command, Context, Function, Host, Look, Output, Stat,
    call::Functions,
    compile::Step,
    run::{Results, Row},
    tree::Folders,
};

use crate::{
    Director, Fleet,
    fleet::{Child, Follow, Listen, Matched, Note, Refused, Side},
    run,
};

/// How a minion answers a call, by its id.
type Answer = dyn Fn(&str, &Call) -> Option<(Outcome, Value)> + Send + Sync;

/// A fleet whose minions answer as `answer` says; `None` means that they are absent.
pub struct Fake {
    pub minions: Vec<&'static str>,
    pub absent: Vec<&'static str>,
    pub answer: Box<Answer>,
    /// What was published: step, target and function, in order.
    pub published: Mutex<Vec<(String, Call, RunOptions)>>,
    pub stopped: Mutex<Vec<JobId>>,
    pub events: Mutex<Vec<(String, Value)>>,
    pub said: Mutex<Vec<String>>,
}

impl Fake {
    pub fn new(
        minions: &[&'static str],
        answer: impl Fn(&str, &Call) -> Option<(Outcome, Value)> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::with(minions, &[], answer))
    }

    pub fn with(
        minions: &[&'static str],
        absent: &[&'static str],
        answer: impl Fn(&str, &Call) -> Option<(Outcome, Value)> + Send + Sync + 'static,
    ) -> Self {
        Self {
            minions: minions.into(),
            absent: absent.into(),
            answer: Box::new(answer),
            published: Mutex::default(),
            stopped: Mutex::default(),
            events: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// `stage function target`, in the order in which they were published.
    pub fn calls(&self) -> Vec<String> {
        let published = self.published.lock().unwrap();
        let one = |(step, call, _): &(String, Call, RunOptions)| {
            format!("{} {} {}", step.split("_|-").nth(1).unwrap(), call.function, call.target)
        };
        published.iter().map(one).collect()
    }
}

/// State rows, one of them bad where `good` is false.
pub fn rows(good: bool, changed: bool) -> Value {
    let changes = if changed { json!({"new": "x"}) } else { json!({}) };
    json!({"test_|-a_|-a_|-nop": {
        "result": good, "changes": changes, "comment": "said", "__id__": "a", "__run_num__": 0, "__place__": "web.sls:2:3",
    }})
}

impl Fleet for Fake {
    fn resolve(&self, target: &str) -> Result<Matched, Refused> {
        let target: Target = target.parse().map_err(|why: proto::TargetError| Refused::Other(why.to_string()))?;
        let grains = Map::new();
        let matches = |id: &&&str| target.matches(&Subject::new(id, &grains));
        let minions: Vec<MinionId> = self.minions.iter().filter(matches).map(|id| id.parse().unwrap()).collect();
        if minions.is_empty() {
            return Err(Refused::NoMatch(format!("no minion matches '{target}'")));
        }
        let away = minions.iter().filter(|id| self.absent.contains(&id.as_str()));
        Ok(Matched { absent: away.map(|id| (id.clone(), Some(37_267_000_000))).collect(), minions })
    }

    fn publish(&self, step: &str, call: &Call, options: &RunOptions) -> Result<Child, Refused> {
        let matched = self.resolve(&call.target)?;
        let mut published = self.published.lock().unwrap();
        published.push((step.to_owned(), call.clone(), options.clone()));
        let absent = matched.absent.into_iter().map(|(minion, since)| Absent { minion, since }).collect();
        Ok(Child { jid: JobId::from_micros(published.len() as u64), expected: matched.minions, absent })
    }

    fn follow(&self, child: &Child) -> Result<Box<dyn Follow + '_>, Refused> {
        let (_, call, _) = self.published.lock().unwrap()[child.jid.micros() as usize - 1].clone();
        let present = child.expected.iter().filter(|id| !child.absent.iter().any(|absent| absent.minion == **id));
        let mut notes: Vec<Note> = Vec::new();
        for minion in present {
            let Some((outcome, value)) = (self.answer)(minion.as_str(), &call) else { continue };
            let retcode = i32::from(outcome != Outcome::Ok);
            let ret = Return { jid: child.jid, outcome, value, retcode, started: 0, duration: 0, truncated: false };
            notes.push(Note::Ended(Arc::new(PairEnd { minion: minion.clone(), ret, at: 0 })));
        }
        for absent in &child.absent {
            let value = Value::String("gone".into());
            let outcome = Outcome::Offline;
            let ret = Return { jid: child.jid, outcome, value, retcode: 1, started: 0, duration: 0, truncated: false };
            notes.push(Note::Ended(Arc::new(PairEnd { minion: absent.minion.clone(), ret, at: 0 })));
        }
        Ok(Box::new(notes.into_iter()))
    }

    fn stop(&self, child: JobId) {
        self.stopped.lock().unwrap().push(child);
    }

    fn listen(&self) -> Box<dyn Listen + '_> {
        let events = self.events.lock().unwrap().clone();
        Box::new(events.into_iter())
    }

    fn call(&self, _: &str, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
        match (side, function) {
            (Side::Runner, "test.arg") => Ok(args.to_salt()),
            (Side::Runner, "state.orchestrate") => Ok(json!({"retcode": 1})),
            (Side::Wheel, "key.list_all") => Ok(json!({"minions": self.minions})),
            _ => Err(Refused::Other(format!("there is no {function}"))),
        }
    }

    fn pause(&self, _: &str, _: Duration) -> Result<(), Refused> {
        Ok(())
    }

    fn counts(&self, _: &str, _: &[(Outcome, u32)], _: u32) {}

    fn failed(&self, step: &str, minion: &MinionId, why: &str) {
        self.said.lock().unwrap().push(format!("{} {minion}: {why}", step.split("_|-").nth(1).unwrap()));
    }

    fn says(&self, _: &str, text: String) {
        self.said.lock().unwrap().push(text);
    }

    fn send_event(&self, tag: &str, data: Value) -> Result<(), Refused> {
        self.events.lock().unwrap().push((tag.to_owned(), data));
        Ok(())
    }
}

impl Follow for std::vec::IntoIter<Note> {
    fn next(&mut self, _: Duration) -> Result<Note, Refused> {
        Ok(Iterator::next(self).unwrap_or(Note::Done))
    }
}

impl Listen for std::vec::IntoIter<(String, Value)> {
    fn next(&mut self, _: Duration) -> Result<Option<Arc<proto::event::Event>>, Refused> {
        Ok(Iterator::next(self).map(|(tag, data)| Arc::new(proto::event::Event { tag, data, stamp: 0 })))
    }
}

/// A host without anything.
struct Nowhere(Map);

fn nothing<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotFound.into())
}

impl Look for Nowhere {
    fn grains(&self) -> &Map {
        &self.0
    }
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        nothing()
    }
    fn stat(&self, _: &Path) -> io::Result<Stat> {
        nothing()
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        nothing()
    }
    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        nothing()
    }
    fn which(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn probe(&self, _: &Command) -> io::Result<Output> {
        nothing()
    }
}

impl Host for Nowhere {
    fn run(&self, _: &Command) -> io::Result<Output> {
        nothing()
    }
    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        nothing()
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        nothing()
    }
    fn make_dir(&self, _: &Path, _: u32) -> io::Result<()> {
        nothing()
    }
    fn symlink(&self, _: &Path, _: &Path) -> io::Result<()> {
        nothing()
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        nothing()
    }
    fn set_mode(&self, _: &Path, _: u32) -> io::Result<()> {
        nothing()
    }
    fn set_owner(&self, _: &Path, _: Option<u32>, _: Option<u32>) -> io::Result<()> {
        nothing()
    }
}

struct All;

impl Functions for All {
    fn find(&self, name: &str) -> Option<&'static Function> {
        states::functions::all().iter().copied().find(|function| function.name == name)
    }
    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        Box::new(states::functions::all().iter().copied())
    }
}

/// Does something in the context of an orchestration over this fleet, without a tree.
pub fn within<T>(fleet: &Arc<Fake>, what: impl FnOnce(&Context<'_>) -> T) -> T {
    let director = Director(fleet.clone());
    let host = Nowhere(Map::new());
    what(&Context {
        id: &"here_master".parse().unwrap(),
        look: &host,
        host: Some(&host),
        functions: &All,
        tree: &Folders::new([]),
        pillar: &Map::new(),
        opts: &Map::new(),
        agent: Some(&director),
        progress: &|_| {},
        retcode: &AtomicI32::new(0),
    })
}

/// The steps of an overstate's text.
pub fn overstate(fleet: &Arc<Fake>, text: &str) -> Result<Vec<Step>, String> {
    let source = proto::message::orchestration::Source::Text { name: "overstate.sls".into(), text: text.into() };
    let compiled = within(fleet, |context| run::compile(context, &source, "base"));
    compiled.map_err(|problems| states::diag::render_all(&problems, false))
}

/// The steps of orchestrate SLS.
pub fn sls(fleet: &Arc<Fake>, text: &str) -> Vec<Step> {
    within(fleet, |context| states::compile::Compiler::new(context).low_of_text(text)).unwrap()
}

pub fn run_steps(fleet: &Arc<Fake>, steps: &[Step], test: bool, known: HashMap<String, Row>) -> Results {
    within(fleet, |context| run::run(context, steps, test, known, &|_, _| ()))
}

/// Results and comments by id.
pub fn results(results: &Results) -> Vec<(String, Option<bool>, String)> {
    let mut all: Vec<_> = results
        .values()
        .map(|(chunk, row)| (chunk.text("__id__").to_owned(), row.result, row.comment.clone()))
        .collect();
    all.sort();
    all
}
