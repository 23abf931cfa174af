//! The minions: who is accepted, who is connected, and what is known of each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use proto::{
    JobId, Map, MinionId, Packed,
    message::{Absent, MinionRow, Refusal, ToMinion},
    sign::Signed,
    target::{Nodegroups, Target, TargetError},
};
use tokio::sync::mpsc;

use crate::{grains, store::MinionRecord};

/// What a connection's task is told to do.
pub enum Down {
    Publish(JobId, Signed),
    Say(ToMinion),
    /// A return of so many bytes is on disk.
    Stored {
        seq: u64,
        bytes: u64,
    },
    /// The pool has room for the `Want` of this connection.
    Granted(tokio::sync::OwnedSemaphorePermit),
    Close(Refusal),
}

/// A live connection, as the rest of the master sees it.
pub struct Link {
    pub address: String,
    pub version: String,
    down: mpsc::UnboundedSender<Down>,
    last_seen: AtomicU64,
    /// The minion's clock minus ours, in microseconds.
    offset: AtomicI64,
}

impl Link {
    pub fn new(address: String, version: String, now: u64) -> (Arc<Self>, mpsc::UnboundedReceiver<Down>) {
        let (down, orders) = mpsc::unbounded_channel();
        let link = Self { address, version, down, last_seen: AtomicU64::new(now), offset: AtomicI64::new(0) };
        (Arc::new(link), orders)
    }

    /// A connection that has just ended hears nothing; its successor is told again.
    pub fn tell(&self, down: Down) {
        let _ = self.down.send(down);
    }

    /// The minion was heard at `now`; its clock said `theirs`.
    pub fn heard(&self, now: u64, theirs: Option<u64>) {
        self.last_seen.store(now, Ordering::Relaxed);
        if let Some(theirs) = theirs {
            self.offset.store(theirs as i64 - now as i64, Ordering::Relaxed);
        }
    }

    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }
}

/// What is known of one minion.
#[derive(Default)]
struct Member {
    link: Option<Arc<Link>>,
    /// When it came or went, in microseconds since 1970.
    since: Option<u64>,
    last_seen: Option<u64>,
    version: Option<String>,
    address: Option<String>,
    /// What it claims of itself: ten thousand parsed maps would not fit.
    grains: Packed,
    /// What the master says of it.
    fixed: Map,
}

pub struct Fleet {
    nodegroups: Nodegroups,
    members: Mutex<HashMap<MinionId, Member>>,
}

impl Fleet {
    /// The accepted minions, with what the store remembers of them.
    pub fn new(
        nodegroups: Nodegroups,
        accepted: impl IntoIterator<Item = (MinionId, Map)>,
        known: Vec<MinionRecord>,
    ) -> Self {
        let mut members: HashMap<MinionId, Member> =
            accepted.into_iter().map(|(id, fixed)| (id, Member { fixed, ..Member::default() })).collect();
        for record in known {
            if let Some(member) = members.get_mut(&record.id) {
                member.last_seen = Some(record.last_seen);
                member.since = Some(record.last_seen);
                member.version = Some(record.version);
                member.address = Some(record.address);
                member.grains = record.grains;
            }
        }
        Self { nodegroups, members: Mutex::new(members) }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<MinionId, Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A minion is connected. Gives its earlier connection, which is to be closed.
    pub fn connect(&self, id: &MinionId, link: Arc<Link>, grains: Packed, fixed: Map, now: u64) -> Option<Arc<Link>> {
        let mut members = self.members();
        let member = members.entry(id.clone()).or_default();
        member.since = Some(now);
        member.version = Some(link.version.clone());
        member.address = Some(link.address.clone());
        member.grains = grains;
        member.fixed = fixed;
        member.link.replace(link)
    }

    /// A connection has ended. Gives false when another one has taken its place already.
    pub fn disconnect(&self, id: &MinionId, link: &Arc<Link>, now: u64) -> bool {
        let mut members = self.members();
        let Some(member) = members.get_mut(id) else { return true };
        if !member.link.as_ref().is_some_and(|known| Arc::ptr_eq(known, link)) {
            return false;
        }
        member.link = None;
        member.since = Some(now);
        member.last_seen = Some(link.last_seen.load(Ordering::Relaxed));
        true
    }

    /// An accepted key whose minion has not come yet.
    pub fn add(&self, id: &MinionId, fixed: Map) {
        self.members().entry(id.clone()).or_default().fixed = fixed;
    }

    /// The minion's key is gone: closes its connection and forgets it.
    pub fn remove(&self, id: &MinionId, why: Refusal) {
        if let Some(Member { link: Some(link), .. }) = self.members().remove(id) {
            link.tell(Down::Close(why));
        }
    }

    pub fn set_grains(&self, id: &MinionId, grains: Packed) {
        if let Some(member) = self.members().get_mut(id) {
            member.grains = grains;
        }
    }

    pub fn is_connected(&self, id: &MinionId) -> bool {
        self.members().get(id).is_some_and(|member| member.link.is_some())
    }

    /// Tells every connection something (shutting down, for example).
    pub fn close_all(&self, why: &Refusal) {
        self.members()
            .values()
            .filter_map(|member| member.link.as_ref())
            .for_each(|link| link.tell(Down::Close(why.clone())));
    }

    pub fn say(&self, id: &MinionId, message: ToMinion) {
        if let Some(link) = self.members().get(id).and_then(|member| member.link.as_ref()) {
            link.tell(Down::Say(message));
        }
    }

    /// Hands a job to those of `minions` that are connected.
    pub fn publish(&self, minions: &[MinionId], jid: JobId, signed: &Signed) {
        let members = self.members();
        for link in minions.iter().filter_map(|id| members.get(id)?.link.as_ref()) {
            link.tell(Down::Publish(jid, signed.clone()));
        }
    }

    /// Reads a target, with the nodegroups of this master.
    pub fn parse(&self, text: &str) -> Result<Target, TargetError> {
        let target = Target::parse(text)?;
        target.check_groups(&self.nodegroups)?;
        Ok(target)
    }

    /// Who matches, sorted. Grains that the master fixed win over claimed ones.
    pub fn resolve(&self, target: &Target) -> Vec<MinionId> {
        let members = self.members();
        let matcher = grains::Matcher::new(target, &self.nodegroups);
        let mut matched: Vec<MinionId> = members
            .iter()
            .filter(|(id, member)| matcher.matches(id, &member.grains, &member.fixed))
            .map(|(id, _)| id.clone())
            .collect();
        matched.sort();
        matched
    }

    /// Those that are not connected.
    pub fn absent(&self, minions: &[MinionId]) -> Vec<Absent> {
        let members = self.members();
        let absent = |id: &MinionId| match members.get(id) {
            Some(Member { link: Some(_), .. }) => None,
            Some(member) => Some(Absent { minion: id.clone(), since: member.since }),
            None => Some(Absent { minion: id.clone(), since: None }),
        };
        minions.iter().filter_map(absent).collect()
    }

    /// Why a pair ended without the minion ever being asked.
    pub fn why_absent(&self, id: &MinionId) -> String {
        match self.members().get(id).and_then(|member| member.since) {
            Some(since) => {
                format!("offline since {}, and did not come within the job's time to live", clock_text(since))
            }
            None => "it was never connected, and did not come within the job's time to live".into(),
        }
    }

    /// Hint for a target that nobody matches.
    pub fn nearest(&self, target: &str) -> Option<String> {
        let members = self.members();
        if members.is_empty() {
            return Some("no minion's key is accepted yet: `ctl key list` shows who waits".into());
        }
        let near = Target::parse(target).ok().and_then(|target| target.nearest(members.keys().map(MinionId::as_str)));
        let all = format!("`ctl minion list` shows all {}.", members.len());
        Some(near.map_or_else(|| all.clone(), |near| format!("{near} {all}")))
    }

    pub fn counts(&self) -> (usize, usize) {
        let members = self.members();
        (members.len(), members.values().filter(|member| member.link.is_some()).count())
    }

    /// What `ctl minion list|show` prints; grains only for one minion.
    pub fn rows(&self, only: Option<&MinionId>) -> Vec<MinionRow> {
        let members = self.members();
        let wanted = members.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        let mut rows: Vec<MinionRow> = wanted.map(|(id, member)| row(id, member, only.is_some())).collect();
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows
    }
}

fn row(id: &MinionId, member: &Member, with_grains: bool) -> MinionRow {
    let link = member.link.as_ref();
    MinionRow {
        id: id.clone(),
        connected: link.is_some(),
        since: member.since,
        last_seen: link.map(|link| link.last_seen.load(Ordering::Relaxed)).or(member.last_seen),
        address: member.address.clone(),
        version: member.version.clone(),
        clock_offset: link.map(|link| link.offset()),
        grains: with_grains.then(|| grains::all(&member.grains, &member.fixed)),
    }
}

fn clock_text(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok()).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
