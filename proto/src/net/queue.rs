//! The sending side of a channel: bounded queues, and what empties them.
//!
//! Whoever sends after a pause writes by itself, if the connection takes it at once: no other task
//! is woken. What comes in quick succession, or does not fit, is written by a task that lives as
//! long as there is something to write; small messages that meet there share a frame. An idle
//! connection has no such task.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use tokio::{runtime::Handle as Runtime, sync::Semaphore, time::timeout};
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
/// What comes sooner after the last message than this waits for company.
const PAUSE: Duration = Duration::from_micros(200);
/// The most that a sender writes by itself: sealing more would hold it up.
const DIRECT: usize = 8 * 1024;

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

/// The receiving half's hold on the way out.
pub(super) struct WayOut(Weak<Shared>);

impl WayOut {
    /// Nothing more is written; the peer sees the end.
    pub fn shut(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.shut();
        }
    }
}

struct Shared {
    state: Mutex<State>,
    room: [Semaphore; 3],
    end: End,
    runtime: Runtime,
}

struct State {
    fragmenter: Fragmenter,
    /// Nothing more may be queued.
    finished: bool,
    /// What writes, while no task has it.
    out: Option<Box<Out>>,
    /// When something was queued last.
    last: Option<Instant>,
}

/// The connection's way out.
struct Out {
    sealer: Sealer,
    drain: Box<dyn Drain>,
    /// What is left of the frame under way, and the room that is free again behind it.
    frame: Bytes,
    freed: [usize; 3],
}

impl Sender {
    /// Must be called within a tokio runtime.
    pub(super) fn start(sealer: Sealer, drain: Box<dyn Drain>, end: End) -> (Self, WayOut) {
        let out = Out { sealer, drain, frame: Bytes::new(), freed: [0; 3] };
        let state = State { fragmenter: Fragmenter::default(), finished: false, out: Some(Box::new(out)), last: None };
        let room = [const { Semaphore::const_new(QUEUE) }; 3];
        let shared = Arc::new(Shared { state: Mutex::new(state), room, end, runtime: Runtime::current() });
        let way_out = WayOut(Arc::downgrade(&shared));
        (Self(Arc::new(Handle(shared))), way_out)
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

    /// Waits until everything in a lane was handed to the connection.
    ///
    /// # Errors
    /// The connection ended before.
    pub async fn drained(&self, lane: Lane) -> Result<(), NetError> {
        let shared = &self.0.0;
        tokio::select! {
            biased;
            all = shared.room[lane as usize].acquire_many(QUEUE as u32) => all.map(drop).map_err(|_| NetError::Closed),
            () = shared.end.gone.cancelled() => Err(NetError::Closed),
        }
    }

    /// Sends what is queued, then the end; takes nothing more.
    pub fn close(&self) {
        self.0.0.finish();
    }

    /// Ends the connection now, both ways; what is queued is lost.
    pub fn abort(&self) {
        self.0.0.end.abort();
        self.0.0.shut();
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, lane: Lane, message: Bytes) -> Result<(), NetError> {
        let mut state = self.lock();
        if state.finished || self.end.gone.is_cancelled() {
            return Err(NetError::Closed);
        }
        state.fragmenter.push(lane, message);
        let rested = state.rested();
        // Whoever has the way out finds the message there.
        let Some(mut out) = state.out.take() else { return Ok(()) };
        if rested && state.fragmenter.next_length() <= DIRECT {
            match self.write_now(&mut state, &mut out) {
                Ok(true) => {
                    state.out = Some(out);
                    return Ok(());
                }
                Ok(false) => {}
                Err(_) => {
                    drop(state);
                    self.broke();
                    return Err(NetError::Closed);
                }
            }
        }
        drop(state);
        self.runtime.spawn(write(self.clone(), out));
        Ok(())
    }

    /// Writes what is queued, if the connection takes all of it at once.
    fn write_now(&self, state: &mut State, out: &mut Out) -> Result<bool, NetError> {
        out.fill(&mut state.fragmenter)?;
        let mut cx = Context::from_waker(Waker::noop());
        match out.drain.poll_send(&mut cx, &mut out.frame) {
            Poll::Pending => Ok(false),
            Poll::Ready(sent) => {
                sent?;
                self.free(out);
                Ok(state.fragmenter.is_empty())
            }
        }
    }

    /// What was written makes room in its lane.
    fn free(&self, out: &mut Out) {
        for (room, freed) in self.room.iter().zip(std::mem::take(&mut out.freed)) {
            if freed > 0 {
                room.add_permits(freed);
            }
        }
    }

    fn finish(self: &Arc<Self>) {
        let mut state = self.lock();
        state.finished = true;
        let out = state.out.take();
        drop(state);
        if let Some(out) = out {
            self.runtime.spawn(write(self.clone(), out));
        }
    }

    /// Ends the way out without another word.
    fn shut(&self) {
        let mut state = self.lock();
        state.finished = true;
        let out = state.out.take();
        drop((state, out));
        for room in &self.room {
            room.close();
        }
    }

    fn broke(&self) {
        self.end.gone.cancel();
        self.shut();
    }
}

impl State {
    /// Whether it was quiet before this message.
    fn rested(&mut self) -> bool {
        let now = Instant::now();
        self.last.replace(now).is_none_or(|last| now.saturating_duration_since(last) > PAUSE)
    }
}

impl Out {
    /// The next frame, sealed; what is left of the last one comes first.
    fn fill(&mut self, fragmenter: &mut Fragmenter) -> Result<(), NetError> {
        if !self.frame.is_empty() {
            return Ok(());
        }
        let mut frame = BytesMut::with_capacity(PREFIX + OVERHEAD + fragmenter.next_length());
        frame.put_bytes(0, PREFIX + COUNTER);
        let freed = &mut self.freed;
        fragmenter.fill(&mut frame, |lane, length| freed[lane as usize] += weight(length));
        self.sealer.seal(&mut frame, PREFIX)?;
        let length = (frame.len() - PREFIX) as u16;
        frame[..PREFIX].copy_from_slice(&length.to_be_bytes());
        self.frame = frame.freeze();
        Ok(())
    }

    async fn send(&mut self) -> Result<(), NetError> {
        let sending = std::future::poll_fn(|cx| self.drain.poll_send(cx, &mut self.frame));
        timeout(STALL, sending).await.map_err(|_| NetError::Timeout("reading"))??;
        Ok(())
    }
}

/// Writes until nothing is queued, and puts the way out back; or until the end.
async fn write(shared: Arc<Shared>, out: Box<Out>) {
    let gone = shared.end.gone.clone();
    let ended = tokio::select! {
        biased;
        () = gone.cancelled() => true,
        ended = pump(&shared, out) => ended,
    };
    if ended {
        shared.shut();
    }
}

/// Whether the end was reached.
async fn pump(shared: &Shared, mut out: Box<Out>) -> bool {
    loop {
        let filled = {
            let mut state = shared.lock();
            match (out.frame.is_empty() && state.fragmenter.is_empty(), state.finished) {
                (true, true) => break,
                (true, false) => {
                    state.out = Some(out);
                    return false;
                }
                (false, _) => out.fill(&mut state.fragmenter),
            }
        };
        let sent = match filled {
            Ok(()) => out.send().await,
            Err(error) => Err(error),
        };
        if sent.is_err() {
            shared.end.gone.cancel();
            break;
        }
        shared.free(&mut out);
    }
    let _ = std::future::poll_fn(|cx| out.drain.poll_close(cx)).await;
    true
}
