//! `salt.function`.

use proto::{Args, Map, Value};
use states::{
    functions::truth,
    plan::{Call, Done, Plan, StateError},
};

use super::{fleet, retried, state::publish_and_gather, step, would};
use crate::{
    fleet::Refused,
    gather::{Gathered, first_error},
    room::fit,
    wish::{self, Expect, Rules},
};

pub fn plan(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step, low) = (fleet(of)?, step(of), of.low.clone());
    let rules = wish::rules(&low)?;
    let (call, options) = wish::call(&low, of.test)?;
    let function = of.name();
    let comment = format!("Function {function} would be executed on target {}", of.text_or("tgt", ""));
    // Whether a return is good may be a function's to say; it reads the return alone, so it is
    // looked up now and called when there is one.
    let judge = match of.some_text("fail_function") {
        None => None,
        Some(name) => Some(
            of.context()
                .functions
                .find(&name)
                .filter(|function| function.effect == states::Effect::Reads)
                .ok_or_else(|| StateError::failed(format!("fail_function {name} is no function that only reads")))?,
        ),
    };
    if of.test {
        // A stage of an overstate says whom it expects; `salt.function` alone says as little as Salt's.
        if let (true, Err(Refused::NoMatch(why))) =
            (rules.expect.is_some_and(|expect| !expect.is_none()), fleet.resolve(&call.target))
        {
            return Ok(Plan::KeepWith(Done::failed(format!("No minions responded: {why}"), Map::new())));
        }
        return would(of, comment, || Ok(Done::default()));
    }
    let words = of.low.get("arg").is_some_and(Value::is_string);
    Plan::change("", Map::new(), move |doing| {
        let verdict_of = |value: &Value| match judge {
            Some(judge) => {
                (judge.call)(doing.context, Args::positional([value.clone()])).is_ok_and(|answer| truth(&answer))
            }
            None => true,
        };
        let mut done = retried(&low, &*fleet, &step, || {
            let (jid, gathered) = match publish_and_gather(&*fleet, &step, &call, &options, &rules) {
                Ok(found) => found,
                Err(Refused::NoMatch(_)) if rules.expect.is_some_and(Expect::is_none) => {
                    return Ok(Done::new("Nobody matches, and nobody is expected.", Map::new()));
                }
                Err(Refused::NoMatch(why)) => {
                    return Ok(Done::failed(format!("No minions responded: {why}"), Map::new()));
                }
                Err(other) => return Err(other.into()),
            };
            let mut done = verdict(&function, &gathered, &rules, &verdict_of);
            done.more.insert("__jid__".into(), jid.to_string().into());
            Ok(done)
        })?;
        if words {
            done.more
                .insert("warnings".into(), Value::Array(vec!["Please specify 'arg' as a list of arguments.".into()]));
        }
        Ok(done)
    })
}

/// What the rules say of the answers. As in Salt, `fail_minions` forgives a return that is false,
/// and no error.
fn verdict(function: &str, gathered: &Gathered, rules: &Rules, judge: &dyn Fn(&Value) -> bool) -> Done {
    let total = gathered.targeted.len();
    let (mut failed, mut details, mut ret) = (Vec::new(), Vec::new(), Map::new());
    for (minion, end) in &gathered.answers {
        let error = end.ret.outcome != proto::Outcome::Ok || end.ret.retcode != 0;
        let bad = end.ret.value == Value::Bool(false) || !judge(&end.ret.value);
        if error || bad && !rules.forgives(minion) {
            failed.push(minion.to_string());
            details.push(format!("{minion}: {}", first_error(&end.ret.value)));
        }
        ret.insert(minion.to_string(), end.ret.value.clone());
    }
    let silent: Vec<String> = gathered.silent.keys().map(ToString::to_string).collect();
    for (minion, why) in &gathered.silent {
        details.push(format!("{minion}: {why}"));
        if rules.expect.is_none() && rules.expect_minions != Some(false) && !rules.forgives(minion) {
            failed.push(minion.to_string());
        }
    }
    let needed = rules.expect.map_or(0, |expect| expect.of(total));
    let nobody = gathered.answers.is_empty() && !rules.expect.is_some_and(Expect::is_none);
    let (too_few, too_many) = (gathered.answers.len() < needed, failed.len() > rules.allow_fail.of(total));
    let mut comment = match (nobody, too_many, too_few) {
        (true, _, _) => "No minions responded".to_owned(),
        (_, true, _) => format!("Running function {function} failed on minions: {}", failed.join(", ")),
        (_, _, true) => format!("{} of {total} minions answered, {needed} had to.", gathered.answers.len()),
        _ => "Function ran successfully.".to_owned(),
    };
    if !ret.is_empty() {
        let ran: Vec<&str> = ret.keys().map(String::as_str).collect();
        comment.push_str(&format!(" Function {function} ran on {}.", ran.join(", ")));
    }
    if !silent.is_empty() {
        comment.push_str(&format!(" No answer from {}.", silent.join(", ")));
    }
    let result = !(too_few || too_many || nobody);
    if !result {
        details.iter().for_each(|detail| comment.push_str(&format!("\n{detail}")));
    }
    let changes = match ret.is_empty() {
        true => Map::new(),
        false => {
            fit(&mut ret);
            Map::from_iter([("ret".to_owned(), Value::Object(ret))])
        }
    };
    Done { result, comment, changes, more: Map::new() }
}
