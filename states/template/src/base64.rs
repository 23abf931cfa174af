//! Base64 with the standard alphabet, as Python's `binascii` reads and writes it.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

/// Python does not look at the bits behind the last byte.
const ENGINE: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Bytes of a base64 text. Whatever is not of the alphabet does not matter, as in Python; the
/// padding does.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let of_it = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let mut clean: Vec<u8> = text.bytes().filter(of_it).collect();
    if let Some(end) = clean.iter().position(|b| *b == b'=') {
        clean.truncate(end.next_multiple_of(4));
    }
    ENGINE.decode(clean).ok()
}

pub fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_reads_is_read() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            assert_eq!(decode(&encode(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(decode("Zm9v\n Zm9-v").unwrap(), b"foofoo");
        assert_eq!(decode("Zh==Zg==").unwrap(), b"f");
        assert_eq!((decode("Zg"), decode("Z")), (None, None));
    }
}
