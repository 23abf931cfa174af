//! A session over a link: typed messages in both directions.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use tokio::{sync::SemaphorePermit, time::timeout};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    Drain, Link, NetError, PREFIX, Sender, Source,
    queue::{End, WayOut},
};
use crate::{
    codec,
    frame::{LaneLimits, Reassembler},
    message::Lane,
    session::{
        ClearRefusal, FRAME_LIMIT, Hello, Initiator, Local, Opener, Peer, Responder, Session, SessionError, Step,
    },
    sign::{PublicKey, StaticPublic},
};

/// How long a handshake may take, the initiator's first message included.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// An authenticated connection.
pub struct Channel {
    /// The peer's identity.
    pub peer: PublicKey,
    /// Its session key: an initiator keeps it for [`Peer::known_static`].
    pub peer_static: StaticPublic,
    /// The wire version that was agreed.
    pub version: u16,
    /// The peer's address, for people.
    pub address: String,
    sender: Sender,
    receiver: Receiver,
}

impl Channel {
    /// Must be called within a tokio runtime, which writes what does not go out at once.
    fn new(session: Session, mut source: Box<dyn Source>, drain: Box<dyn Drain>, address: String) -> Self {
        source.allow(FRAME_LIMIT);
        let end = End::default();
        let (sender, way_out) = Sender::start(session.sealer, drain, end.clone());
        let receiver = Receiver {
            source,
            opener: session.opener,
            reassembler: Reassembler::default(),
            gone: Box::pin(end.gone.clone().cancelled_owned()),
            end,
            way_out,
            received: 0,
            ended: None,
        };
        Self {
            peer: session.peer,
            peer_static: session.peer_static,
            version: session.version,
            address,
            sender,
            receiver,
        }
    }

    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel to {} at {}", self.peer, self.address)
    }
}

/// Makes a session as the initiator, who also has to speak first.
pub async fn connect(link: Link, local: &Local, peer: &Peer) -> Result<Channel, NetError> {
    let handshake = async move {
        let Link { mut source, mut drain, address, .. } = link;
        refused_already(source.as_mut()).await?;
        let (initiator, first) = Initiator::start(local, peer)?;
        send(drain.as_mut(), &first).await?;
        let answer = frame(source.as_mut()).await?;
        let (session, last) = initiator.answer(&answer)?;
        if let Some(last) = last {
            send(drain.as_mut(), &last).await?;
        }
        Ok(Channel::new(session, source, drain, address))
    };
    timeout(HANDSHAKE, handshake).await.map_err(|_| NetError::Timeout("the handshake"))?
}

/// A crowded responder says so as soon as the connection stands; then nothing is computed for it.
async fn refused_already(source: &mut dyn Source) -> Result<(), NetError> {
    let said = poll_fn(|cx| match source.poll_frame(cx) {
        Poll::Ready(Ok(Some(frame))) => Poll::Ready(Some(frame)),
        // Of a broken connection, who goes on will hear.
        _ => Poll::Ready(None),
    });
    match said.await.and_then(|frame| ClearRefusal::busy(&frame)) {
        Some(seconds) => Err(SessionError::Busy(seconds).into()),
        None => Ok(()),
    }
}

/// Makes a session as the responder. It is given back only when the initiator's first message
/// has come as well, which shows that it is there and no recording. For a listener that strangers
/// reach, [`Acceptor`](super::Acceptor) does the same behind a gate.
pub async fn accept(link: Link, local: &Local) -> Result<Channel, NetError> {
    accept_with(link, local, &Anyone).await
}

/// What a responder asks on its way through a handshake.
pub(super) trait Admission: Sync {
    /// Before anything is computed, once the clear hello was found good.
    fn compute(&self) -> impl Future<Output = Result<Option<SemaphorePermit<'_>>, SessionError>> + Send;

    /// As soon as the peer's identity is certain (for IK: before the costly half).
    fn admit(&self, peer: &PublicKey) -> Result<(), SessionError>;
}

struct Anyone;

impl Admission for Anyone {
    async fn compute(&self) -> Result<Option<SemaphorePermit<'_>>, SessionError> {
        Ok(None)
    }

    fn admit(&self, _: &PublicKey) -> Result<(), SessionError> {
        Ok(())
    }
}

pub(super) async fn accept_with(link: Link, local: &Local, admission: &impl Admission) -> Result<Channel, NetError> {
    let handshake = async move {
        let Link { mut source, mut drain, address, .. } = link;
        let session = match respond(source.as_mut(), drain.as_mut(), local, admission).await {
            Ok(session) => session,
            Err(error) => {
                refuse(drain.as_mut(), &error).await;
                return Err(error);
            }
        };
        let mut channel = Channel::new(session, source, drain, address);
        channel.receiver.await_frame().await?;
        Ok(channel)
    };
    timeout(HANDSHAKE, handshake).await.map_err(|_| NetError::Timeout("the handshake"))?
}

async fn respond(
    source: &mut dyn Source,
    drain: &mut dyn Drain,
    local: &Local,
    admission: &impl Admission,
) -> Result<Session, NetError> {
    let first = frame(source).await?;
    Hello::read(&first)?;
    let permit = admission.compute().await?;
    let step = Responder::start(local, &first, |peer| admission.admit(peer))?;
    drop(permit);
    match step {
        Step::Done(session, answer) => {
            send(drain, &answer).await?;
            Ok(session)
        }
        Step::More(responder, answer) => {
            send(drain, &answer).await?;
            let session = responder.finish(&frame(source).await?)?;
            admission.admit(&session.peer)?;
            Ok(session)
        }
    }
}

/// Tells the peer why, where there is something to tell.
pub(super) async fn refuse(drain: &mut dyn Drain, error: &NetError) {
    let NetError::Session(error) = error else { return };
    if let Some(refusal) = error.clear_refusal() {
        let _ = send(drain, &refusal.to_bytes()).await;
        let _ = poll_fn(|cx| drain.poll_close(cx)).await;
    }
}

async fn frame(source: &mut dyn Source) -> Result<BytesMut, NetError> {
    poll_fn(|cx| source.poll_frame(cx)).await?.ok_or(NetError::Closed)
}

/// Sends a frame of the handshake.
async fn send(drain: &mut dyn Drain, bytes: &[u8]) -> Result<(), NetError> {
    let mut frame = BytesMut::with_capacity(PREFIX + bytes.len());
    frame.put_u16(bytes.len() as u16);
    frame.put_slice(bytes);
    let mut frame = frame.freeze();
    poll_fn(|cx| drain.poll_send(cx, &mut frame)).await?;
    Ok(())
}

/// Receives messages from the peer. Dropping it ends nothing: the senders do that.
pub struct Receiver {
    source: Box<dyn Source>,
    opener: Opener,
    reassembler: Reassembler,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
    end: End,
    way_out: WayOut,
    /// Bytes of frames that have come.
    received: u64,
    ended: Option<Result<(), NetError>>,
}

impl Receiver {
    /// The next message; `None` when the peer has said the end. Nothing is lost when the caller
    /// stops waiting. An error is final, and ends the connection.
    pub async fn recv<M: DeserializeOwned>(&mut self) -> Result<Option<M>, NetError> {
        let Some((lane, bytes)) = self.recv_bytes().await? else { return Ok(None) };
        let limits = self.reassembler.limits().decoding(lane);
        codec::decode(&bytes, limits).map(Some).map_err(|error| self.fail(error.into()))
    }

    /// The next message and its lane, not decoded.
    pub async fn recv_bytes(&mut self) -> Result<Option<(Lane, Bytes)>, NetError> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// How long messages may be from now on. A listener tightens them to
    /// [`LaneLimits::GREETING`] until it knows whom it talks with.
    pub fn set_limits(&mut self, limits: LaneLimits) {
        self.reassembler.set_limits(limits);
    }

    /// Bytes of frames that have come so far, whole messages or not.
    pub fn received(&self) -> u64 {
        self.received
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<(Lane, Bytes)>, NetError>> {
        loop {
            match self.reassembler.next() {
                Ok(None) => {}
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(error) => return Poll::Ready(Err(self.fail(error.into()))),
            }
            if !ready!(self.poll_frame(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Takes the next frame in; whether there was one.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, NetError>> {
        if let Some(ended) = &self.ended {
            return Poll::Ready(ended.clone().map(|()| false));
        }
        let frame = if self.end.is_aborted() { Poll::Pending } else { self.source.poll_frame(cx) };
        // What has arrived is read before a broken way out is noticed: it may say why.
        if frame.is_pending() && self.gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.fail(NetError::Closed)));
        }
        Poll::Ready(self.take(ready!(frame)).map_err(|error| self.fail(error)))
    }

    fn take(&mut self, frame: Result<Option<BytesMut>, NetError>) -> Result<bool, NetError> {
        let Some(frame) = frame? else {
            if self.reassembler.is_waiting() {
                return Err(NetError::Truncated);
            }
            self.ended = Some(Ok(()));
            return Ok(false);
        };
        self.received += frame.len() as u64;
        self.reassembler.push(self.opener.open(frame)?.freeze());
        Ok(true)
    }

    async fn await_frame(&mut self) -> Result<(), NetError> {
        if poll_fn(|cx| self.poll_frame(cx)).await? { Ok(()) } else { Err(NetError::Closed) }
    }

    /// Notes why the connection ended and ends it.
    fn fail(&mut self, error: NetError) -> NetError {
        self.ended = Some(Err(error.clone()));
        self.end.gone.cancel();
        self.way_out.shut();
        error
    }
}
