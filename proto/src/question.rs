//! What a minion asks of its master: files, its pillar, the mine.
//!
//! A minion sends [`Ask`](crate::message::FromMinion::Ask) with an `id` of its own choice, and gets
//! either any number of [`Part`](crate::message::ToMinion::Part)s on the files lane, in order, the
//! last of them marked, or one [`Failed`](crate::message::ToMinion::Failed) (also behind parts
//! that came already). At most [`MOST_OPEN`] of its questions may be open; one more is answered
//! with [`Kind::Busy`]. Questions are answered side by side, so answers may overtake one another.
//! They end with the connection; whoever still wants to know asks again on the next one.
//!
//! Every answer is for the minion whose key the connection was made with, and no question has
//! room for another minion's name as the asker.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Hash, MinionId, Packed,
    codec::Limits,
    id::{IdError, check, name_type},
    manifest::{EnvName, TreePath},
};

/// Questions that one minion may have open.
pub const MOST_OPEN: usize = 8;
/// The most bytes of a file that one question may ask for.
pub const BLOB: u32 = 1 << 20;
/// The most bytes in one part of an answer.
pub const PART: usize = 128 * 1024;
/// The most bytes that one minion may keep in the mine, and that one `MineUpdate` may carry.
pub const MINE: usize = 256 * 1024;
/// The most that an answer about pillar or mine may cost its reader.
pub const ANSWER: Limits = Limits { bytes: 20 << 20, depth: 128, items: 1 << 20 };

name_type! {
    /// What something is called in the mine: a function, or an alias of the minion's own. 1 to 128
    /// bytes without control characters.
    MineName, check_mine
}

fn check_mine(text: &str) -> Result<(), IdError> {
    check("mine function", text, 128, |c| !c.is_control())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Question {
    /// The bytes of a [`Manifest`](crate::manifest::Manifest): of the tree that a job names, or of
    /// the newest. The asker finds its name by hashing it.
    Manifest { tree: Option<Hash> },
    /// `length` bytes (at most [`BLOB`]) of the file with these contents, from `offset` on; fewer
    /// at its end. The whole is the asker's to check. What was fetched before a break is not
    /// asked for again.
    Blob { hash: Hash, offset: u64, length: u32 },
    /// The asker's pillar, compiled with the grains that it told last. The answer is a mapping in
    /// msgpack, as Salt has it: what went wrong stands beneath `_errors`, and then no state may run.
    Pillar {
        saltenv: Option<EnvName>,
        pillarenv: Option<EnvName>,
        /// `pillar=` of a call, merged over what the tree gives.
        overrides: Packed,
    },
    /// What the minions that match keep in the mine, as far as they allow it to the asker.
    /// `target` is a compound expression, in which pillar is compared as a whole and not by
    /// patterns. The answer is a [`MineAnswer`].
    Mine { target: String, names: Vec<MineName> },
    /// Puts something of the asker's into the mine. Answered with nothing, once it is kept.
    MineUpdate {
        entries: Vec<MineEntry>,
        /// All else of the asker's is removed.
        clear: bool,
    },
    /// Takes these out of the mine; answered as `MineUpdate`.
    MineDelete { names: Vec<MineName> },
    /// A piece of a file of the asker's, which the master keeps as that (`cp.push`). Answered with nothing,
    /// once it is kept; the next piece is asked to be kept after that.
    Push(Piece),
}

/// A piece of a file that a minion pushes; its pieces follow one another from 0 to `size`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it is to be, beneath the folder that the master has for this minion.
    pub path: TreePath,
    /// Of the whole file, in bytes.
    pub size: u64,
    /// Where this piece begins; 0 begins the file anew.
    pub offset: u64,
    /// At most [`PART`] bytes.
    pub data: Bytes,
}

/// What a minion keeps under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MineEntry {
    pub name: MineName,
    /// The value in msgpack.
    pub data: Bytes,
    /// Who may have it, as a compound expression; everyone, if there is none.
    pub allow_tgt: Option<String>,
}

/// Name → minion → value in msgpack. Every name that was asked for is there.
pub type MineAnswer = BTreeMap<MineName, BTreeMap<MinionId, Bytes>>;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Unanswered {
    pub kind: Kind,
    /// For people; names the file, where there is one.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// No such tree, or no file with these contents in any tree that is kept.
    NotFound,
    /// The file has other contents by now; a new run gets them.
    Changed,
    /// Too much at once: ask again in a while.
    Busy,
    /// The question itself is at fault.
    Malformed,
    /// All else: the disk, a tree that cannot be read.
    Failed,
}

impl Unanswered {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Map, codec,
        frame::LaneLimits,
        message::{FromMinion, Lane, ToMinion},
    };

    fn questions() -> Vec<Question> {
        let entry = MineEntry {
            name: "network.ip_addrs".parse().unwrap(),
            data: codec::encode(&["10.0.0.1"]).unwrap(),
            allow_tgt: Some("web*".into()),
        };
        vec![
            Question::Manifest { tree: None },
            Question::Manifest { tree: Some(Hash::of(b"tree")) },
            Question::Blob { hash: Hash::of(b"file"), offset: u64::MAX, length: BLOB },
            Question::Pillar {
                saltenv: Some("base".parse().unwrap()),
                pillarenv: None,
                overrides: Packed::new(&Map::from_iter([("a".to_owned(), 1.into())])).unwrap(),
            },
            Question::Mine { target: "G@os:Debian".into(), names: vec!["alias".parse().unwrap()] },
            Question::MineUpdate { entries: vec![entry], clear: true },
            Question::MineDelete { names: Vec::new() },
            Question::Push(Piece { path: "etc/motd".parse().unwrap(), size: 9, offset: 3, data: vec![1; 6].into() }),
        ]
    }

    #[test]
    fn questions_survive_the_wire() {
        for (id, question) in (1..).zip(questions()) {
            let message = FromMinion::Ask { id, question };
            let bytes = codec::encode(&message).unwrap();
            assert_eq!(codec::decode::<FromMinion>(&bytes, Limits::SMALL).unwrap(), message);
        }
    }

    #[test]
    fn answers_survive_and_the_longest_part_fits_its_lane() {
        let limits = LaneLimits::default().decoding(Lane::Files);
        let failed =
            ToMinion::Failed { id: u32::MAX, why: Unanswered::new(Kind::Changed, "web/site.conf has changed") };
        let part = ToMinion::Part { id: u32::MAX, bytes: vec![7; PART].into(), last: true };
        for message in [failed, part] {
            let bytes = codec::encode(&message).unwrap();
            assert_eq!(codec::decode::<ToMinion>(&bytes, limits).unwrap(), message);
        }
        let values = BTreeMap::from([("h1".parse().unwrap(), codec::encode(&true).unwrap())]);
        let answer = MineAnswer::from([("test.ping".parse().unwrap(), values)]);
        let bytes = codec::encode(&answer).unwrap();
        assert_eq!(codec::decode::<MineAnswer>(&bytes, ANSWER).unwrap(), answer);
    }

    #[test]
    fn names_with_control_characters_are_refused() {
        for bad in ["", "a\nb", "\u{1b}[31m", &"x".repeat(129)] {
            assert!(bad.parse::<MineName>().is_err(), "{bad:?}");
        }
    }
}
