//! The harness itself: a test is worth no more than what carries it.

use std::{fs, process::Command, time::Duration};

use tests::{
    hosts::{Host, Net},
    needs, preload,
    process::{Recipe, Running},
    wait::secs,
};

fn on(host: &Host, words: &[&str]) -> String {
    let wrap = host.wrap();
    let output = Command::new(&wrap[0]).args(&wrap[1..]).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn hosts_have_names_and_addresses_and_cables() {
    let net = Net::new(&["one.test", "two.test"]);
    assert_eq!(on(&net.hosts[0], &["hostname"]), "one.test");
    assert!(on(&net.hosts[1], &["ip", "-o", "addr", "show", "eth0"]).contains("10.77.0.2/24"));
    // Connecting is refused where somebody is, and never answered where nobody is.
    let knock = ["timeout", "2", "bash", "-c", ": < /dev/tcp/10.77.0.2/9; echo $?"];
    assert_eq!(on(&net.hosts[0], &knock), "1", "two.test is there");
    net.cut(1);
    assert_eq!(on(&net.hosts[0], &knock), "", "two.test is cut off");
    net.mend(1);
    assert_eq!(on(&net.hosts[0], &knock), "1", "two.test is back");
}

#[test]
fn small_disks_are_small() {
    let folder = tempfile::tempdir().unwrap();
    let wrap = needs::small_disk(folder.path(), 1 << 20);
    let fill = format!("head -c 3000000 /dev/zero > {}/file", folder.path().display());
    let output = Command::new(&wrap[0]).args(&wrap[1..]).args(["sh", "-c", &fill]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nobody else sees that disk");
}

#[test]
fn clocks_go_wrong_and_crashes_come_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let perl = |library: &std::path::Path, program: &str| {
        let mut command = Command::new("perl");
        command.args(["-e", program]).env("LD_PRELOAD", library);
        Running::start(command).wait(secs(20))
    };
    let clock = preload::clock(folder.path(), 3600);
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let told: u64 = String::from_utf8(perl(&clock, "print time()").stdout).unwrap().trim().parse().unwrap();
    assert!((3599..3700).contains(&(Duration::from_secs(told) - before).as_secs()));

    let arm = folder.path().join("arm");
    let crash = preload::crash(folder.path(), &arm);
    let sync = "use IO::Handle; open(my $f, '>', $ARGV[0] // '/dev/shm/overstate-sync-test'); $f->sync; print 'alive'";
    assert_eq!(perl(&crash, sync).stdout, b"alive");
    fs::write(&arm, preload::Point::AfterSync.letter().to_string()).unwrap();
    assert_eq!(perl(&crash, sync).code, 128 + 9);
    assert!(!arm.exists(), "one crash each");
    assert_eq!(perl(&crash, sync).stdout, b"alive");
    let _ = fs::remove_file("/dev/shm/overstate-sync-test");
}

#[test]
fn a_wrapped_command_keeps_its_arguments_apart() {
    let recipe = Recipe {
        wrap: vec!["env".into(), "A=b c".into()],
        program: "sh".into(),
        args: vec!["-c".into(), "printf '%s|' \"$A\" \"$@\"".into(), "sh".into(), "d e".into()],
        env: Vec::new(),
        log: "/dev/null".into(),
    };
    assert_eq!(Running::start(recipe.command()).wait(secs(10)).stdout, b"b c|d e|");
}
