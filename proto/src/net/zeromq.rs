//! The same frames over ZeroMQ (`DEALER` to `ROUTER`, crate `zeromq`), for trusted networks.
//!
//! What the crate lacks is put around it here:
//! * Its decoder allocates what a header claims, peers that fall silent are never timed out, and a
//!   peer may claim another's routing identity. So each connection passes a [`guard`] that lets
//!   through bounded frames only, has a deadline for the greeting, and names the peer itself.
//! * Its queues hold 100,000 messages, and a full one blocks more than its own peer. So at most
//!   [`flow::WINDOW`] frames are under way to a peer that has not said that it took them.
//! * `DEALER` never reconnects. So each link has a socket of its own, and ends with it; whoever
//!   wants to go on dials again.

mod flow;
mod guard;
mod tunnel;

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ::zeromq::{DealerSocket, RouterSocket, Socket};
use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
    time::timeout,
};

use super::{Counters, Gate, GateLimits, Link, NetError, Refused, tcp};
use flow::{Hub, Out};
use tunnel::Tunnel;

/// How long the greeting may take.
const GREETING: Duration = Duration::from_secs(10);
/// Connections that have not finished their greeting.
const PENDING: usize = 512;

/// New connections that an address may make at once, and each second after that: every one costs the
/// crate a peer of its own before its first frame can be judged.
const ARRIVALS: GateLimits =
    GateLimits { pending: PENDING, pending_per_address: PENDING, burst: 600.0, per_second: 400.0, addresses: 4096 };

/// Accepts links on a TCP port that speaks ZeroMQ.
pub struct Listener {
    links: mpsc::Receiver<Link>,
    tasks: Vec<AbortHandle>,
    _tunnel: Tunnel,
}

impl Listener {
    /// Makes a `ROUTER` behind `listener`. `run` is a folder that no other listener uses.
    pub async fn new(listener: TcpListener, run: &Path, counters: Arc<Counters>) -> io::Result<Self> {
        let tunnel = Tunnel::lasting(run)?;
        let mut router = RouterSocket::new();
        router.bind(&tunnel.endpoint()).await.map_err(io::Error::other)?;
        let (sender, receiver) = router.split();
        let hub = Arc::new(Hub::default());
        let (give, links) = mpsc::channel(16);
        let pump = tokio::spawn(flow::pump_router(receiver, hub.clone()));
        let path = tunnel.path();
        let accepting = tokio::spawn(async move {
            let door = Door { arrivals: Gate::new(ARRIVALS), pending: Arc::new(Semaphore::new(PENDING)) };
            loop {
                let Ok((stream, from)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                // No place: the stranger is dropped, and costs nothing more.
                let place = match door.enter(from.ip().to_canonical()) {
                    Ok(place) => place,
                    Err(kind) => {
                        counters.refuse(kind);
                        continue;
                    }
                };
                let (hub, give, path, sender) = (hub.clone(), give.clone(), path.clone(), sender.clone());
                let counters = counters.clone();
                tokio::spawn(async move {
                    let out = Out::router(sender);
                    if let Err(kind) = guard::serve(stream, &path, &hub, out, give, place).await {
                        counters.refuse(kind);
                    }
                });
            }
        });
        Ok(Self { links, tasks: vec![pump.abort_handle(), accepting.abort_handle()], _tunnel: tunnel })
    }

    /// The next link. Stopping to wait loses nothing.
    pub async fn accept(&mut self) -> io::Result<Link> {
        self.links.recv().await.ok_or_else(|| io::Error::other("the listener has ended"))
    }
}

/// Whom the crate is to hear of at all.
struct Door {
    arrivals: Gate,
    pending: Arc<Semaphore>,
}

impl Door {
    fn enter(&self, ip: IpAddr) -> Result<OwnedSemaphorePermit, Refused> {
        let now = Instant::now();
        if !self.arrivals.trusts(Some(ip), now) {
            return Err(Refused::Address);
        }
        self.arrivals.failed(Some(ip), now);
        self.pending.clone().try_acquire_owned().map_err(|_| Refused::ZmtpCrowd)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Connects to `HOST:PORT`.
pub async fn dial(address: &str) -> Result<Link, NetError> {
    let stream = tcp::stream(address).await?;
    let failed = |why: String| NetError::Connect { address: address.to_owned(), why };
    match timeout(GREETING, connect(stream, address)).await {
        Ok(link) => link.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed("nobody there speaks ZeroMQ".into())),
    }
}

async fn connect(stream: TcpStream, address: &str) -> io::Result<Link> {
    tcp::tune(&stream)?;
    let ip = stream.peer_addr()?.ip().to_canonical();
    let tunnel = Tunnel::brief()?;
    let inner = UnixListener::bind(tunnel.path())?;
    let hub = Arc::new(Hub::default());
    let (mut link, ends) = flow::link(&hub, Bytes::new(), address.to_owned(), Some(ip));
    let ends_hub = hub.clone();
    let guarding = tokio::spawn(async move { guard::dialled(stream, inner, &ends_hub, ends.closed).await });
    let mut dealer = DealerSocket::new();
    let connected = dealer.connect(&tunnel.endpoint()).await;
    if let Err(error) = connected {
        guarding.abort();
        return Err(io::Error::other(error));
    }
    let (sender, receiver) = dealer.split();
    let pump = tokio::spawn(flow::pump_dealer(receiver, hub));
    ends.writer.start(Out::dealer(sender));
    link.source = Box::new(flow::Owning::new(link.source, pump.abort_handle()));
    Ok(link)
}
