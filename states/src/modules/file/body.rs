//! What a file holds: in memory while that is little, else where it lies. So a file of any size
//! can be managed.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    Look, Stat,
    plan::{Doing, StateError},
    resource::{diff, files::LIMIT},
};

/// What is kept in memory of one file from its plan to its end.
pub const SMALL: u64 = 64 << 10;
/// The largest files whose difference is looked for.
const SHOWN: u64 = 16 << 20;
/// What is looked at of larger ones.
const HEAD: u64 = 8 << 10;

pub enum Body {
    Bytes(Vec<u8>),
    At(Place),
}

/// A file that holds it.
pub struct Place {
    pub path: PathBuf,
    pub size: u64,
    /// Environment and path of the tree's file that it is a copy of. The copy may be gone when it is
    /// needed, since a cache has a limit.
    pub tree: Option<(String, String)>,
}

impl Body {
    /// What a file of the host holds.
    pub fn of_file(look: &dyn Look, path: &Path, stat: &Stat) -> io::Result<Self> {
        match stat.size > SMALL {
            true => Ok(Self::At(Place { path: path.to_owned(), size: stat.size, tree: None })),
            false => look.read(path, LIMIT).map(Self::Bytes),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::At(place) => place.size,
        }
    }

    fn open<'a>(&'a self, look: &dyn Look) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::At(place) => look.open(&place.path)?,
        })
    }

    pub fn is_same(&self, look: &dyn Look, other: &Self) -> io::Result<bool> {
        match (self, other) {
            (Self::Bytes(bytes), Self::Bytes(others)) => Ok(bytes == others),
            _ if self.size() != other.size() => Ok(false),
            _ => equal(&mut *self.open(look)?, &mut *other.open(look)?),
        }
    }

    /// What `new` changes of it.
    pub fn diff(&self, look: &dyn Look, new: &Self) -> String {
        let most = self.size().max(new.size());
        let read = |body: &Self, limit: u64| {
            let mut bytes = Vec::new();
            body.open(look).and_then(|from| from.take(limit).read_to_end(&mut bytes)).map(|_| bytes)
        };
        // Of what is too long, the beginning tells text from other things.
        let limit = if most <= SHOWN { SHOWN } else { HEAD };
        match (read(self, limit), read(new, limit)) {
            (Ok(old), Ok(new)) if most <= SHOWN => diff::of_bytes(&old, &new),
            (Ok(old), Ok(new)) if old.contains(&0) || new.contains(&0) => diff::of_bytes(&old, &new),
            _ => "the difference is too long to be shown".into(),
        }
    }

    /// Puts it in place in one step.
    pub fn write(&self, doing: &Doing<'_>, to: &Path, mode: u32) -> Result<(), StateError> {
        let host = doing.host;
        let written = match self {
            Self::Bytes(bytes) => host.write(to, bytes, mode),
            Self::At(Place { path, tree: Some((env, inside)), .. }) if host.stat(path).is_err() => {
                let again = doing.context.tree.fetch(env, inside);
                again.and_then(|path| host.copy(&path.ok_or(io::ErrorKind::NotFound)?, to, mode))
            }
            Self::At(place) => host.copy(&place.path, to, mode),
        };
        written.map_err(|why| StateError::io("write", to, &why))
    }
}

fn equal(a: &mut dyn Read, b: &mut dyn Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let (read, others) = (fill(a, &mut left)?, fill(b, &mut right)?);
        if left[..read] != right[..others] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match from.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use proto::Args;
    use serde_json::json;

    use super::*;
    use crate::{
        Host,
        testing::{Memory, call},
    };

    #[test]
    fn bytes_that_come_in_pieces_are_compared_as_a_whole() {
        /// Gives one byte at a time.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(&mut buffer[..1])
            }
        }
        let bytes: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        assert!(equal(&mut Slow(&bytes), &mut &bytes[..]).unwrap());
        assert!(!equal(&mut Slow(&bytes), &mut &bytes[..199_999]).unwrap());
        let mut other = bytes.clone();
        other[150_000] ^= 1;
        assert!(!equal(&mut &other[..], &mut &bytes[..]).unwrap());
    }

    #[test]
    fn a_large_source_is_copied_and_compared_where_it_lies() {
        let host = Memory::new(json!({}));
        host.make_dir("/srv".as_ref(), 0o755).unwrap();
        let text = "line\n".repeat(SMALL as usize);
        host.write("/srv/source".as_ref(), text.as_bytes(), 0o600).unwrap();
        let manage = || {
            let args = Args::positional(["file.managed".into(), "/srv/target".into()]).with("source", "/srv/source");
            let rows = call(&host, &[], json!({}), "state.single", args.with("mode", "0644")).0.unwrap();
            rows.as_object().unwrap().values().next().cloned().unwrap()
        };
        assert_eq!(manage()["changes"], json!({"diff": "New file", "mode": "0644"}));
        assert_eq!(host.read("/srv/target".as_ref(), u64::MAX).unwrap(), text.as_bytes());
        assert_eq!(manage()["changes"], json!({}));
        host.write("/srv/target".as_ref(), format!("{text}more\n").as_bytes(), 0o644).unwrap();
        let changed = manage();
        assert_eq!(changed["result"], true, "{changed}");
        assert!(changed["changes"]["diff"].as_str().is_some_and(|diff| !diff.is_empty()), "{changed}");
        assert_eq!(manage()["changes"], json!({}));
    }
}
