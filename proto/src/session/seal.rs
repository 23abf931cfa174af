//! Sealed frames: `u64 counter ‖ ciphertext ‖ tag`.
//!
//! The two directions of a session are independent values, so that one task reads while another
//! writes. They work in place, in the buffer that goes to (or came from) the socket; that is why
//! the keys are taken out of `snow` (its transport state copies, and cannot be parted).

use bytes::{Buf, BufMut, BytesMut};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::SessionError;

/// Bytes of the counter before the ciphertext.
pub const COUNTER: usize = 8;
/// Bytes of the authentication tag behind it.
pub const TAG: usize = 16;
/// What sealing adds to a frame.
pub const OVERHEAD: usize = COUNTER + TAG;

/// After so many frames or bytes in one direction its key is replaced (Noise, 4.2 `Rekey`): what
/// is stolen from memory opens nothing that went before.
const REKEY_FRAMES: u64 = 1 << 16;
const REKEY_BYTES: u64 = 1 << 30;

/// One direction's key, and how much it has been used. Both ends count the same frames, so both
/// replace it at the same one.
struct Key {
    secret: Zeroizing<[u8; 32]>,
    next: u64,
    frames: u64,
    bytes: u64,
}

impl Key {
    fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self { secret, next: 0, frames: 0, bytes: 0 }
    }

    fn cipher(&self) -> Result<LessSafeKey, SessionError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.secret.as_ref()).map_err(|_| SessionError::Exhausted)?;
        Ok(LessSafeKey::new(key))
    }

    /// Counts a frame of `length` bytes, and replaces the key when it is due.
    fn used(&mut self, length: usize) -> Result<(), SessionError> {
        self.next += 1;
        self.frames += 1;
        self.bytes += length as u64;
        if self.frames >= REKEY_FRAMES || self.bytes >= REKEY_BYTES {
            self.rekey()?;
        }
        Ok(())
    }

    /// The first 32 bytes of encrypting 32 zeros with the last nonce (Noise, 4.2).
    fn rekey(&mut self) -> Result<(), SessionError> {
        let mut zeros = Zeroizing::new([0; 32]);
        let _tag = self
            .cipher()?
            .seal_in_place_separate_tag(nonce(u64::MAX), Aad::empty(), zeros.as_mut())
            .map_err(|_| SessionError::Exhausted)?;
        self.secret = zeros;
        (self.frames, self.bytes) = (0, 0);
        Ok(())
    }
}

/// Noise's nonce for ChaChaPoly: four zeros and the counter, little-endian.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// The sending half.
pub struct Sealer(Key);

/// The receiving half.
pub struct Opener(Key);

impl Sealer {
    pub(super) fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(Key::new(secret))
    }

    /// Seals in place what stands in `frame` behind `at` bytes (a length prefix, say) and
    /// [`COUNTER`] bytes of room, and appends the tag.
    pub fn seal(&mut self, frame: &mut BytesMut, at: usize) -> Result<(), SessionError> {
        let body = at + COUNTER;
        // The last number is the re-keying nonce.
        if self.0.next == u64::MAX || frame.len() < body {
            return Err(SessionError::Exhausted);
        }
        let tag = self
            .0
            .cipher()?
            .seal_in_place_separate_tag(nonce(self.0.next), Aad::empty(), &mut frame[body..])
            .map_err(|_| SessionError::Exhausted)?;
        frame[at..body].copy_from_slice(&self.0.next.to_be_bytes());
        frame.put_slice(tag.as_ref());
        self.0.used(frame.len() - at)
    }

    /// Seals a copy of `plain`.
    pub fn seal_slice(&mut self, plain: &[u8]) -> Result<BytesMut, SessionError> {
        let mut frame = BytesMut::with_capacity(plain.len() + OVERHEAD);
        frame.put_bytes(0, COUNTER);
        frame.put_slice(plain);
        self.seal(&mut frame, 0)?;
        Ok(frame)
    }
}

impl Opener {
    pub(super) fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(Key::new(secret))
    }

    /// Opens a frame in place. It must be the very next one.
    pub fn open(&mut self, mut frame: BytesMut) -> Result<BytesMut, SessionError> {
        let length = frame.len();
        if length < OVERHEAD {
            return Err(SessionError::Truncated);
        }
        let (expected, found) = (self.0.next, frame.get_u64());
        match found.cmp(&expected) {
            std::cmp::Ordering::Less => return Err(SessionError::Replayed { expected, found }),
            std::cmp::Ordering::Greater => return Err(SessionError::Gap { expected, found }),
            std::cmp::Ordering::Equal => {}
        }
        self.0.cipher()?.open_in_place(nonce(found), Aad::empty(), &mut frame).map_err(|_| SessionError::Forged)?;
        frame.truncate(length - OVERHEAD);
        self.0.used(length)?;
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Sealer, Opener) {
        let secret = Zeroizing::new([7; 32]);
        (Sealer::new(secret.clone()), Opener::new(secret))
    }

    #[test]
    fn frames_open_in_their_order() {
        let (mut sealer, mut opener) = pair();
        for text in ["one", "", "three"] {
            let frame = sealer.seal_slice(text.as_bytes()).unwrap();
            assert_eq!(frame.len(), text.len() + OVERHEAD);
            assert_eq!(&opener.open(frame).unwrap()[..], text.as_bytes());
        }
    }

    #[test]
    fn replayed_reordered_lost_and_forged_frames_are_told_apart() {
        let (mut sealer, mut opener) = pair();
        let frames: Vec<_> = (0..4).map(|n| sealer.seal_slice(&[n; 5]).unwrap()).collect();
        opener.open(frames[0].clone()).unwrap();
        assert_eq!(opener.open(frames[0].clone()), Err(SessionError::Replayed { expected: 1, found: 0 }));
        assert_eq!(opener.open(frames[2].clone()), Err(SessionError::Gap { expected: 1, found: 2 }));
        for byte in COUNTER..frames[1].len() {
            let mut forged = frames[1].clone();
            forged[byte] ^= 1;
            assert_eq!(opener.open(forged), Err(SessionError::Forged));
        }
        // A frame under another's number.
        let mut renumbered = frames[2].clone();
        renumbered[..COUNTER].copy_from_slice(&1u64.to_be_bytes());
        assert_eq!(opener.open(renumbered), Err(SessionError::Forged));
        for length in 0..OVERHEAD {
            assert_eq!(opener.open(BytesMut::from(&frames[1][..length])), Err(SessionError::Truncated));
        }
        // None of which has hurt the session.
        assert_eq!(&opener.open(frames[1].clone()).unwrap()[..], [1; 5]);
    }

    #[test]
    fn keys_are_replaced_by_both_at_the_same_frame() {
        let (mut sealer, mut opener) = pair();
        let first = sealer.0.secret.clone();
        for _ in 0..REKEY_FRAMES {
            let frame = sealer.seal_slice(b"x").unwrap();
            opener.open(frame).unwrap();
        }
        assert!(sealer.0.secret != first && sealer.0.secret == opener.0.secret);
        (sealer.0.bytes, opener.0.bytes) = (REKEY_BYTES - 1, REKEY_BYTES - 1);
        let second = sealer.0.secret.clone();
        opener.open(sealer.seal_slice(b"y").unwrap()).unwrap();
        assert!(sealer.0.secret != second);
        assert_eq!(&opener.open(sealer.seal_slice(b"z").unwrap()).unwrap()[..], b"z");
    }

    #[test]
    fn a_session_ends_before_its_numbers_do() {
        let (mut sealer, _) = pair();
        sealer.0.next = u64::MAX;
        assert_eq!(sealer.seal_slice(b"x"), Err(SessionError::Exhausted));
    }
}
