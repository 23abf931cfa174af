//! Made-up trees of states of every module, in a machine of their own: what a plan (`test=True`) says is
//! what the run then does, a plan changes nothing, and a second run changes nothing.
//!
//! `TREES=N` makes N trees (8 unless told), `TREES_SEED=N` others than CI's.

use std::{collections::BTreeSet, time::Instant};

use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};
use tests::{Alone, Booted};

use crate::folder;

/// How many packages there are to install, and as many to bring up to date or remove.
const POOL: usize = 40;
const BUDGET_S: u64 = 60;

/// A state: its function, its arguments, and commands of which one is run before it. `%` is its own name,
/// `~` a path of its own, `§` a number of its own.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const LINES: &str = "printf 'a=1\\n# b=2\\n# start\\nold\\n# end\\nlast\\n' > ~";
const FOLDER: &str = "mkdir -p ~/in/deep; touch ~/in/f ~/x";
const UNIT: &str = "unit %";
const CRON: &str = "(crontab -l 2>/dev/null; echo '# Lines below here are managed by Salt, do not edit'; \
    echo '# SALT_CRON_IDENTIFIER:%'; echo '1 * * * * %') | crontab -";

const KINDS: &[Kind] = &[
    ("alias.absent", "name: %", &["", "echo '%: root' >>/etc/aliases"]),
    ("alias.present", "name: %, target: root", &["", "echo '%: daemon' >>/etc/aliases"]),
    ("alternatives.install", "name: %, link: ~, path: /bin/true, priority: 5", &[""]),
    ("archive.extracted", "name: ~, source: @ROOT@/app.tar", &["", "mkdir ~"]),
    ("archive.extracted", "name: ~, source: @ROOT@/app.tar, user: daemon, clean: true", &["", "mkdir ~; touch ~/x"]),
    ("cmd.run", "name: touch ~, creates: ~", &["", LINES]),
    ("cmd.run", "name: touch ~, unless: test -e ~", &["", LINES]),
    ("cmd.script", "name: 'salt://files/touch.sh', args: ~, creates: ~", &["", LINES]),
    ("cron.absent", "name: %, identifier: %", &["", CRON]),
    ("cron.env_absent", "name: E%", &["", "(crontab -l 2>/dev/null; echo E%=1) | crontab -"]),
    ("cron.env_present", "name: E%, value: v", &["", "(crontab -l 2>/dev/null; echo E%=1) | crontab -"]),
    ("cron.present", "name: %, minute: 7, identifier: %", &["", CRON]),
    ("cron.present", "name: %, special: '@daily'", &[""]),
    ("file.absent", "name: ~", &["", LINES, FOLDER]),
    ("file.append", "name: ~, text: [last, more]", &["", LINES]),
    ("file.blockreplace", "name: ~, marker_start: '# start', marker_end: '# end', content: new", &[LINES]),
    (
        "file.blockreplace",
        "name: ~, marker_start: '# s', marker_end: '# e', content: x, append_if_not_found: true",
        &[LINES],
    ),
    ("file.comment", "name: ~, regex: '^a='", &[LINES]),
    ("file.copy", "name: ~, source: /etc/hostname", &["", LINES]),
    ("file.directory", "name: ~, clean: true, exclude_pat: x", &["", FOLDER]),
    ("file.directory", "name: ~, file_mode: '0600', dir_mode: '0700', recurse: [mode]", &["", FOLDER]),
    ("file.directory", "name: ~, force: true", &["", LINES]),
    ("file.directory", "name: ~, mode: '0750', user: daemon", &["", FOLDER]),
    ("file.exists", "name: ~", &["", LINES]),
    ("file.hardlink", "name: ~, target: @ROOT@/app.tar", &["", LINES]),
    ("file.keyvalue", "name: ~, key: a, value: '9', separator: '='", &[LINES]),
    ("file.line", "name: ~, mode: delete, match: old", &[LINES]),
    ("file.line", "name: ~, mode: ensure, content: new, after: '# end'", &[LINES]),
    ("file.managed", "name: ~, contents: [one, two], mode: '0600'", &["", LINES, "ln -s /etc/hostname ~"]),
    ("file.managed", "name: ~, contents: x, create: false", &["", LINES]),
    ("file.managed", "name: ~/new/f, contents: x, makedirs: true, user: daemon", &["", FOLDER]),
    ("file.managed", "name: ~, source: 'salt://files/plain', replace: false", &["", LINES]),
    ("file.managed", "name: ~, source: 'salt://files/plain', template: jinja, show_changes: false", &["", LINES]),
    ("file.missing", "name: ~", &["", LINES]),
    ("file.prepend", "name: ~, text: first", &["", LINES]),
    ("file.recurse", "name: ~, source: 'salt://files/deep'", &["", FOLDER]),
    ("file.recurse", "name: ~, source: 'salt://files/deep', clean: true, file_mode: '0640'", &["", FOLDER]),
    ("file.rename", "name: ~, source: ~-old", &["touch ~-old", LINES]),
    ("file.replace", "name: ~, pattern: '^a=.*$', repl: a=2", &[LINES]),
    ("file.replace", "name: ~, pattern: '^z=.*$', repl: z=2, append_if_not_found: true", &[LINES]),
    ("file.serialize", "name: ~, dataset: {a: [1, 2]}, serializer: json", &["", LINES]),
    ("file.symlink", "name: ~, target: /etc/hostname", &["", "ln -s /etc/hosts ~"]),
    ("file.symlink", "name: ~, target: /etc/hostname, force: true", &["", LINES]),
    ("file.uncomment", "name: ~, regex: 'b='", &[LINES]),
    ("git.cloned", "name: @ROOT@/origin, target: ~", &["", "git clone -q origin ~"]),
    ("git.config_set", "name: k.%, value: v, repo: @ROOT@/clone", &["", "git -C clone config k.% old"]),
    ("git.config_unset", "name: k.%, repo: @ROOT@/clone", &["", "git -C clone config k.% old"]),
    ("git.detached", "name: @ROOT@/origin, rev: v1, target: ~", &["", "git clone -q origin ~"]),
    (
        "git.latest",
        "name: @ROOT@/origin, target: ~, rev: main",
        &["", "cp -r clone ~", "git clone -q origin ~; git -C ~ reset -q --hard v1"],
    ),
    ("group.absent", "name: %", &["", "groupadd %"]),
    ("group.present", "name: %, gid: 2§", &["", "groupadd %"]),
    ("group.present", "name: %, addusers: [daemon]", &["", "groupadd %"]),
    ("host.present", "name: %.example, ip: 10.0.0.9", &["", "echo 10.0.0.8 %.example >>/etc/hosts"]),
    ("ini.options_present", "name: ~, sections: {s: {k: v}}", &["", "printf '[s]\\nk = old\\n' > ~"]),
    ("module.run", "file.touch: [{name: ~}], unless: test -e ~", &["", LINES]),
    ("pkg.held", "name: old-§", &["", "apt-mark hold old-§"]),
    ("pkg.installed", "name: new-§", &[""]),
    ("pkg.installed", "name: old-§, version: '2.0'", &[""]),
    ("pkg.installed", "pkgs: [new-§, old-§]", &[""]),
    ("pkg.latest", "name: old-§", &[""]),
    ("pkg.purged", "name: old-§", &["", "dpkg -r old-§"]),
    ("pkg.removed", "name: old-§", &["", "dpkg -r old-§"]),
    ("pkg.unheld", "name: old-§", &["", "apt-mark hold old-§"]),
    (
        "pkgrepo.managed",
        "name: 'deb [trusted=yes] file:///srv/main % main', file: /etc/apt/sources.list.d/%.list, refresh: false",
        &["", "echo 'deb file:///srv/main % main' >/etc/apt/sources.list.d/%.list"],
    ),
    (
        "pkgrepo.absent",
        "name: 'deb [trusted=yes] file:///srv/main % main'",
        &["", "echo 'deb [trusted=yes] file:///srv/main % main' >/etc/apt/sources.list.d/%.list"],
    ),
    ("service.dead", "name: %, enable: false", &["", UNIT, "unit %; systemctl enable -q --now %"]),
    ("service.disabled", "name: %", &[UNIT, "unit %; systemctl enable -q %"]),
    ("service.enabled", "name: %", &[UNIT, "unit %; systemctl enable -q %"]),
    ("service.masked", "name: %", &["unit % /usr/lib/systemd/system"]),
    ("service.running", "name: %, enable: true", &["", UNIT, "unit %; systemctl start %"]),
    ("service.unmasked", "name: %", &["unit % /usr/lib/systemd/system; systemctl mask -q %", UNIT]),
    (
        "ssh_auth.absent",
        "name: AAAAB3NzaC1yc2EAAAADAQABAAAA, user: root, config: ~",
        &["", "echo ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA >~"],
    ),
    (
        "ssh_auth.present",
        "name: AAAAB3NzaC1yc2EAAAADAQABAAAA, user: root, config: ~",
        &["", "echo ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA >~"],
    ),
    (
        "ssh_known_hosts.present",
        "name: %.example, key: AAAAC3NzaC1lZDI1NTE5AAAAIJ1oM3GBl0yJSPLBKzTBtFCUxTZm1nE1RBLkVXt0fNdD, enc: ssh-ed25519, config: ~, hash_known_hosts: false",
        &["", LINES],
    ),
    ("test.configurable_test_state", "name: %, changes: false, result: true", &[""]),
    ("test.nop", "name: %", &[""]),
    ("test.succeed_without_changes", "name: %", &[""]),
    ("user.absent", "name: %", &["", "useradd -m %"]),
    ("user.present", "name: %", &["", "useradd -m %"]),
    ("user.present", "name: %, uid: 3§, shell: /bin/sh, groups: [mail], fullname: F", &["", "useradd -m %"]),
];

const SERVER: &str = "wants a server that runs";

/// Modules without a state above, and why.
const LEFT_OUT: [(&str, &str); 20] = [
    ("at", "wants its own daemon"),
    ("check", "wants a minion that runs checks"),
    ("environ", "is gone with the process"),
    ("grains", "their own tests have them"),
    ("random", "its own tests have it"),
    ("debconf", "its database is the packages', which come without questions"),
    ("event", "an event is a change each time"),
    ("iptables", "wants iptables, which not every machine has"),
    ("kmod", "modules are the kernel's below"),
    ("locale", "wants the sources of locales"),
    ("mount", "mounts are the kernel's below"),
    ("pip", "wants the network"),
    ("postgres_database", SERVER),
    ("postgres_extension", SERVER),
    ("postgres_group", SERVER),
    ("postgres_schema", SERVER),
    ("postgres_user", SERVER),
    ("sysctl", "settings are the kernel's below"),
    ("timezone", "there is one alone"),
    ("virtualenv", "wants the network"),
];

/// What a plan says where it cannot know.
const HEDGED: [&str; 2] =
    ["an earlier state of this run would change the host, and may bring it", "if created in this state run"];

/// What every machine here starts with.
const PREPARE: &str = r#"
OLD=$(seq -f old-1%03g 0 39) NEW= SINGLE=$(seq -f new-1%03g 0 39) sh ../salt/files/repository.sh
CLONES=clone sh ../salt/files/history.sh
sh ../salt/files/archives.sh
"#;

/// Shell words of the commands before a state.
const WORDS: &str = r#"unit() { printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 10000\n[Install]\nWantedBy=multi-user.target\n' >${2:-/etc/systemd/system}/$1.service; systemctl daemon-reload; }; "#;

/// Everything that a state of these could change.
const LOOK: &str = "cat /etc/passwd /etc/group /etc/shadow /etc/hosts; crontab -l; dpkg-query -W; apt-mark showhold; \
    systemctl list-units --all --no-legend --plain 'm*'; systemctl list-unit-files --no-legend 'm*'; \
    ls -l /etc/systemd/system /etc/alternatives; find /etc/apt /home -type f | sort | xargs md5sum; \
    find . -path ./origin -prune -o -path '*/.git' -prune -o -type f -printf '%p %m %U %G %T@\\n' -o -printf '%p %m %U %G %l\\n' | sort; \
    find . -path '*/.git' -prune -o -type f -print | sort | xargs md5sum; git -C clone config -l; for d in */.git; do git -C $d log -1; done";

/// One state of a tree.
#[derive(Debug, Clone)]
struct Made {
    kind: Kind,
    before: &'static str,
    /// `require`, `onchanges` or another requisite on an earlier state, by its distance.
    requisite: Option<(&'static str, usize)>,
    /// Whether its path lies within that of the earlier state, if that is a folder.
    within: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let requisite = prop_oneof![
        3 => Just(None),
        1 => (select(vec!["require", "watch", "onchanges", "onfail"]), 1_usize..6).prop_map(Some),
    ];
    (select(KINDS), any::<Index>(), requisite, any::<bool>()).prop_map(|(kind, which, requisite, within)| Made {
        kind,
        before: kind.2[which.index(kind.2.len())],
        requisite,
        within,
    })
}

/// A machine, and how many trees and states it has had: each has names that nothing had before.
struct Ground {
    alone: Alone,
    booted: Booted,
    states: usize,
}

impl Ground {
    fn new() -> Self {
        let mut alone = Alone::new("id: made-up");
        alone.shell(&format!("cp -r {} {}", folder().join("twins/files").display(), alone.at("salt")));
        alone.write("salt/files/plain", "plain {{ grains.id }}\n");
        alone.write("salt/files/deep/a", "a\n");
        alone.write("salt/files/deep/sub/b", "b\n");
        alone.write("salt/files/touch.sh", "#!/bin/sh\ntouch \"$1\"\n");
        let booted = Booted::new(&alone);
        alone.wrap = booted.wrap();
        let ground = Self { alone, booted, states: 0 };
        ground.shell(PREPARE);
        ground
    }

    fn shell(&self, line: &str) -> String {
        self.booted.shell(&self.alone.at("root"), &format!("{{ {WORDS}{line}\n}} 2>&1"))
    }

    /// Whether there are packages left for as many states.
    fn has_room(&self, states: usize) -> bool {
        self.states + states <= POOL
    }

    /// Writes the SLS of a tree, and does what is to be done before.
    fn lay_out(&mut self, tree: &[Made]) -> String {
        let (mut sls, mut before) = (String::new(), String::new());
        let first = self.states;
        let mut paths: Vec<String> = Vec::new();
        for (n, one) in tree.iter().enumerate() {
            let number = format!("1{:03}", first + n);
            let earlier = one.requisite.and_then(|(kind, back)| Some((kind, n.checked_sub(back)?)));
            let root = self.alone.at("root");
            let folder = earlier.filter(|(kind, at)| {
                one.within && *kind == "require" && tree[*at].kind.1 == "name: ~, mode: '0750', user: daemon"
            });
            let path = folder.map_or(format!("{root}/m{number}"), |(_, at)| format!("{}/m{number}", paths[at]));
            let fill = |text: &str| {
                let named = text.replace("@ROOT@", &root).replace('%', &format!("m{number}"));
                named.replace('~', &path).replace('§', &number)
            };
            if folder.is_none() {
                before += &(fill(one.before) + "\n");
            }
            let own = split(&fill(one.kind.1));
            let mut arguments: Vec<String> = own.iter().map(|argument| format!("{{{argument}}}")).collect();
            arguments.extend(earlier.map(|(kind, at)| format!("{{{kind}: [s1{:03}]}}", first + at)));
            sls += &format!("s{number}: {{{}: [{}]}}\n", one.kind.0, arguments.join(", "));
            paths.push(path);
        }
        self.states += tree.len();
        self.alone.write("salt/s.sls", &sls);
        self.shell(&before);
        sls
    }

    fn apply(&self, test: bool) -> Map<String, Value> {
        let answer = self.alone.call(&["state.apply", "s", &format!("test={test}")]);
        answer.as_object().unwrap_or_else(|| panic!("{answer}\n{}", self.alone.read("salt/s.sls"))).clone()
    }

    /// Where this tree breaks the promise.
    fn faults(&mut self, tree: &[Made]) -> Vec<String> {
        let sls = self.lay_out(tree);
        let before = self.shell(LOOK);
        let plan = self.apply(true);
        let after = self.shell(LOOK);
        if let Some((was, is)) = before.lines().zip(after.lines()).find(|(was, is)| was != is) {
            return vec![format!("a dry run changed something: {was} became {is}\n{sls}")];
        }
        let done = self.apply(false);
        let second = self.apply(false);
        let line = |key: &str| sls.lines().find(|line| line.starts_with(key.split("_|-").nth(1).unwrap_or(key)));
        let shown = |key: &String, why: &str, row: &Value| {
            let of = line(key).unwrap_or_default();
            format!("{of}\n  {why}: {row}\n  done: {}", done[key])
        };
        let foretold = plan.iter().filter_map(|(key, row)| Some(shown(key, unlike(row, &done[key])?, row)));
        let again = second.iter().filter(|(_, row)| row["changes"] != json!({}));
        foretold.chain(again.map(|(key, row)| shown(key, "changes again", row))).collect()
    }
}

/// The arguments of a flow mapping without its braces.
fn split(text: &str) -> Vec<String> {
    let (mut found, mut depth) = (vec![String::new()], 0);
    for character in text.chars() {
        depth += i32::from("[{".contains(character)) - i32::from("]}".contains(character));
        match (character, depth) {
            (',', 0) => found.push(String::new()),
            _ => found.last_mut().expect("never empty").push(character),
        }
    }
    found
}

/// What the plan of a state says that is not what was done.
fn unlike(planned: &Value, done: &Value) -> Option<&'static str> {
    let changed = done["changes"] != json!({});
    match (&planned["result"], &done["result"]) {
        (Value::Null, Value::Bool(true)) if changed => None,
        (Value::Bool(true), Value::Bool(true)) if !changed => None,
        (Value::Bool(false), Value::Bool(false)) => None,
        // What an earlier state may bring is said so, and may not come.
        (Value::Null, _) if HEDGED.iter().any(|hedge| planned["comment"].to_string().contains(hedge)) => None,
        (Value::Null, _) => Some("planned to change, and did not"),
        (Value::Bool(true), _) => Some("planned to do nothing, and did not do so"),
        _ => Some("planned to fail, and did not"),
    }
}

#[test]
fn a_plan_is_what_is_done_and_a_second_run_does_nothing() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (trees, seed) = (number("TREES", 8), number("TREES_SEED", 1));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[u8::try_from(seed % 256).expect("it fits"); 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = proptest::collection::vec(made(), 4..14);
    let (mut findings, mut ground, since) = (BTreeSet::new(), Ground::new(), Instant::now());
    for _ in 0..trees {
        // A slow machine sees fewer of them, but one at least.
        if trees == 8 && since.elapsed().as_secs() > BUDGET_S {
            break;
        }
        let mut tree = strategy.new_tree(&mut runner).expect("trees can be made");
        let mut check = |tree: &[Made]| {
            if !ground.has_room(tree.len()) {
                ground = Ground::new();
            }
            ground.faults(tree)
        };
        let mut faults = check(&tree.current());
        if faults.is_empty() {
            continue;
        }
        // Smaller, as long as it stays broken.
        for _ in 0..8 {
            if !tree.simplify() {
                break;
            }
            match check(&tree.current()) {
                none if none.is_empty() => drop(tree.complicate()),
                smaller => faults = smaller,
            }
        }
        findings.insert(faults.join("\n") + "\nin\n" + &ground.alone.read("salt/s.sls"));
    }
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} trees:\n{}", findings.len(), findings.join("\n\n"));
}

/// Every state once, alone: the smallest trees there are.
#[test]
fn every_kind_of_state_converges_alone() {
    let mut ground = Ground::new();
    let mut wrong = Vec::new();
    let all: Vec<Made> = KINDS
        .iter()
        .flat_map(|kind| kind.2.iter().map(|before| Made { kind: *kind, before, requisite: None, within: false }))
        .collect();
    for tree in all.chunks(POOL) {
        if !ground.has_room(tree.len()) {
            ground = Ground::new();
        }
        wrong.extend(ground.faults(tree));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_made_up_state() {
    let here: BTreeSet<&str> = KINDS.iter().filter_map(|kind| kind.0.split('.').next()).collect();
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&str> = states::modules::all()
        .map(|(module, _)| module.name)
        .filter(|name| !here.contains(name) && !left_out.contains(name))
        .collect();
    assert!(missing.is_empty(), "no made-up state of {missing:?}");
}
