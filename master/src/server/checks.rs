//! What operators ask of the picture of all checks: once, or as it changes.

use std::{collections::HashSet, time::Duration};

use proto::{
    FunctionName, MinionId,
    checks::{CheckPage, HostChecks},
    message::{Fault, FaultKind},
    target::Target,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    Master,
    operator::{Answers, Caller},
};
use crate::{access, checks::distinct, clock, jobs::fault, wire::Reply};

/// What an operator must be allowed to call on all who match.
const LAST: &str = "check.last";
/// What an operator must be allowed to see the master's own checks.
const OWN: &str = "master.status";
/// Rows in one message, about.
const PAGE: usize = 500;
/// Changes that come close together are told together.
const TOGETHER: Duration = Duration::from_millis(200);

/// Answers until everyone was named, and with `follow` for as long as somebody listens.
pub(super) async fn answer(master: &Master, caller: &Caller, target: Option<&str>, follow: bool, answers: &Answers) {
    let mut asked = match asked(master, caller, target).await {
        Ok(asked) => asked,
        Err(fault) => {
            // Every live `ctl check` asks for the master's own, whether or not it may have them.
            if target.is_some() {
                master.audit(caller, LAST, &fault.message).await;
            }
            return answers.fault(fault).await;
        }
    };
    // From now on: what changes while the first pages are made comes again.
    let news = follow.then(|| master.checks.subscribe());
    if asked.give_all(answers).await
        && let Some(news) = news
    {
        asked.follow(news, answers).await;
    }
}

/// Who asks, and for whom.
struct Asked<'a> {
    master: &'a Master,
    caller: &'a Caller,
    function: FunctionName,
    target: Option<Target>,
    /// Whether the master's own rows are among the answer.
    own: bool,
    /// Who was named.
    named: HashSet<MinionId>,
}

async fn asked<'a>(master: &'a Master, caller: &'a Caller, target: Option<&str>) -> Result<Asked<'a>, Fault> {
    let wrong = |error: proto::IdError| fault(FaultKind::Usage, error.to_string(), None);
    let own = access::permit_admin(&caller.operator, OWN);
    let mut asked = Asked {
        master,
        caller,
        function: LAST.parse().map_err(wrong)?,
        target: None,
        own: own.is_ok(),
        named: HashSet::new(),
    };
    let Some(text) = target else { return own.map(|()| asked) };
    let usage = |error: proto::TargetError| fault(FaultKind::Usage, error.to_string(), error.hint().map(Into::into));
    let target = master.fleet.parse(text).map_err(usage)?;
    if master.fleet.asks_pillar(&target) {
        master.pillars.learn().await;
    }
    let matched = master.fleet.resolve(&target);
    if matched.is_empty() {
        return Err(fault(FaultKind::NoMatch, format!("no minion matches '{text}'"), master.fleet.nearest(text)));
    }
    asked.permit(&matched)?;
    asked.target = Some(target);
    asked.named = matched.into_iter().collect();
    Ok(asked)
}

impl Asked<'_> {
    fn permit(&self, minions: &[MinionId]) -> Result<(), Fault> {
        let fixed = self.master.keys.fixed_grains(minions);
        let seen = minions.iter().zip(&fixed).map(|(id, fixed_grains)| access::Seen { id, fixed_grains });
        access::permit(&self.caller.operator, &self.function, seen)
    }

    /// Gives false when the operator is gone.
    async fn give_all(&mut self, answers: &Answers) -> bool {
        let mut page = Page::default();
        if self.own && !page.add(self.master.checks.of_own(), answers).await {
            return false;
        }
        for id in distinct(self.named.iter().cloned()) {
            if !page.add(self.master.checks.of(&id), answers).await {
                return false;
            }
        }
        page.send(true, answers).await
    }

    async fn follow(mut self, mut news: Receiver<MinionId>, answers: &Answers) {
        loop {
            let passed = match changed(&mut news).await {
                Changed::These(ids) => self.give(distinct(ids), answers).await,
                Changed::Missed => self.give_all(answers).await,
                Changed::Over => return,
            };
            if !passed {
                return;
            }
        }
    }

    async fn give(&mut self, ids: Vec<MinionId>, answers: &Answers) -> bool {
        let mut page = Page::default();
        for id in ids {
            let means = |target: &Target| self.master.fleet.means(target, &id);
            if id == self.master.checks.own_id {
                if self.own && !page.add(self.master.checks.of_own(), answers).await {
                    return false;
                }
            } else if self.target.as_ref().is_some_and(means) && self.permit(std::slice::from_ref(&id)).is_ok() {
                self.named.insert(id.clone());
                if !page.add(self.master.checks.of(&id), answers).await {
                    return false;
                }
            } else if self.named.remove(&id) {
                page.gone.push(id);
            }
        }
        page.is_empty() || page.send(true, answers).await
    }
}

enum Changed {
    These(Vec<MinionId>),
    /// There were more than a follower may be behind.
    Missed,
    Over,
}

async fn changed(news: &mut Receiver<MinionId>) -> Changed {
    let mut ids = match news.recv().await {
        Ok(id) => vec![id],
        Err(RecvError::Lagged(_)) => return Changed::Missed,
        Err(RecvError::Closed) => return Changed::Over,
    };
    tokio::time::sleep(TOGETHER).await;
    while let Ok(id) = news.try_recv() {
        ids.push(id);
    }
    Changed::These(ids)
}

#[derive(Default)]
struct Page {
    hosts: Vec<HostChecks>,
    gone: Vec<MinionId>,
    rows: usize,
}

impl Page {
    fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.gone.is_empty()
    }

    async fn add(&mut self, host: HostChecks, answers: &Answers) -> bool {
        self.rows += 1 + host.rows.len();
        self.hosts.push(host);
        self.rows < PAGE || self.send(false, answers).await
    }

    async fn send(&mut self, complete: bool, answers: &Answers) -> bool {
        let Self { hosts, gone, .. } = std::mem::take(self);
        answers.give(Reply::Checks(Box::new(CheckPage { now: clock::now(), hosts, gone, complete }))).await
    }
}
