//! `log`: lines that match a pattern and are new since the last time.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

/// What is read at once of a file that grew; the rest comes the next time.
const PIECE: u64 = 64 << 20;
/// The longest line that is looked at as a whole.
const LINE: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    path: String,
    pattern: String,
    /// How many lines; one is critical without thresholds.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

/// How far a file was read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    inode: u64,
    offset: u64,
}

impl Check for Log {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let memory = scene.memory.as_ref().ok_or("there is no folder to note in how far the file was read")?;
        let note = self.note(memory);
        let regex = Regex::new(&self.pattern).map_err(|error| format!("the pattern cannot be read: {error}"))?;
        let before = std::fs::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let failed = |error: std::io::Error| format!("{}: {error}", self.path);
        let (count, last, seen) = new_lines(Path::new(&self.path), before, &regex).map_err(failed)?;
        let kept = crate::pki::private_folder(memory)
            .and_then(|()| Ok(serde_json::to_vec(&seen)?))
            .and_then(|bytes| std::fs::write(&note, bytes));
        kept.map_err(|error| format!("{}: {error}", note.display()))?;
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["0", "0"]);
        let status = thresholds.judge(count as f64);
        let output = match last {
            Some(line) => format!("{}: {count} new lines match, the last: {line}", self.path),
            None => format!("{}: no new line matches", self.path),
        };
        Ok(Found::new(status, output).with(Perf::new("lines", count as f64, "").judged(&thresholds)))
    }
}

impl Log {
    /// A name of its own for each file and pattern.
    fn note(&self, memory: &Path) -> PathBuf {
        let hash = proto::Hash::of(format!("{}\0{}", self.path, self.pattern).as_bytes()).to_string();
        memory.join(format!("log-{}", &hash[..16]))
    }
}

/// The lines that match from where the last look ended: how many, the last of them, and how far it
/// went. The first look only notes where the file ends.
fn new_lines(path: &Path, before: Option<Seen>, regex: &Regex) -> std::io::Result<(usize, Option<String>, Seen)> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let mut seen = match before {
        None => return Ok((0, None, Seen { inode: meta.ino(), offset: meta.len() })),
        // Another file took its place, or it was cut: all of it is new.
        Some(before) if before.inode != meta.ino() || before.offset > meta.len() => {
            Seen { inode: meta.ino(), offset: 0 }
        }
        Some(before) => before,
    };
    file.seek(SeekFrom::Start(seen.offset))?;
    let mut lines = BufReader::new(file.take(PIECE));
    let (mut count, mut last, mut line) = (0, None, Vec::new());
    loop {
        line.clear();
        let length = Read::take(&mut lines, LINE).read_until(b'\n', &mut line)?;
        let whole = line.ends_with(b"\n") || length as u64 == LINE;
        // A line that is still being written is read when it is whole.
        if length == 0 || !whole {
            return Ok((count, last, seen));
        }
        seen.offset += length as u64;
        let text = String::from_utf8_lossy(&line);
        if regex.is_match(&*text).unwrap_or(false) {
            count += 1;
            last = Some(text.trim_end().chars().take(200).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_line_is_seen_once_through_growth_and_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let (path, regex) = (folder.path().join("log"), Regex::new("error").unwrap());
        std::fs::write(&path, "error: old\n").unwrap();
        let look = |before| new_lines(&path, before, &regex).unwrap();
        let (count, _, seen) = look(None);
        assert_eq!(count, 0, "what was there before is not news");
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"fine\nerror: one\nerror: tw").unwrap();
        let (count, last, seen) = look(Some(seen));
        assert_eq!((count, last.as_deref()), (1, Some("error: one")));
        file.write_all(b"o\n").unwrap();
        let (count, last, seen) = look(Some(seen));
        assert_eq!((count, last.as_deref()), (1, Some("error: two")));
        assert_eq!(look(Some(seen)).0, 0);
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        std::fs::write(&path, "error: new\n").unwrap();
        assert_eq!(look(Some(seen)).0, 1);
    }
}
