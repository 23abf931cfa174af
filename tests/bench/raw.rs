//! The machine's own limit: the same bytes fanned out and gathered over plain TCP connections,
//! between two processes, with no protocol at all.

use std::{process::Stdio, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc},
};

use crate::figures::Figure;

/// Bytes of a frame that carries a publish, and of one that carries a small return.
pub const DOWN: usize = 512;
pub const UP: usize = 160;

/// Seconds from the first byte out to the last byte back, for `rounds` rounds over `connections`.
pub fn fan_out(connections: usize, rounds: usize) -> Figure {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    Figure::of(runtime.block_on(serve(connections, rounds)))
}

async fn serve(connections: usize, rounds: usize) -> Vec<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let mut peer = tokio::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["raw-peer", &address, &connections.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the raw peer");
    let (go, _) = broadcast::channel::<()>(1);
    let (done, mut gathered) = mpsc::unbounded_channel();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("nodelay");
        tokio::spawn(one(stream, go.subscribe(), done.clone()));
    }
    let mut seconds = Vec::new();
    for _ in 0..=rounds {
        let start = Instant::now();
        go.send(()).expect("connections");
        for _ in 0..connections {
            gathered.recv().await.expect("an answer");
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    drop(go);
    let _ = peer.kill().await;
    // The first round warms up.
    seconds.split_off(1)
}

async fn one(mut stream: TcpStream, mut go: broadcast::Receiver<()>, done: mpsc::UnboundedSender<()>) {
    let (down, mut up) = ([7; DOWN], [0; UP]);
    while go.recv().await.is_ok() {
        if stream.write_all(&down).await.is_err() || stream.read_exact(&mut up).await.is_err() || done.send(()).is_err()
        {
            return;
        }
    }
}

/// The other process: answers every publish with a return.
pub fn peer(address: &str, connections: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("nodelay");
            tasks.spawn(async move {
                let (mut down, up) = ([0; DOWN], [9; UP]);
                while stream.read_exact(&mut down).await.is_ok() && stream.write_all(&up).await.is_ok() {}
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}
