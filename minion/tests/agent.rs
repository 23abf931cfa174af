//! The agent against a master made of `proto` alone, over real sockets.

mod support;

use minion::agent::Exit;
use proto::{
    Args, JobId, Outcome, Publish, Request,
    message::{FromMinion, Lane, ToMinion},
    sign::{Identity, PUBLISH, REQUEST, Signed},
};
use support::{Master, PATIENCE, now, parts, start};
use tokio::time::timeout;

#[tokio::test]
async fn a_ping_is_answered_and_each_step_is_told() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, hello) = master.welcome().await;
    assert_eq!((hello.id.as_str(), hello.running, hello.spooled), ("web1", vec![], vec![]));
    assert_eq!(hello.grains.open().unwrap()["os"], "Debian");
    line.publish(master.job(1, "test.ping", Args::default())).await;
    // A quick answer is its own acknowledgement.
    let FromMinion::Return { seq: 1, ret, received: 1 } = line.next().await else { panic!("no return") };
    line.sender.send(Lane::Control, &ToMinion::Stored { up_to: 1 }).await.unwrap();
    assert_eq!((ret.jid, ret.outcome, ret.value), (JobId::from_micros(1), Outcome::Ok, true.into()));
    assert!(!root.path().join("spool").exists(), "what only reads needs no disk");
    assert_eq!(minion.stop().await, Exit::Stopped);
}

#[tokio::test]
async fn a_return_is_kept_until_the_master_has_stored_it() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(master.job(1, "cmd.run", Args::positional(["echo once".into()]))).await;
    assert_eq!(line.ret().await.1.value, "once");
    // Not stored: the connection breaks, and the minion itself starts anew.
    line.sender.abort();
    let (line, hello) = master.welcome().await;
    assert_eq!(hello.spooled, [JobId::from_micros(1)]);
    drop(line);
    minion.stop().await;
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, hello) = master.welcome().await;
    assert_eq!(hello.spooled, [JobId::from_micros(1)]);
    assert_eq!(line.stored().await.value, "once");
    // Now it is stored; a ping shows that nothing else comes.
    assert_eq!(line.ask(&master, 2, "test.ping", Args::default()).await.jid, JobId::from_micros(2));
    minion.stop().await;
}

#[tokio::test]
async fn a_job_runs_once_whatever_comes_again() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let file = root.path().join("count");
    let command = Args::positional([format!("echo x >> {}", file.display()).into()]);
    let (mut line, _) = master.welcome().await;
    let job = master.job(1, "cmd.run", command.clone());
    line.publish(job.clone()).await;
    line.publish(job.clone()).await;
    assert_eq!(line.stored().await.outcome, Outcome::Ok);
    line.publish(job.clone()).await;
    assert_eq!(line.stored().await.outcome, Outcome::Lost, "the master must not think that it ran again");
    // The same request under another jid, as a stolen master might try.
    let again = Publish {
        jid: JobId::from_micros(2),
        request: job.open_as::<Publish>(PUBLISH, None).unwrap().request,
        expires: now() + 30_000_000,
        wave: 0,
        tree: None,
        authority: None,
    };
    line.publish(master.identity.sign_value(PUBLISH, &again).unwrap()).await;
    let refused = line.stored().await;
    assert_eq!((refused.jid, refused.outcome), (JobId::from_micros(2), Outcome::Refused));
    drop(line);
    minion.stop().await;
    // Not after a restart either.
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(job).await;
    assert_eq!(line.stored().await.outcome, Outcome::Lost);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n");
    minion.stop().await;
}

#[tokio::test]
async fn forged_expired_and_misdirected_jobs_are_refused() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let trusted = Identity::generate();
    let mut parts = parts(root.path(), &master.address());
    parts.config.operators = Some(vec![trusted.public(), master.operator.public()]);
    let minion = start(parts);
    let (mut line, _) = master.welcome().await;
    let file = root.path().join("touched");
    let touch = Args::positional([format!("touch {}", file.display()).into()]);
    let request = master.request(1, "cmd.run", touch);
    let publish = |jid: u64, request: Signed, expires: u64| {
        let publish = Publish { jid: JobId::from_micros(jid), request, expires, wave: 0, tree: None, authority: None };
        master.identity.sign_value(PUBLISH, &publish).unwrap()
    };
    let soon = now() + 30_000_000;
    let by = |who: &Identity, request: &Request| who.sign_value(REQUEST, request).unwrap();
    let elsewhere = Request { target: "db*".into(), ..request.clone() };
    let stale = Request { valid_until: now() - 1, ..request.clone() };
    let cases = [
        (publish(1, by(&Identity::generate(), &request), soon), Outcome::Refused),
        (publish(2, by(&master.identity, &request), soon), Outcome::Refused),
        (publish(3, by(&master.operator, &request), now() - 1), Outcome::Expired),
        (publish(4, by(&master.operator, &elsewhere), soon), Outcome::Refused),
        (publish(5, by(&master.operator, &stale), soon), Outcome::Expired),
        (Identity::generate().sign(PUBLISH, publish(6, by(&master.operator, &request), soon).body), Outcome::Refused),
    ];
    for (jid, (publish, outcome)) in (1..).zip(cases) {
        line.publish(publish).await;
        let ret = line.stored().await;
        assert_eq!((ret.jid, ret.outcome), (JobId::from_micros(jid), outcome), "{:?}", ret.value);
    }
    assert!(!file.exists());
    assert_eq!(minion.agent.counters().jobs.load(std::sync::atomic::Ordering::Relaxed), 0);
    minion.stop().await;
}

#[tokio::test]
async fn another_master_at_the_same_address_is_refused() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (line, _) = master.welcome().await;
    // From now on somebody else answers there.
    let impostor = Master::with(Identity::generate(), master.listener);
    drop(line);
    let refused = timeout(PATIENCE, impostor.accept()).await.unwrap();
    assert!(refused.is_err(), "the minion told an impostor who it is");
    assert!(!minion.agent.is_connected());
    minion.stop().await;
}

#[tokio::test]
async fn a_master_with_a_new_session_key_is_known_by_its_identity() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (line, _) = master.welcome().await;
    let pem = master.identity.to_pem().unwrap();
    let renewed = Master::with(Identity::from_pem(&pem).unwrap(), master.listener);
    drop(line);
    assert!(timeout(PATIENCE, renewed.accept()).await.unwrap().is_err(), "the old session key");
    let (mut line, _) = renewed.welcome().await;
    assert_eq!(line.ask(&renewed, 1, "test.ping", Args::default()).await.outcome, Outcome::Ok);
    minion.stop().await;
}

#[tokio::test]
async fn the_masters_clock_counts() {
    let (mut master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    master.now = || now() - 3_600_000_000;
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    let ret = line.ask(&master, 1, "cmd.run", Args::positional(["echo".into()])).await;
    assert_eq!(ret.outcome, Outcome::Ok);
    assert!(ret.started.abs_diff((master.now)()) < 60_000_000);
    minion.stop().await;
}

#[tokio::test]
async fn large_returns_wait_for_credit() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(master.job(1, "test.echo", Args::positional(["x".repeat(100_000).into()]))).await;
    let wanted = line
        .until(|message| match message {
            FromMinion::Want { bytes } => Some(bytes),
            FromMinion::Return { .. } => panic!("sent without credit"),
            _ => None,
        })
        .await;
    line.sender.send(Lane::Control, &ToMinion::Credit { bytes: wanted }).await.unwrap();
    let ret = line.stored().await;
    assert_eq!(ret.value.as_str().map(str::len), Some(100_000));
    assert!(ret.weight() <= wanted);
    minion.stop().await;
}

#[tokio::test]
async fn output_comes_while_the_command_runs_and_a_kill_ends_its_group() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    let mut request = master.request(1, "cmd.run", Args::positional(["echo here; sleep 600 | sleep 600".into()]));
    request.options.stream = true;
    line.publish(master.publish(1, &request)).await;
    let text = line
        .until(|message| match message {
            FromMinion::Output { text, .. } => Some(text),
            _ => None,
        })
        .await;
    assert_eq!(text, "here");
    let jid = JobId::from_micros(1).to_string();
    line.publish(master.job(2, "saltutil.kill_job", Args::positional([jid.into()]))).await;
    let mut ends = [line.stored().await, line.stored().await];
    ends.sort_by_key(|ret| ret.jid);
    assert_eq!((ends[0].outcome, ends[0].retcode), (Outcome::Failed, 137));
    assert_eq!(ends[1].outcome, Outcome::Ok, "{}", ends[1].value);
    minion.stop().await;
}
