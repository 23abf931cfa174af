//! `/etc/hosts` as Salt reads and writes it: one line an address.

use std::path::{Path, PathBuf};

use proto::Value;

use super::lines;
use crate::{Context, Host, Look, plan::StateError};

/// An address with its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub ip: String,
    pub names: Vec<String>,
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Entry(Entry),
    Comment(String),
}

/// The file with lines of one address put together, and without empty ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(Vec<Line>);

/// Where the file is: `hosts.file` of configuration, grains or pillar.
pub fn path(context: &Context<'_>) -> PathBuf {
    let sources = [context.opts, context.look.grains(), context.pillar];
    let found = sources.iter().find_map(|source| source.get("hosts.file").and_then(Value::as_str));
    found.unwrap_or("/etc/hosts").into()
}

impl Table {
    pub fn of(look: &dyn Look, path: &Path) -> Self {
        Self::parse(&lines::read(look, path).unwrap_or_default())
    }

    pub fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                table.0.push(Line::Comment(line.to_owned()));
                continue;
            }
            let (names, comment) = match line.split_once('#') {
                Some((names, comment)) => (names, Some(comment.trim_start()).filter(|comment| !comment.is_empty())),
                None => (line, None),
            };
            let mut words = names.split_whitespace().map(str::to_owned);
            let Some(ip) = words.next() else { continue };
            let entry = table.entry(&ip);
            entry.names.extend(words);
            if let Some(comment) = comment {
                entry.comment = Some(comment.to_owned());
            }
        }
        table
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(entry),
            Line::Comment(_) => None,
        })
    }

    pub fn get(&self, ip: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.ip == ip)
    }

    /// Whether an address has a name.
    pub fn has(&self, ip: &str, name: &str) -> bool {
        self.get(ip).is_some_and(|entry| entry.names.iter().any(|known| known == name))
    }

    /// The entry of an address, made at the end if there is none.
    pub fn entry(&mut self, ip: &str) -> &mut Entry {
        let is = |line: &Line| matches!(line, Line::Entry(entry) if entry.ip == ip);
        let at = self.0.iter().position(is).unwrap_or_else(|| {
            self.0.push(Line::Entry(Entry { ip: ip.to_owned(), ..Entry::default() }));
            self.0.len() - 1
        });
        match &mut self.0[at] {
            Line::Entry(entry) => entry,
            Line::Comment(_) => unreachable!("the line that was found, or made, is an entry"),
        }
    }

    /// Takes a name from an address, and the address with its last name.
    pub fn remove(&mut self, ip: &str, name: &str) {
        self.entry(ip).names.retain(|known| known != name);
        self.0.retain(|line| !matches!(line, Line::Entry(entry) if entry.names.is_empty()));
    }

    pub fn render(&self) -> String {
        let line = |line: &Line| match line {
            Line::Comment(text) => format!("{text}\n"),
            Line::Entry(Entry { ip, names, comment: Some(comment) }) => {
                format!("{ip}\t\t{}\t\t# {comment}\n", names.join(" "))
            }
            Line::Entry(Entry { ip, names, comment: None }) => format!("{ip}\t\t{}\n", names.join(" ")),
        };
        self.0.iter().map(line).collect()
    }

    pub fn write(&self, host: &dyn Host, path: &Path) -> Result<(), StateError> {
        lines::write(host, path, &self.render(), 0o644)
    }
}

/// A name taken from an address's lines, all else left as it is. Salt's `hosts.rm_host`.
pub fn without(text: &str, ip: &str, name: &str) -> String {
    let line = |line: &str| {
        let (host, comment) = line.split_once('#').map_or((line, None), |(host, comment)| (host, Some(comment)));
        let mut words = host.split_whitespace();
        if line.trim_start().starts_with('#') || words.next() != Some(ip) {
            return format!("{line}\n");
        }
        let rest: String = words.filter(|word| *word != name).map(|word| format!("{word} ")).collect();
        match (rest.is_empty(), comment) {
            (true, _) => String::new(),
            (false, None) => format!("{ip}\t\t{rest}\n"),
            (false, Some(comment)) => format!("{ip}\t\t{rest}# {}\n", comment.trim()),
        }
    };
    text.lines().map(line).collect()
}

/// An address given these names and no others, all else left as it is. Salt's `hosts.set_host`.
pub fn with_only(text: &str, ip: &str, names: &str) -> String {
    let new = if names.trim().is_empty() { String::new() } else { format!("{ip}\t\t{names}\n") };
    let mut done = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.split_whitespace().next() == Some(ip) {
            out.push_str(if done { "" } else { &new });
            done = true;
        } else {
            out.push_str(&format!("{line}\n"));
        }
    }
    if !done {
        out.push_str(&new);
    }
    out
}
