//! Who may do what. Default deny; every dispatch goes through [`permit`].

use globset::{GlobBuilder, GlobMatcher};
use proto::{
    FunctionName, Map, MinionId,
    message::{Fault, FaultKind, OperatorEntry},
    target::{Subject, Target},
};

/// A minion as access rules see it: by its id and by grains that the master fixed. What a minion
/// claims of itself opens nothing.
pub struct Seen<'a> {
    pub id: &'a MinionId,
    pub fixed_grains: &'a Map,
}

/// May this operator call `function` on all of these minions? A target that is permitted only in
/// part is refused whole.
///
/// # Errors
/// A [`Fault`] that names the first minion that no rule covers.
pub fn permit<'a>(
    operator: &OperatorEntry,
    function: &FunctionName,
    minions: impl Iterator<Item = Seen<'a>>,
) -> Result<(), Fault> {
    let targets = targets_for(operator, function);
    if targets.is_empty() {
        return Err(denied(operator, &format!("{} may not call {function}", operator.name)));
    }
    if targets.iter().any(|target| target.to_string() == "*") {
        return Ok(());
    }
    for minion in minions {
        let subject = Subject::new(minion.id.as_str(), minion.fixed_grains);
        if !targets.iter().any(|target| target.matches(&subject)) {
            return Err(denied(operator, &format!("{} may not call {function} on {}", operator.name, minion.id)));
        }
    }
    Ok(())
}

/// May this operator look at or change keys, operators and other things of the master itself?
/// `what` is a name such as `key.accept`; rules list it among their functions (`key.*`). Their
/// targets do not matter here.
///
/// # Errors
/// A [`Fault`] that says what is missing.
pub fn permit_admin(operator: &OperatorEntry, what: &'static str) -> Result<(), Fault> {
    let covered = operator
        .rules
        .iter()
        .any(|rule| rule.functions.iter().filter_map(|glob| matcher(glob)).any(|glob| glob.is_match(what)));
    match covered {
        true => Ok(()),
        false => Err(denied(operator, &format!("{} may not use {what}", operator.name))),
    }
}

/// The targets of the rules that cover this function; a rule that does not parse covers nothing
/// (configuration refuses it at start).
fn targets_for(operator: &OperatorEntry, function: &FunctionName) -> Vec<Target> {
    operator
        .rules
        .iter()
        .filter(|rule| {
            rule.functions.iter().filter_map(|glob| matcher(glob)).any(|glob| glob.is_match(function.as_str()))
        })
        .filter_map(|rule| Target::parse(&rule.targets).ok())
        .collect()
}

fn matcher(glob: &str) -> Option<GlobMatcher> {
    Some(GlobBuilder::new(glob).build().ok()?.compile_matcher())
}

fn denied(operator: &OperatorEntry, message: &str) -> Fault {
    let rules: Vec<String> =
        operator.rules.iter().map(|rule| format!("{} on '{}'", rule.functions.join(", "), rule.targets)).collect();
    let hint = match rules.is_empty() {
        true => "this operator has no rules: add some with `ctl operator add`, or beneath `operators:` in the master's configuration".into(),
        false => format!("allowed: {}", rules.join("; ")),
    };
    Fault { kind: FaultKind::NotPermitted, message: message.into(), hint: Some(hint) }
}
