//! The file server: what the roots hold, as a manifest that is named by its hash, and the bytes of
//! each file by the hash of its contents.
//!
//! Roots are folders of this host or branches and tags of git repositories. They are looked
//! through when a tree is asked for; a file is read only if its inode, size or times have changed
//! since it was hashed last, also across restarts. What was served lately is kept by name, so that
//! every minion of a run gets the same tree. Nothing here takes a path from a minion.

mod beneath;
mod git;
mod hashes;
mod received;
mod revision;
mod roots;
mod tree;

use std::{
    collections::{HashMap, VecDeque},
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    Hash,
    manifest::{EnvName, Environment, Manifest, Revision},
    question::{Kind, Unanswered},
};
use rustix::{buffer::spare_capacity, io::Errno};

pub use git::{Git, Remote, Remotes};
pub use received::Received;
pub use roots::{Ignore, Links};
pub use tree::PillarTree;

use beneath::Root;
use hashes::{Hashes, Identity};
use revision::Checkouts;

/// How long a look is as good as new for minions that ask, at most.
const SHARED: Duration = Duration::from_millis(500);
/// Trees that are kept by name, beside the newest.
const KEPT: usize = 32;

/// What one tree was at one moment.
pub struct Snapshot {
    pub hash: Hash,
    pub manifest: Manifest,
    /// The manifest's bytes.
    pub bytes: Bytes,
    places: HashMap<Hash, Place>,
}

impl Snapshot {
    /// The commits that it was made of.
    pub fn revisions(&self) -> Vec<(EnvName, Revision)> {
        let all = self.manifest.environments.iter();
        all.flat_map(|(env, of)| of.revisions.iter().map(|revision| (env.clone(), revision.clone()))).collect()
    }
}

/// Where a file's bytes were found, and what the file was like.
#[derive(Debug, Clone)]
struct Place {
    root: Arc<Root>,
    path: PathBuf,
    identity: Identity,
    /// For people: the file and its environment.
    name: Arc<str>,
}

/// A file that does not change any more while it is read: its bytes, or the name of the file that
/// has changed.
pub struct Open {
    file: std::fs::File,
    place: Place,
}

/// Where trees come from.
pub struct Source {
    /// Folders of each environment, the first ones first.
    pub roots: Vec<(EnvName, Vec<PathBuf>)>,
    pub ignore: Ignore,
    pub links: Links,
    /// Git repositories, and whether they come before the folders.
    pub git: Option<Arc<Git>>,
    pub git_first: bool,
}

/// One collection of trees: that of the states, or that of pillar.
pub struct Files {
    source: Source,
    hashes: Mutex<Hashes>,
    checkouts: Mutex<Checkouts>,
    kept: Mutex<Kept>,
    /// Held while the roots are looked through.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    /// The newest last.
    snapshots: VecDeque<Arc<Snapshot>>,
    /// When the look that gave the newest began, and how long it took.
    since: Option<(Instant, Duration)>,
}

impl Files {
    /// `cache` is the file that hashes are remembered in.
    pub fn new(source: Source, cache: PathBuf) -> Self {
        Self {
            source,
            hashes: Mutex::new(Hashes::load(cache)),
            checkouts: Mutex::default(),
            kept: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree as it is now. Who asks while another looks shares the next look; and a look is as
    /// good as new for a while that is short, and longer the longer looking takes, so that ten
    /// thousand minions that ask do not keep the disk busy.
    ///
    /// # Errors
    /// The roots cannot be read, or hold too much.
    pub async fn newest(self: &Arc<Self>) -> Result<Arc<Snapshot>, Unanswered> {
        self.looked_at(SHARED).await
    }

    /// The tree as it is now and not a moment ago: for an operator, who may just have saved a file.
    ///
    /// # Errors
    /// The roots cannot be read, or hold too much.
    pub async fn current(self: &Arc<Self>) -> Result<Arc<Snapshot>, Unanswered> {
        self.looked_at(Duration::ZERO).await
    }

    async fn looked_at(self: &Arc<Self>, at_most_ago: Duration) -> Result<Arc<Snapshot>, Unanswered> {
        let asked = Instant::now();
        let _looking = self.looking.lock().await;
        if let Some(fresh) = self.since(asked, at_most_ago) {
            return Ok(fresh);
        }
        let files = self.clone();
        let looked = tokio::task::spawn_blocking(move || files.look(crate::clock::now())).await;
        looked.map_err(|_| Unanswered::new(Kind::Failed, "looking through the roots failed"))?
    }

    fn since(&self, asked: Instant, at_most_ago: Duration) -> Option<Arc<Snapshot>> {
        let kept = self.kept();
        let (began, took) = kept.since?;
        let good_for = (took * 20).min(at_most_ago);
        (began + good_for >= asked).then(|| kept.snapshots.back().cloned()).flatten()
    }

    /// Looks through all roots; it is `now`, in microseconds since 1970.
    fn look(&self, now: u64) -> Result<Arc<Snapshot>, Unanswered> {
        let began = Instant::now();
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut checkouts = self.checkouts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found { manifest: Manifest::default(), places: HashMap::new() };
        hashes.begin(now);
        if self.source.git_first {
            found.git(self.source.git.as_deref(), &mut hashes);
        }
        for (name, folders) in &self.source.roots {
            for folder in folders {
                found.folder(name, folder, &self.source, &mut hashes, &mut checkouts);
            }
        }
        if !self.source.git_first {
            found.git(self.source.git.as_deref(), &mut hashes);
        }
        hashes.save();
        tracing::debug!(read = hashes.read, took = ?began.elapsed(), "looked through the roots");
        drop((hashes, checkouts));
        found.finish();
        let (bytes, hash) = found.manifest.encode().map_err(|error| {
            Unanswered::new(Kind::Failed, format!("the roots hold too many files for one tree: {error}"))
        })?;
        let snapshot = Arc::new(Snapshot { hash, manifest: found.manifest, bytes, places: found.places });
        self.keep(snapshot.clone(), began);
        Ok(snapshot)
    }

    /// The same tree again replaces the earlier one: its places are the newer ones.
    fn keep(&self, snapshot: Arc<Snapshot>, began: Instant) {
        let mut kept = self.kept();
        kept.snapshots.retain(|known| known.hash != snapshot.hash);
        kept.snapshots.push_back(snapshot);
        while kept.snapshots.len() > KEPT {
            kept.snapshots.pop_front();
        }
        kept.since = Some((began, began.elapsed()));
    }

    /// A tree that was served lately.
    pub fn tree(&self, hash: &Hash) -> Option<Arc<Snapshot>> {
        self.kept().snapshots.iter().rev().find(|snapshot| snapshot.hash == *hash).cloned()
    }

    /// Opens the file with these contents. Blocks on the disk.
    ///
    /// # Errors
    /// No tree that is kept has such a file, or the file has changed.
    pub fn open(&self, hash: &Hash) -> Result<Open, Unanswered> {
        let place = self.kept().snapshots.iter().rev().find_map(|snapshot| snapshot.places.get(hash).cloned());
        match place {
            Some(place) => place.open(),
            None => Err(Unanswered::new(Kind::NotFound, format!("no tree here has a file with the hash {hash}"))),
        }
    }
}

impl Place {
    fn open(self) -> Result<Open, Unanswered> {
        let file = self.root.open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.changed(),
            _ => Unanswered::new(Kind::Failed, format!("{} cannot be read: {error}", self.name)),
        })?;
        let open = Open { file, place: self };
        open.check()?;
        Ok(open)
    }

    fn changed(&self) -> Unanswered {
        Unanswered::new(
            Kind::Changed,
            format!(
                "{} has changed since this tree was made; run it again (a tree in git keeps every revision)",
                self.name
            ),
        )
    }
}

impl Open {
    /// Up to `length` bytes from `offset` on; fewer only at the end. Blocks on the disk.
    ///
    /// # Errors
    /// The file has changed, or the disk fails.
    pub fn read(&self, offset: u64, length: usize) -> Result<Bytes, Unanswered> {
        let left = self.place.identity.size.saturating_sub(offset);
        let wanted = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = Vec::with_capacity(wanted);
        while bytes.len() < wanted {
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(self.place.changed()),
                Err(Errno::INTR) | Ok(_) => {}
                Err(error) => {
                    let why = format!("{} cannot be read: {}", self.place.name, io::Error::from(error));
                    return Err(Unanswered::new(Kind::Failed, why));
                }
            }
        }
        bytes.truncate(wanted);
        self.check()?;
        Ok(bytes.into())
    }

    /// Whether it is what was hashed.
    fn check(&self) -> Result<(), Unanswered> {
        let same = self.file.metadata().is_ok_and(|meta| Identity::of(&meta) == self.place.identity);
        if same { Ok(()) } else { Err(self.place.changed()) }
    }
}

/// A tree in the making.
struct Found {
    manifest: Manifest,
    places: HashMap<Hash, Place>,
}

impl Found {
    fn environment(&mut self, name: &EnvName) -> &mut Environment {
        self.manifest.environments.entry(name.clone()).or_default()
    }

    fn folder(
        &mut self,
        env: &EnvName,
        folder: &Path,
        source: &Source,
        hashes: &mut Hashes,
        checkouts: &mut Checkouts,
    ) {
        self.environment(env);
        let Some(listing) = roots::list(folder, &source.ignore, source.links) else { return };
        let checkout = revision::of(folder);
        // What is served of this folder, as far as its commit could tell of it.
        let mut served = String::new();
        for (path, full) in listing.files {
            if self.environment(env).files.contains_key(path.as_str()) {
                continue;
            }
            let name: Arc<str> = format!("{path} of the environment {env}").into();
            match hashes.file(&listing.root, &full) {
                Ok((entry, identity)) => {
                    if checkout.is_some() {
                        served += &format!("{path}\0{}{:o}\n", entry.hash, entry.mode);
                    }
                    self.environment(env).files.insert(path, entry);
                    self.places.entry(entry.hash).or_insert(Place {
                        root: listing.root.clone(),
                        path: full,
                        identity,
                        name,
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, file = %full.display(), folder = %folder.display(), "left out of the tree")
                }
            }
        }
        let environment = self.environment(env);
        for (path, target) in listing.links {
            served += &format!("{path}\0{target}\n");
            environment.links.entry(path).or_insert(target);
        }
        environment.empty_dirs.extend(listing.empty_dirs);
        if let Some(checkout) = checkout {
            let is_served = |path: &str| environment.files.contains_key(path) || environment.links.contains_key(path);
            let dirty = checkouts.dirty(folder, &checkout, Hash::of(served.as_bytes()), is_served);
            let root = folder.display().to_string();
            environment.revisions.push(Revision { root, commit: checkout.commit, dirty });
        }
    }

    fn git(&mut self, git: Option<&Git>, hashes: &mut Hashes) {
        let Some(git) = git else { return };
        for branch in git.branches() {
            let environment = self.environment(&branch.env);
            let (root, commit) = (branch.url.clone(), branch.commit.clone());
            // Nothing comes between a repository's commit and what is served of it.
            environment.revisions.push(Revision { root, commit, dirty: Some(false) });
            for (path, object, mode) in &branch.files {
                let environment = self.environment(&branch.env);
                if environment.files.contains_key(path.as_str()) {
                    continue;
                }
                let full = git.object(object);
                match hashes.file(git.objects(), &full) {
                    Ok((entry, identity)) => {
                        let entry = proto::manifest::FileEntry { mode: *mode, ..entry };
                        environment.files.insert(path.clone(), entry);
                        let name: Arc<str> = format!("{path} of the environment {}", branch.env).into();
                        let place = Place { root: git.objects().clone(), path: full, identity, name };
                        self.places.entry(entry.hash).or_insert(place);
                    }
                    Err(error) => tracing::warn!(%error, %path, url = branch.url, "left out of the tree"),
                }
            }
            for (path, target) in &branch.links {
                self.environment(&branch.env).links.entry(path.clone()).or_insert_with(|| target.clone());
            }
        }
    }

    /// A folder is empty only if no other root has something in it.
    fn finish(&mut self) {
        for environment in self.manifest.environments.values_mut() {
            let files = &environment.files;
            environment.empty_dirs.retain(|folder| {
                let within = format!("{folder}/");
                files
                    .range::<str, _>((Bound::Included(within.as_str()), Bound::Unbounded))
                    .next()
                    .is_none_or(|(path, _)| !path.as_str().starts_with(&within))
            });
        }
    }
}

#[cfg(test)]
mod tests;
