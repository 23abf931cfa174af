//! Questions about the master itself: keys, minions, operators, jobs past, status.

use proto::{
    JobId, MinionId,
    message::{Fault, FaultKind, KeyState, ORCHESTRATE, OperatorEntry, Query, Refusal},
    target::Target,
};

use super::{Master, operator::Caller};
use crate::{access, clock, jobs::fault, store::StoreError, wire::Reply};

/// Answers every question that has one answer.
pub(super) async fn answer(master: &Master, caller: &Caller, query: Query) -> Result<Reply, Fault> {
    access::permit_admin(&caller.operator, name(&query))?;
    let action = describe(&query);
    let result = act(master, caller, query).await;
    if let Some(action) = action {
        let outcome = result.as_ref().err().map_or("done", |fault| fault.message.as_str());
        master.audit(caller, &action, outcome).await;
    }
    result
}

/// The name that access rules use for a question.
fn name(query: &Query) -> &'static str {
    match query {
        Query::Resolve { .. } => "target.resolve",
        Query::Kill { .. } => "job.kill",
        Query::Jobs(_) | Query::Job { .. } | Query::Follow { .. } | Query::Run { .. } | Query::Forget { .. } => {
            "job.list"
        }
        Query::Minions { .. } => "minion.list",
        Query::ForgetMinion { .. } => "minion.forget",
        Query::Keys | Query::Refused => "key.list",
        Query::KeyAccept { .. } => "key.accept",
        Query::KeyReject { .. } => "key.reject",
        Query::KeyDelete { .. } => "key.delete",
        Query::Token { .. } => "key.token",
        Query::Operators => "operator.list",
        Query::OperatorAdd(_) => "operator.add",
        Query::OperatorRevoke { .. } => "operator.revoke",
        Query::Events { .. } => "event.watch",
        Query::SendEvent { .. } => "event.send",
        Query::Status => "master.status",
        Query::Checks { .. } => "check.last",
        Query::Plan(_) | Query::Orchestrate { .. } => ORCHESTRATE,
    }
}

/// What the audit log says of questions that change something.
fn describe(query: &Query) -> Option<String> {
    Some(match query {
        Query::ForgetMinion { id } => format!("minion forget {id}"),
        Query::KeyAccept { id, .. } => format!("key accept {id}"),
        Query::KeyReject { id } => format!("key reject {id}"),
        Query::KeyDelete { id } => format!("key delete {id}"),
        Query::Token { id, valid_for } => {
            format!("key token {} for {valid_for} s", id.as_ref().map_or("any", MinionId::as_str))
        }
        Query::OperatorAdd(entry) => format!("operator add {} {}", entry.name, entry.key.fingerprint()),
        Query::OperatorRevoke { name } => format!("operator revoke {name}"),
        Query::SendEvent { tag, .. } => format!("event send {tag}"),
        _ => return None,
    })
}

async fn act(master: &Master, caller: &Caller, query: Query) -> Result<Reply, Fault> {
    let stored = |error: StoreError| store_fault(&error);
    match query {
        Query::Resolve { target } => resolve(master, &target).await,
        Query::Jobs(filter) => Ok(Reply::Jobs(master.jobs.list(&filter).await.map_err(stored)?)),
        Query::Minions { id } => minions(master, id),
        Query::ForgetMinion { id } => delete(master, id.as_str()).await,
        Query::Keys => Ok(Reply::Keys(master.keys.list())),
        Query::Refused => Ok(Reply::Refusals(master.keys.refused())),
        Query::KeyAccept { id, grains, include_rejected } => accept(master, &id, grains, include_rejected).await,
        Query::KeyReject { id } => reject(master, &id).await,
        Query::KeyDelete { id } => delete(master, &id).await,
        Query::Token { id, valid_for } => {
            let expires = clock::now() + u64::from(valid_for) * 1_000_000;
            Ok(Reply::Token(master.keys.new_token(id, expires).await.map_err(stored)?))
        }
        Query::Operators => Ok(Reply::Operators(master.operators.list())),
        Query::OperatorAdd(entry) => add_operator(master, caller, entry).await,
        Query::OperatorRevoke { name } => match master.operators.revoke(&name).await.map_err(stored)? {
            true => Ok(Reply::Changed(vec![name.to_string()])),
            false => Err(fault(
                FaultKind::NotFound,
                format!("there is no operator {name} that could be revoked here"),
                Some("operators beneath `operators:` in the master's configuration are removed there".into()),
            )),
        },
        Query::SendEvent { tag, data } => send_event(master, &tag, data),
        Query::Status => Ok(Reply::Value(master.status())),
        Query::Kill { .. }
        | Query::Run { .. }
        | Query::Follow { .. }
        | Query::Job { .. }
        | Query::Events { .. }
        | Query::Checks { .. }
        | Query::Plan(_)
        | Query::Orchestrate { .. }
        | Query::Forget { .. } => Err(fault(FaultKind::Usage, "this question is answered elsewhere".into(), None)),
    }
}

async fn resolve(master: &Master, text: &str) -> Result<Reply, Fault> {
    let target = master
        .fleet
        .parse(text)
        .map_err(|error| fault(FaultKind::Usage, error.to_string(), error.hint().map(Into::into)))?;
    if master.fleet.asks_pillar(&target) {
        master.pillars.learn().await;
    }
    let matched = master.fleet.resolve(&target);
    if matched.is_empty() {
        return Err(fault(FaultKind::NoMatch, format!("no minion matches '{text}'"), master.fleet.nearest(text)));
    }
    let absent = master.fleet.absent(&matched);
    let connected = matched.into_iter().filter(|id| !absent.iter().any(|absent| absent.minion == *id)).collect();
    Ok(Reply::Matched { connected, absent })
}

fn minions(master: &Master, id: Option<MinionId>) -> Result<Reply, Fault> {
    let rows = master.fleet.rows(id.as_ref());
    match (rows.is_empty(), id) {
        (true, Some(id)) => {
            Err(fault(FaultKind::NotFound, format!("no minion is called {id}"), master.fleet.nearest(id.as_str())))
        }
        _ => Ok(Reply::Minions(rows)),
    }
}

/// For `salt.wheel` of orchestrations; gives the ids that it was done to.
pub(crate) async fn change_keys(master: &Master, act: &'static str, glob: &str) -> Result<Vec<String>, Fault> {
    let changed = match act {
        "accept" => accept(master, glob, proto::Map::new(), false).await?,
        "reject" => reject(master, glob).await?,
        _ => delete(master, glob).await?,
    };
    Ok(if let Reply::Changed(ids) = changed { ids } else { Vec::new() })
}

/// The ids of keys in one of these states that match a glob.
fn keys_like(master: &Master, glob: &str, states: &[KeyState]) -> Result<Vec<MinionId>, Fault> {
    let matcher = globset::GlobBuilder::new(glob)
        .build()
        .map_err(|error| fault(FaultKind::Usage, format!("'{glob}' is not a glob: {error}"), None))?
        .compile_matcher();
    let rows = master.keys.list();
    let ids: Vec<MinionId> = rows
        .iter()
        .filter(|row| states.contains(&row.state) && matcher.is_match(row.id.as_str()))
        .map(|row| row.id.clone())
        .collect();
    if ids.is_empty() {
        let names = rows.iter().filter(|row| states.contains(&row.state)).map(|row| row.id.as_str());
        let near = Target::parse(glob).ok().and_then(|target| target.nearest(names)).map(|near| format!("{near} "));
        let hint = format!("{}`ctl key list` shows every key.", near.unwrap_or_default());
        return Err(fault(FaultKind::NotFound, format!("no key matches '{glob}'"), Some(hint)));
    }
    Ok(ids)
}

async fn accept(master: &Master, glob: &str, grains: proto::Map, include_rejected: bool) -> Result<Reply, Fault> {
    let mut states = vec![KeyState::Pending];
    // Fixing a grain of an accepted minion is done with the same words.
    if !grains.is_empty() {
        states.push(KeyState::Accepted);
    }
    if include_rejected {
        states.push(KeyState::Rejected);
    }
    let ids = keys_like(master, glob, &states)?;
    for id in &ids {
        let fixed = (!grains.is_empty()).then(|| grains.clone());
        master.keys.set(id, KeyState::Accepted, fixed, clock::now()).await.map_err(|error| store_fault(&error))?;
        let fixed = master.keys.fixed_grains(std::slice::from_ref(id)).pop().unwrap_or_default();
        master.fleet.add(id, fixed);
        master.events.key("accept", id);
    }
    Ok(Reply::Changed(ids.iter().map(ToString::to_string).collect()))
}

async fn reject(master: &Master, glob: &str) -> Result<Reply, Fault> {
    let ids = keys_like(master, glob, &[KeyState::Pending, KeyState::Accepted])?;
    for id in &ids {
        master.keys.set(id, KeyState::Rejected, None, clock::now()).await.map_err(|error| store_fault(&error))?;
        master.fleet.remove(id, Refusal::Rejected);
        forget(master, id).await;
        master.events.key("reject", id);
    }
    Ok(Reply::Changed(ids.iter().map(ToString::to_string).collect()))
}

async fn delete(master: &Master, glob: &str) -> Result<Reply, Fault> {
    let ids = keys_like(master, glob, &[KeyState::Pending, KeyState::Accepted, KeyState::Rejected])?;
    for id in &ids {
        master.keys.delete(id).await.map_err(|error| store_fault(&error))?;
        master.store.minion_gone(id.clone()).await.map_err(|error| store_fault(&error))?;
        master.fleet.remove(id, Refusal::Deleted);
        forget(master, id).await;
        master.events.key("delete", id);
    }
    Ok(Reply::Changed(ids.iter().map(ToString::to_string).collect()))
}

/// What a minion left here goes with its key.
async fn forget(master: &Master, id: &MinionId) {
    master.jobs.deleted(id).await;
    master.pillars.forget(id);
    master.checks.forget(id);
    master.mine.forget(id).await;
}

/// Nobody can give what they do not have: the new operator's rules must be covered by an
/// operator who may do everything.
async fn add_operator(master: &Master, caller: &Caller, entry: OperatorEntry) -> Result<Reply, Fault> {
    for rule in &entry.rules {
        Target::parse(&rule.targets)
            .map_err(|error| fault(FaultKind::Usage, error.to_string(), error.hint().map(Into::into)))?;
    }
    let all =
        caller.operator.rules.iter().any(|rule| rule.targets == "*" && rule.functions.iter().any(|glob| glob == "*"));
    if !all {
        let message = format!("{} may not do everything, so it cannot make operators", caller.operator.name);
        return Err(fault(FaultKind::NotPermitted, message, None));
    }
    let name = entry.name.to_string();
    match master.operators.add(entry).await.map_err(|error| store_fault(&error))? {
        true => Ok(Reply::Changed(vec![name])),
        false => {
            let hint = "`ctl operator list` shows them; revoke the old one first".to_owned();
            Err(fault(FaultKind::Usage, format!("an operator has the name {name} or that key already"), Some(hint)))
        }
    }
}

fn send_event(master: &Master, tag: &str, data: proto::Value) -> Result<Reply, Fault> {
    if proto::event::is_reserved(tag) {
        let hint = "choose a tag of your own, such as deploy/finished".to_owned();
        return Err(fault(FaultKind::Usage, format!("'{tag}' is the master's own kind of tag"), Some(hint)));
    }
    master.events.send(tag.to_owned(), data);
    Ok(Reply::Changed(vec![tag.to_owned()]))
}

pub(super) fn no_job(jid: JobId) -> Fault {
    fault(FaultKind::NotFound, format!("there is no job {jid}"), Some("`ctl job list` shows the latest".into()))
}

pub(super) fn store_fault(error: &StoreError) -> Fault {
    fault(FaultKind::Store, error.to_string(), Some("is the disk of the master full? Its log says more".into()))
}
