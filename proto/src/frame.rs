//! Messages to frames and back, before sealing and after opening.
//!
//! A frame's plain text is a row of chunks: `lane and more-flag (1 byte) ‖ length (2) ‖ bytes`.
//! Small messages share a frame (one syscall, one seal); long ones are cut into many, and a more
//! urgent message goes between their pieces.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{codec::Limits, message::Lane};

/// The most plain text in one frame.
pub const PLAIN_LIMIT: usize = 60 * 1024;
/// Bytes before each chunk.
const CHUNK: usize = 3;
/// A message that does not fit is not cut for less room than this.
const LEAST: usize = 256;
const MORE: u8 = 0x80;

const LANES: [Lane; 3] = [Lane::Control, Lane::Returns, Lane::Files];

/// How long a message may be, for each lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    pub control: usize,
    pub returns: usize,
    pub files: usize,
}

impl LaneLimits {
    /// For a peer that has a session and is not known yet.
    pub const GREETING: LaneLimits = LaneLimits { control: 256 << 10, returns: 0, files: 0 };

    pub fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Control => self.control,
            Lane::Returns => self.returns,
            Lane::Files => self.files,
        }
    }

    /// What decoding a message of that lane may cost: one value for eight bytes that may come.
    pub fn decoding(&self, lane: Lane) -> Limits {
        let bytes = self.of(lane);
        Limits { bytes, items: (bytes / 8).clamp(1024, Limits::MESSAGE.items), ..Limits::MESSAGE }
    }
}

impl Default for LaneLimits {
    fn default() -> Self {
        Self { control: 1 << 20, returns: 20 << 20, files: 1 << 20 }
    }
}

/// Why a frame's plain text makes no messages. Its sender is authenticated, and at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("there is no lane {0}")]
    Lane(u8),
    #[error("a chunk ends in the middle, or is empty")]
    Chunk,
    #[error("a message on the {lane:?} lane is longer than {limit} bytes")]
    TooLong { lane: Lane, limit: usize },
}

/// Queues messages and cuts them into frames: control before returns before files.
#[derive(Debug, Default)]
pub struct Fragmenter {
    lanes: [VecDeque<Bytes>; 3],
    /// How long the whole of each lane's first message was, once a piece of it has gone.
    begun: [usize; 3],
    queued: usize,
}

impl Fragmenter {
    /// Queues a message; an empty one is nothing.
    pub fn push(&mut self, lane: Lane, message: Bytes) {
        if !message.is_empty() {
            self.queued += message.len() + CHUNK;
            self.lanes[lane as usize].push_back(message);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// How much room the next frame can use.
    pub fn next_length(&self) -> usize {
        self.queued.min(PLAIN_LIMIT)
    }

    /// Appends at most [`PLAIN_LIMIT`] bytes of chunks to `frame`. `done` is told the lane and
    /// the length of each message whose last piece is among them.
    pub fn fill(&mut self, frame: &mut BytesMut, mut done: impl FnMut(Lane, usize)) {
        let mut room = PLAIN_LIMIT;
        for lane in LANES {
            while let Some(taken) = self.chunk(lane, frame, room, &mut done) {
                room -= taken;
            }
        }
    }

    fn chunk(
        &mut self,
        lane: Lane,
        frame: &mut BytesMut,
        room: usize,
        done: &mut impl FnMut(Lane, usize),
    ) -> Option<usize> {
        let index = lane as usize;
        let queue = &mut self.lanes[index];
        let message = queue.front_mut()?;
        let length = message.len().min(room.saturating_sub(CHUNK));
        let last = length == message.len();
        if length == 0 || (!last && length < LEAST) {
            return None;
        }
        frame.put_u8(lane as u8 | if last { 0 } else { MORE });
        frame.put_u16(length as u16);
        frame.put_slice(&message[..length]);
        self.begun[index] += length;
        message.advance(length);
        self.queued -= length;
        if last {
            self.queued -= CHUNK;
            queue.pop_front();
            // An idle connection holds no room for its busiest moment.
            if queue.is_empty() && queue.capacity() > 16 {
                *queue = VecDeque::new();
            }
            done(lane, std::mem::take(&mut self.begun[index]));
        }
        Some(length + CHUNK)
    }
}

/// Puts messages together again. What it holds grows with what really came, never with what was
/// announced, up to the lane's limit.
#[derive(Debug, Default)]
pub struct Reassembler {
    limits: LaneLimits,
    frame: Bytes,
    partial: [BytesMut; 3],
}

impl Reassembler {
    pub fn new(limits: LaneLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub fn set_limits(&mut self, limits: LaneLimits) {
        self.limits = limits;
    }

    pub fn limits(&self) -> LaneLimits {
        self.limits
    }

    /// Takes an opened frame. Ask [`next`](Self::next) until it has nothing before giving another.
    pub fn push(&mut self, frame: Bytes) {
        debug_assert!(self.frame.is_empty());
        self.frame = frame;
    }

    /// The next whole message. One that came in one piece is a view of its frame, not a copy.
    #[allow(clippy::should_implement_trait, reason = "an Iterator cannot give a Result<Option>")]
    pub fn next(&mut self) -> Result<Option<(Lane, Bytes)>, FrameError> {
        while !self.frame.is_empty() {
            let (lane, more, bytes) = self.chunk()?;
            let (partial, limit) = (&mut self.partial[lane as usize], self.limits.of(lane));
            if partial.len() + bytes.len() > limit {
                return Err(FrameError::TooLong { lane, limit });
            }
            if !more && partial.is_empty() {
                return Ok(Some((lane, bytes)));
            }
            partial.extend_from_slice(&bytes);
            if !more {
                return Ok(Some((lane, std::mem::take(partial).freeze())));
            }
        }
        self.frame = Bytes::new();
        Ok(None)
    }

    fn chunk(&mut self) -> Result<(Lane, bool, Bytes), FrameError> {
        let &[kind, high, low, ..] = self.frame.as_ref() else { return Err(FrameError::Chunk) };
        let lane = *LANES.get(usize::from(kind & !MORE)).ok_or(FrameError::Lane(kind & !MORE))?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 || self.frame.len() < CHUNK + length {
            return Err(FrameError::Chunk);
        }
        self.frame.advance(CHUNK);
        Ok((lane, kind & MORE != 0, self.frame.split_to(length)))
    }

    /// Whether the middle of a message has come and not its end.
    pub fn is_waiting(&self) -> bool {
        self.partial.iter().any(|partial| !partial.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(fragmenter: &mut Fragmenter, reassembler: &mut Reassembler) -> Vec<(Lane, Bytes)> {
        let mut messages = Vec::new();
        while !fragmenter.is_empty() {
            let mut frame = BytesMut::new();
            fragmenter.fill(&mut frame, |_, _| {});
            assert!(!frame.is_empty() && frame.len() <= PLAIN_LIMIT);
            reassembler.push(frame.freeze());
            while let Some(message) = reassembler.next().unwrap() {
                messages.push(message);
            }
        }
        messages
    }

    #[test]
    fn small_messages_share_a_frame() {
        let mut fragmenter = Fragmenter::default();
        for n in 0..10u8 {
            fragmenter.push(Lane::Control, Bytes::from(vec![n; 100]));
        }
        let (mut frame, mut done) = (BytesMut::new(), Vec::new());
        assert_eq!(fragmenter.next_length(), 1030);
        fragmenter.fill(&mut frame, |lane, length| done.push((lane, length)));
        assert_eq!((frame.len(), done.len(), done[9]), (1030, 10, (Lane::Control, 100)));
        assert!(fragmenter.is_empty());
    }

    #[test]
    fn an_urgent_message_goes_between_the_pieces_of_a_long_one() {
        let (mut fragmenter, mut reassembler) = (Fragmenter::default(), Reassembler::default());
        fragmenter.push(Lane::Files, Bytes::from(vec![1; 300_000]));
        let mut frame = BytesMut::new();
        fragmenter.fill(&mut frame, |_, _| panic!("nothing is done yet"));
        reassembler.push(frame.freeze());
        assert_eq!(reassembler.next(), Ok(None));
        assert!(reassembler.is_waiting());
        fragmenter.push(Lane::Returns, Bytes::from_static(b"return"));
        fragmenter.push(Lane::Control, Bytes::from_static(b"ping"));
        let messages = drain(&mut fragmenter, &mut reassembler);
        assert_eq!(messages.iter().map(|m| m.0).collect::<Vec<_>>(), LANES);
        assert_eq!(messages[2].1.len(), 300_000);
        assert!(!reassembler.is_waiting());
    }

    #[test]
    fn limits_hold_for_whole_messages() {
        let limits = LaneLimits { control: 100_000, returns: 0, files: 10 };
        let feed = |lane, length| {
            let (mut fragmenter, mut reassembler) = (Fragmenter::default(), Reassembler::new(limits));
            fragmenter.push(lane, Bytes::from(vec![7; length]));
            while !fragmenter.is_empty() {
                let mut frame = BytesMut::new();
                fragmenter.fill(&mut frame, |_, _| {});
                reassembler.push(frame.freeze());
                while reassembler.next()?.is_some() {}
            }
            Ok(())
        };
        assert_eq!(feed(Lane::Control, 100_000), Ok(()));
        assert_eq!(feed(Lane::Control, 100_001), Err(FrameError::TooLong { lane: Lane::Control, limit: 100_000 }));
        assert_eq!(feed(Lane::Returns, 1), Err(FrameError::TooLong { lane: Lane::Returns, limit: 0 }));
        assert_eq!(feed(Lane::Files, 11), Err(FrameError::TooLong { lane: Lane::Files, limit: 10 }));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for (bytes, error) in [
            (&[0u8, 0][..], FrameError::Chunk),
            (&[0, 0, 0], FrameError::Chunk),
            (&[0, 0, 5, 1], FrameError::Chunk),
            (&[3, 0, 1, 1], FrameError::Lane(3)),
            (&[0x7f, 0, 1, 1], FrameError::Lane(0x7f)),
        ] {
            let mut reassembler = Reassembler::default();
            reassembler.push(Bytes::copy_from_slice(bytes));
            assert_eq!(reassembler.next(), Err(error), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_message_arrives_whole_and_in_its_lanes_order(
            messages in proptest::collection::vec((0usize..3, 1usize..200_000), 1..12)
        ) {
            let (mut fragmenter, mut reassembler) = (Fragmenter::default(), Reassembler::default());
            for (n, &(lane, length)) in messages.iter().enumerate() {
                fragmenter.push(LANES[lane], Bytes::from(vec![n as u8; length]));
            }
            let got = drain(&mut fragmenter, &mut reassembler);
            for (index, lane) in LANES.into_iter().enumerate() {
                let sent = messages.iter().enumerate().filter(|(_, m)| m.0 == index).map(|(n, m)| (n as u8, m.1));
                let came = got.iter().filter(|m| m.0 == lane).map(|m| (m.1[0], m.1.len()));
                prop_assert!(sent.eq(came));
            }
        }

        #[test]
        fn arbitrary_frames_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut reassembler = Reassembler::default();
            reassembler.push(bytes.into());
            while let Ok(Some(_)) = reassembler.next() {}
        }
    }
}
