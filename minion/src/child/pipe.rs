//! A job's own process asking its agent: errands go out with its other words, answers come in on
//! its standard input, each a length and a message.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError},
};

use bytes::Bytes;
use proto::{
    Hash, Question,
    codec::{self, Limits},
};
use serde::{Deserialize, Serialize};

use super::{Word, inside::say};
use crate::supply::{Done, Errand, Missing, Stock};

/// What an answer may cost, with a little for what is around it.
pub const LIMITS: Limits = Limits { bytes: 24 << 20, depth: 8, items: 1 << 10 };

/// The end of an errand, as it crosses the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    pub id: u32,
    pub done: Done,
}

/// The agent, as the process that it started reaches it.
#[derive(Clone)]
pub struct Pipe(Arc<Shared>);

struct Shared {
    begun: Once,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u32,
    /// Errands that are under way, and their ends.
    open: HashMap<u32, Option<Done>>,
    gone: bool,
}

impl Default for Pipe {
    fn default() -> Self {
        Self(Arc::new(Shared { begun: Once::new(), state: Mutex::default(), changed: Condvar::new() }))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, from: impl Read) {
        let mut from = from;
        while let Ok(reply) = read(&mut from) {
            if let Some(waiting) = self.lock().open.get_mut(&reply.id) {
                *waiting = Some(reply.done);
            }
            self.changed.notify_all();
        }
        self.lock().gone = true;
        self.changed.notify_all();
    }
}

fn read(from: &mut impl Read) -> io::Result<Reply> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LIMITS.bytes {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    codec::decode(&bytes, LIMITS).map_err(io::Error::other)
}

impl Pipe {
    fn run(&self, errand: Errand) -> Done {
        self.0.begun.call_once(|| {
            let shared = self.0.clone();
            std::thread::spawn(move || shared.listen(io::stdin().lock()));
        });
        let id = {
            let mut state = self.0.lock();
            let id = state.next;
            state.next += 1;
            state.open.insert(id, None);
            id
        };
        let said = say(&Word::Errand { id, errand });
        let mut state = self.0.lock();
        loop {
            match state.open.get_mut(&id).and_then(Option::take) {
                Some(done) => {
                    state.open.remove(&id);
                    return done;
                }
                None if state.gone || said.is_err() => return Err(Missing::NoAgent),
                None => state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Stock for Pipe {
    fn manifest(&self, tree: Option<Hash>) -> Result<Hash, Missing> {
        let name = self.run(Errand::Manifest(tree))?;
        let name = <[u8; 32]>::try_from(&name[..]).map_err(|_| Missing::Form("a tree's name is 32 bytes".into()))?;
        Ok(Hash::from_bytes(name))
    }

    fn blob(&self, hash: Hash, size: u64) -> Result<(), Missing> {
        self.run(Errand::Blob { hash, size }).map(drop)
    }

    fn ask(&self, question: Question) -> Result<Vec<u8>, Missing> {
        self.run(Errand::Ask(question)).map(Vec::from)
    }
}

/// A reply as it is written to the pipe.
pub fn encode(id: u32, done: Done) -> Bytes {
    let encoded = codec::encode_within(&Reply { id, done }, LIMITS).or_else(|error| {
        let done = Err(Missing::Form(error.to_string()));
        codec::encode_within(&Reply { id, done }, LIMITS)
    });
    let encoded = encoded.unwrap_or_default();
    let mut framed = Vec::with_capacity(4 + encoded.len());
    framed.extend((encoded.len() as u32).to_be_bytes());
    framed.extend(encoded);
    framed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_cross_the_pipe_and_its_end_ends_what_is_open() {
        let pipe = Pipe::default();
        pipe.0.lock().open.extend([(0, None), (1, None)]);
        let mut bytes = encode(0, Ok(Bytes::from_static(b"whole"))).to_vec();
        bytes.extend(encode(7, Err(Missing::Broken)));
        bytes.extend([0, 0, 0, 9, 1]);
        pipe.0.listen(&bytes[..]);
        let state = pipe.0.lock();
        assert_eq!(state.open[&0], Some(Ok(Bytes::from_static(b"whole"))));
        assert!(state.open[&1].is_none() && state.gone, "cut off in the middle");
    }

    #[test]
    fn a_length_that_is_a_lie_allocates_nothing() {
        assert_eq!(read(&mut &[0xff; 8][..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
