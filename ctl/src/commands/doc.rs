//! `ctl doc [MODULE|MODULE.FUNCTION]`

use std::collections::BTreeMap;

use serde_json::{Value, json};
use states::{Effect, Function};

use crate::{
    catalogue,
    cli::Global,
    error::{Error, Exit, Outcome},
    output::{self, Format},
    term,
};

/// Show what can be called, with an example each
///
///   ctl doc              the modules
///   ctl doc cmd          a module's functions
///   ctl doc cmd.run      one of them
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A module, or one of its functions
    #[arg(value_name = "MODULE|MODULE.FUNCTION")]
    name: Option<String>,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let all = catalogue::functions();
    let chosen = match &args.name {
        None => all,
        Some(name) => choose(all, name)?,
    };
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => {
            let docs: serde_json::Map<_, _> = chosen.iter().map(|f| (f.name.to_owned(), object(f))).collect();
            output::one(global.out, &Value::Object(docs))?;
        }
        _ => term::result(&match (&args.name, chosen.as_slice()) {
            (None, all) => modules(all),
            (Some(name), [one]) if name == one.name => whole(one),
            (Some(_), some) => summaries(some),
        })?,
    }
    Ok(Exit::OK)
}

fn choose(all: Vec<&'static Function>, name: &str) -> Result<Vec<&'static Function>, Error> {
    let name = name.trim_end_matches(".*");
    let chosen: Vec<_> = all.iter().copied().filter(|f| f.name == name || module(f) == name).collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let what = if name.contains('.') { "function" } else { "module" };
    let known = all.iter().flat_map(|f| [f.name, module(f)]);
    let hint = states::diag::did_you_mean(name, known).unwrap_or_else(|| "`ctl doc` lists what there is".into());
    Err(Error::nothing(format!("{what} {name} does not exist")).hint(hint))
}

fn module(function: &Function) -> &'static str {
    function.name.split_once('.').map_or(function.name, |(module, _)| module)
}

fn summary(function: &Function) -> &'static str {
    function.doc.trim().lines().next().unwrap_or_default()
}

/// `cmd.run(cmd, cwd=None, …)`
fn signature(function: &Function) -> String {
    let parameter = |p: &states::call::Param| match p.default {
        Some(default) => format!("{}={default}", p.name),
        None => p.name.to_owned(),
    };
    format!("{}({})", function.name, function.params.iter().map(parameter).collect::<Vec<_>>().join(", "))
}

fn effect(function: &Function) -> &'static str {
    match function.effect {
        Effect::Reads => "reads",
        Effect::Runs => "runs what you name",
        Effect::Writes => "changes the host",
    }
}

fn object(function: &Function) -> Value {
    json!({
        "doc": function.doc.trim(),
        "signature": signature(function),
        "effect": match function.effect { Effect::Reads => "reads", Effect::Runs => "runs", Effect::Writes => "writes" },
    })
}

fn modules(all: &[&Function]) -> String {
    let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for function in all {
        let name = function.name.split_once('.').map_or(function.name, |(_, name)| name);
        modules.entry(module(function)).or_default().push(name);
    }
    let mut text = String::new();
    for (module, names) in &modules {
        let lines = wrap(&names.join(" "), 64);
        let head = term::paint(term::BOLD, module);
        let pad = " ".repeat(14_usize.saturating_sub(module.len()).max(1));
        text += &format!("{head}{pad}{}\n", lines.join(&format!("\n{}", " ".repeat(14))));
    }
    text + "\n`ctl doc MODULE` says what they do, `ctl doc MODULE.FUNCTION` says it all.\n"
}

fn summaries(some: &[&Function]) -> String {
    let width = some.iter().map(|f| f.name.len()).max().unwrap_or(0);
    some.iter().fold(String::new(), |text, function| {
        let pad = " ".repeat(width - function.name.len() + 2);
        let lines = wrap(summary(function), 78_usize.saturating_sub(width).max(30));
        let indent = format!("\n{}", " ".repeat(width + 2));
        text + &format!("{}{pad}{}\n", term::paint(term::BOLD, function.name), lines.join(&indent))
    })
}

fn whole(function: &Function) -> String {
    let head = wrap(&signature(function), 78).join("\n    ");
    let mut text = format!("{}\n{}\n\n", term::paint(term::BOLD, head), term::paint(term::DIM, effect(function)));
    for line in function.doc.trim().lines() {
        text += &doc_line(line);
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
        let error = |name| choose(catalogue::functions(), name).err().map(|error| error.render()).unwrap_or_default();
        assert!(error("cdm").contains("did you mean cmd?"));
        assert!(error("cmd.rnu").contains("did you mean cmd.run?"));
    }
}
