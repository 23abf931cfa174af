//! What the store is asked.

use std::sync::Arc;

use bytes::Bytes;
use proto::{
    Hash, JobId, MinionId, Outcome, Packed,
    manifest::{EnvName, Revision},
    message::{JobFilter, JobRow, KeyRow, ORCHESTRATE, OperatorEntry},
    question::MineEntry,
    sign::{PublicKey, Signed},
};
use sqlx::{Row, sqlite::SqliteRow};

use super::{JobRecord, MinionRecord, Store, StoreError, map, unpack};
use crate::wire::{PairEnd, Return};

/// The most jobs that one listing gives.
const MOST_JOBS: u32 = 10_000;

impl Store {
    /// The newest job's id, so that ids only grow across restarts.
    pub async fn newest_job(&self) -> Result<Option<JobId>, StoreError> {
        let row = sqlx::query(
            "SELECT max(jid) FROM (SELECT max(jid) AS jid FROM jobs UNION ALL SELECT max(jid) FROM children)",
        )
        .fetch_one(&self.read)
        .await?;
        let jid: Option<i64> = row.try_get(0)?;
        Ok(jid.map(|jid| JobId::from_micros(jid as u64)))
    }

    /// Jobs with pairs that have not ended, each with the minions that have.
    pub async fn open_jobs(&self) -> Result<Vec<(JobRecord, Vec<(MinionId, Outcome)>)>, StoreError> {
        let sql = "SELECT jobs.*, whole.request AS authority FROM jobs LEFT JOIN jobs AS whole ON whole.jid = jobs.parent \
                   WHERE jobs.summary IS NULL AND jobs.function != $1 ORDER BY jobs.jid";
        let rows = sqlx::query(sql).bind(ORCHESTRATE).fetch_all(&self.read).await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let job = record(&row)?;
            let ended = sqlx::query("SELECT minion, outcome FROM ends WHERE jid = $1")
                .bind(job.jid.micros() as i64)
                .fetch_all(&self.read)
                .await?
                .iter()
                .map(|row| Ok((parse(row.try_get("minion")?)?, outcome(row)?)))
                .collect::<Result<_, StoreError>>()?;
            jobs.push((job, ended));
        }
        Ok(jobs)
    }

    /// The requests of the jobs since then, newest first, at most `limit`.
    pub async fn requests(&self, since: JobId, limit: u32) -> Result<Vec<Signed>, StoreError> {
        let rows = sqlx::query("SELECT request FROM jobs WHERE jid >= $1 ORDER BY jid DESC LIMIT $2")
            .bind(since.micros() as i64)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| unpack(row.try_get("request")?)).collect()
    }

    pub async fn job_record(&self, jid: JobId) -> Result<Option<JobRecord>, StoreError> {
        let sql = "SELECT jobs.*, whole.request AS authority FROM jobs LEFT JOIN jobs AS whole ON whole.jid = jobs.parent \
                   WHERE jobs.jid = $1";
        let row = sqlx::query(sql).bind(jid.micros() as i64).fetch_optional(&self.read).await?;
        row.as_ref().map(record).transpose()
    }

    /// Orchestrations that have not ended, with their steps.
    pub async fn open_orchestrations(&self) -> Result<Vec<(JobRecord, String)>, StoreError> {
        let sql = "SELECT jobs.*, orchestrations.steps FROM jobs JOIN orchestrations USING (jid) WHERE summary IS NULL ORDER BY jid";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((record(row)?, row.try_get("steps")?))).collect()
    }

    /// The steps of an orchestration, if there is one with that id.
    pub async fn orchestration_steps(&self, jid: JobId) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT steps FROM orchestrations WHERE jid = $1")
            .bind(jid.micros() as i64)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(row.try_get("steps")?)).transpose()
    }

    /// The jobs of an orchestration's steps, oldest first.
    pub async fn children(&self, jid: JobId) -> Result<Vec<(String, JobId)>, StoreError> {
        let rows = sqlx::query("SELECT step, jid FROM children WHERE orchestration = $1 ORDER BY jid")
            .bind(jid.micros() as i64)
            .fetch_all(&self.read)
            .await?;
        let child =
            |row: &SqliteRow| Ok((row.try_get("step")?, JobId::from_micros(row.try_get::<i64, _>("jid")? as u64)));
        rows.iter().map(child).collect()
    }

    /// How the steps of an orchestration ended, as JSON.
    pub async fn step_rows(&self, jid: JobId) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query("SELECT step, row FROM steps WHERE orchestration = $1")
            .bind(jid.micros() as i64)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("step")?, row.try_get("row")?))).collect()
    }

    /// Whose pairs of a job have ended, in the order they did.
    pub async fn ended(&self, jid: JobId) -> Result<Vec<MinionId>, StoreError> {
        let rows = sqlx::query("SELECT minion FROM ends WHERE jid = $1 ORDER BY rowid")
            .bind(jid.micros() as i64)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| parse(row.try_get("minion")?)).collect()
    }

    /// How one pair ended, if it has and it is on disk.
    pub async fn end_of(&self, jid: JobId, minion: &MinionId) -> Result<Option<PairEnd>, StoreError> {
        let row = sqlx::query("SELECT minion, at, ret FROM ends WHERE jid = $1 AND minion = $2")
            .bind(jid.micros() as i64)
            .bind(minion.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(pair_end).transpose()
    }

    /// Jobs that fit the filter, newest first.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM jobs WHERE jid >= $1 AND jid <= $2 AND ($3 IS NULL OR operator GLOB $3) \
             AND ($4 IS NULL OR function GLOB $4) AND ($5 IS NULL OR target = $5 OR EXISTS \
             (SELECT 1 FROM ends WHERE ends.jid = jobs.jid AND ends.minion GLOB $5)) ORDER BY jid DESC LIMIT $6",
        )
        .bind(filter.since.unwrap_or(0) as i64)
        .bind(filter.until.map_or(i64::MAX, |until| until as i64))
        .bind(filter.operator.clone())
        .bind(filter.function.clone())
        .bind(filter.target.clone())
        .bind(i64::from(filter.limit.clamp(1, MOST_JOBS)))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(job_row).collect()
    }

    /// How many pairs of a job ended how, counted from the rows.
    pub async fn counts(&self, jid: JobId) -> Result<Vec<(Outcome, u32)>, StoreError> {
        let rows = sqlx::query("SELECT outcome, count(*) AS n FROM ends WHERE jid = $1 GROUP BY outcome")
            .bind(jid.micros() as i64)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok((outcome(row)?, row.try_get::<i64, _>("n")? as u32))).collect()
    }

    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM keys ORDER BY id").fetch_all(&self.read).await?;
        rows.iter()
            .map(|row| {
                let key: Vec<u8> = row.try_get("key")?;
                let key = key.try_into().map_err(|_| StoreError("a key that is not of 32 bytes".into()))?;
                let state: String = row.try_get("state")?;
                Ok(KeyRow {
                    id: parse(row.try_get("id")?)?,
                    key: PublicKey::from_bytes(key),
                    state: serde_json::from_str(&state).map_err(|e| StoreError(e.to_string()))?,
                    since: row.try_get::<i64, _>("since")? as u64,
                    fixed_grains: map(row.try_get("grains")?),
                })
            })
            .collect()
    }

    /// Whom an enrolment token is for and until when, if there is such a token.
    pub async fn token_by_hash(&self, hash: [u8; 32]) -> Result<Option<(Option<MinionId>, u64)>, StoreError> {
        let row = sqlx::query("SELECT id, expires FROM tokens WHERE hash = $1")
            .bind(hash.to_vec())
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id: Option<String> = row.try_get("id")?;
        Ok(Some((id.map(parse).transpose()?, row.try_get::<i64, _>("expires")? as u64)))
    }

    pub async fn operators(&self) -> Result<Vec<OperatorEntry>, StoreError> {
        let rows = sqlx::query("SELECT entry FROM operators ORDER BY name").fetch_all(&self.read).await?;
        rows.iter().map(|row| unpack(row.try_get("entry")?)).collect()
    }

    /// Which commits a tree was made of.
    pub async fn revisions(&self, tree: &Hash) -> Result<Vec<(EnvName, Revision)>, StoreError> {
        let row = sqlx::query("SELECT revisions FROM trees WHERE hash = $1")
            .bind(tree.to_string())
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        serde_json::from_str(row.try_get("revisions")?).map_err(|e| StoreError(e.to_string()))
    }

    /// What minions keep in the mine.
    pub async fn mine(&self) -> Result<Vec<(MinionId, MineEntry)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM mine").fetch_all(&self.read).await?;
        let entry = |row: &SqliteRow| {
            let entry = MineEntry {
                name: parse(row.try_get("name")?)?,
                data: row.try_get::<Vec<u8>, _>("data")?.into(),
                allow_tgt: row.try_get("allow_tgt")?,
            };
            Ok((parse(row.try_get("minion")?)?, entry))
        };
        rows.iter().map(entry).collect()
    }

    /// What minions told of their checks last, and when.
    pub async fn checks(&self) -> Result<Vec<(MinionId, u64, Bytes)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM checks").fetch_all(&self.read).await?;
        let known = |row: &SqliteRow| {
            let packed: Vec<u8> = row.try_get("packed")?;
            Ok((parse(row.try_get("minion")?)?, row.try_get::<i64, _>("at")? as u64, packed.into()))
        };
        rows.iter().map(known).collect()
    }

    pub async fn minions(&self) -> Result<Vec<MinionRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM minions").fetch_all(&self.read).await?;
        rows.iter()
            .map(|row| {
                Ok(MinionRecord {
                    id: parse(row.try_get("id")?)?,
                    last_seen: row.try_get::<i64, _>("last_seen")? as u64,
                    version: row.try_get("version")?,
                    address: row.try_get("address")?,
                    grains: Packed::from_bytes(row.try_get::<Vec<u8>, _>("grains")?),
                })
            })
            .collect()
    }
}

fn record(row: &SqliteRow) -> Result<JobRecord, StoreError> {
    let expected: Vec<MinionId> = unpack(row.try_get("expected")?)?;
    Ok(JobRecord {
        jid: JobId::from_micros(row.try_get::<i64, _>("jid")? as u64),
        operator: parse(row.try_get("operator")?)?,
        origin: row.try_get("origin")?,
        target: row.try_get("target")?,
        function: parse(row.try_get("function")?)?,
        args: serde_json::from_str(row.try_get("args")?).map_err(|e| StoreError(e.to_string()))?,
        comment: row.try_get("comment")?,
        request: unpack(row.try_get("request")?)?,
        expected: Arc::from(expected),
        expires: row.try_get::<i64, _>("expires")? as u64,
        tree: row.try_get::<Option<String>, _>("tree")?.and_then(|tree| tree.parse().ok()),
        // Only where it was asked for.
        authority: match row.try_get::<Option<Vec<u8>>, _>("authority") {
            Ok(Some(bytes)) => Some(unpack(&bytes)?),
            _ => None,
        },
        parent: row.try_get::<Option<i64>, _>("parent")?.map(|jid| JobId::from_micros(jid as u64)),
        step: None,
    })
}

fn job_row(row: &SqliteRow) -> Result<JobRow, StoreError> {
    let job = record(row)?;
    let summary: Option<String> = row.try_get("summary")?;
    // An orchestration is the master's own to end, and ends once.
    let expected = if job.function.as_str() == ORCHESTRATE { 1 } else { job.expected.len() as u32 };
    Ok(JobRow {
        jid: job.jid,
        operator: job.operator,
        from: job.origin,
        target: job.target,
        function: job.function.to_string(),
        args: job.args,
        comment: job.comment,
        tree: job.tree,
        parent: job.parent,
        expected,
        ends: summary.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

fn pair_end(row: &SqliteRow) -> Result<PairEnd, StoreError> {
    Ok(PairEnd {
        minion: parse(row.try_get("minion")?)?,
        ret: unpack::<Return>(row.try_get("ret")?)?,
        at: row.try_get::<i64, _>("at")? as u64,
    })
}

fn outcome(row: &SqliteRow) -> Result<Outcome, StoreError> {
    let text: String = row.try_get("outcome")?;
    text.parse().map_err(|()| StoreError(format!("unknown outcome {text:?}")))
}

fn parse<T: std::str::FromStr<Err = proto::IdError>>(text: String) -> Result<T, StoreError> {
    text.parse().map_err(|e: proto::IdError| StoreError(e.to_string()))
}
