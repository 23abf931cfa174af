//! The sending side of a channel: bounded queues, and the task that empties them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Drain, NetError, PREFIX};
use crate::{
    codec,
    frame::{Fragmenter, LaneLimits},
    message::Lane,
    session::{COUNTER, OVERHEAD, Sealer},
};

/// Bytes that may wait in each lane of a connection; one message may be longer.
pub const QUEUE: usize = 256 * 1024;
/// A peer that takes nothing of a frame for this long is taken for dead.
const STALL: Duration = Duration::from_secs(60);
/// What a queued message costs beside its bytes.
const MESSAGE: usize = 64;

/// Sends messages to the peer. Clones share the queues; when the last one is dropped, what is
/// queued is still sent, and then the end.
#[derive(Clone)]
pub struct Sender(Arc<Handle>);

/// What the senders of a channel share.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// How a channel's two halves learn of its end.
#[derive(Clone, Default)]
pub(super) struct End {
    /// The connection broke, or was ended.
    pub gone: CancellationToken,
    /// It was ended here: not even what has arrived is of interest.
    aborted: Arc<AtomicBool>,
}

impl End {
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        self.gone.cancel();
    }
}

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    room: [Semaphore; 3],
    end: End,
}

#[derive(Default)]
struct State {
    fragmenter: Fragmenter,
    /// Nothing more may be queued.
    finished: bool,
}

impl Sender {
    /// Starts the task that seals and writes.
    pub(super) fn start(sealer: Sealer, drain: Box<dyn Drain>, end: End) -> Self {
        let room = [const { Semaphore::const_new(QUEUE) }; 3];
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Notify::new(), room, end });
        tokio::spawn(write(shared.clone(), sealer, drain));
        Self(Arc::new(Handle(shared)))
    }

    /// Queues a message, waiting for room. Either the whole message is queued or, when the caller
    /// stops waiting, nothing of it.
    pub async fn send<M: Serialize>(&self, lane: Lane, message: &M) -> Result<(), NetError> {
        self.send_bytes(lane, encode(lane, message)?).await
    }

    /// Queues a message that [`codec::encode`] has made, for one who sends the same to many.
    pub async fn send_bytes(&self, lane: Lane, message: Bytes) -> Result<(), NetError> {
        let shared = &self.0.0;
        let cost = cost(lane, &message)?;
        let permit = tokio::select! {
            biased;
            permit = shared.room[lane as usize].acquire_many(cost) => permit.map_err(|_| NetError::Closed)?,
            () = shared.end.gone.cancelled() => return Err(NetError::Closed),
        };
        permit.forget();
        shared.push(lane, message)
    }

    /// Queues a message if there is room now; [`NetError::Full`] otherwise.
    pub fn try_send<M: Serialize>(&self, lane: Lane, message: &M) -> Result<(), NetError> {
        self.try_send_bytes(lane, encode(lane, message)?)
    }

    /// As [`try_send`](Self::try_send), with an encoded message.
    pub fn try_send_bytes(&self, lane: Lane, message: Bytes) -> Result<(), NetError> {
        let shared = &self.0.0;
        let cost = cost(lane, &message)?;
        let permit = shared.room[lane as usize].try_acquire_many(cost).map_err(|_| NetError::Full)?;
        permit.forget();
        shared.push(lane, message)
    }

    /// Bytes that wait in a lane (each message with a little added).
    pub fn queued(&self, lane: Lane) -> usize {
        QUEUE - self.0.0.room[lane as usize].available_permits().min(QUEUE)
    }

    /// Sends what is queued, then the end; takes nothing more.
    pub fn close(&self) {
        self.0.0.finish();
    }

    /// Ends the connection now, both ways; what is queued is lost.
    pub fn abort(&self) {
        self.0.0.end.abort();
    }

    pub fn is_closed(&self) -> bool {
        self.0.0.end.gone.is_cancelled() || self.0.0.lock().finished
    }

    /// Waits until the connection has broken or was aborted. One that both sides have closed in
    /// order is seen by the receiver.
    pub async fn closed(&self) {
        self.0.0.end.gone.cancelled().await;
    }
}

/// Within what the peer will take on that lane.
fn encode<M: Serialize>(lane: Lane, message: &M) -> Result<Bytes, NetError> {
    Ok(codec::encode_within(message, LaneLimits::default().decoding(lane))?)
}

/// What a message takes of its lane's room; one that the peer must refuse is refused here.
fn cost(lane: Lane, message: &Bytes) -> Result<u32, NetError> {
    let limit = LaneLimits::default().of(lane);
    if message.len() > limit {
        return Err(codec::CodecError::TooLong { found: message.len(), limit }.into());
    }
    Ok(weight(message.len()) as u32)
}

fn weight(length: usize) -> usize {
    (length + MESSAGE).min(QUEUE)
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lane: Lane, message: Bytes) -> Result<(), NetError> {
        let mut state = self.lock();
        if state.finished || self.end.gone.is_cancelled() {
            return Err(NetError::Closed);
        }
        let idle = state.fragmenter.is_empty();
        state.fragmenter.push(lane, message);
        drop(state);
        if idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn finish(&self) {
        self.lock().finished = true;
        self.wake.notify_one();
    }

    /// The next frame, not sealed yet, with room for its length and counter.
    fn next(&self) -> Next {
        let mut state = self.lock();
        if state.fragmenter.is_empty() {
            return if state.finished { Next::End } else { Next::Wait };
        }
        let mut frame = BytesMut::with_capacity(PREFIX + OVERHEAD + state.fragmenter.next_length());
        frame.put_bytes(0, PREFIX + COUNTER);
        let mut freed = [0; 3];
        state.fragmenter.fill(&mut frame, |lane, length| freed[lane as usize] += weight(length));
        Next::Frame(frame, freed)
    }
}

enum Next {
    Frame(BytesMut, [usize; 3]),
    Wait,
    End,
}

/// Seals and sends until the senders are gone or the connection is. It holds a frame only while
/// one is under way.
async fn write(shared: Arc<Shared>, sealer: Sealer, drain: Box<dyn Drain>) {
    let gone = shared.end.gone.clone();
    tokio::select! {
        biased;
        () = gone.cancelled() => {}
        _ = pump(&shared, sealer, drain) => {}
    }
    shared.lock().finished = true;
    for room in &shared.room {
        room.close();
    }
}

async fn pump(shared: &Shared, mut sealer: Sealer, mut drain: Box<dyn Drain>) -> Result<(), NetError> {
    let result = loop {
        match shared.next() {
            Next::Wait => shared.wake.notified().await,
            Next::End => break Ok(()),
            Next::Frame(frame, freed) => {
                if let Err(error) = send(&mut sealer, drain.as_mut(), frame).await {
                    shared.end.gone.cancel();
                    break Err(error);
                }
                for (room, freed) in shared.room.iter().zip(freed) {
                    room.add_permits(freed);
                }
            }
        }
    };
    let _ = std::future::poll_fn(|cx| drain.poll_close(cx)).await;
    result
}

async fn send(sealer: &mut Sealer, drain: &mut dyn Drain, mut frame: BytesMut) -> Result<(), NetError> {
    sealer.seal(&mut frame, PREFIX)?;
    let length = (frame.len() - PREFIX) as u16;
    frame[..PREFIX].copy_from_slice(&length.to_be_bytes());
    let mut frame = frame.freeze();
    let sending = std::future::poll_fn(|cx| drain.poll_send(cx, &mut frame));
    timeout(STALL, sending).await.map_err(|_| NetError::Timeout("reading"))??;
    Ok(())
}
