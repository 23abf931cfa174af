//! `ctl doc [MODULE|MODULE.FUNCTION]`

use std::collections::BTreeMap;

use serde_json::{Value, json};
use states::Effect;

use crate::{
    catalogue::{self, Entry, Kind},
    cli::Global,
    error::{Error, Exit, Outcome},
    output::{self, Format},
    term,
};

/// Show what can be called, and what states there are, with an example each
///
///   ctl doc              the modules
///   ctl doc cmd          a module's functions and states
///   ctl doc cmd.run      one of them
///   ctl doc check        the kinds of health checks, among others
///   ctl doc salt         what orchestrate SLS are made of
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A module, or one of its functions
    #[arg(value_name = "MODULE|MODULE.FUNCTION")]
    name: Option<String>,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let all = catalogue::entries();
    let chosen = match &args.name {
        None => all,
        Some(name) => choose(all, name)?,
    };
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => {
            output::one(global.out, &objects(&chosen))?;
        }
        _ => term::result(&match (&args.name, chosen.as_slice()) {
            (None, all) => modules(all),
            (Some(name), some) if some.iter().all(|one| one.name == *name) => {
                some.iter().map(whole).collect::<Vec<_>>().join("\n")
            }
            (Some(_), some) => summaries(some),
        })?,
    }
    Ok(Exit::OK)
}

fn choose(all: Vec<Entry>, name: &str) -> Result<Vec<Entry>, Error> {
    let name = name.trim_end_matches(".*");
    let chosen: Vec<_> = all.iter().filter(|entry| entry.name == name || entry.module() == name).cloned().collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let what = if name.contains('.') { "function or state" } else { "module" };
    let known = all.iter().flat_map(|entry| [entry.name.as_str(), entry.module()]);
    let hint = states::diag::did_you_mean(name, known).unwrap_or_else(|| "`ctl doc` lists what there is".into());
    Err(Error::nothing(format!("{what} {name} does not exist")).hint(hint))
}

fn summary(entry: &Entry) -> &'static str {
    entry.doc.trim().lines().next().unwrap_or_default()
}

fn effect(kind: Kind) -> &'static str {
    match kind {
        Kind::Function(Effect::Reads) => "function: reads",
        Kind::Function(Effect::Runs) => "function: runs what you name",
        Kind::Function(Effect::Writes) => "function: changes the host",
        Kind::State => "state, for SLS files",
        Kind::Step => "state, for orchestrate SLS",
        Kind::Check => "health check, for `checks:` in the pillar or a minion's configuration",
    }
}

/// Where a thing is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Functions,
    States,
    Steps,
    Checks,
}

impl Section {
    fn of(entry: &Entry) -> Self {
        match entry.kind {
            Kind::Function(_) => Self::Functions,
            Kind::State => Self::States,
            Kind::Step => Self::Steps,
            Kind::Check => Self::Checks,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::States => "states, for SLS files",
            Self::Steps => "states, for orchestrate SLS",
            Self::Checks => "kinds of checks, for `checks:` in the pillar or a minion's configuration",
        }
    }

    /// The key of its things, for programs; functions stand at the top.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Functions => None,
            Self::States => Some("states"),
            Self::Steps => Some("orchestrate"),
            Self::Checks => Some("checks"),
        }
    }
}

fn sections(some: &[Entry]) -> BTreeMap<Section, Vec<&Entry>> {
    let mut sections: BTreeMap<Section, Vec<&Entry>> = BTreeMap::new();
    some.iter().for_each(|entry| sections.entry(Section::of(entry)).or_default().push(entry));
    sections
}

/// The name as it is written where it is used.
fn label(entry: &Entry) -> &str {
    match entry.kind {
        Kind::Check => entry.name.trim_start_matches("check."),
        _ => &entry.name,
    }
}

/// Functions by name, and the others by name beneath `states`, `orchestrate` and `checks`.
fn objects(chosen: &[Entry]) -> Value {
    let mut docs = serde_json::Map::new();
    for (section, entries) in sections(chosen) {
        let all = entries.into_iter().map(|entry| (label(entry).to_owned(), object(entry)));
        match section.key() {
            None => docs.extend(all),
            Some(key) => {
                docs.insert(key.into(), Value::Object(all.collect()));
            }
        }
    }
    Value::Object(docs)
}

fn object(entry: &Entry) -> Value {
    let effect = match entry.kind {
        Kind::Function(Effect::Reads) => "reads",
        Kind::Function(Effect::Runs) | Kind::Check => "runs",
        Kind::Function(Effect::Writes) | Kind::State | Kind::Step => "writes",
    };
    let mut object = json!({"doc": entry.doc.trim(), "signature": entry.signature, "effect": effect});
    if let Some(example) = entry.example {
        object["example"] = format!("checks:\n{example}").into();
    }
    object
}

fn modules(all: &[Entry]) -> String {
    let mut text = String::new();
    for (section, entries) in sections(all) {
        if section != Section::Functions {
            text += &format!("\n{}\n", term::paint(term::DIM, section.title()));
        }
        text += &by_module(&entries);
    }
    text + "\n`ctl doc MODULE` says what they do, `ctl doc MODULE.FUNCTION` says it all.\n"
}

fn by_module(some: &[&Entry]) -> String {
    let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in some {
        let name = entry.name.split_once('.').map_or(&*entry.name, |(_, name)| name);
        modules.entry(entry.module()).or_default().push(name);
    }
    let mut text = String::new();
    for (module, names) in &modules {
        let lines = wrap(&names.join(" "), 64);
        let head = term::paint(term::BOLD, module);
        let pad = " ".repeat(14_usize.saturating_sub(module.len()).max(1));
        text += &format!("{head}{pad}{}\n", lines.join(&format!("\n{}", " ".repeat(14))));
    }
    text
}

/// A line each, the functions first.
fn summaries(some: &[Entry]) -> String {
    let width = some.iter().map(|entry| label(entry).len()).max().unwrap_or(0);
    let sections = sections(some);
    let one = |(section, entries): (&Section, &Vec<&Entry>)| {
        let lines: String = entries.iter().map(|entry| summary_line(entry, width)).collect();
        match (section, sections.len()) {
            (Section::Functions, 1) => lines,
            _ => format!("{}\n{lines}", term::paint(term::DIM, section.title())),
        }
    };
    sections.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn summary_line(entry: &Entry, width: usize) -> String {
    let pad = " ".repeat(width - label(entry).len() + 2);
    let lines = wrap(summary(entry), 78_usize.saturating_sub(width).max(30));
    let indent = format!("\n{}", " ".repeat(width + 2));
    format!("{}{pad}{}\n", term::paint(term::BOLD, label(entry)), lines.join(&indent))
}

fn whole(entry: &Entry) -> String {
    let head = wrap(&entry.signature, 78).join("\n    ");
    let mut text = format!("{}\n{}\n\n", term::paint(term::BOLD, head), term::paint(term::DIM, effect(entry.kind)));
    for line in entry.doc.trim().lines() {
        text += &doc_line(line);
    }
    if let Some(example) = entry.example {
        text += &format!("\n    checks:\n    {example}\n");
    }
    text
}

/// Examples stand out; what is not indented is wrapped.
fn doc_line(line: &str) -> String {
    match line.trim_start() {
        example if example.starts_with("ctl ") => format!("    {}\n", term::paint(term::GOOD, example)),
        "" => "\n".into(),
        _ if line.starts_with([' ', '|', '-', '*']) => format!("{line}\n"),
        paragraph => wrap(paragraph, 78).join("\n") + "\n",
    }
}

/// Words in lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert!(wrap("", 7).is_empty());
    }

    #[test]
    fn a_misspelt_module_is_met_with_its_neighbour() {
        let error = |name| choose(catalogue::entries(), name).err().map(|error| error.render()).unwrap_or_default();
        assert!(error("cdm").contains("did you mean cmd?"));
        assert!(error("cmd.rnu").contains("did you mean cmd.run?"));
    }
}
