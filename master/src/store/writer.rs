//! The one task that writes: everything that waits goes into one transaction.

use std::{sync::Arc, time::Duration};

use proto::{JobId, MinionId, question::MineEntry};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::{sync::mpsc, time::Instant};

use super::{Answer, JobRecord, StoreError, Write, json, pack};
use crate::{checks::Kept, wire::PairEnd};

/// The most writes in one transaction.
const GROUP: usize = 4_096;
/// The most bytes of returns in one transaction.
const GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Rows of one INSERT. SQLite looks its numbered parameters up one by one, so more rows do not
/// pay; and one size means one prepared statement.
const ROWS: usize = 32;
/// How long returns wait for company when nothing else is to be written. Only the minions'
/// acknowledgement waits with them, not the operator's answer.
const LINGER: Duration = Duration::from_millis(100);
/// How long to wait before a failed group is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Runs until every [`Store`](super::Store) handle is gone and the queue is empty.
pub(super) async fn run(pool: SqlitePool, mut queue: mpsc::Receiver<Write>) {
    let mut kept: Vec<Write> = Vec::new();
    let mut failing = false;
    while let Some(group) = next_group(&mut queue, std::mem::take(&mut kept), failing).await {
        match commit(&pool, &group).await {
            Ok(()) => {
                if failing {
                    tracing::info!("the store writes again");
                }
                failing = false;
                group.into_iter().for_each(stored);
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "cannot write to the store; nothing new is acknowledged until it can");
                }
                failing = true;
                kept = refuse(group, &error);
            }
        }
    }
}

/// What was kept from a failed try comes first, so returns stay in their order.
async fn next_group(queue: &mut mpsc::Receiver<Write>, kept: Vec<Write>, failing: bool) -> Option<Vec<Write>> {
    let mut group = kept;
    if group.is_empty() {
        group.push(queue.recv().await?);
    } else if failing {
        // New jobs must hear "no" at once, so a wait ends with the next write.
        if let Ok(next) = tokio::time::timeout(RETRY, queue.recv()).await {
            group.extend(next);
        }
    }
    let mut bytes: usize = group.iter().map(weight).sum();
    let deadline = Instant::now() + LINGER;
    while group.len() < GROUP && bytes < GROUP_BYTES {
        let write = match queue.try_recv() {
            Ok(write) => write,
            Err(_) if group.iter().any(|write| !matches!(write, Write::End(..))) => break,
            Err(_) => match tokio::time::timeout_at(deadline, queue.recv()).await {
                Ok(Some(write)) => write,
                _ => break,
            },
        };
        bytes += weight(&write);
        group.push(write);
    }
    Some(group)
}

/// An estimate of what a write holds in memory.
fn weight(write: &Write) -> usize {
    match write {
        Write::End(end, _) => end.ret.weight() as usize,
        Write::Checks(kept) => kept.iter().map(|(_, known)| 64 + known.as_ref().map_or(0, |known| known.1.len())).sum(),
        Write::Mine(_, entries, _) => entries.iter().map(|entry| 256 + entry.data.len()).sum(),
        _ => 256,
    }
}

async fn commit(pool: &SqlitePool, group: &[Write]) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let result = transact(&mut connection, group).await;
    if result.is_err() {
        // After a COMMIT that failed, sqlx believes to be inside a transaction for ever, and what
        // comes next would be a part of it that nothing ever commits. A new connection begins anew.
        connection.close().await?;
    }
    result
}

async fn transact(connection: &mut SqliteConnection, group: &[Write]) -> Result<(), StoreError> {
    let mut tx = connection.begin().await?;
    let mut ends: Vec<&Arc<PairEnd>> = Vec::new();
    for write in group {
        match write {
            Write::End(end, _) => ends.push(end),
            other => one(&mut tx, other).await?,
        }
    }
    let chunks = ends.chunks_exact(ROWS);
    for row in chunks.remainder() {
        insert_ends(&mut tx, std::slice::from_ref(row)).await?;
    }
    for rows in chunks {
        insert_ends(&mut tx, rows).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A pair ends once; only the verdict `lost` gives way to a return that comes after all.
async fn insert_ends(tx: &mut Transaction<'_, Sqlite>, rows: &[&Arc<PairEnd>]) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO ends (jid, minion, outcome, at, ret) VALUES {} ON CONFLICT (jid, minion) DO UPDATE SET \
         outcome = excluded.outcome, at = excluded.at, ret = excluded.ret WHERE ends.outcome = 'lost'",
        placeholders(rows.len(), 5)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for end in rows {
        query = query
            .bind(end.ret.jid.micros() as i64)
            .bind(end.minion.as_str())
            .bind(end.ret.outcome.as_str())
            .bind(end.at as i64)
            .bind(pack(&end.ret)?);
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

/// `($1, $2), ($3, $4)`: numbered, as PostgreSQL takes them too.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", numbers.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

async fn one(tx: &mut Transaction<'_, Sqlite>, write: &Write) -> Result<(), StoreError> {
    let query = match write {
        Write::End(..) | Write::After(_) => return Ok(()),
        Write::Job(job, _) => {
            if let (Some(of), Some(step)) = (job.parent, &job.step) {
                insert_child(of, step, job.jid).execute(&mut **tx).await?;
            }
            insert_job(job)?
        }
        Write::Summary(jid, counts) => sqlx::query("UPDATE jobs SET summary = $2 WHERE jid = $1").bind(jid.micros() as i64).bind(json(counts)),
        Write::Orchestration(job, steps, _) => {
            insert_job(job)?.execute(&mut **tx).await?;
            sqlx::query("INSERT INTO orchestrations (jid, steps) VALUES ($1, $2)").bind(job.jid.micros() as i64).bind(steps.clone())
        }
        Write::Step { of, step, row, .. } => sqlx::query("INSERT OR REPLACE INTO steps (orchestration, step, row) VALUES ($1, $2, $3)")
            .bind(of.micros() as i64)
            .bind(step.clone())
            .bind(row.clone()),
        Write::Orchestrated(jid, outcome, _) => sqlx::query("UPDATE jobs SET summary = $2 WHERE jid = $1")
            .bind(jid.micros() as i64)
            .bind(json(&[(*outcome, 1)])),
        Write::Key(row, _) => sqlx::query(
            "INSERT INTO keys (id, key, state, since, grains) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET \
             key = excluded.key, state = excluded.state, since = excluded.since, grains = excluded.grains",
        )
        .bind(row.id.to_string())
        .bind(row.key.as_bytes().to_vec())
        .bind(json(&row.state))
        .bind(row.since as i64)
        .bind(json(&row.fixed_grains)),
        Write::KeyGone(id, _) => sqlx::query("DELETE FROM keys WHERE id = $1").bind(id.to_string()),
        Write::Token { hash, id, expires, .. } => sqlx::query("INSERT INTO tokens (hash, id, expires) VALUES ($1, $2, $3)")
            .bind(hash.to_vec())
            .bind(id.as_ref().map(ToString::to_string))
            .bind(*expires as i64),
        Write::TokenUsed(hash, _) => sqlx::query("DELETE FROM tokens WHERE hash = $1").bind(hash.to_vec()),
        Write::Operator(entry, _) => {
            sqlx::query("INSERT INTO operators (name, entry) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET entry = excluded.entry")
                .bind(entry.name.to_string())
                .bind(pack(entry)?)
        }
        Write::OperatorGone(name, _) => sqlx::query("DELETE FROM operators WHERE name = $1").bind(name.to_string()),
        Write::Minion(minion) => sqlx::query(
            "INSERT INTO minions (id, last_seen, version, address, grains) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO \
             UPDATE SET last_seen = excluded.last_seen, version = excluded.version, address = excluded.address, grains = excluded.grains",
        )
        .bind(minion.id.to_string())
        .bind(minion.last_seen as i64)
        .bind(minion.version.clone())
        .bind(minion.address.clone())
        .bind(minion.grains.as_bytes().to_vec()),
        Write::Seen(id, at) => sqlx::query("UPDATE minions SET last_seen = $2 WHERE id = $1").bind(id.to_string()).bind(*at as i64),
        Write::MinionGone(id, _) => sqlx::query("DELETE FROM minions WHERE id = $1").bind(id.to_string()),
        Write::Tree(tree, revisions) => sqlx::query("INSERT INTO trees (hash, revisions) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING")
            .bind(tree.to_string())
            .bind(revisions.clone()),
        Write::Audit(audit) => sqlx::query("INSERT INTO audit (at, operator, origin, action, outcome) VALUES ($1, $2, $3, $4, $5)")
            .bind(audit.at as i64)
            .bind(audit.operator.clone())
            .bind(audit.origin.clone())
            .bind(audit.action.clone())
            .bind(audit.outcome.clone()),
        Write::Checks(kept) => return checks(tx, kept).await,
        Write::Probe(_) => {
            sqlx::query("INSERT INTO probes DEFAULT VALUES").execute(&mut **tx).await?;
            sqlx::query("DELETE FROM probes")
        }
        Write::Mine(id, entries, _) => return mine(tx, id, entries).await,
        Write::Prune { before } => return prune(tx, before.micros() as i64).await,
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

fn insert_child(
    of: JobId,
    step: &str,
    child: JobId,
) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query("INSERT INTO children (orchestration, step, jid) VALUES ($1, $2, $3)")
        .bind(of.micros() as i64)
        .bind(step.to_owned())
        .bind(child.micros() as i64)
}

fn insert_job(
    job: &JobRecord,
) -> Result<sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments>, StoreError> {
    Ok(sqlx::query(
        "INSERT INTO jobs (jid, operator, origin, target, function, args, comment, request, expected, expires, tree, parent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(job.jid.micros() as i64)
    .bind(job.operator.to_string())
    .bind(job.origin.clone())
    .bind(job.target.clone())
    .bind(job.function.to_string())
    .bind(json(&job.args))
    .bind(job.comment.clone())
    .bind(pack(&job.request)?)
    .bind(pack(&job.expected)?)
    .bind(job.expires as i64)
    .bind(job.tree.map(|tree| tree.to_string()))
    .bind(job.parent.map(|parent| parent.micros() as i64)))
}

async fn mine(tx: &mut Transaction<'_, Sqlite>, id: &MinionId, entries: &[MineEntry]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM mine WHERE minion = $1").bind(id.to_string()).execute(&mut **tx).await?;
    for entry in entries {
        sqlx::query("INSERT INTO mine (minion, name, data, allow_tgt) VALUES ($1, $2, $3, $4)")
            .bind(id.to_string())
            .bind(entry.name.to_string())
            .bind(entry.data.to_vec())
            .bind(entry.allow_tgt.clone())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn checks(tx: &mut Transaction<'_, Sqlite>, kept: &[Kept]) -> Result<(), StoreError> {
    for (minion, known) in kept {
        let query = match known {
            Some((at, rows)) => {
                let sql = "INSERT OR REPLACE INTO checks (minion, at, packed) VALUES ($1, $2, $3)";
                sqlx::query(sql).bind(minion.to_string()).bind(*at as i64).bind(rows.to_vec())
            }
            None => sqlx::query("DELETE FROM checks WHERE minion = $1").bind(minion.to_string()),
        };
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn prune(tx: &mut Transaction<'_, Sqlite>, before: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM ends WHERE jid IN (SELECT jid FROM jobs WHERE jid < $1 AND summary IS NOT NULL)")
        .bind(before)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM jobs WHERE jid < $1 AND summary IS NOT NULL").bind(before).execute(&mut **tx).await?;
    for (table, column) in [("orchestrations", "jid"), ("children", "orchestration"), ("steps", "orchestration")] {
        let sql = format!("DELETE FROM {table} WHERE {column} < $1 AND {column} NOT IN (SELECT jid FROM jobs)");
        sqlx::query(AssertSqlSafe(sql)).bind(before).execute(&mut **tx).await?;
    }
    let unused = "DELETE FROM trees WHERE hash NOT IN (SELECT tree FROM jobs WHERE tree IS NOT NULL)";
    sqlx::query(unused).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM audit WHERE at < $1").bind(before).execute(&mut **tx).await?;
    Ok(())
}

fn stored(write: Write) {
    match write {
        Write::End(_, stored) | Write::After(stored) => stored(),
        other => {
            if let Some(answer) = answer(other) {
                // Whoever asked may have gone.
                let _ = answer.send(Ok(()));
            }
        }
    }
}

/// Audit rows that are kept for a store that writes again; each is small.
const AUDITS: usize = 20_000;

/// Tells those who wait for an answer, and gives back what must be tried again.
fn refuse(group: Vec<Write>, error: &StoreError) -> Vec<Write> {
    let mut again = Vec::new();
    let mut audits = 0;
    for write in group {
        match write {
            Write::Audit(audit) if audits == AUDITS => {
                tracing::error!(?audit, "the store has failed for so long that this audit row is lost");
            }
            Write::Audit(_) => {
                audits += 1;
                again.push(write);
            }
            Write::End(..)
            | Write::After(_)
            | Write::Summary(..)
            | Write::Minion(..)
            | Write::Tree(..)
            | Write::Checks(_)
            | Write::Step { answer: None, .. } => {
                again.push(write);
            }
            other => {
                if let Some(answer) = answer(other) {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
    again
}

fn answer(write: Write) -> Option<Answer> {
    match write {
        Write::Job(_, answer)
        | Write::Orchestration(_, _, answer)
        | Write::Orchestrated(_, _, answer)
        | Write::Key(_, answer)
        | Write::KeyGone(_, answer)
        | Write::Token { answer, .. }
        | Write::TokenUsed(_, answer)
        | Write::Operator(_, answer)
        | Write::OperatorGone(_, answer)
        | Write::MinionGone(_, answer)
        | Write::Probe(answer)
        | Write::Mine(_, _, answer) => Some(answer),
        Write::Step { answer, .. } => answer,
        Write::End(..)
        | Write::After(_)
        | Write::Summary(..)
        | Write::Minion(_)
        | Write::Seen(..)
        | Write::Tree(..)
        | Write::Checks(_)
        | Write::Audit(_)
        | Write::Prune { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Audit;

    fn audit(at: u64) -> Write {
        let text = String::new();
        Write::Audit(Audit { at, operator: text.clone(), origin: text.clone(), action: text.clone(), outcome: text })
    }

    #[test]
    fn audit_rows_wait_for_a_store_that_writes_again_up_to_a_bound() {
        let error = StoreError("no space left".into());
        let (answer, mut refused) = tokio::sync::oneshot::channel();
        let gone = Write::KeyGone("h1".parse().unwrap(), answer);
        let kept = refuse(vec![audit(1), gone, audit(2)], &error);
        assert!(refused.try_recv().unwrap().is_err(), "who waits for an answer hears of it");
        let ats = |kept: &[Write]| -> Vec<u64> {
            let at = |write: &Write| if let Write::Audit(audit) = write { audit.at } else { 0 };
            kept.iter().map(at).collect()
        };
        assert_eq!(ats(&kept), [1, 2]);
        let flood = (0..AUDITS as u64 + 5).map(audit).collect();
        let kept = ats(&refuse(flood, &error));
        assert_eq!((kept.len(), kept[0]), (AUDITS, 0), "the first ones are kept");
    }
}
