//! Frames over messages of two parts, a kind and its data, with a window: a sender has at most
//! [`WINDOW`] frames under way that the receiver's owner has not taken.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use ::zeromq::{DealerRecvHalf, DealerSendHalf, RouterRecvHalf, RouterSendHalf, SocketRecv, SocketSend, ZmqMessage};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::AbortHandle,
};
use tokio_util::sync::PollSender;

use crate::{
    net::{Drain, Link, NetError, PREFIX, Source},
    session::GREETING_LIMIT,
};

/// Frames under way to one peer.
pub(super) const WINDOW: usize = 32;
/// The receiver says so when it took this many.
const STEP: u32 = 8;

const DATA: &[u8] = b"d";
const TAKEN: &[u8] = b"t";
const END: &[u8] = b"e";

/// The peers behind one socket, by routing identity (a `DEALER` has one, with none).
#[derive(Default)]
pub(super) struct Hub(Mutex<HashMap<Bytes, Inlet>>);

/// Where a peer's frames go; without it, it has said the end, or too much.
struct Inlet {
    frames: Option<mpsc::Sender<Bytes>>,
    flow: Arc<Flow>,
}

/// What the two halves of a link share.
#[derive(Default)]
struct Flow {
    /// Frames that were sent and not taken, and the permits for more.
    under_way: AtomicU32,
    credit: Credit,
    /// Frames that were taken here and not reported.
    taken: AtomicU32,
    report: Notify,
    /// The reading half was dropped.
    deaf: AtomicBool,
}

struct Credit(Semaphore);

impl Default for Credit {
    fn default() -> Self {
        Self(Semaphore::new(WINDOW))
    }
}

/// What makes a link live: the task that sends, and the word that both halves are gone.
pub(super) struct Ends {
    pub writer: Writer,
    pub closed: oneshot::Receiver<()>,
}

/// A link to the peer with that identity, which `hub` knows from now on.
pub(super) fn link(hub: &Hub, identity: Bytes, address: String, ip: Option<IpAddr>) -> (Link, Ends) {
    let flow = Arc::new(Flow::default());
    let (frames, incoming) = mpsc::channel(2 * WINDOW);
    let (outgoing, to_send) = mpsc::channel(1);
    let (open, closed) = oneshot::channel();
    let open = Arc::new(Open { _sender: open });
    hub.lock().insert(identity, Inlet { frames: Some(frames), flow: flow.clone() });
    let source = ZmqSource { incoming, flow: flow.clone(), limit: GREETING_LIMIT, _open: open.clone() };
    let drain = ZmqDrain { outgoing: PollSender::new(outgoing) };
    let link = Link { source: Box::new(source), drain: Box::new(drain), address, ip };
    (link, Ends { writer: Writer { to_send, flow, open }, closed })
}

/// Dropped by the last half that is dropped.
struct Open {
    _sender: oneshot::Sender<()>,
}

impl Hub {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Bytes, Inlet>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer is gone.
    pub fn remove(&self, identity: &Bytes) {
        if let Some(inlet) = self.lock().remove(identity) {
            inlet.flow.credit.0.close();
        }
    }

    fn take(&self, identity: &Bytes, kind: &[u8], data: Bytes) {
        let mut peers = self.lock();
        let Some(inlet) = peers.get_mut(identity) else { return };
        match kind {
            DATA => {
                let room = inlet.frames.as_ref().is_some_and(|frames| frames.try_send(data).is_ok());
                // More than its window: no honest peer, and it must not hold up the others.
                if !room {
                    inlet.frames = None;
                }
            }
            TAKEN => inlet.flow.credited(data),
            _ => inlet.frames = None,
        }
    }
}

impl Flow {
    /// Only what is under way can be taken: a peer cannot widen its window.
    fn credited(&self, mut data: Bytes) {
        let claimed = data.try_get_u32().unwrap_or(0);
        let taken = self.under_way.load(Relaxed).min(claimed);
        self.under_way.fetch_sub(taken, Relaxed);
        self.credit.0.add_permits(taken as usize);
    }
}

/// Sorts what comes to a `ROUTER`. It never waits for a peer or its owner.
pub(super) async fn pump_router(mut socket: RouterRecvHalf, hub: Arc<Hub>) {
    loop {
        match socket.recv().await {
            Ok(message) => {
                let mut parts = message.into_vecdeque();
                if let (Some(identity), Some(kind)) = (parts.pop_front(), parts.pop_front()) {
                    hub.take(&identity, &kind, parts.pop_front().unwrap_or_default());
                }
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// As [`pump_router`], for the one peer of a `DEALER`; ends with the socket.
pub(super) async fn pump_dealer(mut socket: DealerRecvHalf, hub: Arc<Hub>) {
    while let Ok(message) = socket.recv().await {
        let mut parts = message.into_vecdeque();
        if let Some(kind) = parts.pop_front() {
            hub.take(&Bytes::new(), &kind, parts.pop_front().unwrap_or_default());
        }
    }
    hub.remove(&Bytes::new());
}

/// The sending side of either socket.
pub(super) struct Out {
    socket: Half,
    identity: Bytes,
}

enum Half {
    Router(RouterSendHalf),
    Dealer(DealerSendHalf),
}

impl Out {
    pub fn router(socket: RouterSendHalf) -> Self {
        Self { socket: Half::Router(socket), identity: Bytes::new() }
    }

    pub fn dealer(socket: DealerSendHalf) -> Self {
        Self { socket: Half::Dealer(socket), identity: Bytes::new() }
    }

    pub fn to(self, identity: Bytes) -> Self {
        Self { identity, ..self }
    }

    async fn send(&mut self, kind: &'static [u8], data: Bytes) -> Result<(), ::zeromq::ZmqError> {
        let mut message = ZmqMessage::from(Bytes::from_static(kind));
        message.push_back(data);
        match &mut self.socket {
            Half::Router(socket) => {
                message.push_front(self.identity.clone());
                socket.send(message).await
            }
            Half::Dealer(socket) => socket.send(message).await,
        }
    }
}

pub(super) struct Writer {
    to_send: mpsc::Receiver<Bytes>,
    flow: Arc<Flow>,
    open: Arc<Open>,
}

impl Writer {
    /// Sends frames within the window, and reports what was taken, until the link's end.
    pub fn start(self, out: Out) {
        tokio::spawn(self.run(out));
    }

    async fn run(mut self, mut out: Out) -> Option<()> {
        let _open = self.open;
        let mut next: Option<Bytes> = None;
        let mut ended = false;
        loop {
            let taken = self.flow.taken.swap(0, Relaxed);
            if taken > 0 {
                out.send(TAKEN, Bytes::copy_from_slice(&taken.to_be_bytes())).await.ok()?;
            }
            // While the other half reads, its reports must go out.
            if ended && self.flow.deaf.load(Relaxed) {
                return None;
            }
            tokio::select! {
                biased;
                () = self.flow.report.notified() => {}
                permit = self.flow.credit.0.acquire(), if next.is_some() => {
                    permit.ok()?.forget();
                    self.flow.under_way.fetch_add(1, Relaxed);
                    out.send(DATA, next.take()?).await.ok()?;
                }
                frame = self.to_send.recv(), if next.is_none() && !ended => match frame {
                    Some(frame) => next = Some(frame),
                    None => {
                        ended = true;
                        out.send(END, Bytes::new()).await.ok()?;
                    }
                },
            }
        }
    }
}

struct ZmqSource {
    incoming: mpsc::Receiver<Bytes>,
    flow: Arc<Flow>,
    limit: usize,
    _open: Arc<Open>,
}

impl Drop for ZmqSource {
    fn drop(&mut self) {
        self.flow.deaf.store(true, Relaxed);
        self.flow.report.notify_one();
    }
}

impl Source for ZmqSource {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BytesMut>, NetError>> {
        let Some(frame) = ready!(self.incoming.poll_recv(cx)) else { return Poll::Ready(Ok(None)) };
        if self.flow.taken.fetch_add(1, Relaxed) + 1 >= STEP {
            self.flow.report.notify_one();
        }
        if frame.len() > self.limit {
            return Poll::Ready(Err(NetError::TooLong));
        }
        let frame = frame.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
        Poll::Ready(Ok(Some(frame)))
    }

    fn allow(&mut self, limit: usize) {
        self.limit = limit;
    }
}

struct ZmqDrain {
    outgoing: PollSender<Bytes>,
}

impl Drain for ZmqDrain {
    fn poll_send(&mut self, cx: &mut Context<'_>, frame: &mut Bytes) -> Poll<io::Result<()>> {
        let broken = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.outgoing.poll_reserve(cx)).map_err(broken)?;
        // The message has its own length.
        frame.advance(PREFIX);
        Poll::Ready(self.outgoing.send_item(std::mem::take(frame)).map_err(broken))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

/// A source that keeps a task going while it lives.
pub(super) struct Owning {
    source: Box<dyn Source>,
    task: AbortHandle,
}

impl Owning {
    pub fn new(source: Box<dyn Source>, task: AbortHandle) -> Self {
        Self { source, task }
    }
}

impl Source for Owning {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BytesMut>, NetError>> {
        self.source.poll_frame(cx)
    }

    fn allow(&mut self, limit: usize) {
        self.source.allow(limit);
    }
}

impl Drop for Owning {
    fn drop(&mut self) {
        self.task.abort();
    }
}
