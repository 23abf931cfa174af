//! Open questions, and their answers as they come.
//!
//! Threads that may wait ask; the task that serves the connection brings the answers. What is open
//! when the connection ends has failed, and is asked again on the next one.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    Question,
    message::FromMinion,
    net::NetError,
    question::{MOST_OPEN, Unanswered},
};

use super::Missing;

/// Queues a message for the master, without waiting.
pub type Say = Box<dyn Fn(&FromMinion) -> Result<(), NetError> + Send + Sync>;

/// How long a busy master, or a full queue, is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// Parts of an answer that are kept one by one: the longest has fewer, unless somebody sends crumbs.
const PARTS: usize = 1024;

/// What one minion asks of its master.
pub struct Questions {
    state: Mutex<State>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Default)]
struct State {
    say: Option<Say>,
    next: u32,
    open: HashMap<u32, Answer>,
}

struct Answer {
    /// As they came: to put the megabyte of a file's piece together would take longer than to decrypt it.
    parts: Vec<Bytes>,
    length: u64,
    most: u64,
    heard: Instant,
    end: Option<Result<(), Missing>>,
}

impl Questions {
    /// `patience`: how long nothing may come before a question is given up.
    pub fn new(patience: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), patience }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection stands.
    pub fn connected(&self, say: Say) {
        self.lock().say = Some(say);
        self.changed.notify_all();
    }

    /// It ended, and all that was open with it.
    pub fn broken(&self) {
        let mut state = self.lock();
        state.say = None;
        for answer in state.open.values_mut() {
            answer.end.get_or_insert(Err(Missing::Broken));
        }
        self.changed.notify_all();
    }

    /// A piece of an answer came.
    pub fn part(&self, id: u32, bytes: Bytes, last: bool) {
        let mut state = self.lock();
        // Nobody waits for it any more, or it ended before.
        let Some(answer) = state.open.get_mut(&id).filter(|answer| answer.end.is_none()) else { return };
        answer.heard = Instant::now();
        answer.length += bytes.len() as u64;
        if answer.length > answer.most {
            answer.parts = Vec::new();
            answer.end = Some(Err(Missing::TooLong(answer.most)));
        } else {
            answer.parts.push(bytes);
            if answer.parts.len() > PARTS {
                answer.parts = vec![answer.parts.concat().into()];
            }
            answer.end = last.then_some(Ok(()));
        }
        self.changed.notify_all();
    }

    pub fn failed(&self, id: u32, why: Unanswered) {
        if let Some(answer) = self.lock().open.get_mut(&id) {
            answer.end.get_or_insert(Err(why.into()));
        }
        self.changed.notify_all();
    }

    /// Asks, and waits for the answer of at most `most` bytes; once more where the connection
    /// breaks or the master is busy, until nothing has come for as long as it has patience.
    pub fn ask(&self, question: &Question, most: u64) -> Result<Vec<u8>, Missing> {
        self.ask_parts(question, most).map(|parts| parts.concat())
    }

    /// The same, as it comes.
    pub fn ask_parts(&self, question: &Question, most: u64) -> Result<Vec<Bytes>, Missing> {
        let begun = Instant::now();
        loop {
            match self.begin(question, most)?.wait() {
                Err(error) if error.passes() && begun.elapsed() < self.patience => std::thread::sleep(PAUSE),
                answer => return answer,
            }
        }
    }

    /// Sends a question as soon as there is a connection and room for one more.
    pub fn begin(&self, question: &Question, most: u64) -> Result<Ticket<'_>, Missing> {
        let deadline = Instant::now() + self.patience;
        let mut state = self.lock();
        loop {
            if let Some(id) = state.send(question, most) {
                return Ok(Ticket { questions: self, id });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Missing::Silent(self.patience.as_secs()));
            }
            // A full queue gives no sign when it has room again.
            state = self.changed.wait_timeout(state, left.min(PAUSE)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same, if it can be sent now.
    pub fn try_begin(&self, question: &Question, most: u64) -> Option<Ticket<'_>> {
        let id = self.lock().send(question, most)?;
        Some(Ticket { questions: self, id })
    }
}

impl State {
    fn send(&mut self, question: &Question, most: u64) -> Option<u32> {
        let say = self.say.as_ref().filter(|_| self.open.len() < MOST_OPEN)?;
        let id = self.next;
        say(&FromMinion::Ask { id, question: question.clone() }).ok()?;
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, Answer { parts: Vec::new(), length: 0, most, heard: Instant::now(), end: None });
        Some(id)
    }
}

/// A question that was asked. Dropping it gives up the answer.
pub struct Ticket<'a> {
    questions: &'a Questions,
    id: u32,
}

impl Ticket<'_> {
    /// Waits for the whole answer.
    pub fn wait(self) -> Result<Vec<Bytes>, Missing> {
        let patience = self.questions.patience;
        let mut state = self.questions.lock();
        loop {
            let answer = state.open.get_mut(&self.id).ok_or(Missing::Broken)?;
            if let Some(end) = answer.end.take() {
                return end.map(|()| std::mem::take(&mut answer.parts));
            }
            let left = patience.saturating_sub(answer.heard.elapsed());
            if left.is_zero() {
                return Err(Missing::Silent(patience.as_secs()));
            }
            state = self.questions.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.questions.lock().open.remove(&self.id);
        self.questions.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use proto::question::Kind;

    use super::*;

    const QUESTION: Question = Question::Manifest { tree: None };

    fn questions(patience: Duration) -> (Arc<Questions>, mpsc::Receiver<u32>) {
        let (questions, asked) = (Arc::new(Questions::new(patience)), mpsc::channel());
        connect(&questions, asked.0);
        (questions, asked.1)
    }

    fn connect(questions: &Questions, asked: mpsc::Sender<u32>) {
        let asked = Mutex::new(asked);
        questions.connected(Box::new(move |message| {
            let FromMinion::Ask { id, .. } = message else { panic!("{message:?}") };
            asked.lock().unwrap().send(*id).map_err(|_| NetError::Closed)
        }));
    }

    fn asking(questions: &Arc<Questions>, most: u64) -> std::thread::JoinHandle<Result<Vec<u8>, Missing>> {
        let questions = questions.clone();
        std::thread::spawn(move || questions.ask(&QUESTION, most))
    }

    #[test]
    fn parts_make_an_answer_and_a_refusal_ends_it() {
        let (questions, asked) = questions(PATIENCE);
        let one = asking(&questions, 10);
        let id = asked.recv().unwrap();
        questions.part(id + 1, Bytes::from_static(b"for nobody"), true);
        questions.part(id, Bytes::from_static(b"ab"), false);
        questions.part(id, Bytes::from_static(b"cd"), true);
        assert_eq!(one.join().unwrap().unwrap(), b"abcd");
        let two = asking(&questions, 10);
        let why = Unanswered::new(Kind::NotFound, "no such tree");
        questions.failed(asked.recv().unwrap(), why.clone());
        assert_eq!(two.join().unwrap(), Err(why.into()));
        assert!(questions.lock().open.is_empty());
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_kept() {
        let (questions, asked) = questions(PATIENCE);
        let one = asking(&questions, 3);
        questions.part(asked.recv().unwrap(), Bytes::from_static(b"abcd"), false);
        assert_eq!(one.join().unwrap(), Err(Missing::TooLong(3)));
    }

    #[test]
    fn a_broken_connection_is_waited_for_and_asked_again() {
        let (questions, asked) = questions(PATIENCE);
        let one = asking(&questions, 10);
        questions.part(asked.recv().unwrap(), Bytes::from_static(b"a"), false);
        questions.broken();
        let (again, asked) = mpsc::channel();
        connect(&questions, again);
        let id = asked.recv().unwrap();
        questions.failed(id, Unanswered::new(Kind::Busy, "later"));
        questions.part(asked.recv().unwrap(), Bytes::from_static(b"whole"), true);
        assert_eq!(one.join().unwrap().unwrap(), b"whole");
    }

    #[test]
    fn patience_ends() {
        let silent = Questions::new(Duration::from_millis(30));
        assert_eq!(silent.ask(&QUESTION, 1), Err(Missing::Silent(0)));
        let (mute, _asked) = questions(Duration::from_millis(30));
        assert_eq!(mute.ask(&QUESTION, 1), Err(Missing::Silent(0)));
    }

    #[test]
    fn only_so_many_are_open_at_once() {
        let (questions, _asked) = questions(PATIENCE);
        let open: Vec<_> = (0..MOST_OPEN).map(|_| questions.begin(&QUESTION, 1).unwrap()).collect();
        assert!(questions.try_begin(&QUESTION, 1).is_none());
        drop(open);
        assert!(questions.try_begin(&QUESTION, 1).is_some());
    }

    const PATIENCE: Duration = Duration::from_secs(60);
}
