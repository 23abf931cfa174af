//! The same channels over ZeroMQ, and what the crate's own sockets would not have survived.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proto::{
    message::Lane,
    net::{Channel, Counters, Listener, NetError, Receiver, Refused, Sender, Transport, accept, connect},
    session::{Local, Peer, Pin},
    sign::{Identity, StaticKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn local() -> Local {
    Local::new(&Identity::generate(), StaticKey::generate())
}

async fn listen() -> (Listener, String, tempfile::TempDir) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let run = tempfile::tempdir().unwrap();
    (Transport::ZeroMq.listen(listener, run.path()).await.unwrap(), address, run)
}

/// A connected pair, the initiator's end first.
async fn pair(listener: &mut Listener, address: &str, master: &Local) -> (Channel, Channel) {
    let (minion, peer) = (local(), Peer { pin: Some(Pin::Key(master.identity)), known_static: None });
    let ours = async {
        let link = Transport::ZeroMq.dial(address).await.unwrap();
        let channel = connect(link, &minion, &peer).await.unwrap();
        channel.sender().send(Lane::Control, &"hello").await.unwrap();
        channel
    };
    let theirs = async { accept(listener.accept().await.unwrap(), master).await.unwrap() };
    let (ours, mut theirs) = tokio::join!(ours, theirs);
    assert_eq!(theirs.receiver().recv::<String>().await.unwrap().unwrap(), "hello");
    (ours, theirs)
}

#[tokio::test]
async fn messages_of_every_size_in_both_directions() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    let (ours, theirs) = pair(&mut listener, &address, &master).await;
    assert!(theirs.address.starts_with("127.0.0.1:"), "the peer's own address, not the tunnel's");
    let ((near_sender, mut near_receiver), (far_sender, mut far_receiver)) = (ours.split(), theirs.split());
    exchange(&near_sender, &mut far_receiver).await;
    exchange(&far_sender, &mut near_receiver).await;
}

async fn exchange(from: &Sender, to: &mut Receiver) {
    let sizes = [1usize, 60_000, 70_000, 5_000_000, 3];
    let sending = async {
        for size in sizes {
            from.send_bytes(Lane::Returns, Bytes::from(vec![size as u8; size])).await.unwrap();
        }
    };
    let receiving = async {
        for size in sizes {
            let (_, bytes) = timeout(PATIENCE, to.recv_bytes()).await.unwrap().unwrap().unwrap();
            assert!(bytes.len() == size && bytes.iter().all(|&byte| byte == size as u8));
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn what_was_queued_comes_before_the_end() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    let (ours, mut theirs) = pair(&mut listener, &address, &master).await;
    for n in 0..500 {
        ours.sender().send(Lane::Control, &n).await.unwrap();
    }
    drop(ours);
    for n in 0..500 {
        assert_eq!(timeout(PATIENCE, theirs.receiver().recv::<i32>()).await.unwrap().unwrap(), Some(n));
    }
    assert_eq!(timeout(PATIENCE, theirs.receiver().recv::<i32>()).await.unwrap(), Ok(None));
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_up_nobody_else() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    let (_deaf, to_deaf) = pair(&mut listener, &address, &master).await;
    let (mut reading, to_reading) = pair(&mut listener, &address, &master).await;
    let full = async {
        let file = Bytes::from(vec![0; 200_000]);
        while to_deaf.sender().try_send_bytes(Lane::Files, file.clone()) != Err(NetError::Full) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, full).await.expect("what may wait for a peer is bounded");
    for n in 0..100 {
        to_reading.sender().send(Lane::Control, &n).await.unwrap();
        assert_eq!(timeout(PATIENCE, reading.receiver().recv::<i32>()).await.unwrap().unwrap(), Some(n));
    }
}

#[tokio::test]
async fn a_connection_that_ends_can_be_made_again() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    for _ in 0..3 {
        let (ours, mut theirs) = pair(&mut listener, &address, &master).await;
        ours.sender().abort();
        drop(ours);
        let end = timeout(PATIENCE, theirs.receiver().recv::<i32>()).await.unwrap();
        assert!(!matches!(end, Ok(Some(_))));
    }
}

#[tokio::test]
async fn a_master_that_has_gone_is_noticed() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    let (mut ours, theirs) = pair(&mut listener, &address, &master).await;
    drop((theirs, listener));
    assert!(!matches!(timeout(PATIENCE, ours.receiver().recv::<i32>()).await.unwrap(), Ok(Some(_))));
    assert!(matches!(Transport::ZeroMq.dial(&address).await, Err(NetError::Connect { .. })));
}

const GREETING: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn ready(kind: &str, identity: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", kind), ("Identity", identity)] {
        body.push(name.len() as u8);
        body.extend(name.as_bytes());
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(value.as_bytes());
    }
    [&[4, body.len() as u8][..], &body].concat()
}

/// Sends bytes, and waits until the other side has hung up.
async fn enemy(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("hung up");
    assert!(answer.len() < 1000);
}

#[tokio::test]
async fn what_aborts_a_stock_socket_only_ends_its_own_connection() {
    let (mut listener, address, _run) = listen().await;
    let master = local();
    let (ours, mut theirs) = pair(&mut listener, &address, &master).await;
    let claim = [&[2][..], &(1u64 << 62).to_be_bytes()].concat();
    let endless: Vec<u8> = [1u8, 1, b'd'].repeat(1000);
    for bytes in [
        // A frame of 2^62 bytes: before READY, as READY, behind it.
        [&GREETING[..], &claim].concat(),
        [&GREETING[..], &[6], &claim[1..]].concat(),
        [&GREETING[..], &ready("DEALER", ""), &claim].concat(),
        // A message of endlessly many parts; one of 70,000 bytes; a command behind READY.
        [&GREETING[..], &ready("DEALER", ""), &endless].concat(),
        [&GREETING[..], &ready("DEALER", ""), &[2, 0, 0, 0, 0, 0, 1, 0x11, 0x70]].concat(),
        [&GREETING[..], &ready("DEALER", ""), &[4, 5], b"\x04PING"].concat(),
        // Other sockets, other protocols, nothing.
        [&GREETING[..], &ready("SUB", "")].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 100],
    ] {
        enemy(&address, &bytes).await;
    }
    ours.sender().send(Lane::Control, &"still here").await.unwrap();
    let heard = timeout(PATIENCE, theirs.receiver().recv::<String>()).await.unwrap();
    assert_eq!(heard.unwrap().unwrap(), "still here");
}

#[tokio::test]
async fn a_flood_beyond_the_window_ends_its_own_link() {
    let (mut listener, address, _run) = listen().await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(&[&GREETING[..], &ready("DEALER", "any")].concat()).await.unwrap();
    let mut link = listener.accept().await.unwrap();
    let message = [&[1, 1, b'd', 0, 3][..], b"abc"].concat();
    stream.write_all(&message.repeat(5000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut taken = 0;
    while let Some(frame) = std::future::poll_fn(|cx| link.source.poll_frame(cx)).await.unwrap() {
        assert_eq!(&frame[..], b"abc");
        taken += 1;
    }
    assert!(taken < 200, "{taken} frames were kept for a peer that nobody reads");
}

#[tokio::test]
async fn acknowledgements_of_what_was_never_sent_widen_nothing() {
    let (mut listener, address, _run) = listen().await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(&[&GREETING[..], &ready("DEALER", "any")].concat()).await.unwrap();
    let mut link = listener.accept().await.unwrap();
    let lie = [1, 1, b't', 0, 4, 0xff, 0xff, 0xff, 0xff].repeat(100);
    stream.write_all(&lie).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut sent = 0;
    let sending = async {
        loop {
            let mut frame = Bytes::from(vec![0; 1002]);
            std::future::poll_fn(|cx| link.drain.poll_send(cx, &mut frame)).await.unwrap();
            sent += 1;
        }
    };
    let _ = timeout(Duration::from_millis(500), sending).await;
    assert!((32..40).contains(&sent), "{sent} frames went out");
}

#[tokio::test]
async fn who_knocks_too_often_finds_the_door_closed_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (run, counters) = (tempfile::tempdir().unwrap(), Arc::new(Counters::default()));
    let mut listener = Transport::ZeroMq.listen_counted(listener, run.path(), counters.clone()).await.unwrap();
    let knocking = async {
        while counters.of(Refused::Address) == 0 {
            TcpStream::connect(&address).await.unwrap().write_all(b"GET / HTTP/1.1").await.unwrap();
        }
    };
    timeout(PATIENCE, knocking).await.expect("no address may come as often as it likes");
    assert!(counters.of(Refused::ZmtpGreeting) > 0, "who is no ZeroMQ peer is counted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair(&mut listener, &address, &local()).await;
}

#[tokio::test]
async fn what_a_killed_listener_left_is_in_nobodys_way() {
    let run = tempfile::tempdir().unwrap();
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
    std::fs::create_dir(run.path().join("zmq")).unwrap();
    std::fs::write(run.path().join("zmq/s"), "left over").unwrap();
    let listener = Transport::ZeroMq.listen(bind().await, run.path()).await.unwrap();
    assert!(run.path().join("zmq/s").exists());
    drop(listener);
    assert_eq!(std::fs::read_dir(run.path()).unwrap().count(), 0);
}
