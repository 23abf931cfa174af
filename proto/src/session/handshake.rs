//! The handshake: from a clear hello to a [`Session`].

use std::sync::LazyLock;

use snow::{
    Builder, HandshakeState,
    params::{DHChoice, NoiseParams},
    resolvers::{CryptoResolver, DefaultResolver},
};
use zeroize::Zeroizing;

use super::{ClearRefusal, Opener, Sealer, SessionError, VERSIONS, Versions};
use crate::sign::{Certificate, Fingerprint, Identity, PublicKey, StaticKey, StaticPublic};

const MAGIC: [u8; 4] = *b"OVST";
/// Longest Noise handshake message written here: e, s, certificate, versions and their tags.
const ROOM: usize = 512;
/// The first byte of a responder's answer when a Noise message follows; 0 is a refusal.
const GO_ON: u8 = 1;

static IK: LazyLock<Option<NoiseParams>> = LazyLock::new(|| "Noise_IK_25519_ChaChaPoly_BLAKE2s".parse().ok());
static XX: LazyLock<Option<NoiseParams>> = LazyLock::new(|| "Noise_XX_25519_ChaChaPoly_BLAKE2s".parse().ok());

/// The X25519 public key of a secret one.
pub(crate) fn public_of(secret: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    if let Some(mut curve) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        curve.set(secret);
        public.copy_from_slice(&curve.pubkey()[..32]);
    }
    public
}

/// This side: its session key and its identity's word for it. Made once, used for every session.
#[derive(Debug)]
pub struct Local {
    pub identity: PublicKey,
    static_key: StaticKey,
    certificate: Certificate,
}

impl Local {
    pub fn new(identity: &Identity, static_key: StaticKey) -> Self {
        let certificate = identity.certify(&static_key.public());
        Self { identity: identity.public(), static_key, certificate }
    }

    pub fn static_public(&self) -> StaticPublic {
        self.static_key.public()
    }

    #[cfg(test)]
    pub(super) fn with_certificate_of(self, other: &Local) -> Self {
        Self { certificate: other.certificate.clone(), ..self }
    }
}

/// What an initiator insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    Key(PublicKey),
    Fingerprint(Fingerprint),
}

impl Pin {
    fn check(&self, found: &PublicKey) -> Result<(), SessionError> {
        let expected = match self {
            Pin::Key(key) => key.fingerprint(),
            Pin::Fingerprint(fingerprint) => *fingerprint,
        };
        if found.fingerprint() == expected { Ok(()) } else { Err(SessionError::wrong_peer(expected, found)) }
    }
}

/// What an initiator knows of the responder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its identity must be this one. `None` trusts whoever answers: first use only.
    pub pin: Option<Pin>,
    /// Its session key, from an earlier session; with it the handshake is IK, without it XX.
    pub known_static: Option<StaticPublic>,
}

/// Which handshake follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    Ik = 1,
    Xx = 2,
}

/// The clear words before a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    pattern: Pattern,
    pub versions: Versions,
}

impl Hello {
    pub const SIZE: usize = 9;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.pattern as u8;
        bytes[5..7].copy_from_slice(&self.versions.min.to_be_bytes());
        bytes[7..9].copy_from_slice(&self.versions.max.to_be_bytes());
        bytes
    }

    /// Reads the beginning of a first frame, and refuses what cannot become a session. Costs no
    /// cryptography.
    pub fn read(frame: &[u8]) -> Result<Hello, SessionError> {
        let bytes: &[u8; Self::SIZE] = frame.first_chunk().ok_or(SessionError::NotOurs)?;
        let [a, b, c, d, pattern, min_high, min_low, max_high, max_low] = *bytes;
        if [a, b, c, d] != MAGIC {
            return Err(SessionError::NotOurs);
        }
        let pattern = match pattern {
            1 => Pattern::Ik,
            2 => Pattern::Xx,
            _ => return Err(SessionError::NotOurs),
        };
        let versions =
            Versions { min: u16::from_be_bytes([min_high, min_low]), max: u16::from_be_bytes([max_high, max_low]) };
        let hello = Hello { pattern, versions };
        VERSIONS.common(versions).ok_or(SessionError::Version { ours: VERSIONS, theirs: versions })?;
        if frame.len() < Self::SIZE + hello.first_message() {
            return Err(SessionError::Truncated);
        }
        Ok(hello)
    }

    /// How long the first Noise message is, at least.
    fn first_message(self) -> usize {
        match self.pattern {
            Pattern::Ik => 32 + 48 + Payload::SIZE + 16,
            Pattern::Xx => 32,
        }
    }
}

/// What each side says of itself, encrypted.
struct Payload {
    certificate: Certificate,
    /// The version to speak: the responder's choice; from an initiator its highest one.
    version: u16,
    versions: Versions,
}

impl Payload {
    const SIZE: usize = Certificate::SIZE + 6;

    fn new(local: &Local, version: u16, versions: Versions) -> Self {
        Self { certificate: local.certificate.clone(), version, versions }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [self.version, self.versions.min, self.versions.max].map(u16::to_be_bytes);
        [&self.certificate.to_bytes()[..], numbers.as_flattened()].concat()
    }

    /// Later versions may say more behind it.
    fn read(bytes: &[u8]) -> Result<Self, SessionError> {
        let (certificate, rest) = bytes.split_first_chunk().ok_or(SessionError::Truncated)?;
        let &[a, b, c, d, e, f, ..] = rest else { return Err(SessionError::Truncated) };
        Ok(Self {
            certificate: Certificate::from_bytes(certificate),
            version: u16::from_be_bytes([a, b]),
            versions: Versions { min: u16::from_be_bytes([c, d]), max: u16::from_be_bytes([e, f]) },
        })
    }
}

/// An established session.
pub struct Session {
    /// The peer's identity: the key that its certificate proved.
    pub peer: PublicKey,
    /// Its session key; an initiator that keeps it can use IK next time.
    pub peer_static: StaticPublic,
    pub version: u16,
    pub sealer: Sealer,
    pub opener: Opener,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session with {} (version {})", self.peer, self.version)
    }
}

/// A `snow` handshake with its scratch space.
struct Noise(Box<HandshakeState>);

impl Noise {
    fn new(
        pattern: Pattern,
        local: &Local,
        prologue: &[u8],
        remote: Option<&StaticPublic>,
        initiator: bool,
    ) -> Result<Self, SessionError> {
        let broken = |error: snow::Error| SessionError::Local(error.to_string());
        let params = match pattern {
            Pattern::Ik => IK.clone(),
            Pattern::Xx => XX.clone(),
        };
        let params = params.ok_or_else(|| SessionError::Local("the Noise pattern is unknown".into()))?;
        let mut builder = Builder::new(params)
            .local_private_key(local.static_key.as_bytes())
            .and_then(|builder| builder.prologue(prologue))
            .map_err(broken)?;
        if let Some(key) = remote {
            builder = builder.remote_public_key(key.as_bytes()).map_err(broken)?;
        }
        let state = if initiator { builder.build_initiator() } else { builder.build_responder() };
        state.map(|state| Self(Box::new(state))).map_err(broken)
    }

    /// Appends the next message to `out`.
    fn write(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let mut message = [0; ROOM];
        let length = self
            .0
            .write_message(payload, &mut message)
            .map_err(|error| SessionError::Local(format!("handshake: {error}")))?;
        out.extend_from_slice(&message[..length]);
        Ok(())
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        let mut payload = vec![0; message.len()];
        let length = self.0.read_message(message, &mut payload).map_err(|_| SessionError::Handshake)?;
        payload.truncate(length);
        Ok(payload)
    }

    /// The peer's session key, certified.
    fn certified(&self, payload: &Payload) -> Result<StaticPublic, SessionError> {
        let key = self.0.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(SessionError::Handshake)?;
        let key = StaticPublic(key);
        payload.certificate.verify(&key).map_err(SessionError::Certificate)?;
        Ok(key)
    }

    fn session(mut self, peer: PublicKey, peer_static: StaticPublic, version: u16) -> Session {
        let initiator = self.0.is_initiator();
        let (first, second) = self.0.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
        let (ours, theirs) = if initiator { (first, second) } else { (second, first) };
        Session { peer, peer_static, version, sealer: Sealer::new(ours), opener: Opener::new(theirs) }
    }
}

/// The side that connects, waiting for the answer to its first message.
pub struct Initiator {
    noise: Noise,
    peer: Peer,
    payload: Vec<u8>,
    versions: Versions,
}

impl Initiator {
    /// Gives the first frame to send.
    pub fn start(local: &Local, peer: &Peer) -> Result<(Self, Vec<u8>), SessionError> {
        Self::start_with(local, peer, VERSIONS)
    }

    pub(super) fn start_with(local: &Local, peer: &Peer, versions: Versions) -> Result<(Self, Vec<u8>), SessionError> {
        let pattern = if peer.known_static.is_some() { Pattern::Ik } else { Pattern::Xx };
        let hello = Hello { pattern, versions }.to_bytes();
        let mut noise = Noise::new(pattern, local, &hello, peer.known_static.as_ref(), true)?;
        let payload = Payload::new(local, versions.max, versions).to_bytes();
        let mut frame = hello.to_vec();
        // XX has no key yet at its first message: who we are goes into the third.
        noise.write(if pattern == Pattern::Ik { &payload } else { &[] }, &mut frame)?;
        Ok((Self { noise, peer: peer.clone(), payload, versions }, frame))
    }

    /// Reads the responder's answer. Gives the session, and the last frame to send, if any.
    pub fn answer(mut self, frame: &[u8]) -> Result<(Session, Option<Vec<u8>>), SessionError> {
        let (&kind, message) = frame.split_first().ok_or(SessionError::Truncated)?;
        if kind != GO_ON {
            return Err(self.refused(frame));
        }
        let payload = Payload::read(&self.noise.read(message)?)?;
        let peer_static = self.noise.certified(&payload)?;
        let identity = payload.certificate.identity;
        self.peer.pin.map_or(Ok(()), |pin| pin.check(&identity))?;
        let version = self.agreed(&payload)?;
        let last = if self.noise.0.is_handshake_finished() {
            None
        } else {
            let mut last = Vec::new();
            self.noise.write(&self.payload, &mut last)?;
            Some(last)
        };
        Ok((self.noise.session(identity, peer_static, version), last))
    }

    fn refused(&self, frame: &[u8]) -> SessionError {
        match ClearRefusal::from_bytes(frame) {
            Some(ClearRefusal::Version(theirs)) => SessionError::Version { ours: self.versions, theirs },
            Some(ClearRefusal::OtherKey) => SessionError::OtherKey,
            Some(ClearRefusal::Busy(seconds)) => SessionError::Busy(seconds),
            None => SessionError::NotOurs,
        }
    }

    /// The version to speak, which must be the best that both know.
    fn agreed(&self, payload: &Payload) -> Result<u16, SessionError> {
        let best = self
            .versions
            .common(payload.versions)
            .ok_or(SessionError::Version { ours: self.versions, theirs: payload.versions })?;
        let chosen = payload.version;
        if chosen == best { Ok(best) } else { Err(SessionError::Downgrade { chosen, best }) }
    }
}

/// Where a responder stands after the first frame.
pub enum Step {
    /// The session stands (IK): send the frame.
    Done(Session, Vec<u8>),
    /// Send the frame, then give the next one to [`Responder::finish`] (XX).
    More(Responder, Vec<u8>),
}

/// The side that was connected to, waiting for XX's last message.
pub struct Responder {
    noise: Noise,
    version: u16,
}

impl Responder {
    /// Reads the first frame. `admit` is asked as soon as the peer's identity is known and
    /// certified, before the costly half of an IK handshake; its error ends it.
    pub fn start(
        local: &Local,
        frame: &[u8],
        admit: impl FnOnce(&PublicKey) -> Result<(), SessionError>,
    ) -> Result<Step, SessionError> {
        let hello = Hello::read(frame)?;
        let theirs = hello.versions;
        let version = VERSIONS.common(theirs).ok_or(SessionError::Version { ours: VERSIONS, theirs })?;
        let (prologue, message) = frame.split_at(Hello::SIZE);
        let mut noise = Noise::new(hello.pattern, local, prologue, None, false)?;
        let payload = noise.read(message)?;
        let ours = Payload::new(local, version, VERSIONS).to_bytes();
        let mut answer = vec![GO_ON];
        if hello.pattern == Pattern::Xx {
            noise.write(&ours, &mut answer)?;
            return Ok(Step::More(Self { noise, version }, answer));
        }
        let payload = Payload::read(&payload)?;
        let (peer, peer_static) = (payload.certificate.identity, noise.certified(&payload)?);
        admit(&peer)?;
        noise.write(&ours, &mut answer)?;
        Ok(Step::Done(noise.session(peer, peer_static, version), answer))
    }

    /// Reads XX's last message.
    pub fn finish(mut self, frame: &[u8]) -> Result<Session, SessionError> {
        let payload = Payload::read(&self.noise.read(frame)?)?;
        let peer_static = self.noise.certified(&payload)?;
        Ok(self.noise.session(payload.certificate.identity, peer_static, self.version))
    }
}
