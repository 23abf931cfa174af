//! Archives: what is in them, and unpacking them so that nothing leaves the folder it is to be in.
//!
//! `tar` and `unzip` do the work. What is in an archive is looked at first, and one with a member
//! that would be written, or would point, outside its folder is refused as a whole.

use std::path::{Component, Path};

use super::command::{ask, complaint, program, text};
use crate::{Host, Look, plan::StateError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Tar,
    Zip,
}

impl Format {
    /// By the end of a file's name, as Salt guesses.
    pub fn guess(name: &str) -> Option<Self> {
        const TAR: [&str; 11] = [
            ".tar",
            ".tar.gz",
            ".tgz",
            ".tar.bz2",
            ".tbz2",
            ".tbz",
            ".tar.xz",
            ".txz",
            ".tar.lzma",
            ".tlz",
            ".tar.zst",
        ];
        let name = name.to_lowercase();
        match name.ends_with(".zip") {
            true => Some(Self::Zip),
            false => TAR.iter().any(|end| name.ends_with(end)).then_some(Self::Tar),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    HardLink,
}

/// A member of an archive. Folders end with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub path: String,
    pub kind: Kind,
    /// What a link points to.
    pub target: Option<String>,
    /// Whether a password is needed.
    pub encrypted: bool,
}

/// An archive on this host.
#[derive(Debug, Clone)]
pub struct Archive {
    pub path: String,
    pub format: Format,
    /// A program that decompresses what `tar` does not know.
    pub decompress: Option<String>,
    pub password: Option<String>,
}

impl Archive {
    fn tar<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let mut argv = vec!["tar"];
        if let Some(program) = &self.decompress {
            argv.extend(["-I", program]);
        }
        argv.extend(words);
        argv.extend(["-f", &self.path]);
        argv
    }

    /// Every member, in the archive's order.
    pub fn list(&self, look: &dyn Look) -> Result<Vec<Member>, StateError> {
        let members = match self.format {
            Format::Tar => {
                let names = self.said(look, &self.tar(&["-t"]))?;
                let long = self.said(look, &self.tar(&["--numeric-owner", "-tv"]))?;
                tar_members(&names, &long)
            }
            Format::Zip => zip_members(&self.said(look, &["unzip", "-Z", "-T", "-s", &self.path])?),
        };
        let Some(mut members) = members else {
            return Err(StateError::failed(format!("Unable to read the list of what is in {}", self.path)));
        };
        for member in members.iter_mut().filter(|member| self.format == Format::Zip && member.kind == Kind::Link) {
            member.target = Some(self.said(look, &["unzip", "-p", &self.path, &literal(&member.path)])?);
        }
        Ok(members)
    }

    fn said(&self, look: &dyn Look, argv: &[&str]) -> Result<String, StateError> {
        let mut output = ask(look, argv)?;
        // GNU tar takes names as they are only if told so, those of links too, which may point outside;
        // others know no such option.
        if output.code == 0 && argv.first() == Some(&"tar") {
            let literal: Vec<&str> = [argv, &["--quoting-style=literal", "-P"]].concat();
            output = ask(look, &literal).ok().filter(|better| better.code == 0).unwrap_or(output);
        }
        match (output.code, output.truncated) {
            (0, false) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            (0, true) => Err(StateError::failed(format!("{} has too many members", self.path))),
            _ => Err(StateError::failed(format!("Failed to list contents of {}: {}", self.path, complaint(&output)))),
        }
    }

    /// Unpacks into a folder. `options` are more words for `tar` or `unzip`.
    pub fn extract(&self, host: &dyn Host, into: &Path, options: &[String]) -> Result<String, StateError> {
        let folder = into.to_string_lossy();
        let mut argv: Vec<&str> = match self.format {
            Format::Tar => self.tar(&["-xv", "-C", &folder]),
            Format::Zip => {
                let mut argv = vec!["unzip", "-o"];
                if let Some(password) = &self.password {
                    argv.extend(["-P", password]);
                }
                argv
            }
        };
        argv.extend(options.iter().map(String::as_str));
        if self.format == Format::Zip {
            argv.extend([self.path.as_str(), "-d", &folder]);
        }
        let output = host.run(&program(&argv)).map_err(|why| StateError::failed(format!("{}: {why}", argv[0])))?;
        match output.code {
            0 => Ok(text(&output.stdout)),
            _ => Err(StateError::failed(complaint(&output))),
        }
    }
}

/// `unzip` takes a member's name for a pattern.
fn literal(name: &str) -> String {
    name.chars().flat_map(|c| "[]*?\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// `drwxr-xr-x 0/0 0 2024-01-01 00:00 name`, beside the names alone.
fn tar_members(names: &str, long: &str) -> Option<Vec<Member>> {
    let (names, long): (Vec<&str>, Vec<&str>) = (names.lines().collect(), long.lines().collect());
    if names.len() != long.len() {
        return None;
    }
    names.into_iter().zip(long).map(|(name, line)| tar_member(name, line)).collect()
}

fn tar_member(name: &str, line: &str) -> Option<Member> {
    let kind = match line.chars().next()? {
        'd' => Kind::Folder,
        'l' => Kind::Link,
        'h' => Kind::HardLink,
        _ => Kind::File,
    };
    let after = || line.split_once(&format!(" {name}")).map(|(_, rest)| rest);
    let target = match kind {
        Kind::Link => Some(after()?.strip_prefix(" -> ")?.to_owned()),
        Kind::HardLink => Some(after()?.strip_prefix(" link to ")?.to_owned()),
        _ => None,
    };
    let slash = if kind == Kind::Folder && !name.ends_with('/') { "/" } else { "" };
    Some(Member { path: format!("{name}{slash}"), kind, target, encrypted: false })
}

/// `-rw-r--r--  3.0 unx  5 tx stor 20240101.000000 name`; a capital letter says that it is encrypted.
fn zip_members(listed: &str) -> Option<Vec<Member>> {
    let is_row = |line: &&str| line.starts_with(['-', 'd', 'l', '?']);
    listed.lines().filter(is_row).map(zip_member).collect()
}

fn zip_member(line: &str) -> Option<Member> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let mode = word()?;
    let (_, _, _, flags, _, _) = (word()?, word()?, word()?, word()?, word()?, word()?);
    let name = rest.to_owned();
    let kind = match mode.starts_with('l') {
        true => Kind::Link,
        false if name.ends_with('/') || mode.starts_with('d') => Kind::Folder,
        false => Kind::File,
    };
    Some(Member { path: name, kind, target: None, encrypted: flags.starts_with(char::is_uppercase) })
}

/// The first member that would be written, or would point, outside the folder, with the reason.
pub fn escaping(members: &[Member]) -> Option<String> {
    members.iter().find_map(|member| {
        let path = &member.path;
        if !stays(Path::new(""), Path::new(path)) {
            return Some(format!("{path} would be written outside the destination"));
        }
        let from = match member.kind {
            Kind::Link => Path::new(path).parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        };
        let target = member.target.as_ref()?;
        (!stays(from, Path::new(target))).then(|| format!("the link {path} points outside the destination: {target}"))
    })
}

/// Whether a path, followed from a folder beneath the destination, never leaves it.
fn stays(from: &Path, path: &Path) -> bool {
    let mut depth: i64 = from.components().filter(|part| matches!(part, Component::Normal(_))).count() as i64;
    for part in path.components() {
        depth += match part {
            Component::Normal(_) => 1,
            Component::CurDir => 0,
            Component::ParentDir => -1,
            Component::RootDir | Component::Prefix(_) => return false,
        };
        if depth < 0 {
            return false;
        }
    }
    true
}

/// The paths of an archive by what they are, as `archive.list` with `verbose` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    pub folders: Vec<String>,
    pub files: Vec<String>,
    pub links: Vec<String>,
    pub top_folders: Vec<String>,
    pub top_files: Vec<String>,
    pub top_links: Vec<String>,
}

impl Contents {
    /// `strip` leading parts of each path are left off, as `--strip-components` does.
    pub fn of(members: &[Member], format: Format, strip: usize) -> Self {
        let mut all = Self::default();
        for member in members {
            let list = match member.kind {
                Kind::Folder => &mut all.folders,
                Kind::Link => &mut all.links,
                Kind::File | Kind::HardLink => &mut all.files,
            };
            list.push(member.path.clone());
        }
        if format == Format::Zip {
            let above = all.files.iter().filter_map(|path| path.rsplit_once('/')).map(|(above, _)| format!("{above}/"));
            let above: Vec<String> = above.filter(|above| !all.folders.contains(above)).collect();
            all.folders.extend(above);
        }
        for list in [&mut all.folders, &mut all.files, &mut all.links] {
            *list = list.iter().filter_map(|path| stripped(path, strip)).collect();
            list.sort();
            list.dedup();
        }
        let top = |list: &[String], slashes| -> Vec<String> {
            list.iter().filter(|path| path.matches('/').count() == slashes).cloned().collect()
        };
        (all.top_folders, all.top_files, all.top_links) =
            (top(&all.folders, 1), top(&all.files, 0), top(&all.links, 0));
        let common = common(all.folders.iter().chain(&all.files).chain(&all.links));
        if let Some((first, _)) = common.split_once('/') {
            let first = format!("{first}/");
            if !all.top_folders.contains(&first) {
                all.top_folders.push(first);
            }
        }
        all
    }
}

fn stripped(path: &str, strip: usize) -> Option<String> {
    let rest = (0..strip).try_fold(path, |path, _| path.split_once('/').map(|(_, rest)| rest))?;
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// What all texts begin with.
fn common<'t>(mut texts: impl Iterator<Item = &'t String>) -> String {
    let Some(first) = texts.next() else { return String::new() };
    texts.fold(first.clone(), |common, text| {
        common.chars().zip(text.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    })
}

/// The names as Salt tells what was unpacked.
pub fn names(members: &[Member], format: Format) -> Vec<String> {
    let name = |member: &Member| match format {
        Format::Tar => member.path.trim_end_matches('/').to_owned(),
        Format::Zip => member.path.clone(),
    };
    members.iter().map(name).collect()
}

/// Whether a program is here; else what to say.
pub fn needs(look: &dyn Look, format: Format) -> Result<(), StateError> {
    let program = if format == Format::Tar { "tar" } else { "unzip" };
    match look.which(program) {
        Some(_) => Ok(()),
        None => {
            Err(StateError::failed(format!("{program} command not available, it might not be installed on minion")))
        }
    }
}

/// Removes whatever is at a path.
pub fn clear(host: &dyn Host, path: &Path) -> Result<(), StateError> {
    if host.stat(path).is_err() {
        return Ok(());
    }
    host.remove(path).map_err(|why| StateError::io("remove", path, &why))
}

/// Splits options as a shell does, without running one.
pub fn words(options: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for c in options.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => (quote, open) = (Some(c), true),
            None if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            None => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The options of a tar that are given for `xvf`: as long ones, `v` and its kin left out.
pub fn tar_options(options: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, word) in words(options).into_iter().enumerate() {
        match word.as_str() {
            "v" | "-v" | "--verbose" | "x" | "f" | "xf" | "xvf" => {}
            short if at == 0 && !short.starts_with('-') => {
                let short: String = short.chars().filter(|c| !"xfv".contains(*c)).collect();
                all.extend((!short.is_empty()).then(|| format!("-{short}")));
            }
            _ => all.push(word),
        }
    }
    all
}

/// How many leading parts the options of a tar leave off.
pub fn strip(options: &[String]) -> usize {
    let value = |(at, word): (usize, &String)| -> Option<usize> {
        let rest = word.strip_prefix("--strip-components").or_else(|| word.strip_prefix("--strip"))?;
        match rest.strip_prefix('=') {
            Some(number) => number.parse().ok(),
            None => options.get(at + 1)?.parse().ok(),
        }
    };
    options.iter().enumerate().find_map(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "app/\napp/a b\napp/l\napp/h\n";
    const LONG: &str = "drwxr-xr-x 0/0 0 2024-01-01 00:00 app/\n-rw-r--r-- 0/0 2 2024-01-01 00:00 app/a b\n\
        lrwxrwxrwx 0/0 0 2024-01-01 00:00 app/l -> a b\nhrw-r--r-- 0/0 0 2024-01-01 00:00 app/h link to app/a b\n";
    const ZIP: &str = "Archive:  a.zip\nZip file size: 700 bytes, number of entries: 3\n\
        drwxr-xr-x  3.0 unx        0 bx stor 20241121.180012 d/\n-rw-r--r--  3.0 unx        2 Tx stor 20241121.180012 d/a b\n\
        lrwxrwxrwx  3.0 unx        3 bx stor 20241121.180012 d/l\n3 files, 5 bytes uncompressed, 5 bytes compressed:  0.0%\n";

    fn link(path: &str, kind: Kind, target: &str) -> Vec<Member> {
        vec![Member { path: path.into(), kind, target: Some(target.into()), encrypted: false }]
    }

    #[test]
    fn lists_of_the_real_tools_are_read() {
        let members = tar_members(NAMES, LONG).unwrap();
        assert_eq!(members[2].target.as_deref(), Some("a b"));
        assert_eq!((members[3].kind, members[3].target.as_deref()), (Kind::HardLink, Some("app/a b")));
        let contents = Contents::of(&members, Format::Tar, 0);
        assert_eq!((contents.top_folders, contents.links), (vec!["app/".to_owned()], vec!["app/l".to_owned()]));
        assert_eq!(Contents::of(&members, Format::Tar, 1).top_files, ["a b", "h"]);
        let members = zip_members(ZIP).unwrap();
        assert_eq!(members.iter().map(|m| m.path.as_str()).collect::<Vec<_>>(), ["d/", "d/a b", "d/l"]);
        assert!(members[1].encrypted && !members[0].encrypted && members[2].kind == Kind::Link);
        assert!(tar_members("a\nb\n", "-rw 0/0 0 d t a\n").is_none(), "a name with a line end");
    }

    #[test]
    fn nothing_leaves_the_destination() {
        let file = |path: &str| vec![Member { path: path.into(), kind: Kind::File, target: None, encrypted: false }];
        for bad in ["../a", "/etc/passwd", "a/../../b"] {
            assert!(escaping(&file(bad)).is_some(), "{bad}");
        }
        for good in ["a", "./a", "a/../b", "a/b/../../c"] {
            assert!(escaping(&file(good)).is_none(), "{good}");
        }
        assert!(escaping(&link("a/l", Kind::Link, "../b")).is_none());
        assert!(escaping(&link("a/l", Kind::Link, "../../b")).is_some());
        assert!(escaping(&link("a/l", Kind::Link, "/etc")).is_some());
        assert!(escaping(&link("a/h", Kind::HardLink, "../b")).is_some());
        assert!(escaping(&link("a/h", Kind::HardLink, "b")).is_none());
    }

    #[test]
    fn options_are_read_as_salt_reads_them() {
        assert_eq!(tar_options("v --strip-components=1"), ["--strip-components=1"]);
        assert_eq!(tar_options("xzf --strip 2"), ["-z", "--strip", "2"]);
        assert_eq!(strip(&tar_options("--strip-components=3 -v")), 3);
        assert_eq!(strip(&tar_options("--strip 2")), 2);
        assert_eq!(words("a 'b c' \"\""), ["a", "b c", ""]);
        assert_eq!(Format::guess("x.TAR.gz"), Some(Format::Tar));
        assert_eq!(Format::guess("x.rar"), None);
    }
}
