//! Identities (Ed25519) and what they sign; session keys (X25519) and what certifies them.

use std::{cell::RefCell, fmt, str::FromStr};

use bytes::Bytes;
use ed25519_dalek::{
    Signature, Signer, SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::codec::{self, CodecError, Limits};

/// Signing contexts: a signature made for one purpose is worth nothing for another.
pub const REQUEST: &str = "overstate request v1";
pub const PUBLISH: &str = "overstate publish v1";
pub const SESSION: &str = "overstate session v1";

/// Why a key or a signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the private key cannot be read: {0}")]
    Pem(String),
    #[error("{0:?} is neither a public key nor a fingerprint: expected 64 hexadecimal digits")]
    Hex(String),
    #[error("the key {0} is no usable Ed25519 public key")]
    BadKey(PublicKey),
    #[error("signed by {found}, where {expected} was expected")]
    WrongKey { expected: Fingerprint, found: Fingerprint },
    #[error("the signature does not fit")]
    BadSignature,
    #[error(transparent)]
    Body(#[from] CodecError),
}

/// An Ed25519 public key: what a peer *is*. Printed and written in configuration as 64
/// hexadecimal digits, sent as 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare: SHA-256 of the 32 bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.0).into())
    }

    /// Whether this key made `signature` over `body` in `context`. Small-order keys and
    /// malleable signatures are refused (`verify_strict`).
    pub fn verify(&self, context: &str, body: &[u8], signature: &[u8; 64]) -> Result<(), SignError> {
        check(&self.point()?, context, body, signature)
    }

    /// The point of the curve that the bytes stand for; to find it takes a square root.
    fn point(&self) -> Result<VerifyingKey, SignError> {
        VerifyingKey::from_bytes(&self.0).map_err(|_| SignError::BadKey(*self))
    }
}

fn check(key: &VerifyingKey, context: &str, body: &[u8], signature: &[u8; 64]) -> Result<(), SignError> {
    key.verify_strict(&in_context(context, body), &Signature::from_bytes(signature))
        .map_err(|_| SignError::BadSignature)
}

/// Keys that signed lately, as points: a minion hears of one master and a few operators.
#[derive(Default)]
struct Lately {
    keys: Vec<VerifyingKey>,
    next: usize,
}

/// How many a thread remembers.
const LATELY: usize = 8;

thread_local! {
    static LATELY_SEEN: RefCell<Lately> = RefCell::default();
}

impl Lately {
    fn point(&mut self, key: &PublicKey) -> Result<VerifyingKey, SignError> {
        if let Some(known) = self.keys.iter().find(|known| known.as_bytes() == &key.0) {
            return Ok(*known);
        }
        let point = key.point()?;
        if self.keys.len() < LATELY {
            self.keys.push(point);
        } else {
            self.keys[self.next] = point;
            self.next = (self.next + 1) % LATELY;
        }
        Ok(point)
    }
}

/// The signed bytes: the context with its length before it, so that no context can be the
/// beginning of another one.
fn in_context(context: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + context.len() + body.len());
    bytes.extend_from_slice(&(context.len() as u32).to_be_bytes());
    bytes.extend_from_slice(context.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = SignError;
    fn from_str(text: &str) -> Result<Self, SignError> {
        unhex(text).map(Self)
    }
}

/// SHA-256 of a public key, printed as Salt prints them: `aa:bb:…`, 32 pairs of digits. Read
/// with or without the colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.pad(&pairs.join(":"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = SignError;
    fn from_str(text: &str) -> Result<Self, SignError> {
        unhex(text).map(Self)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<[u8; 32], SignError> {
    let error = || SignError::Hex(text.chars().take(100).collect());
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .filter(|&c| c != ':')
        .map(|c| c.to_digit(16).map(|digit| digit as u8).ok_or_else(error))
        .collect::<Result<_, _>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().map_err(|_| error()) } else { Err(error()) }
}

/// Keys and fingerprints are text where people read them and bytes on the wire.
macro_rules! serde_key {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { codec::array::serialize(&self.0, to) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
                } else {
                    codec::array::deserialize(from).map(Self)
                }
            }
        }
    };
}
serde_key!(PublicKey);
serde_key!(Fingerprint);

/// An Ed25519 secret key. Its memory is cleared when it is dropped, and it is never printed.
pub struct Identity(SigningKey);

impl Identity {
    pub fn generate() -> Self {
        Self(SigningKey::from_bytes(&random_bytes()))
    }

    /// Reads PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`), as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(text: &str) -> Result<Self, SignError> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|error| SignError::Pem(error.to_string()))
    }

    pub fn to_pem(&self) -> Result<Zeroizing<String>, SignError> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|error| SignError::Pem(error.to_string()))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, context: &str, body: impl Into<Bytes>) -> Signed {
        let body = body.into();
        let signature = self.signature(context, &body);
        Signed { body, key: self.public(), signature }
    }

    /// Encodes `value` and signs its bytes.
    pub fn sign_value<T: Serialize>(&self, context: &str, value: &T) -> Result<Signed, SignError> {
        Ok(self.sign(context, codec::encode(value)?))
    }

    fn signature(&self, context: &str, body: &[u8]) -> [u8; 64] {
        self.0.sign(&in_context(context, body)).to_bytes()
    }

    /// Certifies that `key` speaks for this identity.
    pub fn certify(&self, key: &StaticPublic) -> Certificate {
        Certificate { identity: self.public(), signature: self.signature(SESSION, &key.0) }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public())
    }
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}

/// Bytes with their signature, and the key that is said to have made it. Only
/// [`open`](Signed::open) gives what is inside as something to rely on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signed {
    pub body: Bytes,
    pub key: PublicKey,
    #[serde(with = "codec::array")]
    signature: [u8; 64],
}

impl Signed {
    /// The body, if `key` (which must be `expected`, where that is given) signed it in `context`.
    pub fn open(&self, context: &str, expected: Option<&PublicKey>) -> Result<&Bytes, SignError> {
        match expected {
            Some(expected) if *expected != self.key => {
                Err(SignError::WrongKey { expected: expected.fingerprint(), found: self.key.fingerprint() })
            }
            _ => {
                let key = LATELY_SEEN.with_borrow_mut(|lately| lately.point(&self.key))?;
                check(&key, context, &self.body, &self.signature).map(|()| &self.body)
            }
        }
    }

    /// As [`open`](Self::open), decoded.
    pub fn open_as<T: DeserializeOwned>(&self, context: &str, expected: Option<&PublicKey>) -> Result<T, SignError> {
        Ok(codec::decode(self.open(context, expected)?, Limits::SMALL)?)
    }
}

/// An X25519 public key: what a Noise session is made with. Certified by an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StaticPublic(pub(crate) [u8; 32]);

impl StaticPublic {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for StaticPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for StaticPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StaticPublic {
    type Err = SignError;
    fn from_str(text: &str) -> Result<Self, SignError> {
        unhex(text).map(Self)
    }
}
serde_key!(StaticPublic);

/// An X25519 key pair. Keep it: a master with a new one costs every minion a first contact.
pub struct StaticKey {
    secret: Zeroizing<[u8; 32]>,
    public: StaticPublic,
}

impl StaticKey {
    pub fn generate() -> Self {
        Self::from_bytes(random_bytes())
    }

    pub fn from_bytes(secret: [u8; 32]) -> Self {
        let public = StaticPublic(crate::session::public_of(&secret));
        Self { secret: Zeroizing::new(secret), public }
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    pub fn public(&self) -> StaticPublic {
        self.public
    }

    /// The secret as 64 hexadecimal digits, for a file.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(self.secret.as_ref()))
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote.
    pub fn from_hex(text: &str) -> Result<Self, SignError> {
        // The error must not repeat a secret.
        unhex(text).map(Self::from_bytes).map_err(|_| SignError::Pem("expected 64 hexadecimal digits".into()))
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticKey({})", self.public)
    }
}

/// An identity's word that a session key is its own: 96 bytes, sent encrypted in the handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    pub identity: PublicKey,
    signature: [u8; 64],
}

impl Certificate {
    pub const SIZE: usize = 96;

    pub fn verify(&self, key: &StaticPublic) -> Result<(), SignError> {
        self.identity.verify(SESSION, &key.0, &self.signature)
    }

    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..32].copy_from_slice(&self.identity.0);
        bytes[32..].copy_from_slice(&self.signature);
        bytes
    }

    /// Whatever the bytes, it is a certificate; whether it is worth something `verify` says.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let (mut identity, mut signature) = ([0; 32], [0; 64]);
        identity.copy_from_slice(&bytes[..32]);
        signature.copy_from_slice(&bytes[32..]);
        Self { identity: PublicKey(identity), signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file() {
        let identity = Identity::generate();
        let pem = identity.to_pem().unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_eq!(Identity::from_pem(&pem).unwrap().public(), identity.public());
        assert!(Identity::from_pem("-----BEGIN PRIVATE KEY-----\n!\n").is_err());
        let key = StaticKey::generate();
        assert_eq!(StaticKey::from_hex(&key.to_hex()).unwrap().public(), key.public());
    }

    #[test]
    fn secrets_are_not_printed() {
        let (identity, key) = (Identity::generate(), StaticKey::generate());
        let printed = format!("{identity:?} {key:?}");
        assert!(!printed.contains(&hex(identity.0.as_bytes())) && !printed.contains(key.to_hex().as_str()));
        let error = StaticKey::from_hex("abcdef").unwrap_err();
        assert!(!error.to_string().contains("abcdef"));
    }

    #[test]
    fn only_the_very_bytes_in_the_very_context_open() {
        let identity = Identity::generate();
        let signed = identity.sign(REQUEST, &b"run"[..]);
        assert_eq!(&signed.open(REQUEST, Some(&identity.public())).unwrap()[..], b"run");
        assert_eq!(signed.open(PUBLISH, None), Err(SignError::BadSignature));
        let other = Identity::generate().public();
        assert!(matches!(signed.open(REQUEST, Some(&other)), Err(SignError::WrongKey { .. })));
        let altered = Signed { body: Bytes::from_static(b"ruN"), ..signed.clone() };
        assert_eq!(altered.open(REQUEST, None), Err(SignError::BadSignature));
        let claimed = Signed { key: other, ..signed };
        assert_eq!(claimed.open(REQUEST, None), Err(SignError::BadSignature));
    }

    #[test]
    fn keys_seen_lately_are_few_and_the_right_ones() {
        let mut lately = Lately::default();
        let identities: Vec<Identity> = (0..LATELY + 3).map(|_| Identity::generate()).collect();
        for _ in 0..2 {
            for identity in &identities {
                assert_eq!(lately.point(&identity.public()).unwrap(), identity.0.verifying_key());
            }
        }
        assert_eq!(lately.keys.len(), LATELY);
        let signed = identities[0].sign(REQUEST, &b"run"[..]);
        for _ in 0..2 {
            assert!(signed.open(REQUEST, None).is_ok());
            let claimed = Signed { key: identities[1].public(), ..signed.clone() };
            assert_eq!(claimed.open(REQUEST, None), Err(SignError::BadSignature));
        }
    }

    #[test]
    fn a_weak_key_signs_nothing() {
        // The identity point: with it, signatures fit any message unless checked strictly.
        let mut point = [0; 32];
        point[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(PublicKey(point).verify(REQUEST, b"anything", &signature).is_err());
    }

    #[test]
    fn keys_are_text_for_people_and_bytes_on_the_wire() {
        let key = Identity::generate().public();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json.len(), 66);
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
        let bytes = codec::encode(&key).unwrap();
        assert_eq!(bytes.len(), 34);
        assert_eq!(codec::decode::<PublicKey>(&bytes, Limits::SMALL).unwrap(), key);
        let print = key.fingerprint();
        assert_eq!(print.to_string().len(), 95);
        assert_eq!(print.to_string().parse::<Fingerprint>().unwrap(), print);
        assert_eq!(print.to_string().replace(':', "").to_uppercase().parse::<Fingerprint>().unwrap(), print);
        for bad in ["", "xyz", "aa:bb", &"a".repeat(63)] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signed_value_survives_the_wire() {
        let identity = Identity::generate();
        let signed = identity.sign_value(PUBLISH, &crate::JobId::from_micros(7)).unwrap();
        let bytes = codec::encode(&signed).unwrap();
        let back: Signed = codec::decode(&bytes, Limits::SMALL).unwrap();
        assert_eq!(back.open_as::<crate::JobId>(PUBLISH, None).unwrap(), crate::JobId::from_micros(7));
        assert!(matches!(back.open_as::<crate::Publish>(PUBLISH, None), Err(SignError::Body(_))));
    }

    #[test]
    fn a_certificate_is_for_one_session_key() {
        let identity = Identity::generate();
        let (key, other) = (StaticKey::generate().public(), StaticKey::generate().public());
        let certificate = Certificate::from_bytes(&identity.certify(&key).to_bytes());
        assert_eq!(certificate.verify(&key), Ok(()));
        assert_eq!(certificate.verify(&other), Err(SignError::BadSignature));
    }
}
