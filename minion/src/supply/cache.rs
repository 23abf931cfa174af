//! Files from the master, kept by the hash of their contents.
//!
//! `blobs/ab/HASH` are whole files, `parts/HASH` those that are under way, `trees/HASH` manifests.
//! A file gets its name only once its contents are checked. Nothing here is precious: what is
//! missing or damaged is fetched again, so nothing is synced to the disk.

use std::{
    collections::HashMap,
    fs::{self, File, FileTimes, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use proto::{Hash, manifest::Manifest};

use crate::pki::private_folder;

/// Manifests that are kept.
const TREES: usize = 8;

/// A cache beneath one folder.
pub struct Cache {
    root: PathBuf,
    /// How many bytes of files may be kept.
    limit: u64,
    /// Bytes of files that are kept, once they were counted.
    used: Mutex<Option<u64>>,
    /// Whose contents this process has checked, and how the files looked then.
    checked: Mutex<HashMap<Hash, Looks>>,
}

/// What changes with a file's contents: when it was last written, and its size. Who was given a file of the
/// cache by its name may have written to it.
type Looks = (SystemTime, u64);

fn looks(file: &File) -> io::Result<Looks> {
    let meta = file.metadata()?;
    Ok((meta.modified()?, meta.len()))
}

/// What is used last is evicted last.
fn used_now(file: &File) -> io::Result<()> {
    file.set_times(FileTimes::new().set_accessed(SystemTime::now()))
}

impl Cache {
    /// Nothing is touched before something is kept.
    pub fn new(root: PathBuf, limit: u64) -> Self {
        Self { root, limit, used: Mutex::default(), checked: Mutex::default() }
    }

    fn file(&self, hash: &Hash) -> PathBuf {
        let name = hash.to_string();
        self.root.join("blobs").join(&name[..2]).join(name)
    }

    fn tree(&self, hash: &Hash) -> PathBuf {
        self.root.join("trees").join(hash.to_string())
    }

    /// Where the file with these contents lies, if it is here and undamaged.
    pub fn find(&self, hash: &Hash) -> Option<PathBuf> {
        let path = self.file(hash);
        let mut file = File::open(&path).ok()?;
        let looks = looks(&file).ok()?;
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.get(hash) != Some(&looks) {
            if hash_of(&mut file).ok()? != *hash {
                tracing::warn!(file = %path.display(), "a cached file is damaged, and is fetched again");
                let _ = fs::remove_file(&path);
                return None;
            }
            checked.insert(*hash, looks);
        }
        used_now(&file).ok()?;
        Some(path)
    }

    /// A manifest that was kept.
    pub fn manifest(&self, tree: &Hash) -> Option<Manifest> {
        let path = self.tree(tree);
        let bytes = fs::read(&path).ok()?;
        let manifest = Manifest::decode(&bytes, Some(tree)).ok()?;
        let _ = File::open(&path).and_then(|file| used_now(&file));
        Some(manifest)
    }

    pub fn keep_manifest(&self, bytes: &[u8]) -> io::Result<Hash> {
        let (hash, folder) = (Hash::of(bytes), self.root.join("trees"));
        if self.manifest(&hash).is_some() {
            return Ok(hash);
        }
        private_folder(&folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&folder)?;
        file.write_all(bytes)?;
        file.persist(self.tree(&hash)).map_err(|error| error.error)?;
        let mut all = listed(&folder)?;
        all.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        all.iter().skip(TREES).for_each(|old| drop(fs::remove_file(&old.path)));
        Ok(hash)
    }

    /// Goes on with a file that is not whole yet.
    pub fn part(&self, hash: Hash) -> io::Result<Part> {
        let folder = self.root.join("parts");
        private_folder(&folder)?;
        let path = folder.join(hash.to_string());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let mut hasher = blake3::Hasher::new();
        let length = io::copy(&mut file, &mut hasher)?;
        Ok(Part { hash, path, file, hasher, length })
    }

    /// Takes in a file that has come whole. A file with other contents than its name is thrown away.
    pub fn keep(&self, part: Part) -> io::Result<bool> {
        if Hash::from_bytes(*part.hasher.finalize().as_bytes()) != part.hash {
            part.discard();
            return Ok(false);
        }
        let path = self.file(&part.hash);
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        self.make_room(part.length)?;
        fs::rename(&part.path, &path)?;
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(part.hash, looks(&part.file)?);
        Ok(true)
    }

    /// Removes the files that were used longest ago until so many more bytes fit. A file larger
    /// than all that may be kept still is, alone.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match *used {
            Some(used) => used,
            None => self.files()?.iter().map(|entry| entry.size).sum(),
        };
        *used = Some(now + bytes);
        if now + bytes <= self.limit {
            return Ok(());
        }
        let mut files = self.files()?;
        files.sort_by_key(|entry| entry.used);
        let mut left: u64 = files.iter().map(|entry| entry.size).sum();
        for entry in files {
            // A tenth more than is needed, so that not every file begins this anew.
            if left + bytes <= self.limit - self.limit / 10 {
                break;
            }
            fs::remove_file(&entry.path)?;
            left -= entry.size;
        }
        *used = Some(left + bytes);
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<Entry>> {
        let folders = fs::read_dir(self.root.join("blobs"))?.collect::<io::Result<Vec<_>>>()?;
        let lists = folders.iter().map(|folder| listed(&folder.path()));
        Ok(lists.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn listed(folder: &Path) -> io::Result<Vec<Entry>> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let meta = entry.metadata()?;
        Ok(Entry { path: entry.path(), size: meta.len(), used: meta.accessed()? })
    };
    fs::read_dir(folder)?.map(entry).collect()
}

fn hash_of(file: &mut File) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(file, &mut hasher)?;
    Ok(Hash::from_bytes(*hasher.finalize().as_bytes()))
}

/// A file on its way into the cache.
pub struct Part {
    hash: Hash,
    path: PathBuf,
    file: File,
    hasher: blake3::Hasher,
    /// How much of it is here.
    pub length: u64,
}

impl Part {
    /// The next bytes. After an error the part is thrown away, so that a full disk has room again.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins again from nothing.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher.reset();
        self.length = 0;
        Ok(())
    }

    fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(cache: &Cache, bytes: &[u8]) -> Hash {
        let hash = Hash::of(bytes);
        let mut part = cache.part(hash).unwrap();
        part.append(bytes).unwrap();
        assert!(cache.keep(part).unwrap());
        hash
    }

    #[test]
    fn a_part_is_taken_up_again_and_checked() {
        let root = tempfile::tempdir().unwrap();
        let hash = Hash::of(b"whole");
        Cache::new(root.path().into(), 100).part(hash).unwrap().append(b"who").unwrap();
        let cache = Cache::new(root.path().into(), 100);
        assert_eq!(cache.find(&hash), None);
        let mut part = cache.part(hash).unwrap();
        assert_eq!(part.length, 3);
        part.append(b"le").unwrap();
        assert!(cache.keep(part).unwrap());
        assert_eq!(fs::read(cache.find(&hash).unwrap()).unwrap(), b"whole");
        let mut wrong = cache.part(Hash::of(b"x")).unwrap();
        wrong.append(b"y").unwrap();
        assert!(!cache.keep(wrong).unwrap());
        assert_eq!(cache.part(Hash::of(b"x")).unwrap().length, 0, "it was thrown away");
    }

    #[test]
    fn a_full_disk_is_an_error_and_leaves_room() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().into(), 100);
        let part = cache.part(Hash::of(b"x")).unwrap();
        let path = part.path.clone();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut part = Part { file: full, ..part };
        assert_eq!(part.append(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_file_is_not_given() {
        let root = tempfile::tempdir().unwrap();
        let hash = put(&Cache::new(root.path().into(), 100), b"sound");
        let cache = Cache::new(root.path().into(), 100);
        fs::write(cache.file(&hash), b"rot").unwrap();
        assert_eq!(cache.find(&hash), None);
        assert!(!cache.file(&hash).exists());
        let hash = put(&cache, b"sound");
        assert!(cache.find(&hash).is_some());
        fs::write(cache.file(&hash), b"worse").unwrap();
        assert_eq!(cache.find(&hash), None, "it was checked, and written to since");
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().into(), 100);
        let [first, second, third] = [1, 2, 3].map(|n| put(&cache, &[n; 40]));
        let old = SystemTime::now() - std::time::Duration::from_secs(60);
        let _ = (first, third);
        for hash in [first, second].iter().filter(|hash| cache.file(hash).exists()) {
            let times = FileTimes::new().set_accessed(old);
            File::open(cache.file(hash)).unwrap().set_times(times).unwrap();
        }
        let fourth = put(&cache, &[4; 40]);
        assert!(cache.find(&fourth).is_some() && cache.find(&first).is_none());
        let left: u64 = cache.files().unwrap().iter().map(|entry| entry.size).sum();
        assert!(left <= 100, "{left}");
    }

    #[test]
    fn only_the_latest_manifests_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().into(), 100);
        let manifest = |n: usize| {
            let env = proto::manifest::Environment::default();
            Manifest { environments: [(format!("e{n}").parse().unwrap(), env)].into() }
        };
        let hashes: Vec<_> =
            (0..TREES + 3).map(|n| cache.keep_manifest(&manifest(n).encode().unwrap().0).unwrap()).collect();
        let there = hashes.iter().filter(|hash| cache.manifest(hash).is_some()).count();
        assert_eq!(there, TREES);
        assert_eq!(cache.manifest(&hashes[TREES + 2]), Some(manifest(TREES + 2)));
    }
}
