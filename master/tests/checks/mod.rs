//! The picture of all checks, over real connections.

use proto::checks::{self, CheckPage, CheckRow, CheckStatus};

use super::*;

fn row(name: &str, status: CheckStatus) -> CheckRow {
    CheckRow { name: name.into(), status, flapping: false, output: "as seen".into(), since: 1, at: 2, interval: 30 }
}

async fn web(house: &House) -> (Sender, Receiver) {
    let (sender, mut receiver) = dial(&house.address, &Identity::generate()).await;
    let hello = MinionHello {
        id: "web1".parse().unwrap(),
        version: "1".into(),
        token: None,
        grains: Packed::new(&Map::new()).unwrap(),
        now: 0,
        running: Vec::new(),
        spooled: Vec::new(),
    };
    sender.send(Lane::Control, &Hello::Minion(Box::new(hello))).await.unwrap();
    assert!(matches!(receiver.recv::<ToMinion>().await.unwrap(), Some(ToMinion::Welcome { .. })));
    (sender, receiver)
}

async fn page(operator: &mut Operator) -> CheckPage {
    match operator.reply().await {
        Reply::Checks(page) => *page,
        other => panic!("{other:?}"),
    }
}

/// The rows of web1 in a page.
fn rows(page: &CheckPage) -> Vec<(&str, CheckStatus)> {
    let host = page.hosts.iter().find(|host| host.id.as_str() == "web1").unwrap();
    host.rows.iter().map(|row| (row.name.as_str(), row.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_minions_told_is_known_at_once_and_followed() {
    let house = House::new().await;
    let (web, mut told) = web(&house).await;
    let mut root = Operator::new(&house, house.root()).await;
    root.ask(Query::Events { tag: "overstate/check/*".into() }).await;
    let table = vec![row("load", CheckStatus::Ok), row("disk", CheckStatus::Critical)];
    // A heartbeat with a digest that the master does not know makes it ask, once until its next.
    for _ in 0..3 {
        let ping = FromMinion::Ping { now: 1, checks: checks::digest(&table) };
        web.send(Lane::Control, &ping).await.unwrap();
    }
    assert!(matches!(told.recv::<ToMinion>().await.unwrap(), Some(ToMinion::Checks)));
    web.send(Lane::Control, &FromMinion::Checks { all: true, rows: table }).await.unwrap();
    let Reply::Event { tag, data } = root.reply().await else { panic!("no event") };
    assert_eq!((tag.as_str(), &data["before"]), ("overstate/check/web1/disk/critical", &json!(null)));

    let mut other = Operator::new(&house, house.root()).await;
    other.ask(Query::Checks { target: Some("web*".into()), follow: true }).await;
    let first = page(&mut other).await;
    assert!(first.complete && first.hosts[0].master, "the master's own come with them");
    assert_eq!(rows(&first), [("disk", CheckStatus::Critical), ("load", CheckStatus::Ok)]);
    let changed = FromMinion::Checks { all: false, rows: vec![row("disk", CheckStatus::Ok)] };
    web.send(Lane::Control, &changed).await.unwrap();
    let next = loop {
        let next = page(&mut other).await;
        if next.hosts.iter().any(|host| !host.master) {
            break next;
        }
    };
    assert_eq!(rows(&next), [("disk", CheckStatus::Ok), ("load", CheckStatus::Ok)]);
    let Reply::Event { tag, data } = root.reply().await else { panic!("no event") };
    assert_eq!((tag.as_str(), &data["before"]), ("overstate/check/web1/disk/ok", &json!("critical")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_shown_as_far_as_the_rules_go() {
    let house = House::new().await;
    let (_web, _told) = web(&house).await;
    let mut ops = Operator::new(&house, Identity::from_pem(&house.ops.to_pem().unwrap()).unwrap()).await;
    for target in [Some("web1".to_owned()), None] {
        ops.ask(Query::Checks { target, follow: false }).await;
        let Reply::Error(fault) = ops.reply().await else { panic!("it was shown") };
        assert_eq!(fault.kind, FaultKind::NotPermitted, "{fault:?}");
    }
    let mut root = Operator::new(&house, house.root()).await;
    root.ask(Query::Checks { target: Some("db*".into()), follow: false }).await;
    let Reply::Error(fault) = root.reply().await else { panic!("nobody matches") };
    assert_eq!(fault.kind, FaultKind::NoMatch);
}
