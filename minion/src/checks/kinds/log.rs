//! `log`: lines that match a pattern and are new since the last time.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

use super::{plain, plain_file};
use crate::checks::{self, Check, Pattern, Perf, Range, Scene, Thresholds};

/// What is read at once of a file that grew; the rest comes the next time.
const PIECE: u64 = 64 << 20;
/// The longest line that is looked at as a whole.
const LINE: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    path: String,
    pattern: Pattern,
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
    fn look(&self, scene: &Scene) -> Result<checks::Found, String> {
        let memory = scene.memory.as_ref().ok_or("there is no folder to note in how far the file was read")?;
        let note = self.note(memory);
        let regex = self.pattern.regex()?;
        let before = std::fs::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (count, last, seen) = new_lines(Path::new(&self.path), before, &regex)?;
        let kept = crate::pki::private_folder(memory)
            .and_then(|()| Ok(serde_json::to_vec(&seen)?))
            .and_then(|bytes| std::fs::write(&note, bytes));
        kept.map_err(|error| format!("{}: {}", note.display(), plain(&error)))?;
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["0", "0"]);
        let status = thresholds.judge(count as f64);
        let output = match last {
            Some(line) if count == 1 => format!("{}: 1 new line matches: {line}", self.path),
            Some(line) => format!("{}: {count} new lines match, the last: {line}", self.path),
            None => format!("{}: no new line matches", self.path),
        };
        Ok(checks::Found::new(status, output).with(Perf::new("lines", count as f64, "").judged(&thresholds)))
    }
}

impl Log {
    /// A name of its own for each file and pattern.
    fn note(&self, memory: &Path) -> PathBuf {
        let hash = proto::Hash::of(format!("{}\0{}", self.path, self.pattern.as_str()).as_bytes()).to_string();
        memory.join(format!("log-{}", &hash[..16]))
    }
}

/// The lines that match from where the last look ended: how many, the last of them, and how far it
/// went. The first look only notes where the file ends.
fn new_lines(path: &Path, before: Option<Seen>, regex: &Regex) -> Result<(usize, Option<String>, Seen), String> {
    let failed = |error: io::Error| format!("{}: {}", path.display(), plain(&error));
    let mut file = plain_file(path)?;
    let meta = file.metadata().map_err(failed)?;
    let begin = Seen { inode: meta.ino(), offset: 0 };
    let (mut found, from) = match before {
        None => return Ok((0, None, Seen { offset: meta.len(), ..begin })),
        // Another file took its place: what came to the old one at last is new, and all of the new one.
        Some(before) if before.inode != meta.ino() => (rest_of_old(path, before, regex), begin),
        // It was cut.
        Some(before) if before.offset > meta.len() => (Found::default(), begin),
        Some(before) => (Found::default(), before),
    };
    let seen = found.read(&mut file, from, regex).map_err(failed)?;
    Ok((found.count, found.last, seen))
}

/// What a file had after the last look before it was rotated, if it lies beside the new one still.
fn rest_of_old(path: &Path, before: Seen, regex: &Regex) -> Found {
    let mut found = Found::default();
    let old = [".1", ".0", ".old"].map(|end| PathBuf::from(format!("{}{end}", path.display())));
    let mut files = old.iter().filter_map(|path| plain_file(path).ok());
    let file = files.find(|file| file.metadata().is_ok_and(|meta| meta.ino() == before.inode));
    if let Some(mut file) = file {
        // It is read no more: what cannot be read now is not news.
        let _ = found.read(&mut file, before, regex);
    }
    found
}

/// Lines that match.
#[derive(Default)]
struct Found {
    count: usize,
    last: Option<String>,
}

impl Found {
    /// Reads on from there; gives how far.
    fn read(&mut self, file: &mut File, from: Seen, regex: &Regex) -> io::Result<Seen> {
        let mut seen = from;
        file.seek(SeekFrom::Start(seen.offset))?;
        let (mut lines, mut line) = (BufReader::new(file.take(PIECE)), Vec::new());
        loop {
            line.clear();
            let length = Read::take(&mut lines, LINE).read_until(b'\n', &mut line)?;
            let whole = line.ends_with(b"\n") || length as u64 == LINE;
            // A line that is still being written is read when it is whole.
            if length == 0 || !whole {
                return Ok(seen);
            }
            seen.offset += length as u64;
            let text = String::from_utf8_lossy(&line);
            if regex.is_match(&*text).unwrap_or(false) {
                self.count += 1;
                self.last = Some(text.trim_end().chars().take(200).collect());
            }
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
        file.write_all(b"error: at last\n").unwrap();
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        std::fs::write(&path, "error: new\n").unwrap();
        let (count, last, _) = look(Some(seen));
        assert_eq!((count, last.as_deref()), (2, Some("error: new")), "nothing is lost by a rotation");
        std::fs::remove_file(&path).unwrap();
        assert!(new_lines(&path, None, &regex).unwrap_err().ends_with("log: No such file or directory"));
        std::fs::create_dir(&path).unwrap();
        assert!(new_lines(&path, None, &regex).unwrap_err().ends_with("log: it is a folder"));
    }
}
