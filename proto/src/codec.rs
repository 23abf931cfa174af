//! Compact msgpack, with bounds that hold before anything is allocated.
//!
//! A decoder that trusts what it reads can be made to allocate many times the size of its input
//! (a million `nil`s are a million values of 72 bytes). So [`decode`] first walks the bytes once,
//! without recursion and without allocating, and refuses what is too long, too deep or made of
//! too many items.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// What a message may cost the one who decodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    /// Nested arrays and mappings.
    pub depth: usize,
    /// Values of any kind, mapping keys included.
    pub items: usize,
}

impl Limits {
    /// The most that any message may cost; what is encoded is held to it too, so that nobody
    /// keeps a return that its reader must refuse for ever.
    pub const MESSAGE: Limits = Limits { bytes: 20 << 20, depth: 128, items: 1 << 20 };
    /// For what comes from peers that nobody has accepted yet, and for signed requests.
    pub const SMALL: Limits = Limits { bytes: 1 << 20, depth: 64, items: 1 << 16 };
}

/// Why bytes are not a message, or a message does not become bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("the message is {found} bytes long; at most {limit} are allowed")]
    TooLong { found: usize, limit: usize },
    #[error("the message is nested more than {limit} levels deep")]
    TooDeep { limit: usize },
    #[error("the message has more than {limit} values")]
    TooMany { limit: usize },
    #[error("the message ends in the middle of a value")]
    Truncated,
    #[error("{0} bytes follow the message")]
    Trailing(usize),
    #[error("byte {0:#04x} begins no msgpack value that is used here")]
    Marker(u8),
    #[error("the message is not of the expected form: {0}")]
    Form(String),
    #[error("the value cannot be encoded: {0}")]
    Encode(String),
}

/// The compact msgpack of `value`, within [`Limits::MESSAGE`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, CodecError> {
    encode_within(value, Limits::MESSAGE)
}

/// As [`encode`], within limits that the reader is known to have.
pub fn encode_within<T: Serialize + ?Sized>(value: &T, limits: Limits) -> Result<Bytes, CodecError> {
    let bytes = rmp_serde::to_vec(value).map_err(|error| CodecError::Encode(error.to_string()))?;
    check(&bytes, limits)?;
    Ok(bytes.into())
}

/// The one value that `bytes` hold, with nothing behind it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, CodecError> {
    check(bytes, limits)?;
    rmp_serde::from_slice(bytes).map_err(|error| CodecError::Form(error.to_string()))
}

/// Whether `bytes` are exactly one msgpack value within `limits`. Takes time linear in the
/// length, and memory in the depth.
pub fn check(bytes: &[u8], limits: Limits) -> Result<(), CodecError> {
    if bytes.len() > limits.bytes {
        return Err(CodecError::TooLong { found: bytes.len(), limit: limits.bytes });
    }
    Walk::over(bytes).all(&limits)
}

/// Whether `bytes` are exactly one [`Value`](crate::Value) within `limits`, and about how many bytes it
/// takes, as [`job::size`](crate::job::size) reckons. Nothing is decoded.
pub fn size_of_value(bytes: &[u8], limits: Limits) -> Result<u64, CodecError> {
    if bytes.len() > limits.bytes {
        return Err(CodecError::TooLong { found: bytes.len(), limit: limits.bytes });
    }
    let mut walk = Walk { size: Some(0), ..Walk::over(bytes) };
    walk.all(&limits)?;
    Ok(walk.size.unwrap_or_default())
}

/// The entries of a mapping in msgpack whose names are wanted, each value as its bytes. All else is
/// passed over.
///
/// # Errors
/// The bytes are no mapping with names of text, or one that costs too much.
pub fn entries(
    bytes: &[u8],
    limits: Limits,
    mut wanted: impl FnMut(&str) -> bool,
) -> Result<Vec<(&str, &[u8])>, CodecError> {
    if bytes.len() > limits.bytes {
        return Err(CodecError::TooLong { found: bytes.len(), limit: limits.bytes });
    }
    let mut walk = Walk::over(bytes);
    walk.value(&limits, false)?;
    let Some(left) = walk.open.pop().map(|open| open.left).filter(|_| matches!(bytes[0], 0x80..=0x8f | 0xde | 0xdf))
    else {
        return Err(CodecError::Form("it is no mapping".into()));
    };
    let mut found = Vec::new();
    for _ in 0..left / 2 {
        let name: &str = rmp_serde::from_slice(walk.whole(&limits)?).map_err(|e| CodecError::Form(e.to_string()))?;
        let value = walk.whole(&limits)?;
        if wanted(name) {
            found.push((name, value));
        }
    }
    if walk.rest.is_empty() { Ok(found) } else { Err(CodecError::Trailing(walk.rest.len())) }
}

struct Walk<'a> {
    rest: &'a [u8],
    open: Vec<Open>,
    items: usize,
    /// Where all of it must be a [`Value`](crate::Value): its size so far.
    size: Option<u64>,
}

/// An array or mapping, and how many values it still lacks.
struct Open {
    left: u64,
    mapping: bool,
}

impl<'a> Walk<'a> {
    fn over(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, open: Vec::new(), items: 0, size: None }
    }

    /// All of the bytes, which are to be one value.
    fn all(&mut self, limits: &Limits) -> Result<(), CodecError> {
        self.value(limits, false)?;
        self.finish(limits)?;
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.rest.len())) }
    }

    /// The bytes of the next value, with all that is in it. Nothing may be open before.
    fn whole(&mut self, limits: &Limits) -> Result<&'a [u8], CodecError> {
        let before = self.rest;
        self.value(limits, false)?;
        self.finish(limits)?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Walks through everything that is open.
    fn finish(&mut self, limits: &Limits) -> Result<(), CodecError> {
        while let Some(open) = self.open.last_mut() {
            if open.left == 0 {
                self.open.pop();
            } else {
                let name = open.mapping && open.left % 2 == 0;
                open.left -= 1;
                self.value(limits, name)?;
            }
        }
        Ok(())
    }

    /// The next value, which may be a `name` in a mapping.
    fn value(&mut self, limits: &Limits, name: bool) -> Result<(), CodecError> {
        self.items += 1;
        if self.items > limits.items {
            return Err(CodecError::TooMany { limit: limits.items });
        }
        let marker = self.number(1)? as u8;
        if self.size.is_some() {
            self.reckon(marker, name)?;
        }
        match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Ok(()),
            0x80..=0x8f => self.enter(u64::from(marker & 0x0f) * 2, true, limits),
            0x90..=0x9f => self.enter(u64::from(marker & 0x0f), false, limits),
            0xa0..=0xbf => self.text(u64::from(marker & 0x1f)),
            0xc4 => self.number(1).and_then(|length| self.skip(length)),
            0xc5 => self.number(2).and_then(|length| self.skip(length)),
            0xc6 => self.number(4).and_then(|length| self.skip(length)),
            0xd9 => self.number(1).and_then(|length| self.text(length)),
            0xda => self.number(2).and_then(|length| self.text(length)),
            0xdb => self.number(4).and_then(|length| self.text(length)),
            0xcc | 0xd0 => self.skip(1),
            0xcd | 0xd1 => self.skip(2),
            0xca | 0xce | 0xd2 => self.skip(4),
            0xcb | 0xcf | 0xd3 => self.skip(8),
            0xdc | 0xdd => {
                let length = self.number(if marker == 0xdc { 2 } else { 4 })?;
                self.enter(length, false, limits)
            }
            0xde | 0xdf => {
                let length = self.number(if marker == 0xde { 2 } else { 4 })?;
                self.enter(length * 2, true, limits)
            }
            // Never used, and extensions: nothing here writes them.
            _ => Err(CodecError::Marker(marker)),
        }
    }

    /// Counts what begins with this byte, if a [`Value`](crate::Value) can have it there.
    fn reckon(&mut self, marker: u8, name: bool) -> Result<(), CodecError> {
        let size = match marker {
            0xa0..=0xbf | 0xd9..=0xdb => 5,
            // Names are texts, and there are no bytes.
            _ if name => return Err(CodecError::Marker(marker)),
            0xc4..=0xc6 => return Err(CodecError::Marker(marker)),
            0x80..=0x9f | 0xdc..=0xdf => 5,
            _ => 9,
        };
        self.size = self.size.map(|before| before + size);
        Ok(())
    }

    fn enter(&mut self, length: u64, mapping: bool, limits: &Limits) -> Result<(), CodecError> {
        if self.open.len() >= limits.depth {
            return Err(CodecError::TooDeep { limit: limits.depth });
        }
        // Every value takes a byte at least, so a longer claim is a lie.
        if length > self.rest.len() as u64 {
            return Err(CodecError::Truncated);
        }
        self.open.push(Open { left: length, mapping });
        Ok(())
    }

    fn text(&mut self, length: u64) -> Result<(), CodecError> {
        let text = self.rest;
        self.skip(length)?;
        if let Some(size) = &mut self.size {
            let text = std::str::from_utf8(&text[..text.len() - self.rest.len()]);
            *size += text.map_err(|_| CodecError::Form("a text that is not UTF-8".into()))?.len() as u64;
        }
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), CodecError> {
        let length = usize::try_from(length).map_err(|_| CodecError::Truncated)?;
        self.rest = self.rest.get(length..).ok_or(CodecError::Truncated)?;
        Ok(())
    }

    /// A big-endian number of `width` bytes.
    fn number(&mut self, width: usize) -> Result<u64, CodecError> {
        let (bytes, rest) = self.rest.split_at_checked(width).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// Fixed arrays of bytes as msgpack `bin` instead of a sequence of integers.
pub(crate) mod array {
    use serde::{Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
        let bytes: bytes::Bytes = serde::Deserialize::deserialize(from)?;
        bytes.as_ref().try_into().map_err(|_| D::Error::invalid_length(bytes.len(), &"a fixed number of bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Args, Value};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_survive() {
        let value = json!({"a": [1, -5, 2.5, null, true, "x".repeat(300)], "b": {"c": u64::MAX}});
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<Value>(&bytes, Limits::MESSAGE).unwrap(), value);
    }

    #[test]
    fn arguments_survive_whichever_half_is_empty() {
        for args in [
            Args::default(),
            Args::positional([json!(1)]),
            Args::default().with("cwd", "/"),
            Args::positional([json!(1)]).with("cwd", "/"),
        ] {
            let bytes = encode(&args).unwrap();
            assert_eq!(decode::<Args>(&bytes, Limits::SMALL).unwrap(), args);
        }
    }

    #[test]
    fn entries_are_found_without_decoding_the_rest() {
        let value = json!({"a": {"b": [1, {"c": null}]}, "os": "Debian", "n": "x".repeat(70_000)});
        let bytes = encode(&value).unwrap();
        let found = entries(&bytes, Limits::SMALL, |name| name != "n").unwrap();
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "os"]);
        for (name, bytes) in found {
            assert_eq!(decode::<Value>(bytes, Limits::SMALL).unwrap(), value[name]);
        }
        for bad in [&[0x92, 0xa1, b'a', 1][..], &[0xc0], &[], &[0x81, 1, 2], &[0x81, 0xa1, b'a'], &[0x80, 0x80]] {
            assert!(entries(bad, Limits::SMALL, |_| true).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn claims_are_not_believed() {
        // An array of 2^32-1 items, a string of 4 GiB, a mapping of 2^32-1 pairs.
        for bytes in [&[0xdd, 255, 255, 255, 255][..], &[0xdb, 255, 255, 255, 255], &[0xdf, 255, 255, 255, 255]] {
            assert_eq!(check(bytes, Limits::MESSAGE), Err(CodecError::Truncated));
        }
    }

    #[test]
    fn bounds_hold() {
        let deep = [vec![0x91; 200], vec![0xc0]].concat();
        assert_eq!(check(&deep, Limits::MESSAGE), Err(CodecError::TooDeep { limit: 128 }));
        let wide = [vec![0xdd, 0, 0x20, 0, 0], vec![0xc0; 0x20_0000]].concat();
        assert_eq!(check(&wide, Limits::MESSAGE), Err(CodecError::TooMany { limit: 1 << 20 }));
        assert_eq!(check(&[0xc0, 0xc0], Limits::MESSAGE), Err(CodecError::Trailing(1)));
        assert_eq!(check(&[0xc1], Limits::MESSAGE), Err(CodecError::Marker(0xc1)));
        assert_eq!(check(&[], Limits::MESSAGE), Err(CodecError::Truncated));
        assert!(matches!(check(&[0; 9], Limits { bytes: 8, ..Limits::SMALL }), Err(CodecError::TooLong { .. })));
    }

    #[test]
    fn what_nobody_could_read_is_not_encoded() {
        let deep = (0..200).fold(Value::Null, |inner, _| json!([inner]));
        assert_eq!(encode(&deep), Err(CodecError::TooDeep { limit: 128 }));
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Value>(&bytes, Limits::SMALL);
            let _ = entries(&bytes, Limits::SMALL, |_| true);
            let _ = decode::<crate::Publish>(&bytes, Limits::SMALL);
        }
    }
}
