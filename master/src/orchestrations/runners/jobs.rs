//! `jobs.*`: what is known of jobs, in the shapes of Salt's runner.

use orchestrate::fleet::Refused;
use proto::{
    Args, JobId, Map, MinionId, Outcome, Value,
    job::PairEnd,
    message::{JobDetail, JobFilter, JobRow, PairState},
};
use serde_json::json;

use super::{super::desk::Desk, argument, text};
use crate::store::StoreError;

/// The most jobs of one listing.
const MOST: u32 = 1_000;
/// What the returns of one job may take here, in bytes.
const RETURNS: u64 = 4 << 20;

fn stored(error: StoreError) -> Refused {
    Refused::Other(error.to_string())
}

/// `{"Function": …, "Arguments": …, "Target": …, "Target-type": …, "User": …, "StartTime": …}`.
fn row_of(row: &JobRow) -> Map {
    let time = crate::events::stamp(row.jid.micros());
    let (day, hour) = time.split_once('T').unwrap_or((&time, ""));
    let started = match jiff::Timestamp::from_microsecond(row.jid.micros() as i64) {
        // As Salt writes it: `2026, Nov 21 11:27:54.000042`.
        Ok(at) => at.strftime("%Y, %b %d %H:%M:%S.%6f").to_string(),
        Err(_) => format!("{day} {hour}"),
    };
    let row = json!({
        "Function": row.function, "Arguments": row.args.to_salt(), "Target": row.target,
        "Target-type": "compound", "User": row.operator, "StartTime": started,
    });
    if let Value::Object(map) = row { map } else { Map::new() }
}

pub fn list_jobs(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let word = |names: &[&str]| argument(args, usize::MAX, names).map(states::value::python_str);
    let filter = JobFilter {
        function: word(&["search_function"]),
        target: word(&["search_target"]),
        limit: MOST,
        ..JobFilter::default()
    };
    let rows = desk.runtime.block_on(desk.master.jobs.list(&filter)).map_err(stored)?;
    Ok(Value::Object(rows.iter().map(|row| (row.jid.to_string(), Value::Object(row_of(row)))).collect()))
}

fn jid(args: &Args) -> Result<JobId, Refused> {
    let text = text(args, 0, &["jid"])?;
    text.parse().map_err(|why: proto::IdError| Refused::Other(why.to_string()))
}

fn detail(desk: &Desk, jid: JobId) -> Result<Option<(JobDetail, Vec<MinionId>)>, Refused> {
    desk.runtime.block_on(desk.master.jobs.detail(jid)).map_err(stored)
}

/// The returns of a job, as far as they fit.
fn ends(desk: &Desk, jid: JobId, ended: &[MinionId]) -> Result<Vec<PairEnd>, Refused> {
    let (mut ends, mut bytes) = (Vec::new(), 0);
    for minion in ended {
        let Some(end) = desk.runtime.block_on(desk.master.store.end_of(jid, minion)).map_err(stored)? else { continue };
        bytes += end.ret.weight();
        if bytes > RETURNS {
            return Err(Refused::Other(format!(
                "the returns of {jid} are too many for one answer: `ctl job show {jid}`"
            )));
        }
        ends.push(end.open().map_err(|why| Refused::Other(why.to_string()))?);
    }
    Ok(ends)
}

pub fn list_job(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let jid = jid(args)?;
    let Some((known, ended)) = detail(desk, jid)? else {
        return Ok(json!({"jid": jid.to_string(), "Error": "Cannot contact returner or no job with this jid"}));
    };
    let mut row = row_of(&known.row);
    row.insert("jid".into(), jid.to_string().into());
    let open = known.open.iter().map(|(id, _)| id);
    row.insert("Minions".into(), ended.iter().chain(open).map(|id| Value::from(id.as_str())).collect());
    let result = ends(desk, jid, &ended)?.into_iter().map(|end| {
        let row = json!({
            "return": end.ret.value, "retcode": end.ret.retcode, "success": end.ret.outcome == Outcome::Ok, "out": "nested",
        });
        (end.minion.to_string(), row)
    });
    row.insert("Result".into(), Value::Object(result.collect()));
    Ok(Value::Object(row))
}

pub fn lookup_jid(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let jid = jid(args)?;
    let Some((_, ended)) = detail(desk, jid)? else { return Ok(json!({})) };
    let ends = ends(desk, jid, &ended)?.into_iter();
    Ok(Value::Object(ends.map(|end| (end.minion.to_string(), end.ret.value)).collect()))
}

pub fn exit_success(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let jid = jid(args)?;
    let Some((known, ended)) = detail(desk, jid)? else { return Ok(json!({})) };
    let good = |end: PairEnd| (end.minion.to_string(), Value::Bool(end.ret.outcome == Outcome::Ok));
    let mut all: Map = ends(desk, jid, &ended)?.into_iter().map(good).collect();
    all.extend(known.open.iter().map(|(id, _)| (id.to_string(), Value::Bool(false))));
    Ok(Value::Object(all))
}

pub fn active(desk: &Desk, _: &str, _: &Args) -> Result<Value, Refused> {
    let mut active = Map::new();
    for jid in desk.master.jobs.open_ids() {
        let Some((known, ended)) = detail(desk, jid)? else { continue };
        let mut row = row_of(&known.row);
        let running = known.open.iter().filter(|(_, state)| *state != PairState::Targeted);
        row.insert("Running".into(), running.map(|(id, _)| json!({ id.as_str(): null })).collect());
        row.insert("Returned".into(), ended.iter().map(|id| Value::from(id.as_str())).collect());
        active.insert(jid.to_string(), Value::Object(row));
    }
    Ok(Value::Object(active))
}
