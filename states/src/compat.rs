//! What a Salt tree uses that we do not support: the core of `ctl compat`.

use std::collections::BTreeMap;

use crate::{
    Context, Diagnostic,
    compile::Compiler,
    diag::Place,
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
    /// An execution function that a template calls.
    Function,
    Filter,
    Test,
    /// A state function that a tree declares.
    State,
}

/// What was found in a tree.
#[derive(Debug, Default)]
pub struct Survey {
    /// SLS of all environments.
    pub sls: usize,
    /// Those of them that compile for this host's grains and pillar.
    pub compiled: usize,
    /// The most used first.
    pub findings: Vec<Finding>,
    /// Why SLS do not compile, and templates that cannot be read.
    pub problems: Vec<Diagnostic>,
}

type Found = BTreeMap<(Kind, String), Vec<Place>>;

/// Reads every template of a tree and compiles every SLS. `has_state` tells which states
/// (`file.managed`) can be run.
pub fn survey(context: &Context<'_>, has_state: &dyn Fn(&str) -> bool) -> Survey {
    let mut survey = Survey::default();
    let mut found = Found::new();
    for env in context.tree.environments() {
        templates(context, &env, &mut found, &mut survey.problems);
        let names: Vec<String> =
            Compiler::new(context).available(&env).iter().filter(|sls| *sls != "top").cloned().collect();
        for sls in names {
            survey.sls += 1;
            match Compiler::new(context).shown_low(&[sls], &env) {
                Ok(chunks) => {
                    survey.compiled += 1;
                    for chunk in chunks {
                        let name = format!("{}.{}", chunk.text("state"), chunk.text("fun"));
                        if !has_state(&name) {
                            add(&mut found, Kind::State, &name, chunk.place);
                        }
                    }
                }
                Err(problems) => survey
                    .problems
                    .extend(problems.into_iter().filter(|new| !survey.problems.contains(new)).collect::<Vec<_>>()),
            }
        }
    }
    survey.findings = found.into_iter().map(|((kind, name), places)| Finding { kind, name, places }).collect();
    survey.findings.sort_by_key(|finding| std::cmp::Reverse(finding.places.len()));
    survey
}

fn add(found: &mut Found, kind: Kind, name: &str, place: Place) {
    let places = found.entry((kind, name.to_owned())).or_default();
    if !places.contains(&place) {
        places.push(place);
    }
}

/// Files that Salt renders with Jinja when they are used.
const TEMPLATES: [&str; 6] = [".sls", ".jinja", ".jinja2", ".j2", ".tmpl", ".macros"];

fn templates(context: &Context<'_>, env: &str, found: &mut Found, problems: &mut Vec<Diagnostic>) {
    let files = context.tree.files(env);
    for path in files.iter().filter(|path| TEMPLATES.iter().any(|end| path.ends_with(end))) {
        let Ok(Some(bytes)) = context.tree.read(env, path) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        match uses(&crate::diag::Source::new(path, &text)) {
            Ok(all) => all.into_iter().filter(|mention| lacks(context, mention)).for_each(|mention| {
                let kind = match mention.what {
                    What::Function => Kind::Function,
                    What::Filter => Kind::Filter,
                    What::Test => Kind::Test,
                };
                add(found, kind, &mention.name, mention.place);
            }),
            Err(why) => problems.push(*why),
        }
    }
}

fn lacks(context: &Context<'_>, mention: &Use) -> bool {
    match mention.what {
        What::Function => context.functions.find(&mention.name).is_none(),
        _ => !mention.is_known(),
    }
}
