//! The life of one job, with a clock of the test's own.

use std::{collections::HashMap, sync::Arc};

use proto::{
    Args, Batch, JobId, MinionId, Outcome, PackedValue, RunOptions,
    message::PairState,
    sign::{Identity, REQUEST},
};

use super::{
    live::{Again, LiveJob, verdict},
    watch::{Note, Watch},
};
use crate::{
    store::JobRecord,
    wire::{PairEnd, Return},
};

const START: u64 = 1_000_000_000;
const TTL: u64 = 30_000_000;

fn id(n: usize) -> MinionId {
    format!("m{n}").parse().unwrap()
}

fn record(minions: usize) -> Arc<JobRecord> {
    Arc::new(JobRecord {
        jid: JobId::from_micros(START),
        operator: "root".parse().unwrap(),
        origin: "here".into(),
        target: "*".into(),
        function: "test.ping".parse().unwrap(),
        args: Args::default(),
        comment: None,
        request: Identity::generate().sign(REQUEST, vec![1]),
        expected: (0..minions).map(id).collect(),
        expires: START + TTL,
        tree: None,
        authority: None,
        parent: None,
        step: None,
    })
}

fn end(n: usize, outcome: Outcome) -> Arc<PairEnd> {
    let ret = Return {
        jid: JobId::from_micros(START),
        outcome,
        value: PackedValue::text("done"),
        retcode: 0,
        started: START,
        duration: 1,
        truncated: false,
    };
    Arc::new(PairEnd { minion: id(n), ret, at: START + 5 })
}

fn job(minions: usize, options: RunOptions) -> LiveJob {
    LiveJob::new(record(minions), options, |_| true)
}

#[test]
fn every_pair_ends_once_and_then_the_job_does() {
    let mut job = job(3, RunOptions::default());
    assert_eq!(job.next_wave().len(), 3);
    assert!(job.end(&end(0, Outcome::Ok)));
    assert!(!job.end(&end(0, Outcome::Failed)), "a pair ends once");
    assert!(!job.end(&end(7, Outcome::Ok)), "nobody asked m7");
    assert!(job.end(&end(1, Outcome::Failed)) && !job.is_done());
    assert!(job.end(&end(2, Outcome::Ok)) && job.is_done());
    assert_eq!(
        job.counts().iter().copied().collect::<HashMap<_, _>>(),
        HashMap::from([(Outcome::Ok, 2), (Outcome::Failed, 1)])
    );
}

#[test]
fn a_batch_is_a_sliding_window() {
    let mut job = job(5, RunOptions { batch: Some(Batch::Count(2)), ..RunOptions::default() });
    let first = job.next_wave();
    assert_eq!((first.len(), job.next_wave().len(), job.wave), (2, 0, 1));
    job.end(&end(first[0].as_str()[1..].parse().unwrap(), Outcome::Ok));
    assert_eq!((job.next_wave().len(), job.wave), (1, 2));
    let mut seen = 3;
    for n in 0..5 {
        job.end(&end(n, Outcome::Ok));
        seen += job.next_wave().len();
    }
    assert!(job.is_done() && seen <= 5);
}

#[test]
fn a_minion_that_comes_back_hears_again_what_it_lacks() {
    let mut job = job(3, RunOptions::default());
    job.next_wave();
    assert_eq!(job.connected(&id(0), true, START + 1), Again::Wait);
    assert_eq!(job.state(&id(0)), Some(PairState::Running));
    assert_eq!(job.connected(&id(1), false, START + 1), Again::Send);
    assert_eq!(job.connected(&id(2), false, START + TTL + 1), Again::Fate, "too late to send");
}

#[test]
fn absent_minions_are_offline_when_their_time_is_over_and_sent_ones_stay_open() {
    let mut job = LiveJob::new(record(2), RunOptions::default(), |minion| *minion == id(0));
    assert_eq!(job.next_wave(), [id(0)]);
    assert!(job.overdue(START + TTL, 1, |_| false).is_empty());
    assert_eq!(job.overdue(START + TTL + 1, 1_000, |_| false), [(id(1), Outcome::Offline)]);
    let mut late = job.overdue(START + TTL + 2_000, 1_000, |_| false);
    late.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(late, [(id(0), Outcome::Lost), (id(1), Outcome::Offline)]);
    assert_eq!(job.overdue(START + TTL + 2_000, 1_000, |minion| *minion == id(0)), [(id(1), Outcome::Offline)]);
}

#[test]
fn a_batch_takes_in_whoever_comes_within_the_time_to_live() {
    let options = RunOptions { batch: Some(Batch::Percent(50)), ..RunOptions::default() };
    let mut job = LiveJob::new(record(2), options, |minion| *minion == id(0));
    assert_eq!(job.next_wave(), [id(0)]);
    assert_eq!(job.connected(&id(1), false, START + 1), Again::Wait);
    assert!(job.next_wave().is_empty(), "the window is one wide");
    job.end(&end(0, Outcome::Ok));
    assert_eq!(job.next_wave(), [id(1)]);
}

#[test]
fn fail_fast_keeps_the_rest_from_starting() {
    let mut job = job(4, RunOptions { batch: Some(Batch::Count(1)), fail_fast: true, ..RunOptions::default() });
    let first = job.next_wave();
    assert_eq!(first.len(), 1);
    job.end(&end(first[0].as_str()[1..].parse().unwrap(), Outcome::Failed));
    assert_eq!(job.cut_short(Outcome::Failed).len(), 3);
    assert!(job.next_wave().is_empty());
}

#[test]
fn a_killed_batch_ends_where_it_was_not_sent_and_the_account_adds_up() {
    let options = RunOptions { batch: Some(Batch::Count(1)), ..RunOptions::default() };
    let mut job = LiveJob::new(record(4), options, |minion| *minion != id(3));
    let first = job.next_wave();
    let waiting = job.stop_sending();
    assert_eq!(waiting, [id(1), id(2), id(3)], "two wait for their turn, one is absent");
    for minion in waiting {
        job.end(&verdict(job.jid(), minion, Outcome::Refused, "killed by root".into(), START));
    }
    assert!(job.next_wave().is_empty());
    assert!(!job.is_done() && job.state(&first[0]).is_some(), "where it may run, the minion has the word");
    job.end(&end(0, Outcome::Failed));
    assert!(job.is_done() && job.next_wave().is_empty());
    assert_eq!(job.counts().iter().map(|(_, count)| count).sum::<u32>(), 4);
}

#[test]
fn after_a_restart_everyone_without_an_end_may_have_been_sent_it() {
    let mut job = LiveJob::restored(record(3), RunOptions::default(), &[(id(1), Outcome::Ok)]);
    assert_eq!(job.counts(), [(Outcome::Ok, 1)]);
    assert_eq!((job.state(&id(0)), job.state(&id(1))), (Some(PairState::Sent), None));
    assert!(job.overdue(START + TTL + 1, 1_000_000_000, |_| false).is_empty(), "it may be running there");
    assert_eq!(job.connected(&id(0), false, START + TTL + 1), Again::Fate);
}

#[test]
fn a_follower_hears_what_was_and_what_comes() {
    let mut job = job(3, RunOptions::default());
    job.next_wave();
    job.end(&end(0, Outcome::Ok));
    let (watch, mut notes) = Watch::new(job.jid());
    job.watch(watch);
    job.end(&end(1, Outcome::Ok));
    job.gone(&id(2), START + 9);
    job.end(&end(2, Outcome::Failed));
    assert!(matches!(notes.try_recv(), Ok(Note::Stored(_, minion)) if minion == id(0)));
    assert!(matches!(notes.try_recv(), Ok(Note::Ended(end, _)) if end.minion == id(1)));
    assert!(matches!(notes.try_recv(), Ok(Note::Absent(absent)) if absent.minion == id(2)));
    assert!(matches!(notes.try_recv(), Ok(Note::Ended(..))));
    assert!(matches!(notes.try_recv(), Ok(Note::Done)));
}

#[test]
fn a_follower_that_does_not_read_costs_a_bounded_amount() {
    let mut job = job(30, RunOptions::default());
    job.next_wave();
    let (watch, mut notes) = Watch::new(job.jid());
    job.watch(watch);
    for n in 0..30 {
        let mut big = (*end(n, Outcome::Ok)).clone();
        big.ret.value = PackedValue::text(&"x".repeat(1024 * 1024));
        job.end(&Arc::new(big));
    }
    let (mut held, mut stored) = (0, 0);
    while let Ok(note) = notes.try_recv() {
        match note {
            Note::Ended(..) => held += 1,
            Note::Stored(..) => stored += 1,
            _ => {}
        }
    }
    assert!(held <= 9 && held + stored == 30, "{held} held, {stored} to be read from the store");
}
