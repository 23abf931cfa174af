//! Trees of folders and of git repositories, and what must not get into them.

use std::{fs, os::unix::fs::symlink, process::Command};

use proto::Glob;
use states::Tree;
use tempfile::TempDir;

use super::*;
use crate::clock;

/// Roots in a folder of the test's own: `a`, then `b`, both of `base`.
struct Roots {
    folder: TempDir,
    links: Links,
}

impl Roots {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, links: Links::Within }
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.folder.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    fn files(&self) -> Files {
        let folders = ["a", "b"].map(|name| self.folder.path().join(name)).to_vec();
        let regexes = vec![fancy_regex::Regex::new(r"/\.git($|/)").unwrap()];
        let ignore = Ignore { regexes, globs: vec![Glob::new("*.bak")] };
        let roots = vec![("base".parse().unwrap(), folders)];
        let source = Source { roots, ignore, links: self.links, git: None, git_first: false };
        Files::new(source, self.folder.path().join("cache/hashes"))
    }
}

/// Long enough after everything was written that its times can be trusted.
fn later() -> u64 {
    clock::now() + 10_000_000
}

fn look(files: &Files) -> Arc<Snapshot> {
    files.look(later()).unwrap()
}

fn base(snapshot: &Snapshot) -> &Environment {
    &snapshot.manifest.environments["base"]
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    base(snapshot).files.keys().map(|path| path.as_str()).collect()
}

fn bytes(files: &Files, snapshot: &Snapshot, path: &str) -> Result<Bytes, Unanswered> {
    files.open(&base(snapshot).files[path].hash)?.read(0, 1000)
}

#[test]
fn the_first_root_wins_and_what_is_ignored_is_not_there() {
    let roots = Roots::new();
    roots.write("a/top.sls", "first");
    roots.write("b/top.sls", "second");
    roots.write("b/web/init.sls", "web");
    roots.write("a/.git/config", "url = https://user:password@host");
    roots.write("a/web/old.bak", "old");
    fs::create_dir_all(roots.folder.path().join("a/empty/within")).unwrap();
    fs::create_dir_all(roots.folder.path().join("a/web/full")).unwrap();
    roots.write("b/web/full/x", "x");
    let files = roots.files();
    let snapshot = look(&files);
    assert_eq!(names(&snapshot), ["top.sls", "web/full/x", "web/init.sls"]);
    assert_eq!(bytes(&files, &snapshot, "top.sls").unwrap(), "first");
    let empty: Vec<&str> = base(&snapshot).empty_dirs.iter().map(|path| path.as_str()).collect();
    assert_eq!(empty, ["empty/within"]);
    assert_eq!(look(&files).hash, snapshot.hash, "the same roots are the same tree");
    assert_eq!(Manifest::decode(&snapshot.bytes, Some(&snapshot.hash)).unwrap(), snapshot.manifest);
}

#[test]
fn a_link_leads_to_what_is_in_its_root_and_nowhere_else() {
    let mut roots = Roots::new();
    roots.write("secret", "outside");
    roots.write("a/real/file", "inside");
    let at = |name: &str| roots.folder.path().join("a").join(name);
    symlink("real/file", at("file")).unwrap();
    symlink("real", at("folder")).unwrap();
    symlink("../secret", at("out")).unwrap();
    symlink("/etc", at("absolute")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("..", at("real/up")).unwrap();
    let files = roots.files();
    let snapshot = look(&files);
    assert_eq!(names(&snapshot), ["file", "folder/file", "real/file"]);
    assert_eq!(bytes(&files, &snapshot, "folder/file").unwrap(), "inside");
    assert_eq!(base(&snapshot).links["out"], "../secret", "that there is a link can be known");
    roots.links = Links::Ignored;
    assert_eq!(names(&look(&roots.files())), ["real/file"]);
    roots.links = Links::Anywhere;
    assert!(names(&look(&roots.files())).contains(&"out"), "only where the configuration says so");
}

#[test]
fn a_file_that_turns_into_a_link_out_of_its_root_is_not_followed() {
    let roots = Roots::new();
    roots.write("secret", "outside");
    roots.write("a/x", "inside!");
    let files = roots.files();
    let snapshot = look(&files);
    fs::remove_file(roots.folder.path().join("a/x")).unwrap();
    symlink("../secret", roots.folder.path().join("a/x")).unwrap();
    let error = bytes(&files, &snapshot, "x").unwrap_err();
    assert!(error.message.contains("x of the environment base"), "{error}");
}

#[test]
fn what_is_no_file_holds_nobody_up() {
    let roots = Roots::new();
    roots.write("a/x", "x");
    nix::unistd::mkfifo(&roots.folder.path().join("a/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    symlink("fifo", roots.folder.path().join("a/link")).unwrap();
    assert_eq!(names(&look(&roots.files())), ["x"]);
}

#[test]
fn a_file_that_has_changed_fails_by_name_and_an_earlier_tree_is_kept() {
    let roots = Roots::new();
    roots.write("a/one", "one");
    roots.write("a/two", "two");
    let files = roots.files();
    let before = look(&files);
    roots.write("a/one", "another");
    let after = look(&files);
    assert_ne!(before.hash, after.hash);
    assert_eq!(files.tree(&before.hash).unwrap().hash, before.hash);
    let error = bytes(&files, &before, "one").unwrap_err();
    assert_eq!(error.kind, Kind::Changed);
    assert!(error.message.contains("one of the environment base"), "{error}");
    assert_eq!(bytes(&files, &before, "two").unwrap(), "two", "what has not changed is still served");
    assert_eq!(bytes(&files, &after, "one").unwrap(), "another");
    assert_eq!(files.open(&Hash::of(b"never seen")).map(|_| ()).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn trees_are_kept_up_to_a_number() {
    let roots = Roots::new();
    let files = roots.files();
    let mut all = Vec::new();
    for n in 0..KEPT + 3 {
        roots.write("a/x", &n.to_string());
        all.push(look(&files).hash);
    }
    assert!(files.tree(&all[0]).is_none() && files.tree(&all[3]).is_some());
}

#[test]
fn a_second_look_reads_no_file_again_also_after_a_restart() {
    let roots = Roots::new();
    roots.write("a/x", "x");
    roots.write("b/y", "y");
    let read = |files: &Files| files.hashes.lock().unwrap().read;
    let files = roots.files();
    look(&files);
    assert_eq!(read(&files), 2);
    look(&files);
    assert_eq!(read(&files), 0);
    let restarted = roots.files();
    look(&restarted);
    assert_eq!(read(&restarted), 0);
    roots.write("a/x", "X");
    look(&restarted);
    assert_eq!(read(&restarted), 1);
    fs::write(roots.folder.path().join("cache/hashes"), "garbage").unwrap();
    let broken = roots.files();
    look(&broken);
    assert_eq!(read(&broken), 2, "a cache that cannot be read costs time and nothing else");
}

#[test]
fn a_file_written_just_now_is_looked_at_again() {
    let roots = Roots::new();
    roots.write("a/x", "x");
    let files = roots.files();
    files.look(clock::now()).unwrap();
    look(&files);
    assert_eq!(files.hashes.lock().unwrap().read, 1, "its times could stay the same");
}

#[test]
fn a_range_of_a_file_is_read_and_no_more_than_there_is() {
    let roots = Roots::new();
    roots.write("a/x", "0123456789");
    let files = roots.files();
    let snapshot = look(&files);
    let open = files.open(&base(&snapshot).files["x"].hash).unwrap();
    assert_eq!(open.read(2, 3).unwrap(), "234");
    assert_eq!(open.read(8, 100).unwrap(), "89");
    assert_eq!(open.read(u64::MAX, usize::MAX).unwrap(), "");
}

#[test]
fn pillar_is_read_from_a_snapshot() {
    let roots = Roots::new();
    roots.write("a/top.sls", "base: {}");
    roots.write("a/db.sls", "password: x");
    let tree = PillarTree::new(look(&roots.files()));
    assert_eq!(*tree.files("base"), ["db.sls", "top.sls"]);
    assert_eq!(tree.read("base", "db.sls").unwrap().unwrap(), b"password: x");
    assert!(tree.has("base", "db.sls") && !tree.has("dev", "db.sls"));
    assert_eq!(tree.read("base", "../a/db.sls").unwrap(), None);
    roots.write("a/top.sls", "changed");
    let error = tree.read("base", "top.sls").unwrap_err();
    assert!(error.to_string().contains("top.sls of the environment base"), "{error}");
    assert!(tree.read("base", "db.sls").unwrap().is_some(), "what was read is kept");
}

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
    ]);
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a branch for `base`, one for `dev` and a tag.
fn repository(folder: &Path) {
    let write = |path: &str, text: &str| {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), text).unwrap();
    };
    git(folder, &["init", "-q", "-b", "main"]);
    write("salt/top.sls", "main");
    write("salt/run.sh", "#!/bin/sh");
    git(folder, &["add", "."]);
    git(folder, &["update-index", "--chmod=+x", "salt/run.sh"]);
    symlink("top.sls", folder.join("salt/link.sls")).unwrap();
    symlink("../../../etc/passwd", folder.join("salt/out")).unwrap();
    write("README", "not served");
    git(folder, &["add", "--", "salt/link.sls", "salt/out", "README"]);
    git(folder, &["commit", "-qm", "one"]);
    git(folder, &["tag", "-a", "v1", "-m", "v1"]);
    git(folder, &["checkout", "-qb", "dev"]);
    write("salt/top.sls", "dev");
    git(folder, &["commit", "-qam", "two"]);
}

fn remote(url: &str) -> Remote {
    Remote {
        url: url.to_owned(),
        base: "main".into(),
        root: Some("salt".parse().unwrap()),
        mountpoint: None,
        branches: true,
        tags: true,
        whitelist: Vec::new(),
        blacklist: Vec::new(),
        ssl_verify: true,
    }
}

fn git_files(folder: &Path, remote: Remote) -> (Arc<Git>, Files) {
    let remotes = Remotes { remotes: vec![remote], update_interval: Duration::from_secs(60) };
    let git = Arc::new(Git::new(remotes, folder.join("gitfs")).unwrap());
    let source = Source {
        roots: Vec::new(),
        ignore: Ignore::default(),
        links: Links::Within,
        git: Some(git.clone()),
        git_first: true,
    };
    (git, Files::new(source, folder.join("hashes")))
}

#[test]
fn branches_and_tags_are_environments_and_name_their_commit() {
    let (origin, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    repository(origin.path());
    let (repositories, files) = git_files(own.path(), remote(origin.path().to_str().unwrap()));
    repositories.update();
    let snapshot = look(&files);
    let environments: Vec<&str> = snapshot.manifest.environments.keys().map(|name| name.as_str()).collect();
    assert_eq!(environments, ["base", "dev", "v1"]);
    assert_eq!(names(&snapshot), ["link.sls", "run.sh", "top.sls"]);
    assert_eq!(base(&snapshot).files["run.sh"].mode, 0o755);
    assert_eq!(bytes(&files, &snapshot, "link.sls").unwrap(), "main");
    assert_eq!(base(&snapshot).links["out"], "../../../etc/passwd");
    assert_eq!(base(&snapshot).revisions[0].commit, git(origin.path(), &["rev-parse", "main"]));
    let dev = &snapshot.manifest.environments["dev"];
    assert_eq!(files.open(&dev.files["top.sls"].hash).unwrap().read(0, 10).unwrap(), "dev");
    assert_eq!(snapshot.manifest.environments["v1"].revisions[0].commit, git(origin.path(), &["rev-parse", "main"]));

    // What is served stays as it was until the next look at the repository, and also after it.
    fs::write(origin.path().join("salt/top.sls"), "dev 2").unwrap();
    git(origin.path(), &["commit", "-qam", "three"]);
    assert_eq!(look(&files).hash, snapshot.hash);
    repositories.update();
    let after = look(&files);
    assert_ne!(after.hash, snapshot.hash);
    assert_eq!(files.open(&dev.files["top.sls"].hash).unwrap().read(0, 10).unwrap(), "dev");

    // A repository that cannot be reached is served as it was.
    fs::remove_dir_all(origin.path().join(".git")).unwrap();
    repositories.update();
    assert_eq!(look(&files).hash, after.hash);
}

#[test]
fn who_asks_before_the_first_look_at_a_repository_waits_for_it() {
    let (origin, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    repository(origin.path());
    let (repositories, files) = git_files(own.path(), remote(origin.path().to_str().unwrap()));
    let first = std::thread::scope(|scope| {
        let asking = scope.spawn(|| look(&files));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!asking.is_finished());
        repositories.update();
        asking.join().unwrap()
    });
    assert_eq!(names(&first), ["link.sls", "run.sh", "top.sls"]);

    // After a restart, what was fetched before it is served, also when the repository cannot be reached.
    fs::remove_dir_all(origin.path().join(".git")).unwrap();
    let (repositories, files) = git_files(own.path(), remote(origin.path().to_str().unwrap()));
    repositories.update();
    assert_eq!(look(&files).hash, first.hash);
}

#[test]
fn a_repository_may_give_a_part_to_a_part() {
    let (origin, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    repository(origin.path());
    let remote = Remote {
        mountpoint: Some("formulas/web".parse().unwrap()),
        tags: false,
        blacklist: vec![Glob::new("d*")],
        ..remote(origin.path().to_str().unwrap())
    };
    let (repositories, files) = git_files(own.path(), remote);
    repositories.update();
    let snapshot = look(&files);
    assert_eq!(snapshot.manifest.environments.len(), 1);
    assert!(names(&snapshot).contains(&"formulas/web/top.sls"));
}

#[test]
fn a_root_in_a_checkout_names_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path());
    let head = git(folder.path(), &["rev-parse", "HEAD"]);
    let commit = |folder: &Path| revision::of(folder).map(|checkout| checkout.commit);
    assert_eq!(commit(&folder.path().join("salt")), Some(head.clone()));
    git(folder.path(), &["pack-refs", "--all"]);
    assert_eq!(commit(folder.path()), Some(head.clone()));
    git(folder.path(), &["checkout", "-q", "--detach"]);
    assert_eq!(commit(folder.path()), Some(head));
    git(folder.path(), &["worktree", "add", "-q", "tree", "main"]);
    assert_eq!(commit(&folder.path().join("tree")), Some(git(folder.path(), &["rev-parse", "main"])));
    assert_eq!(commit(tempfile::tempdir().unwrap().path()), None);
}

#[test]
fn a_root_says_whether_it_is_as_its_commit_is() {
    let roots = Roots::new();
    let folder = roots.folder.path().join("a");
    repository(&folder);
    git(&folder, &["checkout", "-q", "."]);
    let files = roots.files();
    let dirty = || base(&look(&files)).revisions[0].dirty;
    assert_eq!(dirty(), Some(false));
    let clean = look(&files).hash;
    roots.write("a/salt/top.sls", "changed");
    assert_eq!(dirty(), Some(true));
    assert_ne!(look(&files).hash, clean, "another tree");
    git(&folder, &["checkout", "-q", "."]);
    assert_eq!(dirty(), Some(false));
    // What is not in the commit counts where it is served, though git be told to ignore it.
    roots.write("a/notes.bak", "x");
    assert_eq!(dirty(), Some(false));
    roots.write("a/.git/info/exclude", "*.secret");
    roots.write("a/salt/x.secret", "x");
    assert_eq!(dirty(), Some(true));
    fs::remove_file(folder.join("salt").join("x.secret")).unwrap();
    assert_eq!(dirty(), Some(false));
    fs::remove_file(folder.join("salt/top.sls")).unwrap();
    assert_eq!(dirty(), Some(true));
    git(&folder, &["commit", "-qam", "without"]);
    assert_eq!(dirty(), Some(false));
}
