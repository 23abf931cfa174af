//! Mappings and values that are carried and kept as their bytes, and looked into only when they must be.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Map, Value,
    codec::{self, CodecError, Limits},
    job,
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

/// A [`Value`] in msgpack. A master passes on and keeps what functions gave: taking it apart and putting
/// it together again would be most of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedValue {
    bytes: Bytes,
    size: u64,
}

impl PackedValue {
    /// # Errors
    /// The value is larger than any message may be.
    pub fn new(value: &Value) -> Result<Self, CodecError> {
        Ok(Self { bytes: codec::encode(value)?, size: job::size(value) })
    }

    /// A text that fits into any message.
    pub fn text(text: &str) -> Self {
        let text = Value::String(text.to_owned());
        Self::new(&text).unwrap_or_else(|_| Self { bytes: Bytes::from_static(&[0xc0]), size: job::size(&Value::Null) })
    }

    /// The value. What was read from the wire can be opened, so this fails for none of it.
    ///
    /// # Errors
    /// The bytes are no value.
    pub fn open(&self) -> Result<Value, CodecError> {
        self.read()
    }

    /// The value as what it is expected to be.
    ///
    /// # Errors
    /// It is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        codec::decode(&self.bytes, Limits::MESSAGE)
    }
}

/// What stands for a function's value in a message: the value, for who looks at it; its bytes, for who
/// passes it on. On the wire both are the same bytes.
pub trait Carried: Sized {
    /// About how many bytes it takes, as [`job::size`] reckons.
    fn size(&self) -> u64;

    /// At most so many characters of a text; of other values nothing.
    fn start(&self, most: usize) -> String;

    /// # Errors
    /// It is larger than any message may be.
    fn to_bytes(&self) -> Result<Cow<'_, [u8]>, CodecError>;

    /// # Errors
    /// The bytes are no value, or one that is too costly to decode.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError>;
}

impl Carried for Value {
    fn size(&self) -> u64 {
        job::size(self)
    }
    fn start(&self, most: usize) -> String {
        self.as_str().map(|text| text.chars().take(most).collect()).unwrap_or_default()
    }
    fn to_bytes(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        Ok(Cow::Owned(codec::encode(self)?.into()))
    }
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, Limits::MESSAGE)
    }
}

impl Carried for PackedValue {
    fn size(&self) -> u64 {
        self.size
    }
    fn start(&self, most: usize) -> String {
        self.open().map(|value| value.start(most)).unwrap_or_default()
    }
    fn to_bytes(&self) -> Result<Cow<'_, [u8]>, CodecError> {
        Ok(Cow::Borrowed(&self.bytes))
    }
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let size = codec::size_of_value(bytes, Limits::MESSAGE)?;
        Ok(Self { bytes: Bytes::copy_from_slice(bytes), size })
    }
}

/// A [`Carried`] field of a message.
pub(crate) mod carried {
    use std::{fmt, marker::PhantomData};

    use serde::{Deserializer, Serializer, de, ser::Error as _};

    use super::Carried;

    pub fn serialize<V: Carried, S: Serializer>(value: &V, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&value.to_bytes().map_err(S::Error::custom)?)
    }

    pub fn deserialize<'de, V: Carried, D: Deserializer<'de>>(from: D) -> Result<V, D::Error> {
        from.deserialize_bytes(Found(PhantomData))
    }

    struct Found<V>(PhantomData<V>);

    impl<V: Carried> de::Visitor<'_> for Found<V> {
        type Value = V;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value's bytes")
        }
        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<V, E> {
            V::from_bytes(bytes).map_err(E::custom)
        }
        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<V, E> {
            self.visit_bytes(&bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{JobId, Outcome, Return};

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

    #[test]
    fn a_value_and_its_bytes_are_the_same_on_the_wire_and_weigh_the_same() {
        let values = [
            json!([{"name": "disk /", "status": "OK", "perfdata": [{"value": 9.5, "min": null}], "n": [-1, 70_000, true]}]),
            json!("Größe".repeat(20_000)),
            json!({}),
            Value::Null,
        ];
        for value in values {
            let (jid, outcome) = (JobId::from_micros(7), Outcome::Ok);
            let ret =
                Return { jid, outcome, value: value.clone(), retcode: 0, started: 1, duration: 2, truncated: false };
            let sent = codec::encode(&ret).unwrap();
            let passed: Return<PackedValue> = codec::decode(&sent, Limits::MESSAGE).unwrap();
            assert_eq!(passed.weight(), ret.weight(), "{value}");
            assert_eq!(passed.value, PackedValue::new(&value).unwrap());
            assert_eq!(passed.value.open().unwrap(), value);
            assert_eq!(codec::encode(&passed).unwrap(), sent);
            assert_eq!(codec::decode::<Return>(&sent, Limits::MESSAGE).unwrap(), ret);
        }
    }

    #[test]
    fn what_fits_into_no_message_is_cut_to_its_verdict() {
        let ret = |value| Return {
            jid: JobId::from_micros(1),
            outcome: Outcome::Failed,
            value,
            retcode: 3,
            started: 1,
            duration: 2,
            truncated: false,
        };
        let cut = "[the output was cut: it did not fit]";
        let deep = ret((0..300).fold(Value::Null, |inner, _| json!([inner]))).pack();
        assert_eq!((deep.retcode, deep.truncated, deep.value.open().unwrap()), (3, true, json!(cut)));
        let long = ret("é".repeat(2000).into());
        assert!(!long.pack().truncated);
        let text = format!("{}\n{cut}", "é".repeat(512));
        for short in [long.cut(), long.pack().cut()] {
            assert_eq!(
                (short.outcome, short.truncated, short.value.open().unwrap()),
                (Outcome::Failed, true, json!(text))
            );
        }
    }

    #[test]
    fn bytes_that_nobody_could_open_are_not_passed_on() {
        for bad in [
            &[0xc4, 1, 7][..],
            &[0x81, 1, 2],
            &[0x81, 0xc0, 2],
            &[0xa2, 0xff, 0xfe],
            &[0x92, 1],
            &[1, 2],
            &[],
            &[0xdd, 255, 255, 255, 255],
        ] {
            assert!(PackedValue::from_bytes(bad).is_err(), "{bad:?}");
            assert!(codec::decode::<Value>(bad, Limits::MESSAGE).is_err(), "{bad:?}");
        }
        let deep = [vec![0x91; 200], vec![0xc0]].concat();
        assert!(PackedValue::from_bytes(&deep).is_err());
    }

    proptest! {
        #[test]
        fn what_passes_can_be_opened(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(packed) = PackedValue::from_bytes(&bytes) {
                prop_assert_eq!(packed.size, job::size(&packed.open().unwrap()));
            }
        }
    }
}
