//! A master that has files, a pillar and a mine.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use proto::{
    Hash, Question, Return, Value, codec,
    manifest::{Environment, FileEntry, Manifest},
    message::{FromMinion, Lane, ToMinion},
    question::{Kind, MineAnswer, MineEntry, Unanswered},
};

use super::Line;

/// What the master has to give.
#[derive(Default)]
pub struct Goods {
    pub files: BTreeMap<String, Vec<u8>>,
    pub pillar: Value,
    pub mine: Vec<MineEntry>,
    pub blobs: Arc<AtomicU32>,
    pub pillars: Arc<AtomicU32>,
    /// What was pushed here, by its name.
    pub pushed: BTreeMap<String, Vec<u8>>,
}

impl Goods {
    pub fn new(files: &[(&str, &str)], pillar: Value) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        Self { files, pillar, ..Self::default() }
    }

    pub fn manifest(&self) -> Manifest {
        let entry = |bytes: &Vec<u8>| FileEntry { hash: Hash::of(bytes), size: bytes.len() as u64, mode: 0o644 };
        let files = self.files.iter().map(|(path, bytes)| (path.parse().unwrap(), entry(bytes))).collect();
        let base = Environment { files, ..Environment::default() };
        Manifest { environments: [("base".parse().unwrap(), base)].into() }
    }

    pub fn answer(&mut self, question: Question) -> Result<Vec<u8>, Unanswered> {
        match question {
            Question::Manifest { tree } => {
                let (bytes, hash) = self.manifest().encode().unwrap();
                match tree.is_none_or(|tree| tree == hash) {
                    true => Ok(bytes.to_vec()),
                    false => Err(Unanswered::new(Kind::NotFound, "there is no such tree any more")),
                }
            }
            Question::Blob { hash, offset, length } => {
                self.blobs.fetch_add(1, Relaxed);
                let file = self.files.values().find(|bytes| Hash::of(bytes) == hash).expect("a file");
                let end = file.len().min(offset as usize + length as usize);
                Ok(file[offset as usize..end].to_vec())
            }
            Question::Pillar { overrides, .. } => {
                self.pillars.fetch_add(1, Relaxed);
                let Value::Object(mut pillar) = self.pillar.clone() else { panic!("no mapping") };
                pillar.extend(overrides.open().unwrap());
                Ok(codec::encode(&pillar).unwrap().to_vec())
            }
            Question::Mine { target, names } => {
                assert_eq!(target, "G@os:Debian");
                let values = |name| self.mine.iter().filter(move |entry| entry.name == name);
                let of = |name| values(name).map(|entry| ("web1".parse().unwrap(), entry.data.clone())).collect();
                let answer: MineAnswer = names.into_iter().map(|name| (name.clone(), of(name))).collect();
                Ok(codec::encode(&answer).unwrap().to_vec())
            }
            Question::MineUpdate { entries, clear } => {
                if clear {
                    self.mine.clear();
                }
                self.mine.extend(entries);
                Ok(Vec::new())
            }
            Question::MineDelete { names } => {
                self.mine.retain(|entry| !names.contains(&entry.name));
                Ok(Vec::new())
            }
            Question::Push(piece) => {
                let kept = self.pushed.entry(piece.path.to_string()).or_default();
                kept.truncate(usize::try_from(piece.offset).unwrap());
                assert_eq!(kept.len() as u64, piece.offset, "pieces follow one another");
                kept.extend(&piece.data);
                Ok(Vec::new())
            }
        }
    }
}

impl Line {
    /// Answers one question, in two parts.
    pub async fn answer(&self, goods: &mut Goods, id: u32, question: Question) {
        let messages = match goods.answer(question) {
            Ok(bytes) => {
                let (first, rest) = bytes.split_at(bytes.len() / 2);
                let part = |bytes: &[u8], last| ToMinion::Part { id, bytes: bytes.to_vec().into(), last };
                vec![part(first, false), part(rest, true)]
            }
            Err(why) => vec![ToMinion::Failed { id, why }],
        };
        for message in messages {
            self.sender.send(Lane::Files, &message).await.unwrap();
        }
    }

    /// Answers what is asked until a return comes, which is then stored.
    pub async fn served(&mut self, goods: &mut Goods) -> Return {
        loop {
            match self.next().await {
                FromMinion::Ask { id, question } => self.answer(goods, id, question).await,
                FromMinion::Return { seq, ret, .. } => {
                    self.sender.send(Lane::Control, &ToMinion::Stored { up_to: seq }).await.unwrap();
                    return *ret;
                }
                _ => {}
            }
        }
    }
}
