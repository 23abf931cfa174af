//! What a Salt tree uses that we do not support: the core of `ctl compat`.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Context, Diagnostic, Effect,
    compile::{Chunk, Compiler},
    diag::{Place, Source},
    jinja::{Use, What, uses},
};

/// Something that is not supported, and where it is used.
#[derive(Debug, Clone)]
pub struct Finding {
    pub kind: Kind,
    /// The function, filter, test or state.
    pub name: String,
    /// Every place, in the order of the files.
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An execution function that a template calls, and that we lack.
    Function,
    Filter,
    Test,
    /// A state function that a tree declares, and that we lack.
    State,
    /// A function that a template calls and that does more than read. Supported, and worth
    /// knowing: it runs whenever the tree is rendered, in dry runs too.
    Action,
}

/// What was found in a tree.
#[derive(Debug, Default)]
pub struct Survey {
    /// Every SLS of every environment.
    pub sls: Vec<Compiled>,
    /// Files that templates may be in.
    pub templates: usize,
    /// The most used first.
    pub findings: Vec<Finding>,
    /// Templates that cannot be read.
    pub unreadable: Vec<Diagnostic>,
}

/// What became of one SLS for this host's grains and pillar.
#[derive(Debug)]
pub struct Compiled {
    pub env: String,
    pub name: String,
    /// Why it does not compile; nothing when it does.
    pub problems: Vec<Diagnostic>,
}

type Found = BTreeMap<(Kind, String), Vec<Place>>;

/// Reads every template of a tree and compiles every SLS. `has_state` tells which states
/// (`file.managed`) can be run.
pub fn survey(context: &Context<'_>, has_state: &(dyn Fn(&str) -> bool + Sync)) -> Survey {
    crate::stack::deep(|| survey_here(context, has_state))
}

fn survey_here(context: &Context<'_>, has_state: &dyn Fn(&str) -> bool) -> Survey {
    let mut survey = Survey::default();
    let mut found = Found::new();
    for env in context.tree.environments() {
        templates(context, &env, &mut found, &mut survey);
        for name in Compiler::new(context).available(&env).iter().filter(|sls| *sls != "top") {
            let problems = match Compiler::new(context).shown_low(std::slice::from_ref(name), &env) {
                Ok(chunks) => {
                    states(context, &env, &chunks, has_state, &mut found);
                    Vec::new()
                }
                Err(problems) => problems,
            };
            survey.sls.push(Compiled { env: env.clone(), name: name.clone(), problems });
        }
    }
    survey.findings = found.into_iter().map(|((kind, name), places)| Finding { kind, name, places }).collect();
    survey.findings.sort_by_key(|finding| std::cmp::Reverse(finding.places.len()));
    survey
}

/// States that cannot be run. A chunk's place is a line of the rendered text, so the line of the
/// file is looked for.
fn states(context: &Context<'_>, env: &str, chunks: &[Chunk], has_state: &dyn Fn(&str) -> bool, found: &mut Found) {
    for chunk in chunks {
        let name = format!("{}.{}", chunk.text("state"), chunk.text("fun"));
        if has_state(&name) {
            continue;
        }
        let read = context.tree.read(env, chunk.place.file()).ok().flatten().and_then(|b| String::from_utf8(b).ok());
        let places = read.map(|text| mentions(&name, &Source::new(chunk.place.file(), &text))).unwrap_or_default();
        match places.is_empty() {
            true => add(found, Kind::State, &name, chunk.place.clone()),
            false => places.into_iter().for_each(|place| add(found, Kind::State, &name, place)),
        }
    }
}

/// The lines of a file that declare a state: `file.managed:`, `- file.managed`.
fn mentions(name: &str, source: &Arc<Source>) -> Vec<Place> {
    let declares = |line: &str| {
        let rest = line.trim_start().trim_start_matches("- ").strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ', '\r']))
    };
    let place = |(number, line): (usize, &str)| {
        let column = line.find(name).map_or(0, |at| line[..at].chars().count());
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place::new(source, at(number + 1), at(column + 1), at(name.len()))
    };
    source.text.lines().enumerate().filter(|(_, line)| declares(line)).map(place).collect()
}

fn add(found: &mut Found, kind: Kind, name: &str, place: Place) {
    let places = found.entry((kind, name.to_owned())).or_default();
    if !places.contains(&place) {
        places.push(place);
    }
}

/// Files that Salt renders with Jinja when they are used.
const TEMPLATES: [&str; 6] = [".sls", ".jinja", ".jinja2", ".j2", ".tmpl", ".macros"];

fn templates(context: &Context<'_>, env: &str, found: &mut Found, survey: &mut Survey) {
    let files = context.tree.files(env);
    for path in files.iter().filter(|path| TEMPLATES.iter().any(|end| path.ends_with(end))) {
        let Ok(Some(bytes)) = context.tree.read(env, path) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        survey.templates += 1;
        match uses(&Source::new(path, &text)) {
            Ok(all) => all.into_iter().for_each(|mention| {
                if let Some(kind) = remarkable(context, &mention) {
                    add(found, kind, &mention.name, mention.place);
                }
            }),
            Err(why) => survey.unreadable.push(*why),
        }
    }
}

fn remarkable(context: &Context<'_>, mention: &Use) -> Option<Kind> {
    match mention.what {
        What::Function => match context.functions.find(&mention.name) {
            None => Some(Kind::Function),
            Some(function) => (function.effect != Effect::Reads).then_some(Kind::Action),
        },
        What::Filter => (!mention.is_known()).then_some(Kind::Filter),
        What::Test => (!mention.is_known()).then_some(Kind::Test),
    }
}
