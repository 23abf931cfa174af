//! What can be called on a minion, and what states there are, by the tables of the crates that
//! have them.

use states::{
    Effect, Function,
    call::{Functions as _, Param},
    plan::State,
};

/// All functions, by name.
pub fn functions() -> Vec<&'static Function> {
    let mut all: Vec<_> = minion::exec::Table.all().collect();
    all.sort_by_key(|function| function.name);
    all
}

/// Whether a function has this name.
pub fn has_function(name: &str) -> bool {
    minion::exec::Table.find(name).is_some()
}

/// Whether a function of the minion's own takes these arguments, or one that applies states knows their names;
/// the others bind theirs as they run.
///
/// # Errors
/// What it does not take or lacks.
pub fn check(name: &str, args: &proto::Args) -> Result<(), String> {
    let shared = |known: &&'static Function| states::functions::all().iter().any(|f| std::ptr::eq(*f, *known));
    match minion::exec::Table.find(name) {
        Some(known) if !shared(&known) => {
            minion::exec::bind::bind(known.name, known.params, args.clone()).map(drop).map_err(|why| why.to_string())
        }
        _ => states::functions::refuse_unknown(name, args).map_err(|why| why.to_string()),
    }
}

/// A function or a state, as its documentation needs it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `module.function`
    pub name: String,
    pub doc: &'static str,
    /// How it is written, with what it takes: `cmd.run(cmd, cwd=None, …)`.
    pub signature: String,
    /// An example that `doc` does not have.
    pub example: Option<&'static str>,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Function(Effect),
    State,
    /// A state of orchestrate SLS.
    Step,
    /// A kind of check, for `checks:`.
    Check,
}

impl Entry {
    pub fn module(&self) -> &str {
        self.name.split_once('.').map_or(&*self.name, |(module, _)| module)
    }
}

/// All functions, states and kinds of checks, by name.
pub fn entries() -> Vec<Entry> {
    let function = |f: &'static Function| Entry {
        name: f.name.to_owned(),
        doc: f.doc,
        signature: signature(f.name, f.params),
        example: None,
        kind: Kind::Function(f.effect),
    };
    let mut all: Vec<Entry> = functions().into_iter().map(function).chain(states()).chain(checks()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// `cmd.run(cmd, cwd=None, …)`
fn signature(name: &str, params: &[Param]) -> String {
    let parameter = |p: &Param| match p.default {
        Some(default) => format!("{}={default}", p.name),
        None => p.name.to_owned(),
    };
    format!("{name}({})", params.iter().map(parameter).collect::<Vec<_>>().join(", "))
}

fn checks() -> impl Iterator<Item = Entry> {
    minion::checks::KINDS.iter().map(|kind| Entry {
        name: format!("check.{}", kind.name),
        doc: kind.doc,
        signature: format!("{}: {{{}}}", kind.name, options(kind).join(", ")),
        example: example(kind.name),
        kind: Kind::Check,
    })
}

/// What every check takes beside the options of its kind.
const OF_EVERY_CHECK: [&str; 2] = ["interval", "timeout"];

/// The options of a kind of check. They are nowhere in a table but in the type that reads them, which
/// names them to whoever misspells one.
pub fn options(kind: &minion::checks::Kind) -> Vec<String> {
    let why = (kind.read)(serde_json::json!({"?": null})).err().map(|wrong| wrong.to_string()).unwrap_or_default();
    let names = why.split('`').skip(1).step_by(2).filter(|name| *name != "?");
    names.chain(OF_EVERY_CHECK).map(str::to_owned).collect()
}

/// The line that shows a kind of check in the manual, as it stands beneath `checks:`.
fn example(kind: &str) -> Option<&'static str> {
    let (_, kinds) = include_str!("../../docs/checks.md").split_once("## The kinds")?;
    let (_, block) = kinds.split_once("```yaml\nchecks:\n")?;
    let named = |line: &&str| line.contains(&format!("check: {kind},")) || line.starts_with(&format!("  {kind}:"));
    block.split("```").next()?.lines().find(named)
}

fn states() -> impl Iterator<Item = Entry> {
    let entry = |module: &'static str, state: &State, kind| {
        let name = format!("{module}.{}", state.name);
        Entry { signature: signature(&name, state.params), name, doc: state.doc, example: None, kind }
    };
    let of_minions = states::modules::all().map(move |(module, state)| entry(module.name, state, Kind::State));
    of_minions.chain(orchestration().map(move |(module, state)| entry(module, state, Kind::Step)))
}

/// States of orchestrate SLS, which the master runs (`ctl orchestrate`).
fn orchestration() -> impl Iterator<Item = (&'static str, &'static State)> {
    orchestrate::module::MODULES.iter().flat_map(|module| module.states.iter().map(|state| (module.name, state)))
}

/// Whether a state (`file.managed`) can be run.
pub fn has_state(name: &str) -> bool {
    if orchestration().any(|(module, state)| name.strip_prefix(module) == Some(&format!(".{}", state.name))) {
        return true;
    }
    name.split_once('.').is_some_and(|(module, fun)| fun != "mod_watch" && states::modules::find(module, fun).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_check_names_its_options() {
        let of = |name: &str| minion::checks::KINDS.iter().find(|kind| kind.name == name).map(options).unwrap();
        assert_eq!(of("systemd").last().unwrap(), "timeout");
        assert!(of("disk").starts_with(&["path".to_owned(), "exclude".to_owned()]), "{:?}", of("disk"));
        assert!(minion::checks::KINDS.iter().all(|kind| options(kind).iter().all(|option| !option.contains(' '))));
    }

    #[test]
    fn every_kind_of_check_is_documented_with_an_example_that_is_accepted() {
        let page = include_str!("../../docs/checks.md");
        let mut shown = std::collections::BTreeSet::new();
        for block in page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let value = states::yaml::to_value(&states::yaml::parse("docs/checks.md", block).unwrap());
            assert_eq!(minion::checks::validate(&value["checks"]), Ok(()), "{block}");
            let checks = value["checks"].as_object().unwrap().iter();
            shown.extend(checks.map(|(name, check)| check["check"].as_str().unwrap_or(name).to_owned()));
        }
        for kind in minion::checks::KINDS {
            assert!(shown.contains(kind.name), "{} has no example in docs/checks.md", kind.name);
            assert!(page.contains(&format!("| `{}` |", kind.name)), "{} is not in the table", kind.name);
            let line = example(kind.name).unwrap_or_default();
            assert!(line.contains(kind.name), "{}: {line}", kind.name);
        }
    }

    #[test]
    fn what_the_master_runs_is_listed_too() {
        assert!(has_state("salt.state") && has_state("file.managed"));
        assert!(!has_state("salt.stat") && !has_state("file.mod_watch"));
        let steps: Vec<_> = entries().into_iter().filter(|entry| entry.kind == Kind::Step).collect();
        for name in
            ["salt.state", "salt.function", "salt.runner", "salt.wheel", "salt.wait_for_event", "salt.parallel_runners"]
        {
            assert!(steps.iter().any(|step| step.name == name && step.doc.contains(name)), "{name}");
        }
    }
}
