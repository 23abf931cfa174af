//! Digests of bytes, by the names that Salt has for them.

use sha2::Digest;

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
