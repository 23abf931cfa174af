//! A way from the frames over TCP that an [`enemy`](crate::enemy) speaks to any transport, so that
//! the same attacks are made over all of them. A bridge only carries: what a frame holds is none
//! of its business.

use std::{future::poll_fn, path::PathBuf, time::Duration};

use bytes::Bytes;
use proto::net::{Drain, Link, Source, Transport};
use tokio::{net::TcpListener, runtime::Runtime, time::timeout};

/// The longest frame there is.
const LONGEST: usize = u16::MAX as usize;
/// How long one direction may go on when the other has ended.
const REST: Duration = Duration::from_secs(2);

/// Carries frames until it is dropped.
pub struct Bridge {
    address: String,
    // Its tasks end with it.
    _runtime: Runtime,
    _run: tempfile::TempDir,
}

impl Bridge {
    /// Who connects to its [`address`](Self::address) over TCP reaches `target` over `transport`.
    pub fn to(transport: Transport, target: &str) -> Self {
        Self::new(("127.0.0.1:0", Transport::Tcp), (target, transport))
    }

    /// Who connects to `address` over `transport` reaches the TCP listener at `behind`.
    pub fn before(transport: Transport, address: &str, behind: &str) -> Self {
        Self::new((address, transport), (behind, Transport::Tcp))
    }

    /// # Panics
    /// When the address is taken.
    fn new((near, near_by): (&str, Transport), (far, far_by): (&str, Transport)) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let run = tempfile::tempdir().expect("a folder");
        let listener = runtime.block_on(TcpListener::bind(near)).expect("the address is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        runtime.spawn(serve(listener, near_by, run.path().to_owned(), far.to_owned(), far_by));
        Self { address, _runtime: runtime, _run: run }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }
}

async fn serve(listener: TcpListener, near: Transport, run: PathBuf, far: String, far_by: Transport) {
    let mut listener = near.listen(listener, &run).await.expect("the transport listens");
    while let Ok(link) = listener.accept().await {
        let far = far.clone();
        tokio::spawn(async move {
            // Whom nobody takes in on the far side is hung up on.
            if let Ok(other) = far_by.dial(&far).await {
                carry(link, other).await;
            }
        });
    }
}

/// Both ways, until one of them has ended; what the other has still to say gets a little time.
async fn carry(near: Link, far: Link) {
    let mut there = std::pin::pin!(pump(near.source, far.drain));
    let mut back = std::pin::pin!(pump(far.source, near.drain));
    tokio::select! {
        () = &mut there => drop(timeout(REST, back).await),
        () = &mut back => drop(timeout(REST, there).await),
    }
}

async fn pump(mut source: Box<dyn Source>, mut drain: Box<dyn Drain>) {
    source.allow(LONGEST);
    while let Ok(Some(frame)) = poll_fn(|cx| source.poll_frame(cx)).await {
        let length = u16::try_from(frame.len()).expect("a frame's length has two bytes").to_be_bytes();
        let mut whole = Bytes::from([&length[..], &frame].concat());
        while !whole.is_empty() {
            if poll_fn(|cx| drain.poll_send(cx, &mut whole)).await.is_err() {
                return;
            }
        }
    }
    // It may be gone already.
    let _ = poll_fn(|cx| drain.poll_close(cx)).await;
}
