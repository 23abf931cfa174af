//! Digests of bytes, by the names that Salt has for them.

use std::{
    io::{self, Read},
    path::Path,
};

use sha2::Digest;

use crate::Look;

/// Bytes in hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of some bytes in hexadecimal; none for a kind that is not known.
pub fn digest(kind: &str, bytes: &[u8]) -> Option<String> {
    Some(match kind {
        "md5" => hex(md5::Md5::digest(bytes)),
        "sha1" => hex(sha1::Sha1::digest(bytes)),
        "sha224" => hex(sha2::Sha224::digest(bytes)),
        "sha256" => hex(sha2::Sha256::digest(bytes)),
        "sha384" => hex(sha2::Sha384::digest(bytes)),
        "sha512" => hex(sha2::Sha512::digest(bytes)),
        _ => return None,
    })
}

/// As [`digest`], of a file that is read piece by piece.
pub fn of_file(look: &dyn Look, path: &Path, kind: &str) -> io::Result<Option<String>> {
    fn run<D: Digest>(mut from: Box<dyn Read + Send>) -> io::Result<Option<String>> {
        let (mut digest, mut piece) = (D::new(), vec![0; 64 << 10]);
        loop {
            match from.read(&mut piece)? {
                0 => return Ok(Some(hex(digest.finalize()))),
                read => digest.update(&piece[..read]),
            }
        }
    }
    let from = look.open(path)?;
    match kind {
        "md5" => run::<md5::Md5>(from),
        "sha1" => run::<sha1::Sha1>(from),
        "sha224" => run::<sha2::Sha224>(from),
        "sha256" => run::<sha2::Sha256>(from),
        "sha384" => run::<sha2::Sha384>(from),
        "sha512" => run::<sha2::Sha512>(from),
        _ => Ok(None),
    }
}
