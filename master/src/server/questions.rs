//! What a minion asks: its files, its pillar, the mine. Everything is answered for the minion
//! that the connection belongs to.

use std::sync::Arc;

use bytes::Bytes;
use proto::{
    Hash, MinionId, Question, codec,
    message::{Lane, ToMinion},
    net::{NetError, Sender},
    question::{BLOB, Kind, PART, Unanswered},
};
use tokio::sync::Semaphore;

use super::Master;
use crate::{
    files::{Open, Snapshot},
    pillar::Wanted,
};

/// Parts of files that may be on their way from the disk to minions, of all of them together.
pub const PARTS: usize = 512;

/// Where one connection's answers go.
#[derive(Clone)]
pub(super) struct Answers {
    pub sender: Sender,
    /// One answer is sent after the other: whoever reads slowly holds up only its own.
    pub turn: Arc<Semaphore>,
}

enum Answer {
    Bytes(Bytes),
    File { open: Arc<Open>, from: u64, to: u64 },
}

/// Answers one question of `minion`; nobody hears it if the connection has ended.
pub(super) async fn answer(master: Arc<Master>, minion: MinionId, answers: Answers, id: u32, question: Question) {
    let given = match find(&master, &minion, question).await {
        Ok(found) => {
            let _turn = answers.turn.acquire().await;
            give(&master, &answers.sender, id, found).await
        }
        Err(why) => Err(Stopped::Unanswered(why)),
    };
    if let Err(Stopped::Unanswered(why)) = given {
        tracing::debug!(%minion, %why, "a question without an answer");
        let _ = answers.sender.send(Lane::Files, &ToMinion::Failed { id, why }).await;
    }
}

async fn find(master: &Master, minion: &MinionId, question: Question) -> Result<Answer, Unanswered> {
    let nothing = |()| Answer::Bytes(Bytes::new());
    match question {
        Question::Manifest { tree: None } => Ok(Answer::Bytes(master.files.newest().await?.bytes.clone())),
        Question::Manifest { tree: Some(hash) } => match tree(master, &hash).await {
            Some(snapshot) => Ok(Answer::Bytes(snapshot.bytes.clone())),
            None => Err(Unanswered::new(Kind::NotFound, format!("the tree {hash} is not kept (any more)"))),
        },
        Question::Blob { hash, offset, length } => blob(master, hash, offset, length).await,
        Question::Pillar { saltenv, pillarenv, overrides } => {
            master.pillars.of(minion, Wanted { saltenv, pillarenv, overrides }).await.map(Answer::Bytes)
        }
        Question::Mine { target, names } => {
            let found = master.mine.ask(minion, &target, &names)?;
            let bytes = codec::encode(&found).map_err(|error| Unanswered::new(Kind::Failed, error.to_string()))?;
            Ok(Answer::Bytes(bytes))
        }
        Question::MineUpdate { entries, clear } => master.mine.update(minion, entries, clear).await.map(nothing),
        Question::MineDelete { names } => master.mine.delete(minion, &names).await.map(nothing),
        Question::Push(piece) if piece.data.len() > PART => {
            Err(Unanswered::new(Kind::Malformed, format!("{}: a piece of more than {PART} bytes", piece.path)))
        }
        Question::Push(piece) => {
            let (received, minion) = (master.received.clone(), minion.clone());
            blocking(move || received.take(&minion, &piece)).await.map(nothing)
        }
    }
}

/// A tree that was served lately, or that the roots still make up.
async fn tree(master: &Master, hash: &Hash) -> Option<Arc<Snapshot>> {
    if let Some(kept) = master.files.tree(hash) {
        return Some(kept);
    }
    master.files.newest().await.ok().filter(|newest| newest.hash == *hash)
}

async fn blob(master: &Master, hash: Hash, offset: u64, length: u32) -> Result<Answer, Unanswered> {
    if length > BLOB {
        return Err(Unanswered::new(Kind::Malformed, format!("more than {BLOB} bytes at once")));
    }
    let files = master.files.clone();
    let open = match blocking(move || files.open(&hash)).await {
        // A master that was started again has not looked through its roots yet.
        Err(why) if why.kind == Kind::NotFound => {
            master.files.newest().await?;
            let files = master.files.clone();
            blocking(move || files.open(&hash)).await?
        }
        found => found?,
    };
    Ok(Answer::File { open: Arc::new(open), from: offset, to: offset.saturating_add(u64::from(length)) })
}

/// Why an answer did not come to its end.
enum Stopped {
    Unanswered(Unanswered),
    /// There is nobody to tell.
    Gone,
}

impl From<Unanswered> for Stopped {
    fn from(why: Unanswered) -> Self {
        Self::Unanswered(why)
    }
}

impl From<NetError> for Stopped {
    fn from(_: NetError) -> Self {
        Self::Gone
    }
}

async fn give(master: &Master, sender: &Sender, id: u32, answer: Answer) -> Result<(), Stopped> {
    match answer {
        Answer::Bytes(bytes) => give_bytes(sender, id, bytes).await,
        Answer::File { open, from, to } => give_file(master, sender, id, &open, from, to).await,
    }
}

async fn give_bytes(sender: &Sender, id: u32, mut bytes: Bytes) -> Result<(), Stopped> {
    loop {
        let part = bytes.split_to(bytes.len().min(PART));
        let last = bytes.is_empty();
        sender.send(Lane::Files, &ToMinion::Part { id, bytes: part, last }).await?;
        if last {
            return Ok(());
        }
    }
}

/// Part by part: each counts among all parts that are on their way until the connection has it.
async fn give_file(
    master: &Master,
    sender: &Sender,
    id: u32,
    open: &Arc<Open>,
    mut from: u64,
    to: u64,
) -> Result<(), Stopped> {
    loop {
        let _under_way = master.parts.acquire().await;
        let (file, wanted) = (open.clone(), (to - from).min(PART as u64) as usize);
        let bytes = blocking(move || file.read(from, wanted)).await?;
        from += bytes.len() as u64;
        let last = bytes.len() < wanted || from == to;
        sender.send(Lane::Files, &ToMinion::Part { id, bytes, last }).await?;
        if last {
            return Ok(());
        }
        sender.drained(Lane::Files).await?;
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
) -> Result<T, Unanswered> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Unanswered::new(Kind::Failed, "reading failed; the master's log says more")))
}
