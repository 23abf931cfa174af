use proptest::prelude::*;

use super::*;
use crate::sign::{Identity, StaticKey};

fn local() -> Local {
    Local::new(&Identity::generate(), StaticKey::generate())
}

fn knows(master: &Local) -> Peer {
    Peer { pin: Some(Pin::Key(master.identity)), known_static: Some(master.static_public()) }
}

fn admit(_: &PublicKey) -> Result<(), SessionError> {
    Ok(())
}

/// A whole handshake, each side's outcome.
fn shake(minion: &Local, master: &Local, peer: &Peer) -> Result<(Session, Session), SessionError> {
    let (initiator, first) = Initiator::start(minion, peer)?;
    match Responder::start(master, &first, admit)? {
        Step::Done(theirs, answer) => {
            let (ours, last) = initiator.answer(&answer)?;
            assert!(last.is_none());
            Ok((ours, theirs))
        }
        Step::More(responder, answer) => {
            let (ours, last) = initiator.answer(&answer)?;
            Ok((ours, responder.finish(&last.expect("XX has a third message"))?))
        }
    }
}

fn talk(from: &mut Session, to: &mut Session) {
    let frame = from.sealer.seal_slice(b"hello").unwrap();
    assert_eq!(&to.opener.open(frame).unwrap()[..], b"hello");
}

#[test]
fn both_patterns_end_with_each_knowing_the_other() {
    let (minion, master) = (local(), local());
    for peer in [Peer::default(), knows(&master), Peer { known_static: None, ..knows(&master) }] {
        let (mut ours, mut theirs) = shake(&minion, &master, &peer).unwrap();
        assert_eq!((ours.peer, ours.peer_static), (master.identity, master.static_public()));
        assert_eq!((theirs.peer, theirs.peer_static), (minion.identity, minion.static_public()));
        assert_eq!((ours.version, theirs.version), (VERSIONS.max, VERSIONS.max));
        talk(&mut ours, &mut theirs);
        talk(&mut theirs, &mut ours);
    }
}

#[test]
fn a_fingerprint_pins_as_a_key_does() {
    let (minion, master) = (local(), local());
    let peer = Peer { pin: Some(Pin::Fingerprint(master.identity.fingerprint())), known_static: None };
    assert!(shake(&minion, &master, &peer).is_ok());
}

#[test]
fn a_wrong_master_is_refused_before_it_learns_who_asks() {
    let (minion, master, impostor) = (local(), local(), local());
    let peer = Peer { known_static: None, ..knows(&master) };
    let (initiator, first) = Initiator::start(&minion, &peer).unwrap();
    let Step::More(_, answer) = Responder::start(&impostor, &first, admit).unwrap() else { panic!("XX goes on") };
    let error = initiator.answer(&answer).unwrap_err();
    let (expected, found) = (master.identity.fingerprint(), impostor.identity.fingerprint());
    assert_eq!(error, SessionError::WrongPeer { expected, found });
    assert_eq!(error.fault(), Fault::Peer);
}

#[test]
fn a_session_key_of_another_identity_than_the_pinned_one_is_refused() {
    // The master's session key is remembered rightly, but the pin says somebody else.
    let (minion, master, other) = (local(), local(), local());
    let peer = Peer { pin: Some(Pin::Key(other.identity)), known_static: Some(master.static_public()) };
    assert!(matches!(shake(&minion, &master, &peer), Err(SessionError::WrongPeer { .. })));
}

#[test]
fn ik_with_a_wrong_session_key_fails_at_the_responder_and_is_told_so() {
    let (minion, master, other) = (local(), local(), local());
    let (initiator, first) = Initiator::start(&minion, &knows(&other)).unwrap();
    let error = Responder::start(&master, &first, admit).err().unwrap();
    assert_eq!(error, SessionError::Handshake);
    let refusal = error.clear_refusal().unwrap().to_bytes();
    assert_eq!(initiator.answer(&refusal).unwrap_err(), SessionError::OtherKey);
}

#[test]
fn a_certificate_for_another_session_key_is_refused_on_both_sides() {
    let (honest, victim) = (local(), local());
    // A thief has the victim's certificate, not its session key.
    let thief = || Local::new(&Identity::generate(), StaticKey::generate()).with_certificate_of(&victim);
    for peer in [Peer::default(), Peer { pin: None, known_static: Some(honest.static_public()) }] {
        let error = shake(&thief(), &honest, &peer).unwrap_err();
        assert_eq!(error, SessionError::Certificate(SignError::BadSignature));
    }
    let error = shake(&honest, &thief(), &Peer::default()).unwrap_err();
    assert_eq!(error, SessionError::Certificate(SignError::BadSignature));
}

#[test]
fn versions_that_do_not_meet_are_refused_with_both_ranges() {
    let (minion, master) = (local(), local());
    let theirs = Versions { min: 7, max: 9 };
    let (initiator, first) = Initiator::start_with(&minion, &Peer::default(), theirs).unwrap();
    let error = Responder::start(&master, &first, admit).err().unwrap();
    assert_eq!(error, SessionError::Version { ours: VERSIONS, theirs });
    let told = initiator.answer(&error.clear_refusal().unwrap().to_bytes()).unwrap_err();
    assert_eq!(told, SessionError::Version { ours: theirs, theirs: VERSIONS });
}

#[test]
fn a_version_range_altered_on_the_way_breaks_the_handshake() {
    let (minion, master) = (local(), local());
    let ours = Versions { min: 1, max: 3 };
    for peer in [Peer::default(), knows(&master)] {
        let (initiator, mut first) = Initiator::start_with(&minion, &peer, ours).unwrap();
        first[8] = 1; // max
        let error = match Responder::start(&master, &first, admit) {
            Err(error) => error,
            Ok(Step::More(_, answer)) => initiator.answer(&answer).unwrap_err(),
            Ok(Step::Done(..)) => panic!("the prologue was altered"),
        };
        assert_eq!(error, SessionError::Handshake);
    }
}

#[test]
fn common_versions() {
    let range = |min, max| Versions { min, max };
    assert_eq!(range(1, 3).common(range(2, 9)), Some(3));
    assert_eq!(range(1, 3).common(range(1, 2)), Some(2));
    assert_eq!(range(1, 1).common(range(2, 2)), None);
    assert_eq!(range(5, 6).common(range(1, 4)), None);
}

#[test]
fn admission_is_asked_before_the_costly_half() {
    let (minion, master) = (local(), local());
    let (_, first) = Initiator::start(&minion, &knows(&master)).unwrap();
    let asked = std::cell::Cell::new(None);
    let refused = Responder::start(&master, &first, |key| {
        asked.set(Some(*key));
        Err(SessionError::Busy(300))
    });
    assert_eq!(refused.err(), Some(SessionError::Busy(300)));
    assert_eq!(asked.get(), Some(minion.identity));
}

#[test]
fn a_replayed_first_message_makes_a_session_that_nobody_can_use() {
    let (minion, master) = (local(), local());
    let (initiator, first) = Initiator::start(&minion, &knows(&master)).unwrap();
    let Step::Done(_, answer) = Responder::start(&master, &first, admit).unwrap() else { panic!("IK is done") };
    let (mut ours, _) = initiator.answer(&answer).unwrap();
    let recorded = ours.sealer.seal_slice(b"said once").unwrap();
    let Step::Done(mut again, _) = Responder::start(&master, &first, admit).unwrap() else { panic!("IK is done") };
    assert_eq!(again.opener.open(recorded), Err(SessionError::Forged));
}

#[test]
fn garbage_is_refused_without_a_handshake() {
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"OVST", b"OVST\x03\0\x01\0\x01", &[0xff; 64]] {
        assert_eq!(Hello::read(bytes), Err(SessionError::NotOurs), "{bytes:?}");
    }
    assert_eq!(Hello::read(b"OVST\x01\0\x01\0\x01 too short"), Err(SessionError::Truncated));
}

#[test]
fn every_cut_and_every_flipped_byte_is_an_error() {
    let (minion, master) = (local(), local());
    let (_, first) = Initiator::start(&minion, &knows(&master)).unwrap();
    for length in 0..first.len() {
        assert!(Responder::start(&master, &first[..length], admit).is_err(), "cut at {length}");
    }
    for byte in (0..first.len()).step_by(7) {
        let mut flipped = first.clone();
        flipped[byte] ^= 0x40;
        assert!(Responder::start(&master, &flipped, admit).is_err(), "byte {byte}");
    }
}

#[test]
fn errors_say_who_is_at_fault() {
    assert_eq!(SessionError::OtherKey.fault(), Fault::Local);
    assert_eq!(SessionError::Busy(3).fault(), Fault::Nobody);
    assert_eq!(SessionError::NotOurs.fault(), Fault::Peer);
}

proptest! {
    #[test]
    fn arbitrary_answers_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (initiator, _) = Initiator::start(&local(), &Peer::default()).unwrap();
        prop_assert!(initiator.answer(&bytes).is_err());
        prop_assert!(Responder::start(&local(), &bytes, admit).is_err());
    }
}
