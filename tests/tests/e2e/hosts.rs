//! A master and three minions on hosts of their own: own network namespace, own address, own
//! hostname, and a cable each that can be pulled.

use std::time::Instant;

use serde_json::{Value, json};
use tests::{
    Fleet, Transport,
    hosts::Net,
    over_both,
    wait::{self, secs},
};

over_both! {
    a_host_that_is_cut_off_comes_back,
    jobs_of_half_a_minute_of_partition_run_or_expire,
}

fn three_hosts(transport: Transport) -> Fleet {
    let net = Net::new(&["master.test", "alpha.test", "beta.test", "gamma.test"]);
    let fleet = Fleet::new(transport).named(&["alpha.test", "beta.test", "gamma.test"]).on(net).start();
    for minion in &fleet.minions {
        // The id is the host's name, which is what a minion without a configured id takes.
        let file = minion.dir.join("minion");
        let text = std::fs::read_to_string(&file).unwrap();
        let unnamed: String =
            text.lines().filter(|line| !line.starts_with("id:")).flat_map(|line| [line, "\n"]).collect();
        std::fs::write(file, unnamed).unwrap();
    }
    fleet
}

fn a_host_that_is_cut_off_comes_back(transport: Transport) {
    let mut fleet = three_hosts(transport);
    // Restarted without an `id:` each takes its name from its host.
    for minion in &mut fleet.minions {
        minion.daemon.stop();
        minion.daemon.start();
    }
    fleet.wait_connected(3);
    let asked = fleet.ctl(&["run", "*", "grains.item", "host", "ipv4", "--out", "json"]).expect(0).json();
    for (i, name) in ["alpha", "beta", "gamma"].iter().enumerate() {
        let grains: &Value = &asked[format!("{name}.test")];
        assert!(grains["host"].as_str().is_some_and(|host| host.starts_with(name)), "{asked}");
        let address = json!(format!("10.77.0.{}", i + 2));
        assert!(grains["ipv4"].as_array().is_some_and(|all| all.contains(&address)), "{asked}");
    }
    fleet.ctl(&["run", "S@10.77.0.3", "test.ping", "--out", "json"]).expect(0).says(&["beta.test"]);

    fleet.net.as_ref().unwrap().cut(2);
    fleet.wait_presence("beta.test", false, secs(70));
    let run = fleet.ctl(&["run", "*", "test.ping", "--out", "json"]).expect(3);
    assert_eq!(run.json(), json!({"alpha.test": true, "gamma.test": true}), "{run}");
    assert!(run.stderr.contains("beta.test offline since"), "{run}");

    fleet.net.as_ref().unwrap().mend(2);
    fleet.wait_presence("beta.test", true, secs(90));
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["3 targeted: 3 ok"]);
}

fn jobs_of_half_a_minute_of_partition_run_or_expire(transport: Transport) {
    let fleet = three_hosts(transport);
    let net = fleet.net.as_ref().unwrap();
    net.cut(1);
    let cut = Instant::now();
    let within = fleet.launch(&["*", "cmd.run", &fleet.mark("within"), "--ttl", "300"]);
    let beyond = fleet.launch(&["*", "cmd.run", &fleet.mark("beyond"), "--ttl", "5"]);
    wait::until(secs(20), "the others to run both", || {
        let marks = [fleet.marks("within"), fleet.marks("beyond")];
        marks.iter().all(|marks| marks["beta.test"] == 1 && marks["gamma.test"] == 1).then_some(())
    });
    std::thread::sleep(secs(30).saturating_sub(cut.elapsed()));
    net.mend(1);

    let job = fleet.wait_job(&within, secs(120));
    assert_eq!((job.ends.len(), job.count("ok")), (3, 3), "{job:?}");
    let job = fleet.wait_job(&beyond, secs(120));
    let (outcome, why) = &job.ends["alpha.test"];
    assert_eq!((job.count("ok"), outcome.as_str()), (2, "expired"), "{job:?}");
    assert!(
        why.as_str().is_some_and(|why| why.contains("time to live") || why.contains("expired")),
        "it says so: {why}"
    );
    fleet.assert_marks("within", 1);
    assert_eq!(fleet.marks("beyond")["alpha.test"], 0);
}
