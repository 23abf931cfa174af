use std::time::Duration;

use proptest::prelude::*;

use super::*;

mod simulation;

fn numbers(outbox: &mut Outbox<char>) -> Vec<u64> {
    std::iter::from_fn(|| outbox.take_next().map(|(number, _)| number)).collect()
}

fn filled(mut outbox: Outbox<char>, bytes: u64) -> Outbox<char> {
    ('a'..='f').for_each(|letter| outbox.push(letter, bytes));
    outbox
}

#[test]
fn a_window_bounds_items_and_bytes_and_moves_with_acknowledgements() {
    let mut outbox = filled(Outbox::windowed(3, 100), 40);
    assert_eq!(numbers(&mut outbox), [1, 2]);
    assert_eq!(outbox.ack(1).unwrap(), ['a']);
    assert_eq!(numbers(&mut outbox), [3]);
    assert!(outbox.ack(1).unwrap().is_empty(), "said twice");
    assert_eq!(outbox.ack(3).unwrap(), ['b', 'c']);
    assert_eq!(numbers(&mut outbox), [4, 5]);
    assert_eq!(outbox.ack(9), Err(DeliveryError::AckBeyond { up_to: 9, sent: 5 }));
    assert_eq!(outbox.into_items().collect::<String>(), "def");
}

#[test]
fn one_item_always_fits_a_window() {
    let mut outbox = filled(Outbox::windowed(5, 10), 1000);
    assert_eq!(numbers(&mut outbox), [1]);
    outbox.ack(1).unwrap();
    assert_eq!(numbers(&mut outbox), [2]);
}

#[test]
fn credit_is_cumulative_and_asked_for_once() {
    let mut outbox = filled(Outbox::credited(100), 40);
    assert_eq!(numbers(&mut outbox), [1, 2]);
    assert_eq!((outbox.wants(), outbox.wants()), (Some(120), None));
    outbox.grant(119);
    assert!(numbers(&mut outbox).is_empty());
    outbox.ack(2).unwrap();
    assert!(numbers(&mut outbox).is_empty(), "acknowledgements are no credit");
    outbox.grant(120);
    outbox.grant(50);
    assert_eq!(numbers(&mut outbox), [3]);
    assert_eq!(outbox.wants(), Some(160));
}

#[test]
fn an_inbox_takes_each_number_once_and_in_order() {
    let mut inbox = Inbox::new(100);
    assert_eq!(inbox.accept(0, 1), Err(DeliveryError::Gap { expected: 1, found: 0 }));
    assert_eq!(inbox.accept(2, 1), Err(DeliveryError::Gap { expected: 1, found: 2 }));
    assert_eq!(inbox.accept(1, 60), Ok(Arrival::New));
    assert_eq!(inbox.accept(1, 60), Ok(Arrival::Again));
    assert_eq!(inbox.accept(2, 60), Err(DeliveryError::OverCredit { granted: 100, found: 120 }));
    assert_eq!(inbox.accept(2, u64::MAX), Err(DeliveryError::OverCredit { granted: 100, found: u64::MAX }));
    assert_eq!(inbox.accept(2, 40), Ok(Arrival::New));
    assert_eq!(inbox.open_bytes(), 100);
}

#[test]
fn acknowledgements_wait_for_the_oldest() {
    let mut inbox = Inbox::new(100);
    (1..=3).for_each(|number| assert_eq!(inbox.accept(number, 10), Ok(Arrival::New)));
    assert_eq!(inbox.finish(2, 10), None);
    assert_eq!(inbox.finish(9, 10), None, "never came");
    assert_eq!(inbox.finish(1, 10), Some(2));
    assert_eq!(inbox.finish(1, 10), None, "twice");
    assert_eq!(inbox.finish(3, 10), Some(3));
}

#[test]
fn credit_grows_as_things_are_finished_in_steps_worth_a_message() {
    let mut inbox = Inbox::new(100);
    (1..=10).for_each(|number| assert_eq!(inbox.accept(number, 10), Ok(Arrival::New)));
    (1..=4).for_each(|number| assert!(inbox.finish(number, 10).is_some()));
    assert_eq!(inbox.credit(), None);
    inbox.finish(5, 10);
    assert_eq!((inbox.credit(), inbox.credit()), (Some(150), None));
    assert_eq!(inbox.grant(500), 500);
    assert_eq!(inbox.accept(11, 350), Ok(Arrival::New));
}

#[test]
fn waiting_doubles_with_full_jitter() {
    let mut backoff = Backoff::default();
    let seconds: Vec<u64> = (0..8).map(|_| backoff.failed(1.0).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(backoff.failed(0.0), Duration::ZERO);
    backoff.reset();
    assert_eq!(backoff.failed(0.5), Duration::from_millis(500));
    (0..100).for_each(|_| assert!(backoff.failed(0.9) <= Duration::from_secs(30)));
}

#[test]
fn the_refused_wait_at_least_as_asked_and_at_most_five_minutes() {
    let mut backoff = Backoff::default();
    let seconds: Vec<u64> = (0..8).map(|_| backoff.refused(Duration::from_secs(5), 0.0).as_secs()).collect();
    assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(Backoff::default().refused(Duration::from_secs(10), 1.0), Duration::from_secs(15));
    assert_eq!(backoff.refused(Duration::from_secs(9999), 1.0), Backoff::REFUSED);
}

#[test]
fn a_silent_peer_is_pinged_and_then_dead() {
    let at = Duration::from_secs;
    let mut heart = Heart::new(at(100));
    assert_eq!(heart.beat(at(100)), Beat::Wait(at(115)));
    assert_eq!((heart.beat(at(115)), heart.beat(at(115))), (Beat::Ping, Beat::Wait(at(130))));
    heart.heard(at(120));
    assert_eq!(heart.beat(at(130)), Beat::Ping);
    assert_eq!(heart.beat(at(145)), Beat::Ping);
    assert_eq!(heart.beat(at(164)), Beat::Ping);
    assert_eq!(heart.beat(at(165)), Beat::Dead);
}

#[test]
fn the_offset_of_a_clock_is_its_quickest_message() {
    let mut clock = ClockOffset::default();
    assert_eq!((clock.micros(), clock.theirs(7)), (None, 7));
    for delay in [50_000, 300, 9_000] {
        clock.sample(3_600_000_000 + 1_000_000, 1_000_000 + delay);
    }
    assert_eq!(clock.micros(), Some(3_600_000_000 - 300));
    // The clock is set right: believed at once, not after the old samples have gone.
    clock.sample(5_000_000, 5_000_200);
    assert_eq!((clock.micros(), clock.theirs(1000)), (Some(-200), 800));
    // A slow drift is followed within a few samples.
    (0..8).for_each(|_| clock.sample(5_000_000, 5_000_900));
    assert_eq!(clock.micros(), Some(-900));
}

#[test]
fn a_memory_forgets_what_has_expired_and_nothing_else() {
    let mut seen = Dedupe::new(2);
    assert_eq!((seen.insert("a", 10, 0), seen.insert("a", 10, 10)), (Seen::New, Seen::Again));
    assert_eq!((seen.insert("b", 50, 1), seen.insert("c", 50, 1)), (Seen::New, Seen::Full));
    assert_eq!(seen.insert("c", 50, 11), Seen::New);
    assert_eq!((seen.insert("b", 50, 50), seen.len()), (Seen::Again, 2));
}

proptest! {
    #[test]
    fn an_inbox_never_takes_a_number_twice(numbers in proptest::collection::vec(0u64..12, 0..60)) {
        let mut inbox = Inbox::new(1 << 20);
        let mut taken = Vec::new();
        for number in numbers {
            if inbox.accept(number, 1) == Ok(Arrival::New) {
                taken.push(number);
            }
        }
        prop_assert!(taken.iter().copied().eq(1..=taken.len() as u64));
    }
}
