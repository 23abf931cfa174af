//! Channels over real TCP connections, and what enemies can do to them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proto::{
    message::Lane,
    net::{Acceptor, Channel, GateLimits, NetError, Refused, accept, connect, tcp},
    session::{Initiator, Local, Peer, Pin, SessionError},
    sign::{Identity, StaticKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn local() -> Arc<Local> {
    Arc::new(Local::new(&Identity::generate(), StaticKey::generate()))
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A connected pair, the initiator's end first; "hello" has been said.
async fn pair(peer: Peer, minion: &Local, master: Arc<Local>) -> (Channel, Channel) {
    let (listener, address) = listen().await;
    let accepting = tokio::spawn(async move { accept(tcp::accept(&listener).await.unwrap(), &master).await });
    let ours = connect(tcp::dial(&address).await.unwrap(), minion, &peer).await.unwrap();
    ours.sender().send(Lane::Control, &"hello").await.unwrap();
    let mut theirs = accepting.await.unwrap().unwrap();
    assert_eq!(theirs.receiver().recv::<String>().await.unwrap().unwrap(), "hello");
    (ours, theirs)
}

async fn simple_pair() -> (Channel, Channel) {
    pair(Peer::default(), &local(), local()).await
}

#[tokio::test]
async fn a_first_contact_and_then_the_remembered_key() {
    let (minion, master) = (local(), local());
    let (ours, theirs) = pair(Peer::default(), &minion, master.clone()).await;
    assert_eq!((ours.peer, theirs.peer), (master.identity, minion.identity));
    let peer = Peer { pin: Some(Pin::Key(ours.peer)), known_static: Some(ours.peer_static) };
    let (ours, theirs) = pair(peer, &minion, master.clone()).await;
    assert_eq!((ours.peer, theirs.peer), (master.identity, minion.identity));
}

#[tokio::test]
async fn messages_of_every_size_arrive_in_their_lanes_order() {
    let (ours, theirs) = simple_pair().await;
    let (_guard, mut receiver) = theirs.split();
    let sizes = [1usize, 100, 60_000, 61_440, 70_000, 1_000_000, 19_000_000, 5];
    let sender = ours.sender().clone();
    let sending = tokio::spawn(async move {
        for size in sizes {
            sender.send_bytes(Lane::Returns, Bytes::from(vec![size as u8; size])).await.unwrap();
        }
    });
    for size in sizes {
        let (lane, bytes) = receiver.recv_bytes().await.unwrap().unwrap();
        assert_eq!((lane, bytes.len()), (Lane::Returns, size));
        assert!(bytes.iter().all(|&byte| byte == size as u8));
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn control_overtakes_a_file() {
    let (ours, mut theirs) = simple_pair().await;
    for _ in 0..3 {
        ours.sender().try_send_bytes(Lane::Files, Bytes::from(vec![1; 80_000])).unwrap();
    }
    ours.sender().try_send(Lane::Control, &1).unwrap();
    let (lane, _) = theirs.receiver().recv_bytes().await.unwrap().unwrap();
    assert_eq!(lane, Lane::Control);
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_its_own_lane_only() {
    let (ours, mut theirs) = simple_pair().await;
    let message = Bytes::from(vec![0; 100_000]);
    let sent = async {
        loop {
            match ours.sender().try_send_bytes(Lane::Files, message.clone()) {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    };
    assert_eq!(sent.await, NetError::Full);
    assert!(ours.sender().queued(Lane::Files) > 100_000);
    ours.sender().try_send(Lane::Control, &7).unwrap();
    // As soon as it reads, everything comes.
    loop {
        let (lane, bytes) = theirs.receiver().recv_bytes().await.unwrap().unwrap();
        if lane == Lane::Control {
            break;
        }
        assert_eq!(bytes.len(), 100_000);
    }
}

#[tokio::test]
async fn what_was_queued_is_sent_before_the_end() {
    let (ours, mut theirs) = simple_pair().await;
    for n in 0..1000 {
        ours.sender().send(Lane::Control, &n).await.unwrap();
    }
    drop(ours);
    for n in 0..1000 {
        assert_eq!(theirs.receiver().recv::<i32>().await.unwrap(), Some(n));
    }
    assert_eq!(theirs.receiver().recv::<i32>().await, Ok(None));
    assert_eq!(theirs.receiver().recv::<i32>().await, Ok(None));
}

#[tokio::test]
async fn an_abort_ends_both_halves_at_once() {
    let (ours, theirs) = simple_pair().await;
    let (sender, mut receiver) = ours.split();
    let killer = sender.clone();
    let waiting = tokio::spawn(async move { receiver.recv::<i32>().await });
    killer.abort();
    assert_eq!(waiting.await.unwrap(), Err(NetError::Closed));
    assert_eq!(sender.send(Lane::Control, &1).await, Err(NetError::Closed));
    drop((sender, killer));
    let (_sender, mut receiver) = theirs.split();
    assert!(!matches!(receiver.recv::<i32>().await, Ok(Some(_))));
}

#[tokio::test]
async fn the_last_words_of_a_peer_that_has_gone_are_heard() {
    let (ours, theirs) = simple_pair().await;
    theirs.sender().send(Lane::Control, &"refused").await.unwrap();
    drop(theirs);
    let (sender, mut receiver) = ours.split();
    // Writing to it fails sooner or later; that must not hide what it said.
    for _ in 0..20 {
        let _ = sender.try_send(Lane::Control, &0);
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.recv::<String>().await.unwrap().unwrap(), "refused");
}

#[tokio::test]
async fn a_wrong_master_is_refused_by_name() {
    let (listener, address) = listen().await;
    let impostor = local();
    tokio::spawn(async move { accept(tcp::accept(&listener).await.unwrap(), &impostor).await });
    let pin = Pin::Key(local().identity);
    let peer = Peer { pin: Some(pin), known_static: None };
    let error = connect(tcp::dial(&address).await.unwrap(), &local(), &peer).await.unwrap_err();
    assert!(matches!(error, NetError::Session(SessionError::WrongPeer { .. })), "{error}");
}

#[tokio::test]
async fn a_renewed_session_key_is_told_apart_from_a_wrong_master() {
    let (listener, address) = listen().await;
    let master = local();
    tokio::spawn(async move { accept(tcp::accept(&listener).await.unwrap(), &master).await });
    let peer = Peer { pin: None, known_static: Some(local().static_public()) };
    let error = connect(tcp::dial(&address).await.unwrap(), &local(), &peer).await.unwrap_err();
    assert_eq!(error, NetError::Session(SessionError::OtherKey));
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, address) = listen().await;
    drop(listener);
    assert!(matches!(tcp::dial(&address).await, Err(NetError::Connect { .. })));
}

/// An acceptor behind a listener; gives what became of the first `count` connections.
type Door = (Arc<Acceptor>, String, tokio::task::JoinHandle<Vec<NetError>>);

async fn door(limits: GateLimits, count: usize) -> Door {
    door_for(limits, count, None).await
}

/// As [`door`], taking all for strangers from that address.
async fn door_for(limits: GateLimits, count: usize, from: Option<&'static str>) -> Door {
    let (listener, address) = listen().await;
    let acceptor = Arc::new(Acceptor::new(local(), limits));
    let own = acceptor.clone();
    let outcomes = tokio::spawn(async move {
        let mut outcomes = Vec::new();
        for _ in 0..count {
            let mut link = tcp::accept(&listener).await.unwrap();
            link.ip = from.map_or(link.ip, |ip| Some(ip.parse().unwrap()));
            let pass = own.enter(link.ip).unwrap();
            outcomes.push(own.accept(link, pass).await.unwrap_err());
        }
        outcomes
    });
    (acceptor, address, outcomes)
}

#[tokio::test]
async fn garbage_moves_its_counter_and_nothing_else() {
    let enemies: [(&[u8], Refused); 5] = [
        (b"\x00\x12GET / HTTP/1.1\r\n\r\n", Refused::NotOurs),
        (b"\x00\x00", Refused::NotOurs),
        (b"\xff\xff", Refused::TooLong),
        (b"\x00\x40OVST\x01\x00\x01", Refused::Truncated),
        (b"\x00\x09OVST\x01\x00\x02\x00\x09", Refused::Version),
    ];
    let (acceptor, address, outcomes) = door(GateLimits::default(), enemies.len()).await;
    for (bytes, _) in enemies {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.len() <= 8, "a stranger learns next to nothing");
    }
    outcomes.await.unwrap();
    for (bytes, kind) in enemies {
        assert_eq!(acceptor.counters.of(kind), enemies.iter().filter(|e| e.1 == kind).count() as u64, "{bytes:?}");
    }
    assert_eq!(acceptor.counters.accepted(), 0);
}

#[tokio::test]
async fn after_too_many_failures_an_address_is_not_computed_for() {
    let limits = GateLimits { burst: 3.0, per_second: 0.0, ..GateLimits::default() };
    let (acceptor, address, outcomes) = door_for(limits, 5, Some("203.0.113.9")).await;
    for _ in 0..5 {
        // A proper hello, made for another key.
        let peer = Peer { pin: None, known_static: Some(local().static_public()) };
        let (_, first) = Initiator::start(&local(), &peer).unwrap();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_u16(first.len() as u16).await.unwrap();
        stream.write_all(&first).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let outcomes = outcomes.await.unwrap();
    assert_eq!(outcomes[2], NetError::Session(SessionError::Handshake));
    assert_eq!(outcomes[3], NetError::Session(SessionError::Busy(5)));
    assert_eq!(acceptor.counters.of(Refused::Handshake), 3);
    assert_eq!(acceptor.counters.of(Refused::Address), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_stranger_is_put_out_after_ten_seconds() {
    let (acceptor, address, outcomes) = door(GateLimits::default(), 1).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"\x00").await.unwrap();
    assert_eq!(outcomes.await.unwrap(), [NetError::Timeout("the handshake")]);
    assert_eq!(acceptor.counters.of(Refused::Slow), 1);
}

#[tokio::test]
async fn places_at_the_door_are_limited() {
    let limits = GateLimits { pending: 1, ..GateLimits::default() };
    let acceptor = Acceptor::new(local(), limits);
    let pass = acceptor.enter(None);
    assert!(pass.is_ok() && acceptor.enter(None).is_err());
    assert_eq!(acceptor.counters.of(Refused::Busy), 1);
    drop(pass);
    assert!(acceptor.enter(None).is_ok());
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let limits = GateLimits { pending_per_address: 1, ..GateLimits::default() };
    let acceptor = Acceptor::new(local(), limits);
    let dawdler = "203.0.113.9".parse().ok();
    let _pass = acceptor.enter(dawdler).unwrap();
    assert!(acceptor.enter(dawdler).is_err());
    assert_eq!(acceptor.counters.of(Refused::Crowd), 1);
    assert!(acceptor.enter("203.0.113.10".parse().ok()).is_ok());
    let here = "127.0.0.1".parse().ok();
    let (_one, _two) = (acceptor.enter(here).unwrap(), acceptor.enter(here).unwrap());
}

#[tokio::test]
async fn what_comes_alone_and_what_comes_in_a_crowd_arrives_in_order() {
    let (mut minion, master) = simple_pair().await;
    let sending = tokio::spawn(async move {
        for n in 0..500_u32 {
            // After a pause it is written at once, without one it waits for company.
            if n % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let long = if n % 97 == 0 { 100_000 } else { 10 };
            master.sender().send(Lane::Control, &(n, vec![7_u8; long])).await.unwrap();
        }
        master.sender().drained(Lane::Control).await.unwrap();
        assert_eq!(master.sender().queued(Lane::Control), 0);
        master.sender().close();
    });
    for expected in 0..500_u32 {
        let (n, _) = minion.receiver().recv::<(u32, Vec<u8>)>().await.unwrap().unwrap();
        assert_eq!(n, expected);
    }
    assert!(minion.receiver().recv::<u32>().await.unwrap().is_none(), "the end comes behind everything");
    assert!(minion.receiver().received() > 600_000);
    sending.await.unwrap();
}

#[tokio::test]
async fn who_finds_no_place_hears_when_to_come_again() {
    let limits = GateLimits { pending: 1, ..GateLimits::default() };
    let acceptor = Arc::new(Acceptor::new(local(), limits));
    let _dawdler = acceptor.enter(None).unwrap();
    let (listener, address) = listen().await;
    let own = acceptor.clone();
    let turning = tokio::spawn(async move {
        for _ in 0..2 {
            let link = tcp::accept(&listener).await.unwrap();
            let turned = own.enter(link.ip).unwrap_err();
            own.turn_away(link, turned).await;
        }
    });
    let refused = connect(tcp::dial(&address).await.unwrap(), &local(), &Peer::default()).await;
    assert_eq!(refused.unwrap_err(), NetError::Session(SessionError::Busy(0)));
    // Also who is slow to speak, and finds the word there already.
    let link = tcp::dial(&address).await.unwrap();
    turning.await.unwrap();
    let refused = connect(link, &local(), &Peer::default()).await;
    assert_eq!(refused.unwrap_err(), NetError::Session(SessionError::Busy(0)));
    assert_eq!(acceptor.counters.of(Refused::Busy), 2);
}

/// A man in the middle: passes bytes on, and lets `meddle` change the initiator's after the
/// handshake (each frame with its length).
async fn meddled(meddle: impl Fn(Vec<Vec<u8>>) -> Vec<u8> + Send + 'static) -> NetError {
    let (listener, address) = listen().await;
    let (middle, middle_address) = listen().await;
    let (minion, master) = (local(), local());
    let peer = Peer { pin: None, known_static: Some(master.static_public()) };
    let accepting = tokio::spawn(async move {
        let mut channel = accept(tcp::accept(&listener).await.unwrap(), &master).await?;
        loop {
            if channel.receiver().recv::<String>().await?.is_none() {
                return Err::<(), _>(NetError::Closed);
            }
        }
    });
    tokio::spawn(async move {
        let (mut near, _) = middle.accept().await.unwrap();
        let mut far = TcpStream::connect(&address).await.unwrap();
        let first = read_frame(&mut near).await;
        far.write_all(&first).await.unwrap();
        let answer = read_frame(&mut far).await;
        near.write_all(&answer).await.unwrap();
        let frames = vec![read_frame(&mut near).await, read_frame(&mut near).await];
        far.write_all(&meddle(frames)).await.unwrap();
        far.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = far.read_to_end(&mut rest).await;
    });
    let ours = connect(tcp::dial(&middle_address).await.unwrap(), &minion, &peer).await.unwrap();
    ours.sender().send(Lane::Control, &"one").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    ours.sender().send(Lane::Control, &"two").await.unwrap();
    accepting.await.unwrap().unwrap_err()
}

async fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u16().await.unwrap();
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(2 + usize::from(length), 0);
    stream.read_exact(&mut frame[2..]).await.unwrap();
    frame
}

#[tokio::test]
async fn frames_replayed_reordered_dropped_forged_or_cut_end_the_connection() {
    let session = |error| NetError::Session(error);
    assert_eq!(meddled(|f| f.concat()).await, NetError::Closed);
    let replayed = meddled(|f| [&f[0][..], &f[0]].concat()).await;
    assert_eq!(replayed, session(SessionError::Replayed { expected: 1, found: 0 }));
    let reordered = meddled(|f| [&f[1][..], &f[0]].concat()).await;
    assert_eq!(reordered, session(SessionError::Gap { expected: 0, found: 1 }));
    let forged = meddled(|mut f| {
        *f[1].last_mut().unwrap() ^= 1;
        f.concat()
    });
    assert_eq!(forged.await, session(SessionError::Forged));
    assert_eq!(meddled(|f| [&f[0][..], &f[1][..10]].concat()).await, NetError::Truncated);
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_message_is_no_end() {
    let (listener, address) = listen().await;
    let (middle, middle_address) = listen().await;
    let master = local();
    let accepting = tokio::spawn(async move {
        let mut channel = accept(tcp::accept(&listener).await.unwrap(), &master).await?;
        channel.receiver().recv_bytes().await
    });
    tokio::spawn(async move {
        let (mut near, _) = middle.accept().await.unwrap();
        let mut far = TcpStream::connect(&address).await.unwrap();
        far.write_all(&read_frame(&mut near).await).await.unwrap();
        near.write_all(&read_frame(&mut far).await).await.unwrap();
        // XX's last message, and the first whole frame of a message of three.
        far.write_all(&read_frame(&mut near).await).await.unwrap();
        far.write_all(&read_frame(&mut near).await).await.unwrap();
        far.shutdown().await.unwrap();
        let _ = far.read_to_end(&mut Vec::new()).await;
    });
    let link = tcp::dial(&middle_address).await.unwrap();
    let ours = connect(link, &local(), &Peer::default()).await.unwrap();
    ours.sender().send_bytes(Lane::Returns, Bytes::from(vec![1; 150_000])).await.unwrap();
    assert_eq!(accepting.await.unwrap(), Err(NetError::Truncated));
}

#[tokio::test]
async fn a_message_that_is_none_ends_the_connection() {
    let (ours, mut theirs) = simple_pair().await;
    ours.sender().send_bytes(Lane::Control, Bytes::from_static(&[0xc1])).await.unwrap();
    assert!(matches!(theirs.receiver().recv::<String>().await, Err(NetError::Codec(_))));
    assert!(theirs.sender().is_closed());
}

#[tokio::test]
async fn a_stranger_cannot_make_us_hold_much() {
    use proto::{
        Value,
        frame::{FrameError, LaneLimits},
    };
    let nils = |count: u32| [&[0xdd][..], &count.to_be_bytes(), &vec![0xc0; count as usize]].concat();
    for (lane, bytes, allowed) in [
        (Lane::Control, nils(30_000), true),
        (Lane::Control, nils(40_000), false),
        (Lane::Control, vec![0xc0; 300_000], false),
        (Lane::Returns, vec![0xc0], false),
    ] {
        let (ours, mut theirs) = simple_pair().await;
        theirs.receiver().set_limits(LaneLimits::GREETING);
        ours.sender().send_bytes(lane, bytes.into()).await.unwrap();
        let result = theirs.receiver().recv::<Value>().await;
        let refused = matches!(result, Err(NetError::Codec(_) | NetError::Frame(FrameError::TooLong { .. })));
        assert_eq!((result.is_ok(), refused), (allowed, !allowed), "{lane:?}: {result:.0?}");
    }
}

#[tokio::test]
async fn a_message_that_no_peer_would_take_is_not_sent() {
    let (ours, _theirs) = simple_pair().await;
    let sent = ours.sender().send_bytes(Lane::Control, Bytes::from(vec![0; (1 << 20) + 1])).await;
    assert!(matches!(sent, Err(NetError::Codec(_))));
}
