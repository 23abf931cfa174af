//! `match.*`: whether this minion is meant.

use proto::{Args, Value};

use super::{args::Given, args::truth, need, opt};
use crate::{CallError, Context, Effect, Function, call::Param, matching, merge, value};

const PARAMS: &[Param] = &[need("tgt"), opt("minion_id", "None")];

pub const TABLE: &[Function] = &[
    Function {
        name: "match.compound",
        doc: "Matches this minion against a compound target.\n\nctl run '*' match.compound 'G@os:Debian and web*'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'C'),
    },
    Function {
        name: "match.glob",
        doc: "Matches this minion's id against a glob.\n\nctl run '*' match.glob 'web*'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'g'),
    },
    Function {
        name: "match.pcre",
        doc: "Matches this minion's id against a regular expression.\n\nctl run '*' match.pcre 'web\\d+'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'E'),
    },
    Function {
        name: "match.list",
        doc: "Matches this minion's id against a list.\n\nctl run '*' match.list web1,web2",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'L'),
    },
    Function {
        name: "match.grain",
        doc: "Matches a grain against a glob.\n\nctl run '*' match.grain 'os:Debian'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'G'),
    },
    Function {
        name: "match.grain_pcre",
        doc: "Matches a grain against a regular expression.\n\nctl run '*' match.grain_pcre 'os:Deb.*'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'P'),
    },
    Function {
        name: "match.pillar",
        doc: "Matches a value of the pillar against a glob.\n\nctl run '*' match.pillar 'role:web'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'I'),
    },
    Function {
        name: "match.pillar_pcre",
        doc: "Matches a value of the pillar against a regular expression.\n\nctl run '*' match.pillar_pcre 'role:w.*'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'J'),
    },
    Function {
        name: "match.ipcidr",
        doc: "Matches this minion's addresses against a network.\n\nctl run '*' match.ipcidr 10.0.0.0/8",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'S'),
    },
    Function {
        name: "match.data",
        doc: "Matches data of the minion's own; there are none here.\n\nctl run '*' match.data 'spam:eggs'",
        params: PARAMS,
        effect: Effect::Reads,
        call: |c, a| by(c, &a, 'd'),
    },
    Function {
        name: "match.filter_by",
        doc: "Picks the first entry of a mapping whose target means this minion.\n\nctl run '*' match.filter_by '{web*: Serve, default: Idle}'",
        params: &[
            need("lookup"),
            opt("tgt_type", "compound"),
            opt("minion_id", "None"),
            opt("merge", "None"),
            opt("merge_lists", "False"),
            opt("default", "default"),
        ],
        effect: Effect::Reads,
        call: filter_by,
    },
    Function {
        name: "match.search_by",
        doc: "Lists the keys of a mapping with a target that means this minion.\n\nctl run '*' match.search_by '{web: [web1, web2]}'",
        params: &[need("lookup"), opt("tgt_type", "compound"), opt("minion_id", "None")],
        effect: Effect::Reads,
        call: search_by,
    },
    Function {
        name: "match.ifelse",
        doc: "Gives the value behind the first target that means this minion, or the last value.\n\nctl run '*' match.ifelse 'web*' Serve Idle",
        params: &[],
        effect: Effect::Reads,
        call: ifelse,
    },
];

fn flag(kind: &str) -> Result<char, CallError> {
    Ok(match kind {
        "compound" => 'C',
        "glob" => 'g',
        "pcre" => 'E',
        "list" => 'L',
        "grain" => 'G',
        "grain_pcre" => 'P',
        "pillar" => 'I',
        "pillar_pcre" => 'J',
        "ipcidr" => 'S',
        other => return Err(CallError::arguments(format!("the match type '{other}' does not exist"))),
    })
}

fn matches(context: &Context<'_>, flag: char, target: &str, id: Option<&Value>) -> Result<bool, CallError> {
    let id = id.filter(|id| truth(id)).map(value::python_str);
    let id = id.as_deref().unwrap_or(context.id.as_str());
    // What cannot be read matches nobody, as in Salt.
    Ok(matching::matches_id(context, flag, target, id).unwrap_or(false))
}

fn by(context: &Context<'_>, args: &Args, flag: char) -> Result<Value, CallError> {
    let given = Given::new(args, &["tgt", "minion_id"]);
    Ok(Value::Bool(matches(context, flag, &given.text("tgt")?, given.get("minion_id"))?))
}

fn filter_by(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["lookup", "tgt_type", "minion_id", "merge", "merge_lists", "default"]);
    let lookup = given.map("lookup")?;
    let flag = flag(&given.text_or("tgt_type", "compound"))?;
    for (target, found) in &lookup {
        if !matches(context, flag, target, given.get("minion_id"))? {
            continue;
        }
        return match (given.map_or_none("merge")?, found) {
            (None, found) => Ok(found.clone()),
            (Some(more), Value::Object(found)) => {
                let mut merged = found.clone();
                merge::update(&mut merged, more, given.flag("merge_lists", false));
                Ok(Value::Object(merged))
            }
            (Some(more), _) => Ok(Value::Object(more)),
        };
    }
    Ok(lookup.get(&given.get("default").map_or("default".to_owned(), value::key)).cloned().unwrap_or_default())
}

fn search_by(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["lookup", "tgt_type", "minion_id"]);
    let flag = flag(&given.text_or("tgt_type", "compound"))?;
    let mut found = Vec::new();
    for (key, targets) in given.map("lookup")? {
        for target in targets.as_array().into_iter().flatten() {
            if matches(context, flag, &value::python_str(target), given.get("minion_id"))? {
                found.push(Value::String(key.clone()));
            }
        }
    }
    Ok(if found.is_empty() { Value::Null } else { Value::Array(found) })
}

fn ifelse(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let Some((default, pairs)) = args.positional.split_last().filter(|(_, pairs)| pairs.len() % 2 == 0) else {
        return Err(CallError::arguments("The ifelse function must have an odd number of arguments!"));
    };
    let kind = args.named.get("tgt_type").map_or("compound".to_owned(), value::python_str);
    let flag = flag(&kind)?;
    for pair in pairs.chunks(2) {
        let found = match &pair[0] {
            Value::Bool(flag) => *flag,
            target => matches(context, flag, &value::python_str(target), args.named.get("minion_id"))?,
        };
        if found {
            return Ok(pair[1].clone());
        }
    }
    Ok(default.clone())
}
