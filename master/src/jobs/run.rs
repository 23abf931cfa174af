//! From a signed request to a job on its way.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use proto::{
    Args, FunctionName, Hash, JobId, MinionId, Request, Value,
    message::{Fault, FaultKind, JobStart, ORCHESTRATE, OperatorEntry},
    question::Unanswered,
    sign::{self, Signed},
    target::Target,
};
use rand::seq::IndexedRandom;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Jobs, LiveJob, MOST_LIVE, MOST_NONCES, Note, VALID_AT_MOST, Watch};
use crate::{access, clock, keys::Keys, store::JobRecord};

/// Seconds that an absent minion may still pick a job up, unless `--ttl` says otherwise.
const TTL: u32 = 30;
/// The longest time to live, in seconds: a week.
const LONGEST_TTL: u32 = 7 * 86_400;

/// A job that was recorded and is being sent.
pub struct Started {
    pub start: JobStart,
    /// What becomes of it, for whoever asked to follow.
    pub notes: Option<UnboundedReceiver<Note>>,
}

/// A job that is about to be made.
struct Order<'a> {
    jid: JobId,
    /// Where the operator asked from.
    origin: &'a str,
    signed: Signed,
    part: Option<Part>,
}

/// What a job is a part of.
pub struct Part {
    pub parent: JobId,
    /// The tag of its step.
    pub step: String,
    /// The operator's signed request for the whole.
    pub authority: Signed,
    /// The tree that the whole uses.
    pub tree: Option<Hash>,
}

impl Jobs {
    /// Verifies, permits, resolves, records and sends.
    ///
    /// # Errors
    /// Nothing was done, and why.
    pub async fn run(
        &self,
        keys: &Keys,
        operator: &OperatorEntry,
        origin: &str,
        signed: Signed,
        follow: bool,
    ) -> Result<Started, Fault> {
        let now = clock::now();
        let request = self.verify(operator, &signed, now)?;
        if request.function.as_str() == ORCHESTRATE {
            let hint = "`ctl overstate` and `ctl orchestrate` do".to_owned();
            return Err(fault(FaultKind::Usage, format!("minions do not run {ORCHESTRATE}"), Some(hint)));
        }
        let order = Order { jid: self.next_jid(), origin, signed, part: None };
        self.dispatch(keys, operator, request, order, follow).await
    }

    /// A job of a stage, on the word of the operator who signed the whole. The request is the
    /// master's own.
    ///
    /// # Errors
    /// Nothing was done, and why.
    pub async fn run_part(
        &self,
        keys: &Keys,
        operator: &OperatorEntry,
        origin: &str,
        request: Request,
        jid: JobId,
        part: Part,
    ) -> Result<Started, Fault> {
        let signed = self.identity.sign_value(sign::REQUEST, &request);
        let signed = signed.map_err(|error| fault(FaultKind::Usage, error.to_string(), None))?;
        let order = Order { jid, origin, signed, part: Some(part) };
        self.dispatch(keys, operator, request, order, true).await
    }

    /// The id of a job that is about to be made.
    pub fn next_jid(&self) -> JobId {
        let mut table = self.table();
        let jid = JobId::next(clock::now(), table.last);
        table.last = Some(jid);
        jid
    }

    async fn dispatch(
        &self,
        keys: &Keys,
        operator: &OperatorEntry,
        request: Request,
        order: Order<'_>,
        follow: bool,
    ) -> Result<Started, Fault> {
        let jid = order.jid;
        let target = self
            .fleet
            .parse(&request.target)
            .map_err(|error| fault(FaultKind::Usage, error.to_string(), error.hint().map(Into::into)))?;
        if self.fleet.asks_pillar(&target) {
            self.pillars.learn().await;
        }
        let expected = self.choose(&target, &request)?;
        let fixed = keys.fixed_grains(&expected);
        let seen = expected.iter().zip(&fixed).map(|(id, fixed_grains)| access::Seen { id, fixed_grains });
        access::permit(operator, &request.function, seen)?;

        let tree = self.tree_for(&request, order.part.as_ref().and_then(|part| part.tree)).await?;
        let record = Arc::new(record(operator, order, &request, expected, tree));
        self.store.job(record.clone()).await.map_err(|error| {
            fault(
                FaultKind::Store,
                error.to_string(),
                Some("nothing was sent: a job that is not on disk does not exist".into()),
            )
        })?;
        self.counters.recorded.fetch_add(1, Relaxed);
        let absent = self.fleet.absent(&record.expected);
        let start = JobStart { jid, expected: record.expected.to_vec(), absent };
        self.events.started(&record);
        let notes = self.launch(record, request, follow);
        Ok(Started { start, notes })
    }

    pub(crate) fn verify(&self, operator: &OperatorEntry, signed: &Signed, now: u64) -> Result<Request, Fault> {
        let request: Request = signed.open_as(sign::REQUEST, Some(&operator.key)).map_err(|error| {
            fault(FaultKind::NotPermitted, format!("the request's signature does not hold: {error}"), None)
        })?;
        if request.operator != operator.name {
            let why = format!("the request names operator {}, but this key is {}'s", request.operator, operator.name);
            return Err(fault(FaultKind::NotPermitted, why, None));
        }
        if request.valid_until < now {
            let hint = "is this machine's clock right? The master's decides".to_owned();
            return Err(fault(FaultKind::NotPermitted, "the request is no longer valid".into(), Some(hint)));
        }
        if request.valid_until > now + VALID_AT_MOST {
            let hint = "a request may be valid for a day at most; is this machine's clock right?".to_owned();
            return Err(fault(FaultKind::NotPermitted, "the request is valid for too long".into(), Some(hint)));
        }
        let mut table = self.table();
        if table.nonces.contains_key(&request.nonce) {
            return Err(fault(FaultKind::NotPermitted, "this very request was carried out before".into(), None));
        }
        if table.live.len() >= MOST_LIVE || table.nonces.len() >= MOST_NONCES {
            let hint = "`ctl job list` shows them; wait, or give a shorter --ttl".to_owned();
            return Err(fault(FaultKind::Store, format!("{MOST_LIVE} jobs are open already"), Some(hint)));
        }
        table.nonces.insert(request.nonce, request.valid_until);
        Ok(request)
    }

    /// Who is expected to answer.
    fn choose(&self, target: &Target, request: &Request) -> Result<Vec<MinionId>, Fault> {
        let matched = self.fleet.resolve(target);
        if matched.is_empty() {
            let message = format!("no minion matches '{}'", request.target);
            return Err(fault(FaultKind::NoMatch, message, self.fleet.nearest(&request.target)));
        }
        Ok(match request.options.subset {
            Some(count) => {
                let mut chosen: Vec<MinionId> =
                    matched.sample(&mut rand::rng(), count.max(1) as usize).cloned().collect();
                chosen.sort();
                chosen
            }
            None => matched,
        })
    }

    /// The tree that all minions of this run use: the one that the operator signed, or the newest
    /// where one is needed.
    async fn tree_for(&self, request: &Request, of_whole: Option<Hash>) -> Result<Option<Hash>, Fault> {
        if let Some(text) = &request.options.tree {
            let tree = text.parse::<Hash>().map_err(|error| fault(FaultKind::Usage, error.to_string(), None))?;
            let gone = || {
                let hint = Some("plan again: the state files have changed many times since".to_owned());
                fault(FaultKind::NotFound, format!("the tree {tree} is not kept any more"), hint)
            };
            return self.files.tree(&tree).map(|_| Some(tree)).ok_or_else(gone);
        }
        if !needs_tree(&request.function, &request.args) {
            return Ok(None);
        }
        // One tree for all stages of an orchestration.
        if let Some(tree) = of_whole {
            return self.files.tree(&tree).map(|_| Some(tree)).ok_or_else(|| tree_gone(&tree));
        }
        let failed = |why: Unanswered| fault(FaultKind::Store, format!("the state files: {why}"), None);
        let snapshot = self.files.current().await.map_err(failed)?;
        let revisions = snapshot.revisions();
        if !revisions.is_empty() {
            self.store.tree(snapshot.hash, &revisions).await;
        }
        Ok(Some(snapshot.hash))
    }

    fn launch(&self, record: Arc<JobRecord>, request: Request, follow: bool) -> Option<UnboundedReceiver<Note>> {
        // Under the lock: a minion that connects now finds the job in the table, or is seen here.
        let mut table = self.table();
        let mut job = LiveJob::new(record.clone(), request.options, |id| self.fleet.is_connected(id));
        let notes = follow.then(|| {
            let (watch, notes) = Watch::new(record.jid);
            job.watch(watch);
            notes
        });
        let first = job.next_wave();
        let wave = job.wave;
        table.insert(job);
        drop(table);
        self.send(&record, wave, &first);
        notes
    }
}

fn record(
    operator: &OperatorEntry,
    order: Order<'_>,
    request: &Request,
    expected: Vec<MinionId>,
    tree: Option<Hash>,
) -> JobRecord {
    let Order { jid, origin, signed, part } = order;
    let ttl = u64::from(request.options.ttl.unwrap_or(TTL).min(LONGEST_TTL));
    let (parent, step, authority) = match part {
        Some(Part { parent, step, authority, .. }) => (Some(parent), Some(step), Some(authority)),
        None => (None, None, None),
    };
    JobRecord {
        jid,
        operator: operator.name.clone(),
        origin: origin.to_owned(),
        target: request.target.clone(),
        function: request.function.clone(),
        args: request.args.clone(),
        comment: request.options.comment.clone(),
        request: signed,
        expected: expected.into(),
        expires: jid.micros().max(clock::now()) + ttl * 1_000_000,
        tree,
        authority,
        parent,
        step,
    }
}

/// What is said of a stage whose tree cannot be had any more.
pub(crate) fn tree_gone(tree: &Hash) -> Fault {
    let brief: String = tree.to_string().chars().take(12).collect();
    let message = format!("the state files that the orchestration began with (tree {brief}) are not kept any more");
    let hint = "they have changed since, and the master was restarted or they changed many times: `--resume` goes on with those of now";
    fault(FaultKind::NotFound, message, Some(hint.to_owned()))
}

/// Modules whose functions read the state tree.
const READERS: &[&str] = &["archive", "cp", "defaults", "file", "jinja", "slsutil", "state", "template"];

/// Whether a call reads files of the tree: by what it is, or because an argument names one.
fn needs_tree(function: &FunctionName, args: &Args) -> bool {
    let module = function.as_str().split('.').next().unwrap_or_default();
    let names = |value: &Value| value.to_string().contains("salt://");
    READERS.contains(&module) || args.positional.iter().chain(args.named.values()).any(names)
}

pub(crate) fn fault(kind: FaultKind, message: String, hint: Option<String>) -> Fault {
    Fault { kind, message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_read_the_tree_get_one() {
        let needs = |function: &str, args: Args| needs_tree(&function.parse().unwrap(), &args);
        assert!(needs("state.apply", Args::default()));
        assert!(needs("cmd.script", Args::positional(["salt://setup.sh".into()])));
        assert!(needs("test.arg", Args::default().with("source", "salt://a")));
        assert!(!needs("test.ping", Args::default()));
        assert!(!needs("cmd.run", Args::positional(["uptime".into()])));
    }
}
