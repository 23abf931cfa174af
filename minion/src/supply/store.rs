//! An agent's own supply: the cache, filled by questions.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use proto::{
    Hash, Question,
    manifest::Manifest,
    question::{ANSWER, BLOB, Kind},
};

use super::{Cache, Missing, Questions, Stock, cache::Part, questions::Ticket};

/// Pieces of one file that are asked for at once.
const AHEAD: usize = 4;

/// Everything that can be had of the master, and what of it is kept.
pub struct Store {
    pub cache: Arc<Cache>,
    pub questions: Arc<Questions>,
    under_way: Mutex<HashSet<Hash>>,
    arrived: Condvar,
}

impl Store {
    pub fn new(cache: Arc<Cache>, questions: Arc<Questions>) -> Self {
        Self { cache, questions, under_way: Mutex::default(), arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Hash>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody else fetches this file until the guard is dropped.
    fn claim(&self, hash: Hash) -> Claim<'_> {
        let mut under_way = self.lock();
        while !under_way.insert(hash) {
            under_way = self.arrived.wait(under_way).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { store: self, hash }
    }

    fn fetch(&self, hash: Hash, size: u64) -> Result<(), Missing> {
        let mut part = self.cache.part(hash).map_err(Missing::disk)?;
        let resumed = part.length > 0;
        if part.length > size {
            part.restart().map_err(Missing::disk)?;
        }
        self.complete(&mut part, hash, size)?;
        if self.cache.keep(part).map_err(Missing::disk)? {
            return Ok(());
        }
        if !resumed {
            return Err(Missing::Other(hash));
        }
        // What an earlier run left may have been damaged.
        let mut part = self.cache.part(hash).map_err(Missing::disk)?;
        self.complete(&mut part, hash, size)?;
        match self.cache.keep(part).map_err(Missing::disk)? {
            true => Ok(()),
            false => Err(Missing::Other(hash)),
        }
    }

    /// Fetches what is not here yet, some pieces ahead, going on where a connection broke.
    fn complete(&self, part: &mut Part, hash: Hash, size: u64) -> Result<(), Missing> {
        let mut ahead = VecDeque::new();
        let mut reminded = false;
        while part.length < size {
            self.ask_ahead(&mut ahead, part.length, hash, size);
            let question = blob(hash, part.length, size);
            let asked = match ahead.pop_front() {
                Some((_, ticket)) => Ticket::wait(ticket),
                None => self.questions.ask_parts(&question, u64::from(BLOB)),
            };
            let parts = match asked {
                Err(error) if error.passes() => {
                    ahead.clear();
                    self.questions
                        .ask_parts(&question, u64::from(BLOB))
                        .or_else(|error| self.remind(error, &question))?
                }
                Err(error) if !reminded => {
                    ahead.clear();
                    reminded = true;
                    self.remind(error, &question)?
                }
                answer => answer?,
            };
            if parts.iter().all(Bytes::is_empty) {
                return Err(Missing::Other(hash));
            }
            for bytes in parts {
                part.append(&bytes).map_err(Missing::disk)?;
            }
            // A piece that is shorter than it was asked for shifts all behind it.
            if ahead.front().is_some_and(|(offset, _)| *offset != part.length) {
                ahead.clear();
            }
        }
        Ok(())
    }

    /// A master that was started anew knows no files before it has looked at its tree: has it look,
    /// and asks again.
    fn remind(&self, error: Missing, question: &Question) -> Result<Vec<Bytes>, Missing> {
        let forgotten = matches!(&error, Missing::Unanswered(why) if why.kind == Kind::NotFound);
        if !forgotten {
            return Err(error);
        }
        self.questions.ask(&Question::Manifest { tree: None }, Manifest::LIMITS.bytes as u64)?;
        self.questions.ask_parts(question, u64::from(BLOB))
    }

    fn ask_ahead<'a>(&'a self, ahead: &mut VecDeque<(u64, Ticket<'a>)>, from: u64, hash: Hash, size: u64) {
        let mut offset = ahead.back().map_or(from, |(last, _)| last + u64::from(BLOB));
        while ahead.len() < AHEAD && offset < size {
            let Some(ticket) = self.questions.try_begin(&blob(hash, offset, size), u64::from(BLOB)) else { return };
            ahead.push_back((offset, ticket));
            offset += u64::from(BLOB);
        }
    }
}

fn blob(hash: Hash, offset: u64, size: u64) -> Question {
    let length = (size - offset).min(u64::from(BLOB)) as u32;
    Question::Blob { hash, offset, length }
}

impl Stock for Store {
    fn manifest(&self, tree: Option<Hash>) -> Result<Hash, Missing> {
        if let Some(tree) = tree.filter(|tree| self.cache.manifest(tree).is_some()) {
            return Ok(tree);
        }
        let bytes = self.questions.ask(&Question::Manifest { tree }, Manifest::LIMITS.bytes as u64)?;
        Manifest::decode(&bytes, tree.as_ref()).map_err(|error| Missing::Form(error.to_string()))?;
        self.cache.keep_manifest(&bytes).map_err(Missing::disk)
    }

    fn blob(&self, hash: Hash, size: u64) -> Result<(), Missing> {
        let _claim = self.claim(hash);
        match self.cache.find(&hash) {
            Some(_) => Ok(()),
            None => self.fetch(hash, size),
        }
    }

    fn ask(&self, question: Question) -> Result<Vec<u8>, Missing> {
        self.questions.ask(&question, ANSWER.bytes as u64)
    }
}

struct Claim<'a> {
    store: &'a Store,
    hash: Hash,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.store.lock().remove(&self.hash);
        self.store.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicU32, Ordering::Relaxed},
            mpsc,
        },
        time::Duration,
    };

    use proto::{message::FromMinion, question::Unanswered};

    use super::*;

    /// A master in a thread, which has one file and may be told to break the connection.
    struct Scene {
        store: Arc<Store>,
        asked: Arc<AtomicU32>,
        root: tempfile::TempDir,
    }

    fn scene(file: Vec<u8>, break_at: Option<u32>) -> Scene {
        let root = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::new(root.path().into(), 1 << 30));
        let store = Arc::new(Store::new(cache, Arc::new(Questions::new(Duration::from_secs(60)))));
        let asked = Arc::new(AtomicU32::new(0));
        let (send, questions) = mpsc::channel();
        let connect = {
            let store = store.clone();
            move || {
                let send = Mutex::new(send.clone());
                store.questions.connected(Box::new(move |message| {
                    let FromMinion::Ask { id, question } = message else { panic!("{message:?}") };
                    send.lock().unwrap().send((*id, question.clone())).unwrap();
                    Ok(())
                }));
            }
        };
        connect();
        let (answering, count) = (store.clone(), asked.clone());
        std::thread::spawn(move || {
            let mut knows = true;
            for (id, question) in questions {
                if break_at == Some(count.fetch_add(1, Relaxed)) {
                    answering.questions.broken();
                    connect();
                    // A new master.
                    knows = false;
                    continue;
                }
                let Question::Blob { hash, offset, length } = question else {
                    assert_eq!(question, Question::Manifest { tree: None });
                    knows = true;
                    answering.questions.part(id, Bytes::from_static(b"manifest"), true);
                    continue;
                };
                if !knows {
                    answering.questions.failed(id, Unanswered::new(Kind::NotFound, "no tree here has it"));
                    continue;
                }
                let at = (offset as usize).min(file.len());
                let piece = &file[at..(at + length as usize).min(file.len())];
                match hash == Hash::of(&file) || hash == Hash::of(b"what the manifest says") {
                    true => answering.questions.part(id, Bytes::copy_from_slice(piece), true),
                    false => answering.questions.failed(id, Unanswered::new(Kind::Changed, "a.txt has changed")),
                }
            }
        });
        Scene { store, asked, root }
    }

    fn file(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n / 1000) as u8).collect()
    }

    #[test]
    fn a_file_is_fetched_once_in_pieces() {
        let bytes = file(5 << 20 | 17);
        let (scene, hash) = (scene(bytes.clone(), None), Hash::of(&bytes));
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| scene.store.blob(hash, bytes.len() as u64).unwrap());
            }
        });
        assert_eq!(scene.asked.load(Relaxed), 6, "three jobs, and each piece once");
        assert_eq!(std::fs::read(scene.store.cache.find(&hash).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn a_break_in_the_middle_costs_no_more_than_what_was_under_way() {
        let bytes = file(6 << 20);
        let (scene, hash) = (scene(bytes.clone(), Some(4)), Hash::of(&bytes));
        scene.store.blob(hash, bytes.len() as u64).unwrap();
        // What was under way is asked for again, once in vain, with a question that reminds the master.
        assert!(scene.asked.load(Relaxed) <= 6 + 2 * (AHEAD as u32 + 1) + 2, "{:?}", scene.asked);
        assert!(scene.store.cache.find(&hash).is_some());
    }

    #[test]
    fn other_contents_are_refused_and_nothing_is_left() {
        let bytes = file(1000);
        let scene = scene(bytes, None);
        let promised = Hash::of(b"what the manifest says");
        assert_eq!(scene.store.blob(promised, 1000), Err(Missing::Other(promised)));
        assert!(scene.store.cache.find(&promised).is_none());
        assert!(!scene.root.path().join("parts").join(promised.to_string()).exists());
        let gone = Hash::of(b"gone");
        let error = scene.store.blob(gone, 1).unwrap_err();
        assert_eq!(error.to_string(), "a.txt has changed");
    }
}
