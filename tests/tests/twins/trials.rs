//! States under bad conditions, in a machine of their own: archives that try to leave their folder, and
//! a package manager that is at work for somebody else.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{Alone, Booted, process::Running, wait};

use crate::folder;

/// A host in a machine of its own, and that.
fn machine(config: &str) -> (Alone, Booted) {
    let mut alone = Alone::new(config);
    alone.shell(&format!("cp -r {} {}", folder().join("twins/files").display(), alone.at("salt")));
    let booted = Booted::new(&alone);
    alone.wrap = booted.wrap();
    (alone, booted)
}

/// Archives whose members would lie outside, or be reached from outside: how each is made in `@ROOT@`.
const HOSTILE: [(&str, &str); 10] = [
    ("up.tar", "tar -P --transform 's,^,../,' -cf up.tar evil"),
    ("deep.tar", "tar -P --transform 's,^,app/../../,' -cf deep.tar evil"),
    ("absolute.tar.gz", "tar -P -czf absolute.tar.gz $PWD/outside/evil && rm outside/evil"),
    // A link to a folder outside, and then a file by way of it.
    (
        "through.tar",
        "ln -s ../outside link && tar -cf through.tar link && rm link && mkdir link && cp evil link/evil && \
         tar -rf through.tar link/evil && rm -r link",
    ),
    (
        "through-absolute.tar",
        "ln -s $PWD/outside link && tar -cf through-absolute.tar link && rm link && mkdir link && cp evil link/evil && \
         tar -rf through-absolute.tar link/evil && rm -r link",
    ),
    // A file of two names, one of which is that of a file outside; and then other words in it.
    (
        "hard.tar",
        "cp evil x && ln x y && tar -P --transform 'flags=h;s,^x$,../outside/secret,' -cf hard.tar x y && rm x y",
    ),
    ("up.zip", "mkdir in && (cd in && zip -q ../up.zip ../evil) && rmdir in"),
    (
        "absolute.zip",
        "N=$(echo $PWD/outside/evil | tr / _) && cp evil $N && zip -q absolute.zip $N && sed -i \"s,$N,$PWD/outside/evil,g\" absolute.zip && rm $N",
    ),
    (
        "through.zip",
        "ln -s ../outside link && zip -qy through.zip link && rm link && mkdir link && cp evil link/evil && \
         zip -q through.zip link/evil; rm -r link; true",
    ),
    ("link.zip", "ln -s ../outside/secret link && zip -qy link.zip link && rm link"),
];

#[test]
fn archives_cannot_leave_their_folder() {
    let (alone, booted) = machine("");
    let root = alone.at("root");
    booted.shell(&root, "echo evil >evil; mkdir outside; echo secret >outside/secret");
    for (name, make) in HOSTILE {
        let made =
            booted.shell(&root, &format!("cp evil outside/evil; {{ {make}; }} 2>&1; rm -f outside/evil; ls {name}"));
        assert!(made.ends_with(&format!("{name}\n")), "{name}: {made}");
    }
    let outside = "ls -lA outside | cut -d' ' -f1,2,3,4; cat outside/*; ls /tmp/evil ../evil 2>/dev/null";
    let before = booted.shell(&root, outside);
    for (name, _) in HOSTILE {
        // With all that keeps tar from being careful, and without.
        for (number, more) in ["", ", options: P", ", skip_files_list_verify: true", ", use_cmd_unzip: false"]
            .iter()
            .enumerate()
            .filter(|(number, _)| !(name.ends_with("zip") && *number == 1))
        {
            let target = format!("{root}/{name}-{number}");
            let arguments = format!("name: {target}, source: '{root}/{name}', enforce_toplevel: false{more}");
            alone
                .write("salt/s.sls", &format!("s: {{archive.extracted: [{{{}}}]}}\n", arguments.replace(", ", "}, {")));
            let answer = alone.call(&["state.apply", "s"]);
            let row = answer.as_object().and_then(|rows| rows.values().next()).unwrap_or_else(|| panic!("{answer}"));
            assert_eq!(row["result"], json!(false), "{name}{more}: {row}");
            let comment = row["comment"].as_str().unwrap_or_default();
            // tar itself takes `../` off the target of a hard link, and then does not find it.
            let told = comment.contains("outside") || comment.contains("Cannot hard link");
            assert!(told, "{name}{more} is refused for what it is: {row}");
            assert_eq!(booted.shell(&root, outside), before, "{name}{more}: {row}");
            let links = booted.shell(&root, &format!("find {target} -links +1 -type f -o -type l"));
            assert_eq!(links, "", "{name}{more}: {row}");
        }
    }
}

/// Takes dpkg's lock as apt does, for as long as there is no file `go`.
const HOLD: &str = "import fcntl, os, time\nlock = open('/var/lib/dpkg/lock-frontend', 'w')\nfcntl.lockf(lock, fcntl.LOCK_EX)\n\
    open('held', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.05)\n";

#[test]
fn packages_wait_for_whoever_holds_the_lock() {
    let (alone, booted) = machine("");
    let root = alone.at("root");
    booted.shell(&root, "OLD= NEW= SINGLE=wanted sh ../salt/files/repository.sh");
    alone.write("root/hold.py", HOLD);
    alone.write("salt/s.sls", "wanted: {pkg.installed: []}\n");
    let wrap = booted.wrap();
    let mut holder = std::process::Command::new(&wrap[0]);
    holder.args(&wrap[1..]).args(["sh", "-c", &format!("cd {root}; exec python3 hold.py")]);
    let holder = Running::start(holder);
    wait::until(wait::secs(30), "the lock of dpkg", || alone.path("root/held").exists().then_some(()));

    let apply = Running::start(alone.command(&["state.apply", "s"]));
    // Long enough for apt to have asked, and been told no.
    std::thread::sleep(Duration::from_secs(4));
    let installed = booted.shell(&root, "dpkg-query -W wanted 2>&1 | grep -c 1.0");
    assert_eq!(installed, "0\n", "nothing is installed meanwhile");
    assert!(Path::new(&format!("/proc/{}/exe", apply.pid())).exists(), "it waits: {}", apply.stdout());

    let let_go = Instant::now();
    alone.write("root/go", "");
    let done = apply.wait(Duration::from_secs(120));
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let row = answer["local"].as_object().and_then(|rows| rows.values().next()).expect("a row");
    assert_eq!((&row["result"], &row["changes"]["wanted"]["new"]), (&json!(true), &json!("1.0")), "{row}");
    assert!(let_go.elapsed() < Duration::from_secs(60), "it goes on soon after");
    drop(holder);
}
