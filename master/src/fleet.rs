//! The minions: who is accepted, who is connected, and what is known of each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use proto::{
    JobId, Map, MinionId, Packed,
    message::{Absent, MinionRow, Published, Refusal, ToMinion},
    target::{Nodegroups, Target, TargetError},
};
use tokio::sync::mpsc;

use crate::{grains, store::MinionRecord, survey::Candidate};

/// What a connection's task is told to do. Small: each connection has room for a few of them.
pub enum Down {
    Publish(Arc<(JobId, Published)>),
    Say(Box<ToMinion>),
    /// Returns are on disk: [`Link::take_stored`] tells which.
    Stored,
    /// The pool has room for the `Want` of this connection.
    Granted(tokio::sync::OwnedSemaphorePermit),
    Close(Box<Refusal>),
}

/// A live connection, as the rest of the master sees it.
pub struct Link {
    pub address: String,
    pub version: String,
    down: mpsc::UnboundedSender<Down>,
    last_seen: AtomicU64,
    /// The minion's clock minus ours, in microseconds.
    offset: AtomicI64,
    /// The last return that is on disk, the bytes of those that the connection was not told of yet,
    /// and whether it is about to be.
    stored_seq: AtomicU64,
    stored_bytes: AtomicU64,
    stored_told: AtomicBool,
}

impl Link {
    pub fn new(address: String, version: String, now: u64) -> (Arc<Self>, mpsc::UnboundedReceiver<Down>) {
        let (down, orders) = mpsc::unbounded_channel();
        let link = Self {
            address,
            version,
            down,
            last_seen: AtomicU64::new(now),
            offset: AtomicI64::new(0),
            stored_seq: AtomicU64::new(0),
            stored_bytes: AtomicU64::new(0),
            stored_told: AtomicBool::new(false),
        };
        (Arc::new(link), orders)
    }

    /// A connection that has just ended hears nothing; its successor is told again.
    pub fn tell(&self, down: Down) {
        let _ = self.down.send(down);
    }

    /// A return is on disk. Gives whether somebody is to say so: for all that are on disk by then
    /// it is said once.
    fn stored(&self, seq: u64, bytes: u64) -> bool {
        self.stored_seq.fetch_max(seq, Ordering::AcqRel);
        self.stored_bytes.fetch_add(bytes, Ordering::AcqRel);
        !self.stored_told.swap(true, Ordering::AcqRel)
    }

    /// The last return on disk, and how many bytes came to it since this was asked last.
    pub fn take_stored(&self) -> (u64, u64) {
        self.stored_told.store(false, Ordering::Release);
        let bytes = self.stored_bytes.swap(0, Ordering::AcqRel);
        (self.stored_seq.load(Ordering::Acquire), bytes)
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

/// Links whose minions are to hear that returns are on disk, and not at once: while many returns
/// come in, they go first.
#[derive(Default)]
pub struct Acks(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    links: Vec<Arc<Link>>,
    /// How many there were when somebody looked last, and how often they have been left waiting.
    seen: usize,
    passed: u32,
}

/// How often links may be left waiting while more of them come.
const PASSES: u32 = 8;

impl Acks {
    /// A return is on disk. With `soon`, the connection is told at once.
    pub fn stored(&self, link: &Arc<Link>, seq: u64, bytes: u64, soon: bool) {
        let first = link.stored(seq, bytes);
        if soon {
            link.tell(Down::Stored);
        } else if first {
            self.lock().links.push(link.clone());
        }
    }

    /// Tells those who wait, once no more of them come. To be called a few times a second.
    pub fn pass_on(&self) {
        let links = {
            let mut waiting = self.lock();
            let count = waiting.links.len();
            let quiet = count == std::mem::replace(&mut waiting.seen, count);
            waiting.passed += 1;
            if !quiet && waiting.passed < PASSES {
                return;
            }
            std::mem::take(&mut *waiting).links
        };
        links.iter().for_each(|link| link.tell(Down::Stored));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Its pillar, as it was compiled last.
    pillar: Option<Packed>,
}

impl Member {
    fn last_word(&self) -> Option<u64> {
        self.link.as_ref().map(|link| link.last_seen.load(Ordering::Relaxed)).or(self.last_seen)
    }
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
            link.tell(Down::Close(Box::new(why)));
        }
    }

    pub fn set_grains(&self, id: &MinionId, grains: Packed) {
        if let Some(member) = self.members().get_mut(id) {
            member.grains = grains;
        }
    }

    /// What it claims of itself, and what the master says of it.
    pub fn grains_of(&self, id: &MinionId) -> Option<(Packed, Map)> {
        self.members().get(id).map(|member| (member.grains.clone(), member.fixed.clone()))
    }

    /// Its pillar as it was compiled last.
    pub fn pillar_of(&self, id: &MinionId) -> Option<Packed> {
        self.members().get(id)?.pillar.clone()
    }

    /// What its pillar is now, for targets that ask.
    pub fn set_pillar(&self, id: &MinionId, pillar: Packed) {
        if let Some(member) = self.members().get_mut(id) {
            member.pillar = Some(pillar);
        }
    }

    /// Accepted minions whose pillar is not known, and which told grains.
    pub fn without_pillar(&self) -> Vec<MinionId> {
        let members = self.members();
        let lacks = |member: &Member| member.pillar.is_none() && !member.grains.as_bytes().is_empty();
        members.iter().filter(|(_, member)| lacks(member)).map(|(id, _)| id.clone()).collect()
    }

    /// How many minions there are, connected or not.
    pub fn count(&self) -> u32 {
        u32::try_from(self.members().len()).unwrap_or(u32::MAX)
    }

    pub fn knows(&self, id: &MinionId) -> bool {
        self.members().contains_key(id)
    }

    /// When a minion was heard last, in microseconds since 1970.
    pub fn last_word(&self, id: &MinionId) -> Option<u64> {
        self.members().get(id).and_then(Member::last_word)
    }

    /// Those of which nothing was heard since `before`, with their last word.
    pub fn silent_since(&self, before: u64) -> Vec<(MinionId, Option<u64>)> {
        let members = self.members();
        let last = members.iter().map(|(id, member)| (id, member.last_word()));
        last.filter(|(_, last)| last.unwrap_or(0) < before).map(|(id, last)| (id.clone(), last)).collect()
    }

    /// The clocks of those that are connected minus ours, in microseconds.
    pub fn offsets(&self) -> Vec<i64> {
        let members = self.members();
        members.values().filter_map(|member| Some(member.link.as_ref()?.offset())).collect()
    }

    pub fn is_connected(&self, id: &MinionId) -> bool {
        self.members().get(id).is_some_and(|member| member.link.is_some())
    }

    /// Tells every connection something (shutting down, for example).
    pub fn close_all(&self, why: &Refusal) {
        self.members()
            .values()
            .filter_map(|member| member.link.as_ref())
            .for_each(|link| link.tell(Down::Close(Box::new(why.clone()))));
    }

    pub fn say(&self, id: &MinionId, message: ToMinion) {
        if let Some(link) = self.members().get(id).and_then(|member| member.link.as_ref()) {
            link.tell(Down::Say(Box::new(message)));
        }
    }

    /// Hands a job to those of `minions` that are connected.
    pub fn publish(&self, minions: &[MinionId], jid: JobId, published: Published) {
        let job = Arc::new((jid, published));
        let members = self.members();
        for link in minions.iter().filter_map(|id| members.get(id)?.link.as_ref()) {
            link.tell(Down::Publish(job.clone()));
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
            .filter(|(id, member)| matcher.matches(id, &member.grains, &member.fixed, member.pillar.as_ref()))
            .map(|(id, _)| id.clone())
            .collect();
        matched.sort();
        matched
    }

    /// All minions as they are now, sorted; for what takes longer than others should wait.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidate = |(id, member): (&MinionId, &Member)| Candidate {
            id: id.clone(),
            grains: member.grains.clone(),
            fixed: member.fixed.clone(),
            pillar: member.pillar.clone(),
            absent: member.link.is_none().then_some(member.since),
        };
        let mut all: Vec<Candidate> = self.members().iter().map(candidate).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub fn nodegroups(&self) -> &Nodegroups {
        &self.nodegroups
    }

    /// Whether a target means this minion.
    pub fn means(&self, target: &Target, id: &MinionId) -> bool {
        let members = self.members();
        let matcher = grains::Matcher::new(target, &self.nodegroups);
        members.get(id).is_some_and(|m| matcher.matches(id, &m.grains, &m.fixed, m.pillar.as_ref()))
    }

    /// Whether a target looks at pillar.
    pub fn asks_pillar(&self, target: &Target) -> bool {
        target.asks(Some(&self.nodegroups)).pillar
    }

    /// Whether a target could be used to feel one's way to what pillar says.
    pub fn gropes_pillar(&self, target: &Target) -> bool {
        target.gropes_pillar(Some(&self.nodegroups))
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
        last_seen: member.last_word(),
        address: member.address.clone(),
        version: member.version.clone(),
        clock_offset: link.map(|link| link.offset()),
        grains: with_grains.then(|| grains::all(id, &member.grains, &member.fixed)),
    }
}

fn clock_text(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok()).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_is_said_once_for_many_and_at_once_where_it_presses() {
        let acks = Acks::default();
        let (link, mut orders) = Link::new("here".into(), "1".into(), 0);
        let mut told = || std::iter::from_fn(|| orders.try_recv().ok()).count();
        acks.stored(&link, 1, 10, false);
        acks.stored(&link, 2, 10, false);
        acks.pass_on();
        assert_eq!(told(), 0, "one was new since the last look");
        acks.pass_on();
        assert_eq!((told(), link.take_stored()), (1, (2, 20)));
        acks.stored(&link, 3, 10, false);
        acks.stored(&link, 4, 10, true);
        assert_eq!((told(), link.take_stored()), (1, (4, 20)));
        acks.pass_on();
        acks.pass_on();
        assert_eq!((told(), link.take_stored()), (1, (4, 0)), "nothing is counted twice");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let acks = Acks::default();
        let links: Vec<_> = (0..PASSES).map(|_| Link::new("here".into(), "1".into(), 0)).collect();
        for (link, _) in &links {
            acks.stored(link, 1, 10, false);
            acks.pass_on();
        }
        let told = links.into_iter().filter_map(|(_, mut orders)| orders.try_recv().ok()).count();
        assert_eq!(told, PASSES as usize);
    }
}
