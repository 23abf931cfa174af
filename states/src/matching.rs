//! Salt's match types (`match: grain`), onto targets.

use proto::{
    Map, Value,
    target::{Nodegroups, Subject, Target},
};

use crate::{Context, Diagnostic, diag, diag::Place, yaml::Node};

/// Types that a top file may name, and the flag of a target that each means.
const TYPES: [(&str, char); 17] = [
    ("compound", 'C'),
    ("glob", 'g'),
    ("pcre", 'E'),
    ("list", 'L'),
    ("grain", 'G'),
    ("grain_pcre", 'P'),
    ("pillar", 'I'),
    ("pillar_pcre", 'J'),
    ("pillar_exact", 'x'),
    ("ipcidr", 'S'),
    ("nodegroup", 'N'),
    ("data", 'd'),
    ("range", 'R'),
    ("cache", 'c'),
    ("compound_pillar_exact", 'C'),
    ("managing_minion", 'm'),
    ("resource", 'r'),
];

/// Whether a target of a top file, written at `place`, means this minion; `kind` is its `match`.
pub fn confirm(context: &Context<'_>, target: &str, kind: Option<&Node>, place: &Place) -> Result<bool, Diagnostic> {
    let at_kind = kind.map_or_else(|| place.clone(), Node::place);
    let kind = kind.and_then(Node::as_str).unwrap_or("compound");
    let Some((_, flag)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let names = TYPES.iter().map(|(name, _)| *name);
        let hint = diag::did_you_mean(kind, names.clone()).unwrap_or_else(|| names.collect::<Vec<_>>().join(", "));
        return Err(Diagnostic::new(format!("the match type '{kind}' does not exist")).at(&at_kind).hint(hint));
    };
    matches(context, *flag, target).map_err(|why| why.at(place))
}

/// Whether an expression means this minion, by the flag of a target (`G`, `E`, … and `g` for a glob).
pub fn matches(context: &Context<'_>, flag: char, expression: &str) -> Result<bool, Diagnostic> {
    matches_id(context, flag, expression, context.id.as_str())
}

/// As [`matches`], for another id with this minion's grains and pillar.
pub fn matches_id(context: &Context<'_>, flag: char, expression: &str, id: &str) -> Result<bool, Diagnostic> {
    let pillar = |exact: bool| {
        crate::merge::traverse_map(context.pillar, split(expression).0, ":").is_some_and(|found| {
            let wanted = split(expression).1;
            if exact {
                crate::value::python_str(found) == wanted
            } else {
                crate::glob::matches(wanted, &crate::value::python_str(found))
            }
        })
    };
    match flag {
        'g' => return Ok(crate::glob::matches(expression, id)),
        'x' => return Ok(pillar(true)),
        'd' | 'R' | 'c' | 'm' | 'r' => return Ok(false),
        _ => {}
    }
    let refused =
        |why: proto::target::TargetError| Diagnostic::new(why.to_string()).hint_opt(why.hint().map(str::to_owned));
    let target = Target::from_flag(flag, expression).map_err(refused)?;
    let groups = match context.opts.get("nodegroups") {
        Some(Value::Object(groups)) => Nodegroups::parse(groups).map_err(refused)?,
        _ => Nodegroups::parse(&Map::new()).map_err(refused)?,
    };
    let subject =
        Subject { id, grains: context.look.grains(), pillar: Some(context.pillar), nodegroups: Some(&groups) };
    Ok(target.matches(&subject))
}

fn split(expression: &str) -> (&str, &str) {
    expression.rsplit_once(':').unwrap_or((expression, ""))
}
