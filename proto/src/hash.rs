//! BLAKE3: what a file's or a manifest's bytes are called by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;

/// The BLAKE3 hash of some bytes. Text (64 hexadecimal digits) where people read it, 32 bytes on
/// the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// Text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hash: expected 64 hexadecimal digits")]
pub struct HashError(String);

impl Hash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// What a [`blake3::Hasher`] or a store gave.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| HashError(text.chars().take(100).collect()))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { codec::array::serialize(&self.0, to) }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
        } else {
            codec::array::deserialize(from).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Limits;

    #[test]
    fn a_hash_is_text_for_people_and_bytes_on_the_wire() {
        let hash = Hash::of(b"");
        assert!(hash.to_string().starts_with("af1349b9f5f9a1a6"));
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        let bytes = codec::encode(&hash).unwrap();
        assert_eq!(bytes.len(), 34);
        assert_eq!(codec::decode::<Hash>(&bytes, Limits::SMALL).unwrap(), hash);
        assert_eq!(serde_json::from_str::<Hash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
        for bad in ["", "ä", &"g".repeat(64), &"a".repeat(63)] {
            assert!(bad.parse::<Hash>().is_err(), "{bad:?}");
        }
    }
}
