//! A mapping that is carried and kept as its bytes, and looked into only when it must be.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Map,
    codec::{self, CodecError, Limits},
};

/// A [`Map`] in msgpack. A master holds the grains of ten thousand minions: as maps they would be
/// millions of small allocations, made anew whenever everyone reconnects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packed(Bytes);

impl Packed {
    /// # Errors
    /// The map is larger than any message may be.
    pub fn new(map: &Map) -> Result<Self, CodecError> {
        codec::encode(map).map(Self)
    }

    /// What [`as_bytes`](Self::as_bytes) gave; looked at only by [`open`](Self::open).
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The map. No bytes at all are an empty one.
    ///
    /// # Errors
    /// The bytes are no map, or one that is too costly to decode.
    pub fn open(&self) -> Result<Map, CodecError> {
        if self.0.is_empty() {
            return Ok(Map::new());
        }
        codec::decode(&self.0, Limits::SMALL)
    }

    /// Of the map, only what is wanted: nothing else is decoded.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn pick(&self, wanted: impl Fn(&str) -> bool) -> Result<Map, CodecError> {
        if self.0.is_empty() {
            return Ok(Map::new());
        }
        let entries = codec::entries(&self.0, Limits::SMALL, wanted)?.into_iter();
        entries.map(|(name, bytes)| Ok((name.to_owned(), codec::decode(bytes, Limits::SMALL)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_comes_out_as_it_went_in_also_across_the_wire() {
        let map = Map::from_iter([("os".to_owned(), "Debian".into()), ("n".to_owned(), 7.into())]);
        let packed = Packed::new(&map).unwrap();
        let sent: Packed = codec::decode(&codec::encode(&packed).unwrap(), Limits::SMALL).unwrap();
        assert_eq!(sent.open().unwrap(), map);
        let only = Map::from_iter([("n".to_owned(), 7.into())]);
        assert_eq!(sent.pick(|name| name == "n").unwrap(), only);
        assert_eq!(Packed::default().pick(|_| true).unwrap(), Map::new());
        assert_eq!(Packed::default().open().unwrap(), Map::new());
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for bad in [&[0xc1][..], &[0x93, 1, 2, 3], &[0x81, 0xa1], &[0x80, 0x80]] {
            assert!(Packed::from_bytes(bad.to_vec()).open().is_err(), "{bad:?}");
            assert!(Packed::from_bytes(bad.to_vec()).pick(|_| true).is_err(), "{bad:?}");
        }
    }
}
