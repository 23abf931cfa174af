//! What may never panic, nor allocate without bound, whatever bytes come: the bodies of the fuzz
//! targets. `tests/tests/fuzz_bodies.rs` runs the same ones on every change, for a moment; `run`
//! beside this runs them under libFuzzer, for as long as one likes.

mod checks;
mod compiler;

use std::fmt::Debug;

use bytes::Bytes;
pub use checks::checks;
pub use compiler::{sls, template, yaml};
use proto::{
    Publish, Request, Return, Value,
    codec::{self, Limits},
    frame::{Fragmenter, LaneLimits, Reassembler},
    message::{Ask, FromMinion, Hello, ToMinion, ToOperator},
    session::{self, Local, Responder, Step},
    sign::{Identity, PUBLISH, REQUEST, Signed, StaticKey},
    target::{Subject, Target},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// Frames as they come: the clear hello and Noise's first message, and the plain text of sealed
/// ones, which the first byte cuts into several.
pub fn frame(bytes: &[u8]) {
    let _ = session::Hello::read(bytes);
    thread_local! {
        static LOCAL: Local = Local::new(&Identity::generate(), StaticKey::generate());
    }
    LOCAL.with(|local| {
        if let Ok(Step::More(responder, _)) = Responder::start(local, bytes, |_| Ok(())) {
            assert!(responder.finish(bytes).is_err(), "XX's first message is not its last");
        }
    });
    for limits in [LaneLimits::GREETING, LaneLimits::default()] {
        reassemble(bytes, limits);
    }
}

fn reassemble(bytes: &[u8], limits: LaneLimits) {
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let mut reassembler = Reassembler::new(limits);
    let mut again = Fragmenter::default();
    let mut messages = Vec::new();
    for frame in rest.chunks(usize::from(cut) + 1) {
        reassembler.push(Bytes::copy_from_slice(frame));
        loop {
            match reassembler.next() {
                Ok(Some((lane, message))) => {
                    assert!(!message.is_empty() && message.len() <= limits.of(lane));
                    again.push(lane, message.clone());
                    messages.push((lane, message));
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    let mut second = Reassembler::new(limits);
    let mut found = Vec::new();
    while !again.is_empty() {
        let mut frame = bytes::BytesMut::new();
        again.fill(&mut frame, |_, _| ());
        second.push(frame.freeze());
        while let Some(message) = second.next().expect("our own frames are good") {
            found.push(message);
        }
    }
    messages.sort_by_key(|(lane, _)| *lane);
    found.sort_by_key(|(lane, _)| *lane);
    assert_eq!(messages, found, "cut up and put together again, messages are the same");
}

/// Messages, and the signed job within one.
pub fn job(bytes: &[u8]) {
    round_trip::<Hello>(bytes);
    round_trip::<FromMinion>(bytes);
    round_trip::<ToMinion>(bytes);
    round_trip::<Ask>(bytes);
    round_trip::<ToOperator>(bytes);
    round_trip::<Request>(bytes);
    round_trip::<Return>(bytes);
    if let Ok(publish) = codec::decode::<Publish>(bytes, Limits::MESSAGE) {
        assert!(publish.request.open_as::<Request>(PUBLISH, None).is_err(), "nobody signed it for that");
    }
    if let Ok(signed) = codec::decode::<Signed>(bytes, Limits::SMALL) {
        let _ = signed.open_as::<Request>(REQUEST, None);
        let _ = signed.open_as::<Publish>(PUBLISH, None);
    }
}

/// A target expression: what parses prints as something that parses and means the same, and
/// matching ends.
pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(target) = Target::parse(text) else { return };
    let again = Target::parse(&target.to_string()).expect("what we print can be read");
    assert_eq!(again.to_string(), target.to_string());
    let grains = json!({
        "os": "Debian", "roles": ["web", "db"], "ipv4": ["10.0.0.7", "127.0.0.1"], "ipv6": ["::1"],
        "deep": {"er": {"est": 1}}, "empty": null,
    });
    let Value::Object(grains) = grains else { return };
    for id in ["web1", "db1.example.org", "a"] {
        let subject = Subject::new(id, &grains);
        assert_eq!(target.matches(&subject), again.matches(&subject), "{text:?} and {again} on {id}");
        assert!(!target.matches(&subject) || target.may_match(&subject));
    }
}

/// What was read can be written, and reads the same again.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(value) = codec::decode::<T>(bytes, Limits::MESSAGE) else { return };
    let Ok(written) = codec::encode(&value) else { return };
    let again: T = codec::decode(&written, Limits::MESSAGE).expect("what we write can be read");
    assert_eq!(again, value);
}
