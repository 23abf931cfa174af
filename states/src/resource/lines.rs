//! Configuration files that are one line a setting: read, and one line changed.

use std::path::Path;

use super::files::{self, LIMIT, Permissions, make_dirs};
use crate::{Host, Look, plan::StateError};

/// A byte that is no UTF-8 stands in a text as the letter so far behind it, until the text is written.
const STRAY: u32 = 0x0010_ff00;

/// A text file, or nothing where it is not there. What is no UTF-8 in it is kept: [`write`] puts it back as it was.
pub fn read(look: &dyn Look, path: &Path) -> Option<String> {
    Some(kept(&look.read(path, LIMIT).ok()?))
}

fn kept(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let stray = |byte: &u8| char::from_u32(STRAY + u32::from(*byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match u32::from(letter) >= STRAY {
                // One of these letters themselves, which nobody uses.
                true => text.extend(letter.encode_utf8(&mut [0; 4]).as_bytes().iter().map(stray)),
                false => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(stray));
    }
    text
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u32::from(letter).checked_sub(STRAY).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Writes a text file with the mode that it had, or `mode`, its folder first.
pub fn write(host: &dyn Host, path: &Path, text: &str, mode: u32) -> Result<(), StateError> {
    write_bytes(host, path, &bytes(text), mode)
}

/// The same with bytes. A file that is there and cannot be read is not replaced: what it holds would be lost.
pub fn write_bytes(host: &dyn Host, path: &Path, bytes: &[u8], mode: u32) -> Result<(), StateError> {
    let at = files::followed(host, path);
    let (path, mode) = match &at {
        Ok((real, stat)) => (real.as_path(), stat.mode),
        Err(_) => (path, mode),
    };
    if at.is_ok() {
        host.read(path, LIMIT).map_err(|why| StateError::io("read", path, &why))?;
    }
    if let Some(parent) = path.parent() {
        make_dirs(host, parent, &Permissions::default()).map_err(|why| StateError::io("create", parent, &why))?;
    }
    host.write(path, bytes, mode).map_err(|why| StateError::io("write", path, &why))
}

/// A text with each line for which `is` holds replaced by `line`; at its end where there is none.
pub fn set(text: &str, line: &str, is: impl Fn(&str) -> bool) -> String {
    let mut found = false;
    let mut out: String = text
        .lines()
        .map(|old| {
            let hit = is(old);
            found |= hit;
            format!("{}\n", if hit { line } else { old })
        })
        .collect();
    if !found {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_written_as_it_was_read() {
        let odd = "\u{10ff80}\u{10ffff}\u{10ff00}é";
        for text in [b"J\xfcrgen \xc3\xbc\xc3 \xff\xfe\0end".as_slice(), odd.as_bytes(), b""] {
            assert_eq!(bytes(&kept(text)), text);
        }
        assert_eq!(kept("plain ü".as_bytes()), "plain ü");
    }
}
