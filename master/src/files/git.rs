//! Branches and tags of git repositories as environments: Salt's `gitfs`.
//!
//! The `git` program does the work. A bare copy of each repository is kept beneath the cache, and
//! every file of every branch that is served lies beside it, named by its git object: it never
//! changes, and is served like a file of a folder.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::{
    Glob, Hash,
    manifest::{EnvName, TreePath},
};

use super::beneath::Root;
use crate::process;

/// How long `git fetch` may take.
const FETCH: Duration = Duration::from_secs(300);

/// How long somebody waits for the first fetch: less than a minion has patience.
const FIRST: Duration = Duration::from_secs(45);

/// What to serve of which repositories.
#[derive(Debug, Clone, Default)]
pub struct Remotes {
    pub remotes: Vec<Remote>,
    pub update_interval: Duration,
}

/// One repository.
#[derive(Debug, Clone)]
pub struct Remote {
    pub url: String,
    /// The branch or tag that is the environment `base`.
    pub base: String,
    /// Only this folder of it, without the folder's own name.
    pub root: Option<TreePath>,
    /// The folder of the tree that it appears in.
    pub mountpoint: Option<TreePath>,
    pub branches: bool,
    pub tags: bool,
    /// Environments that are served (all, if there are none), and those that are not.
    pub whitelist: Vec<Glob>,
    pub blacklist: Vec<Glob>,
    pub ssl_verify: bool,
}

/// One branch or tag as it was fetched last.
#[derive(Debug, Clone)]
pub struct Branch {
    pub env: EnvName,
    /// Without credentials.
    pub url: String,
    pub commit: String,
    pub(super) files: Vec<(TreePath, Object, u32)>,
    pub(super) links: Vec<(TreePath, String)>,
}

/// A git object's name: hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Object(String);

/// The repositories with what was fetched of them.
pub struct Git {
    pub remotes: Remotes,
    folder: PathBuf,
    objects: Arc<Root>,
    /// Nothing before the repositories were looked at for the first time.
    branches: Mutex<Option<Arc<Vec<Branch>>>>,
    looked: Condvar,
}

impl Git {
    /// Keeps its copies beneath `folder`, which is made.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(remotes: Remotes, folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(folder.join("objects"))?;
        let objects = Arc::new(Root::new(&folder.join("objects"), false)?);
        Ok(Self { remotes, folder, objects, branches: Mutex::default(), looked: Condvar::new() })
    }

    /// What is served now, in the order of the configuration. Blocks until there has been a first look at
    /// the repositories: a minion that starts itself would be told that there is no state for it.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let unknown = |known: &mut Option<Arc<Vec<Branch>>>| known.is_none();
        let waited = self.looked.wait_timeout_while(self.known(), FIRST, unknown);
        let known = waited.unwrap_or_else(PoisonError::into_inner).0;
        known.as_ref().map(|branches| branches.to_vec()).unwrap_or_default()
    }

    fn set(&self, branches: Vec<Branch>) {
        *self.known() = Some(Arc::new(branches));
        self.looked.notify_all();
    }

    /// What an earlier run fetched, if that is something of every repository.
    fn kept(&self) -> Option<Vec<Branch>> {
        let of = |remote: &Remote| self.read(remote).ok().filter(|branches| !branches.is_empty());
        let kept: Option<Vec<Vec<Branch>>> = self.remotes.remotes.iter().map(of).collect();
        kept.map(|kept| kept.into_iter().flatten().collect())
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<Vec<Branch>>>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn objects(&self) -> &Arc<Root> {
        &self.objects
    }

    /// Where a file's bytes lie beneath the objects' root.
    pub(super) fn object(&self, object: &Object) -> PathBuf {
        PathBuf::from(&object.0)
    }

    /// Fetches every repository. One that cannot be fetched stays as it was.
    pub fn update(&self) {
        // After a start, what was served before it is served until all is fetched.
        if self.known().is_none()
            && let Some(kept) = self.kept()
        {
            self.set(kept);
        }
        let before = self.known().clone().unwrap_or_default();
        let mut all = Vec::new();
        for remote in &self.remotes.remotes {
            match self.update_one(remote) {
                Ok(branches) => all.extend(branches),
                Err(error) => {
                    let url = remote.shown();
                    tracing::error!(%error, url, "cannot update; what was fetched before is served");
                    let known = self.read(remote).unwrap_or_default();
                    all.extend(if known.is_empty() {
                        before.iter().filter(|branch| branch.url == url).cloned().collect()
                    } else {
                        known
                    });
                }
            }
        }
        self.set(all);
    }

    fn update_one(&self, remote: &Remote) -> io::Result<Vec<Branch>> {
        let repository = self.repository(remote);
        if !repository.join("HEAD").exists() {
            fs::create_dir_all(&repository)?;
            run(git(&repository).args(["init", "--quiet", "--bare", "."]), FETCH)?;
        }
        let mut fetch = git(&repository);
        if !remote.ssl_verify {
            fetch.args(["-c", "http.sslVerify=false"]);
        }
        fetch.args([
            "-c",
            "protocol.ext.allow=never",
            "fetch",
            "--quiet",
            "--prune",
            "--force",
            "--no-write-fetch-head",
        ]);
        fetch.args(["--", &remote.url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
        run(&mut fetch, FETCH)?;
        self.read(remote)
    }

    fn repository(&self, remote: &Remote) -> PathBuf {
        self.folder.join(format!("{}.git", &Hash::of(remote.url.as_bytes()).to_string()[..24]))
    }

    /// What the copy of a repository holds.
    fn read(&self, remote: &Remote) -> io::Result<Vec<Branch>> {
        let repository = self.repository(remote);
        let format = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)";
        let refs = run(git(&repository).args(["for-each-ref", format, "refs/heads", "refs/tags"]), FETCH)?;
        let mut branches = Vec::new();
        for line in String::from_utf8_lossy(&refs).lines() {
            let Some((env, commit)) = remote.environment(line) else { continue };
            let mut branch = Branch { env, url: remote.shown(), commit, files: Vec::new(), links: Vec::new() };
            self.list(&repository, remote, &mut branch)?;
            branches.push(branch);
        }
        Ok(branches)
    }

    fn list(&self, repository: &Path, remote: &Remote, branch: &mut Branch) -> io::Result<()> {
        let listing = run(git(repository).args(["ls-tree", "-r", "-z", "--full-tree", &branch.commit]), FETCH)?;
        let mut entries = BTreeMap::new();
        for row in listing.split(|byte| *byte == 0).filter(|row| !row.is_empty()) {
            if let Some((path, mode, object)) = std::str::from_utf8(row).ok().and_then(row_of) {
                entries.insert(path.to_owned(), (mode, object));
            }
        }
        self.fetch_objects(repository, entries.values().map(|(_, object)| object))?;
        for (path, (mode, object)) in &entries {
            let Some(shown) = remote.place(path) else { continue };
            if *mode != LINK {
                branch.files.push((shown, object.clone(), *mode));
                continue;
            }
            let target = fs::read_to_string(self.objects.folder().join(&object.0)).unwrap_or_default();
            if let Some((mode, object)) = joined(path, &target).and_then(|target| entries.get(&target))
                && *mode != LINK
            {
                branch.files.push((shown.clone(), object.clone(), *mode));
            }
            branch.links.push((shown, target));
        }
        Ok(())
    }

    /// Writes the contents of objects that are not there yet.
    fn fetch_objects<'a>(&self, repository: &Path, objects: impl Iterator<Item = &'a Object>) -> io::Result<()> {
        let mut seen = HashSet::new();
        let folder = self.objects.folder();
        let missing: Vec<&Object> =
            objects.filter(|object| seen.insert(*object) && !folder.join(&object.0).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: String = missing.iter().map(|object| format!("{}\n", object.0)).collect();
        let mut command = git(repository);
        let mut child = command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("git has no pipes"));
        };
        // Both ends at once: git answers while it is asked.
        let asking = std::thread::spawn(move || stdin.write_all(names.as_bytes()));
        let mut stdout = BufReader::new(stdout);
        let written = missing.iter().try_for_each(|object| write_object(&mut stdout, folder, object));
        if written.is_err() {
            let _ = child.kill();
        }
        let _ = asking.join();
        child.wait()?;
        written
    }
}

/// A symbolic link's mode in git.
const LINK: u32 = 0o120000;

/// `MODE blob OBJECT\tPATH`; submodules and what else is no file are left out.
fn row_of(row: &str) -> Option<(&str, u32, Object)> {
    let (head, path) = row.split_once('\t')?;
    let mut words = head.split(' ');
    let (mode, kind, object) = (words.next()?, words.next()?, words.next()?);
    let mode = match mode {
        "100644" => 0o644,
        "100755" => 0o755,
        "120000" => LINK,
        _ => return None,
    };
    (kind == "blob").then_some(())?;
    Some((path, mode, Object::parse(object)?))
}

impl Object {
    fn parse(text: &str) -> Option<Self> {
        let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned()))
    }
}

/// What a relative link within a repository leads to.
fn joined(link: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!target.starts_with('/')).then(|| parts.join("/"))
}

/// The next object of `git cat-file --batch`: a line with its name, kind and size, and its bytes.
fn write_object(from: &mut impl BufRead, folder: &Path, object: &Object) -> io::Result<()> {
    let mut head = String::new();
    from.read_line(&mut head)?;
    let size = head.trim_end().strip_prefix(&format!("{} blob ", object.0)).and_then(|size| size.parse::<u64>().ok());
    let size = size.ok_or_else(|| io::Error::other(format!("git does not have the object {}", object.0)))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    if io::copy(&mut from.by_ref().take(size), &mut file)? < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    from.read_exact(&mut [0])?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
    file.persist(folder.join(&object.0))?;
    Ok(())
}

impl Remote {
    /// The address without user and password.
    fn shown(&self) -> String {
        match self.url.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
            }
            None => self.url.clone(),
        }
    }

    /// The environment that a line of `for-each-ref` stands for, and its commit.
    fn environment(&self, line: &str) -> Option<(EnvName, String)> {
        let words: Vec<&str> = line.split(' ').collect();
        let (commit, name) = match words.as_slice() {
            ["commit", commit, .., name] => (*commit, *name),
            ["tag", _, "commit", commit, name] => (*commit, *name),
            _ => return None,
        };
        let name = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/")) {
            (Some(name), _) if self.branches => name,
            (_, Some(name)) if self.tags => name,
            _ => return None,
        };
        let env = if name == self.base { "base" } else { name };
        let listed = |globs: &[Glob]| globs.iter().any(|glob| glob.is_match(env));
        let served = (self.whitelist.is_empty() || listed(&self.whitelist)) && !listed(&self.blacklist);
        // A branch that is called `base` gives way to the one that is meant by it.
        let taken = env == "base" && name != self.base;
        (served && !taken).then_some(())?;
        Some((env.parse().ok()?, commit.to_owned()))
    }

    /// Where a file of the repository stands in the tree.
    fn place(&self, path: &str) -> Option<TreePath> {
        let path = match &self.root {
            Some(root) => path.strip_prefix(root.as_str())?.strip_prefix('/')?,
            None => path,
        };
        match &self.mountpoint {
            Some(folder) => format!("{folder}/{path}").parse().ok(),
            None => path.parse().ok(),
        }
    }
}

/// The `git` program, which asks nobody for a password and hears of no other repository.
fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(repository).env("GIT_DIR", repository).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end and gives what it printed.
fn run(command: &mut Command, within: Duration) -> io::Result<Vec<u8>> {
    let ended = process::run(command, within)?;
    let errors = String::from_utf8_lossy(&ended.errors);
    match ended.status.success() {
        true => Ok(ended.output),
        false => Err(io::Error::other(errors.trim().chars().take(1_000).collect::<String>())),
    }
}
