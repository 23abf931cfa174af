//! Whoever means harm: with no key, with a key of their own, with a stolen one, and in the
//! master's or the minion's place. After each attack the fleet works as before.

use std::{fs, time::Duration};

use bytes::Bytes;
use proto::{
    Args, JobId, Outcome, Return, codec,
    message::{FromMinion, Hello, Lane, Query, Refusal, Reply, ToMinion, ToOperator},
    sign::{PUBLISH, REQUEST, Signed},
};
use serde_json::{Value, json};
use tests::{
    Fleet, Transport,
    bridge::Bridge,
    enemy::{FakeMaster, Me, Talk, Wire, next_return, now, request},
    over_both,
    wait::{self, secs},
    wire,
};

use crate::victim::{Victim, bridge};

over_both! {
    garbage_and_halves_before_a_session_are_counted_and_forgotten,
    connections_that_dawdle_are_dropped_and_hold_up_nobody,
    a_first_message_that_is_replayed_opens_nothing,
    bad_frames_within_a_session_end_it_and_nothing_else,
    who_is_not_accepted_says_nothing_that_counts,
    a_minion_cannot_answer_for_another_nor_for_a_job_it_was_not_given,
    a_minion_runs_no_job_that_is_forged_altered_expired_or_replayed,
    a_master_that_is_not_the_one_it_knows_is_not_listened_to,
    requests_that_are_forged_altered_expired_or_replayed_are_not_carried_out,
    names_that_climb_out_of_their_folder_are_no_names,
}

fn garbage_and_halves_before_a_session_are_counted_and_forgotten(transport: Transport) {
    let mut victim = Victim::new(transport);
    let address = victim.fleet.address();
    let (_, first) = proto::session::Initiator::start(&Me::new().local, &Default::default()).unwrap();
    let mut damaged = first.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut hung_up_on = Vec::new();
    for _ in 0..50 {
        // Garbage of no form at all, in the place of a greeting where there is one.
        Wire::connect(&address).raw(b"GET / HTTP/1.1\r\n\r\n");
        let mut wire = Wire::connect(&address);
        wire.raw(&[0xff, 0xff]);
        wire.raw(&vec![0; 60_000]);
        hung_up_on.push(wire);
        // Garbage of a frame's form; one longer than anything may be before a session; a good
        // beginning that ends in the middle; one that is good until its last byte.
        let frames = [&[0x5a; 200][..], &[0; 60_000], &first[..first.len() / 2], &damaged];
        hung_up_on.extend(frames.map(|frame| {
            let mut wire = Wire::open(transport, &address);
            wire.frame(frame);
            wire.frame(frame);
            wire
        }));
    }
    assert!(hung_up_on.iter_mut().all(Wire::is_dropped));
    victim.is_unharmed();
    victim.counted("not_ours", 50);
    victim.counted("too_long", 50);
    victim.counted("truncated", 50);
    victim.counted("handshake", 50);
}

/// ZeroMQ's own framing, turned against it: what a header claims, parts without end, commands that
/// come too late, other kinds of socket. The fleet's links over the same socket live on.
#[test]
fn bad_frames_of_zeromq_itself_end_their_own_connection() {
    let mut victim = Victim::new(Transport::Zeromq);
    let greeting = wire::zmtp_greeting();
    let huge = [&[2][..], &(1u64 << 62).to_be_bytes()].concat();
    for bytes in [
        // A frame of 2^62 bytes: in the place of READY, and behind it.
        [&greeting[..64], &[6], &huge[1..]].concat(),
        [&greeting[..], &huge].concat(),
        // A message of parts without end; a command behind READY; READY twice.
        [&greeting[..], &[1u8, 1, b'd'].repeat(1000)].concat(),
        [&greeting[..], &[4, 5], b"\x04PING"].concat(),
        [&greeting[..], &greeting[64..]].concat(),
        // Another mechanism, and a READY that is cut off by garbage.
        [&greeting[..12], b"PLAIN", &greeting[17..]].concat(),
        [&greeting[..70], &[0x5a; 600]].concat(),
    ] {
        let mut wires: Vec<Wire> = (0..20).map(|_| Wire::connect(&victim.fleet.address())).collect();
        for wire in &mut wires {
            wire.raw(&bytes);
        }
        assert!(wires.iter_mut().all(Wire::is_dropped));
    }
    victim.is_unharmed();
}

fn connections_that_dawdle_are_dropped_and_hold_up_nobody(transport: Transport) {
    let mut victim = Victim::new(transport);
    let address = victim.fleet.address();
    // More than may be pending at once: whoever is not in yet must wait, whoever is in does not.
    let mut slow: Vec<Wire> = (0..700).map(|_| Wire::open(transport, &address)).collect();
    victim.fleet.wait_connected(0);
    let frame = match transport {
        Transport::Tcp => [0, 40, 1, 2],
        Transport::Zeromq => [1, 1, b'd', 0],
    };
    dawdle(&mut slow, frame);
    assert!(slow.iter_mut().all(Wire::is_dropped));
    drop(slow);
    victim.is_unharmed();
    victim.counted("slow", 100);
    if transport == Transport::Zeromq {
        // The same within its greeting, which has a deadline of its own.
        let mut slow: Vec<Wire> = (0..700).map(|_| Wire::connect(&address)).collect();
        dawdle(&mut slow, [0xff, 0, 0, 0]);
        assert!(slow.iter_mut().all(Wire::is_dropped));
        victim.is_unharmed();
    }
}

/// Says a byte every three seconds.
fn dawdle(slow: &mut [Wire], bytes: [u8; 4]) {
    for byte in bytes {
        for wire in &mut *slow {
            wire.raw(&[byte]);
        }
        std::thread::sleep(Duration::from_secs(3));
    }
}

fn a_first_message_that_is_replayed_opens_nothing(transport: Transport) {
    let mut victim = Victim::new(transport);
    let (_, first) = proto::session::Initiator::start(&Me::new().local, &Default::default()).unwrap();
    let answers: Vec<Vec<u8>> = (0..20)
        .map(|_| {
            let mut wire = Wire::connect(&victim.address());
            wire.frame(&first);
            let answer = wire.receive().expect("an answer to a good first message");
            wire.frame(&[7; 300]);
            assert!(wire.is_dropped());
            answer
        })
        .collect();
    let distinct: std::collections::BTreeSet<&Vec<u8>> = answers.iter().collect();
    assert_eq!(distinct.len(), answers.len(), "every session has secrets of its own");
    victim.is_unharmed();
}

/// A session of an accepted minion, with its key in an enemy's hands.
fn stolen(victim: &Victim, me: &Me, id: &str) -> Talk {
    let (talk, answer) = me.as_minion(&victim.address(), id).expect("a session");
    assert!(matches!(answer, ToMinion::Welcome { .. }), "{answer:?}");
    talk
}

fn bad_frames_within_a_session_end_it_and_nothing_else(transport: Transport) {
    let mut victim = Victim::new(transport);
    let me = Me::new();
    type Attack = fn(&mut Talk);
    let attacks: [(&str, Attack); 7] = [
        ("forged", |talk| {
            let mut frame = talk.session.sealer.seal_slice(b"\0\0\x01x").unwrap();
            *frame.last_mut().unwrap() ^= 1;
            talk.wire.frame(&frame);
        }),
        ("replayed", |talk| {
            let ping = codec::encode(&FromMinion::Ping { now: 1, checks: 0 }).unwrap();
            let plain = [&[0, 0, ping.len() as u8][..], &ping].concat();
            let frame = talk.session.sealer.seal_slice(&plain).unwrap();
            talk.wire.frame(&frame);
            talk.wire.frame(&frame);
        }),
        ("gap", |talk| {
            let _skipped = talk.session.sealer.seal_slice(b"x").unwrap();
            talk.say_plain(b"\0\0\x01x");
        }),
        ("truncated", |talk| {
            talk.wire.frame(&[1, 2, 3]);
        }),
        ("chunk", |talk| {
            talk.say_plain(&[9, 0, 1, 0]);
        }),
        ("chunk", |talk| {
            // A control message without end: refused at its bound, not at the end of memory.
            let piece = [&[0x80, 0xea, 0x60][..], &vec![0x90; 60_000]].concat();
            (0..2000).all(|_| talk.say_plain(&piece));
        }),
        ("message", |talk| {
            // An array of four thousand million elements.
            talk.say_bytes(Lane::Control, Bytes::from_static(&[0xdd, 0xff, 0xff, 0xff, 0xff]));
        }),
    ];
    for (round, (counter, attack)) in attacks.into_iter().enumerate() {
        let mut talk = stolen(&victim, &me, "enemy");
        attack(&mut talk);
        assert!(talk.wire.is_dropped(), "round {round}: {counter}");
        victim.counted(counter, 1);
    }
    victim.fleet.ctl(&["key", "delete", "enemy"]).expect(0);
    victim.is_unharmed();
}

fn who_is_not_accepted_says_nothing_that_counts(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).accept_by_hand().start();
    let bridge = bridge(transport, &fleet.address());
    let door = bridge.as_ref().map_or_else(|| fleet.address(), Bridge::address);
    fleet.ctl(&["key", "accept", "h1"]).expect(0);
    fleet.wait_connected(1);
    let jid = fleet.launch(&["h1", "cmd.run", "sleep 2; echo mine"]);
    let watch = fleet.begin(&["event", "watch", "*", "--out", "jsonl"]);
    let (pending, rejected, deleted) = (Me::new(), Me::new(), Me::new());
    let attempt = |me: &Me, id: &str| {
        let mut talk = me.shake(&door).expect("a session");
        talk.say(Lane::Control, &me.hello(id));
        talk.say(Lane::Control, &FromMinion::Event { tag: "enemy/was/here".into(), data: Value::Null });
        // On the lane of returns it would not even be read before its sender is let in.
        talk.say(Lane::Control, &FromMinion::Return { seq: 1, ret: Box::new(forged_return(&jid)), received: 0 });
        match talk.hear::<ToMinion>() {
            Some(ToMinion::Refused { why, retry_after }) => {
                assert!(retry_after > 0, "it is told to stay away for a while");
                assert!(talk.wire.is_dropped());
                why
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(attempt(&pending, "pending"), Refusal::Pending);
    assert_eq!(attempt(&rejected, "rejected"), Refusal::Pending);
    fleet.ctl(&["key", "reject", "rejected"]).expect(0);
    assert_eq!(attempt(&rejected, "rejected"), Refusal::Rejected);
    assert_eq!(attempt(&deleted, "deleted"), Refusal::Pending);
    fleet.ctl(&["key", "accept", "deleted"]).expect(0);
    fleet.ctl(&["key", "delete", "deleted"]).expect(0);
    assert_eq!(attempt(&deleted, "deleted"), Refusal::Pending, "a deleted key begins anew");
    assert_eq!(attempt(&pending, "h1"), Refusal::OtherName("pending".parse().unwrap()));
    assert_eq!(attempt(&Me::new(), "h1"), Refusal::NameTaken);

    let job = fleet.wait_job(&jid, secs(20));
    assert_eq!(job.ends["h1"], ("ok".into(), json!("mine")));
    assert!(!watch.stdout().contains("enemy/was/here"), "{}", watch.stdout());
    let refused = fleet.ctl(&["key", "list", "--refused", "--out", "json"]).expect(0).json();
    let of = |id: &str| refused.as_array().unwrap().iter().find(|row| row["id"] == id).cloned().unwrap_or_default();
    assert!(of("rejected")["count"].as_u64() >= Some(1), "{refused}");
    assert!(of("h1")["count"].as_u64() >= Some(2), "{refused}");
    assert_eq!(fleet.connected(), ["h1"]);
}

fn forged_return(jid: &str) -> Return {
    let jid: JobId = jid.parse().unwrap();
    let value = json!("forged");
    Return { jid, outcome: Outcome::Ok, value, retcode: 0, started: 1, duration: 1, truncated: false }
}

fn a_minion_cannot_answer_for_another_nor_for_a_job_it_was_not_given(transport: Transport) {
    let mut victim = Victim::new(transport);
    let enemy = Me::new();
    let mut talk = stolen(&victim, &enemy, "enemy");
    let jid = victim.fleet.launch(&["h1", "cmd.run", "sleep 2; echo mine"]);
    let unknown = JobId::from_micros(now()).to_string();
    for (seq, jid) in [(1, &jid), (2, &unknown)] {
        talk.say(Lane::Returns, &FromMinion::Return { seq, ret: Box::new(forged_return(jid)), received: 0 });
    }
    // Both are acknowledged, so that nobody sends them for ever; neither is believed.
    let stored = loop {
        match talk.hear::<ToMinion>() {
            Some(ToMinion::Stored { up_to }) if up_to >= 2 => break up_to,
            Some(_) => {}
            None => panic!("it was dropped"),
        }
    };
    assert_eq!(stored, 2);
    talk.say(Lane::Control, &FromMinion::Event { tag: "salt/job/1/ret/h1".into(), data: json!("forged") });
    let job = victim.fleet.wait_job(&jid, secs(20));
    assert_eq!(job.ends.keys().collect::<Vec<_>>(), ["h1"]);
    assert_eq!(job.ends["h1"].1, json!("mine"));
    victim.fleet.ctl(&["job", "show", &unknown]).expect(2);
    drop(talk);
    victim.fleet.ctl(&["key", "delete", "enemy"]).expect(0);
    victim.is_unharmed();
}

/// A minion that trusts operator `root` with this key only, and the master in whose place we are.
fn minion_of(transport: Transport, operator: &Me) -> (Fleet, Stage, Talk) {
    let key = operator.key();
    let mut fleet = Fleet::new(transport).minions(1).minion(move |_| format!("operators: {{root: '{key}'}}")).lay_out();
    let Stage { master, bridge } = stage(transport, &fleet.address());
    fleet.minions[0].daemon.start();
    let (talk, hello) = master.welcome();
    assert_eq!(hello.id.as_str(), "h1");
    (fleet, Stage { master, bridge }, talk)
}

/// A false master where minions look for the true one.
struct Stage {
    master: FakeMaster,
    bridge: Option<Bridge>,
}

fn stage(transport: Transport, address: &str) -> Stage {
    match transport {
        Transport::Tcp => Stage { master: FakeMaster::new(address), bridge: None },
        Transport::Zeromq => {
            let master = FakeMaster::new("127.0.0.1:0");
            let bridge = Bridge::before(proto::net::Transport::ZeroMq, address, &master.address());
            Stage { master, bridge: Some(bridge) }
        }
    }
}

fn a_minion_runs_no_job_that_is_forged_altered_expired_or_replayed(transport: Transport) {
    let operator = Me::new();
    let (fleet, Stage { master, bridge: _bridge }, mut talk) = minion_of(transport, &operator);
    let args = |name: &str| Args::positional([json!(fleet.mark(name))]);
    let request_for = |name: &str| operator.request("root", "h1", "cmd.run", args(name));
    let later = now() + 60_000_000;
    let jid = |n: u64| JobId::from_micros(now() + n);
    let mut seq = 0;
    let mut send = |talk: &mut Talk, publish: Signed| {
        seq += 1;
        talk.say(Lane::Control, &ToMinion::Publish { seq, publish });
        next_return(talk)
    };

    // The proper thing runs, or the rest would prove nothing.
    let good = request_for("good");
    let first = jid(0);
    let publish = master.me.publish(first, good.clone(), later);
    let ret = send(&mut talk, publish.clone()).expect("an answer");
    assert_eq!((ret.jid, ret.outcome), (first, Outcome::Ok), "{ret:?}");

    let stranger = Me::new();
    let mut refused = |what: &str, publish: Signed| {
        let ret = send(&mut talk, publish).unwrap_or_else(|| panic!("{what}: it hung up"));
        assert!(matches!(ret.outcome, Outcome::Refused | Outcome::Expired), "{what}: {ret:?}");
    };
    refused("signed by another master", stranger.publish(jid(1), request_for("bad"), later));
    refused("signed by an operator it does not trust", {
        let request = stranger.request("root", "h1", "cmd.run", args("bad"));
        master.me.publish(jid(2), request, later)
    });
    refused("altered by one byte", {
        let mut words = serde_json::to_value(request_for("bad")).unwrap();
        let last = words["body"].as_array().unwrap().len() - 1;
        words["body"][last] = json!(words["body"][last].as_u64().unwrap() ^ 1);
        master.me.publish(jid(3), serde_json::from_value(words).unwrap(), later)
    });
    refused("a request signed for another purpose", {
        let request = request("root", "h1", "cmd.run", args("bad"));
        master.me.publish(jid(4), operator.identity.sign_value(PUBLISH, &request).unwrap(), later)
    });
    refused("expired", master.me.publish(jid(5), request_for("bad"), now() - 5_000_000));
    refused("no longer valid", {
        let mut request = request("root", "h1", "cmd.run", args("bad"));
        request.valid_until = now() - 60_000_000;
        master.me.publish(jid(6), operator.identity.sign_value(REQUEST, &request).unwrap(), later)
    });
    refused("for somebody else", {
        let request = operator.request("root", "h2", "cmd.run", args("bad"));
        master.me.publish(jid(7), request, later)
    });
    refused("the same request as another job", master.me.publish(jid(8), good, later));
    assert_eq!(fleet.marks("bad")["h1"], 0);

    // The very same publish again is nothing new; what comes after it is answered.
    talk.say(Lane::Control, &ToMinion::Publish { seq: seq + 1, publish });
    talk.say(
        Lane::Control,
        &ToMinion::Publish { seq: seq + 2, publish: master.me.publish(jid(9), request_for("last"), later) },
    );
    while fleet.marks("last")["h1"] == 0 {
        next_return(&mut talk).expect("an answer");
    }
    fleet.assert_marks("last", 1);
    fleet.assert_marks("good", 1);
}

fn a_master_that_is_not_the_one_it_knows_is_not_listened_to(transport: Transport) {
    let operator = Me::new();
    let (mut fleet, true_one, talk) = minion_of(transport, &operator);
    drop((talk, true_one.master, true_one.bridge));
    let address = fleet.address();
    let impostor = wait::until(secs(20), "the port to be free", || {
        std::net::TcpListener::bind(&address).ok().map(drop).map(|()| stage(transport, &address))
    });
    // It knows a session key, which does not fit; then it looks at who this is, and hangs up before
    // it has said who it is itself.
    for _ in 0..2 {
        assert!(impostor.master.shake().is_none(), "it greeted an impostor");
    }
    wait::until(secs(20), "the minion to say so", || fleet.minions[0].daemon.log().contains("expected").then_some(()));
    assert!(fleet.minions[0].daemon.is_running(), "it goes on trying");
}

fn requests_that_are_forged_altered_expired_or_replayed_are_not_carried_out(transport: Transport) {
    let mut victim = Victim::new(transport);
    let root = Me::first_operator(&victim.fleet.master_dir().join("root"));
    let (mut talk, answer) = root.as_operator(&victim.address()).expect("a session");
    assert!(matches!(answer, ToOperator::Welcome { .. }), "{answer:?}");
    let mut id = 0;
    let mut run = |request: Signed| {
        id += 1;
        talk.ask(id, Query::Run { request, follow: false }).expect("an answer")
    };
    let args = |name: &str| Args::positional([json!(victim.fleet.mark(name))]);
    let good = root.request("root", "*", "cmd.run", args("good"));
    let Reply::Job(start) = run(good.clone()) else { panic!("a proper request is carried out") };

    let mut refused = |what: &str, request: Signed| {
        let reply = run(request);
        assert!(matches!(reply, Reply::Error(_)), "{what}: {reply:?}");
    };
    refused("replayed", good);
    refused("signed by somebody else", Me::new().request("root", "*", "cmd.run", args("bad")));
    refused("in another's name", root.request("alice", "*", "cmd.run", args("bad")));
    refused("no longer valid", {
        let mut request = request("root", "*", "cmd.run", args("bad"));
        request.valid_until = now() - 1;
        root.identity.sign_value(REQUEST, &request).unwrap()
    });
    refused("signed for another purpose", {
        let request = request("root", "*", "cmd.run", args("bad"));
        root.identity.sign_value(PUBLISH, &request).unwrap()
    });
    refused("not a request at all", root.identity.sign(REQUEST, vec![0xdd, 0xff, 0xff, 0xff, 0xff]));
    victim.fleet.wait_job(&start.jid.to_string(), secs(20));
    victim.fleet.assert_marks("good", 1);
    assert!(victim.fleet.marks("bad").values().all(|&n| n == 0));
    victim.is_unharmed();
}

fn names_that_climb_out_of_their_folder_are_no_names(transport: Transport) {
    let mut victim = Victim::new(transport);
    let climbing = ["../../etc", "..", "/etc/passwd", "a/b", "a\0b", "-x"];
    for name in climbing {
        // As a minion's id on the wire: a hello that is good but for its name.
        let me = Me::new();
        let good = serde_json::to_value(me.hello("harmless")).unwrap();
        let mut talk = me.shake(&victim.address()).expect("a session");
        let bad = good.to_string().replace("harmless", &name.replace('\0', "\\u0000"));
        assert!(serde_json::from_str::<Hello>(&bad).is_err(), "{name:?} is a type's business");
        let bytes = codec::encode(&me.hello("harmless")).unwrap();
        let (short, long) = (name.len(), "harmless".len());
        let place = bytes.windows(long).position(|window| window == b"harmless").unwrap();
        let head = [&bytes[..place - 1], &[0xa0 | short as u8], name.as_bytes(), &bytes[place + long..]].concat();
        talk.say_bytes(Lane::Control, head.into());
        assert!(talk.wire.is_dropped(), "{name:?}");
    }
    assert_eq!(victim.fleet.keys("accepted").len(), 2, "nobody new");
    for name in ["../../etc", "/etc/passwd", "a/b"] {
        for words in [["minion", "show"], ["key", "accept"], ["key", "show"], ["job", "show"], ["minion", "forget"]] {
            let ran = victim.fleet.ctl(&[words[0], words[1], name]);
            assert_eq!(ran.code, 2, "{ran}");
        }
    }
    let minion = &mut victim.fleet.minions[0];
    minion.daemon.stop();
    let file = minion.dir.join("minion");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("id: h1", "id: ../../etc")).unwrap();
    minion.daemon.start();
    let status = wait::until(secs(20), "it to refuse to start", || minion.daemon.exit_status());
    assert!(!status.success());
    assert!(minion.daemon.log().contains("../../etc"), "{}", minion.daemon.log());
    fs::write(&file, text).unwrap();
    minion.daemon.start();
    victim.fleet.wait_connected(2);
    victim.is_unharmed();
}
