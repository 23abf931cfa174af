//! The receive path of a job: decode, verify twice, are we meant, is it fresh.
//!
//! Pure: bytes, keys and the time in, a job or the reason against it out. Whether the job was
//! seen before is the ledger's to say.

use proto::{
    Job, JobId, Map, MinionId, Outcome, Publish, Request, Subject, Target,
    codec::{self, Limits},
    message::orchestration::{Call, ORCHESTRATE, Orchestration},
    sign::{PUBLISH, PublicKey, REQUEST, SignError, Signed},
};

/// Who we are, and whom we trust.
pub struct Expectations<'a> {
    /// The master at the other end of this very connection.
    pub master: &'a PublicKey,
    /// `None`: every operator that the master permits.
    pub operators: Option<&'a [PublicKey]>,
    pub id: &'a MinionId,
    pub grains: &'a Map,
    /// The master's clock, in microseconds since 1970.
    pub now: u64,
}

/// Why a job will not be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("the publish is not signed by this minion's master: {0}")]
    Publish(SignError),
    #[error("the request in it is not signed by an operator: {0}")]
    Request(SignError),
    #[error("operator {name} ({key}) is not among the operators that this minion trusts")]
    Operator { name: String, key: String },
    #[error("the orchestration that it is a stage of is not signed by an operator: {0}")]
    Authority(SignError),
    #[error("the operator's signed request is not one for this stage")]
    OtherAuthority,
    #[error(
        "operator {0} has not signed this very call: it was not in the plan, and this minion trusts listed operators alone"
    )]
    Uncovered(String),
    #[error("the job expired before it could start")]
    Expired,
    #[error("the operator's request is no longer valid")]
    Stale,
    #[error("the target {0:?} does not match this minion")]
    NotMeant(String),
    #[error("the target cannot be read: {0}")]
    Target(String),
}

impl Unfit {
    /// How the pair ends.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Expired | Self::Stale => Outcome::Expired,
            _ => Outcome::Refused,
        }
    }

    /// Whether somebody may be at work who should not be.
    pub fn is_alarming(&self) -> bool {
        !matches!(self, Self::Expired | Self::Stale | Self::Target(_))
    }
}

/// Checks a job. With an error comes the jid, as far as it can be read, so that the master can
/// be told; before the signature was checked that is only a claim.
pub fn verify(signed: &Signed, expect: &Expectations<'_>) -> Result<Job, (Option<JobId>, Unfit)> {
    let publish: Publish =
        signed.open_as(PUBLISH, Some(expect.master)).map_err(|error| (claimed_jid(signed), Unfit::Publish(error)))?;
    let fail = |unfit| (Some(publish.jid), unfit);
    let request: Request = publish.request.open_as(REQUEST, None).map_err(|error| fail(Unfit::Request(error)))?;
    match &publish.authority {
        None => trusted(&publish.request.key, &request, expect),
        Some(authority) => commissioned(&publish, authority, &request, expect),
    }
    .map_err(fail)?;
    fresh(&publish, &request, expect.now).map_err(fail)?;
    meant(&request, expect).map_err(fail)?;
    Ok(Job { jid: publish.jid, request, expires: publish.expires, tree: publish.tree })
}

fn claimed_jid(signed: &Signed) -> Option<JobId> {
    codec::decode::<Publish>(&signed.body, Limits::SMALL).ok().map(|publish| publish.jid)
}

fn trusted(key: &PublicKey, request: &Request, expect: &Expectations<'_>) -> Result<(), Unfit> {
    match expect.operators {
        Some(operators) if !operators.contains(key) => {
            Err(Unfit::Operator { name: request.operator.to_string(), key: key.to_string() })
        }
        _ => Ok(()),
    }
}

/// A stage of an orchestration: the master wrote the request, because an operator signed the whole.
/// Where operators are listed, the operator must have signed this call with it; what comes up only
/// while it runs is taken where the master itself is listed.
fn commissioned(
    publish: &Publish,
    authority: &Signed,
    request: &Request,
    expect: &Expectations<'_>,
) -> Result<(), Unfit> {
    publish.request.open(REQUEST, Some(expect.master)).map_err(Unfit::Request)?;
    let whole: Request = authority.open_as(REQUEST, None).map_err(Unfit::Authority)?;
    if whole.function.as_str() != ORCHESTRATE || whole.operator != request.operator {
        return Err(Unfit::OtherAuthority);
    }
    if whole.valid_until < expect.now {
        return Err(Unfit::Stale);
    }
    let Some(operators) = expect.operators else { return Ok(()) };
    if operators.contains(expect.master) {
        return Ok(());
    }
    trusted(&authority.key, &whole, expect)?;
    let call = Call { target: request.target.clone(), function: request.function.clone(), args: request.args.clone() };
    let covered = match (call.hash(), Orchestration::from_args(&whole.args)) {
        (Ok(hash), Ok(orchestration)) => orchestration.calls.contains(&hash),
        _ => false,
    };
    if covered { Ok(()) } else { Err(Unfit::Uncovered(whole.operator.to_string())) }
}

fn fresh(publish: &Publish, request: &Request, now: u64) -> Result<(), Unfit> {
    match () {
        () if publish.expires < now => Err(Unfit::Expired),
        () if request.valid_until < now => Err(Unfit::Stale),
        () => Ok(()),
    }
}

/// What only the master can decide (pillar, node groups) is left to it.
fn meant(request: &Request, expect: &Expectations<'_>) -> Result<(), Unfit> {
    let target: Target =
        request.target.parse().map_err(|error: proto::TargetError| Unfit::Target(error.to_string()))?;
    match target.may_match(&Subject::new(expect.id.as_str(), expect.grains)) {
        true => Ok(()),
        false => Err(Unfit::NotMeant(request.target.clone())),
    }
}

#[cfg(test)]
mod tests {
    use proto::{Args, RunOptions, sign::Identity};

    use super::*;

    struct Scene {
        master: Identity,
        operator: Identity,
        id: MinionId,
        request: Request,
        expires: u64,
    }

    impl Scene {
        fn new() -> Self {
            let request = Request {
                nonce: [7; 16],
                operator: "root".parse().unwrap(),
                target: "web*".into(),
                function: "test.ping".parse().unwrap(),
                args: Args::default(),
                valid_until: 2000,
                options: RunOptions::default(),
            };
            let (master, operator) = (Identity::generate(), Identity::generate());
            Self { master, operator, id: "web1".parse().unwrap(), request, expires: 1000 }
        }

        fn publish(&self) -> Publish {
            let request = self.operator.sign_value(REQUEST, &self.request).unwrap();
            Publish { jid: JobId::from_micros(5), request, expires: self.expires, wave: 0, tree: None, authority: None }
        }

        fn check(&self, signed: &Signed, operators: Option<&[PublicKey]>, now: u64) -> Result<Job, Unfit> {
            let (master, grains) = (self.master.public(), Map::new());
            let expect = Expectations { master: &master, operators, id: &self.id, grains: &grains, now };
            verify(signed, &expect).map_err(|(_, unfit)| unfit)
        }

        fn signed(&self) -> Signed {
            self.master.sign_value(PUBLISH, &self.publish()).unwrap()
        }
    }

    #[test]
    fn a_job_that_is_ours_and_fresh_is_taken() {
        let scene = Scene::new();
        let job = scene.check(&scene.signed(), None, 1000).unwrap();
        assert_eq!((job.jid, job.request), (JobId::from_micros(5), scene.request.clone()));
        let trusted = [scene.operator.public()];
        assert!(scene.check(&scene.signed(), Some(&trusted), 1000).is_ok());
    }

    #[test]
    fn a_forged_publish_is_refused_and_its_claimed_jid_told() {
        let scene = Scene::new();
        let forged = Identity::generate().sign_value(PUBLISH, &scene.publish()).unwrap();
        assert!(matches!(scene.check(&forged, None, 0), Err(Unfit::Publish(_))));
        let mut altered = scene.signed();
        altered.body = [&altered.body[..], &[0]].concat().into();
        assert!(matches!(scene.check(&altered, None, 0), Err(Unfit::Publish(_))));
        let (master, grains) = (scene.master.public(), Map::new());
        let expect = Expectations { master: &master, operators: None, id: &scene.id, grains: &grains, now: 0 };
        assert_eq!(verify(&forged, &expect).unwrap_err().0, Some(JobId::from_micros(5)));
    }

    #[test]
    fn a_master_cannot_write_requests_of_its_own() {
        let scene = Scene::new();
        let mut publish = scene.publish();
        let mut request = scene.request.clone();
        request.function = "cmd.run".parse().unwrap();
        let other = scene.operator.sign_value(REQUEST, &request).unwrap();
        publish.request.body = other.body;
        let signed = scene.master.sign_value(PUBLISH, &publish).unwrap();
        assert!(matches!(scene.check(&signed, None, 0), Err(Unfit::Request(_))));
        // Signed by the master as if it were an operator: taken only where nobody is listed.
        publish.request = scene.master.sign_value(REQUEST, &request).unwrap();
        let signed = scene.master.sign_value(PUBLISH, &publish).unwrap();
        assert!(scene.check(&signed, None, 0).is_ok());
        let trusted = [scene.operator.public()];
        assert!(matches!(scene.check(&signed, Some(&trusted), 0), Err(Unfit::Operator { .. })));
        assert!(matches!(scene.check(&signed, Some(&[]), 0), Err(Unfit::Operator { .. })));
    }

    /// A stage of an orchestration that `operator` signed with this call in it, or without.
    fn stage(scene: &Scene, covered: bool) -> Publish {
        let request = &scene.request;
        let call =
            Call { target: request.target.clone(), function: request.function.clone(), args: request.args.clone() };
        let calls = if covered { vec![call.hash().unwrap()] } else { Vec::new() };
        let whole = Request {
            nonce: [8; 16],
            function: ORCHESTRATE.parse().unwrap(),
            args: Orchestration { calls, ..Orchestration::default() }.args(),
            ..request.clone()
        };
        let authority = Some(scene.operator.sign_value(REQUEST, &whole).unwrap());
        let request = scene.master.sign_value(REQUEST, request).unwrap();
        Publish { request, authority, ..scene.publish() }
    }

    #[test]
    fn a_stage_runs_on_the_word_of_the_operator_who_signed_the_whole() {
        let scene = Scene::new();
        let check = |publish: &Publish, operators: Option<&[PublicKey]>, now| {
            scene.check(&scene.master.sign_value(PUBLISH, publish).unwrap(), operators, now).map(|job| job.request)
        };
        let trusted = [scene.operator.public()];
        assert_eq!(check(&stage(&scene, true), None, 0), Ok(scene.request.clone()));
        assert_eq!(check(&stage(&scene, true), Some(&trusted), 0), Ok(scene.request.clone()));
        assert!(check(&stage(&scene, false), None, 0).is_ok());
        assert_eq!(check(&stage(&scene, false), Some(&trusted), 0), Err(Unfit::Uncovered("root".into())));
        let master = [scene.operator.public(), scene.master.public()];
        assert!(check(&stage(&scene, false), Some(&master), 0).is_ok(), "the master is listed as an operator");
        assert!(matches!(check(&stage(&scene, true), Some(&[]), 0), Err(Unfit::Operator { .. })));
        assert_eq!(check(&Publish { expires: 9000, ..stage(&scene, true) }, None, 2001), Err(Unfit::Stale));
    }

    #[test]
    fn a_stage_without_a_good_authority_is_refused() {
        let scene = Scene::new();
        let check = |publish: &Publish| scene.check(&scene.master.sign_value(PUBLISH, publish).unwrap(), None, 0);
        // Any other signed request is no authority.
        let ping = scene.operator.sign_value(REQUEST, &scene.request).unwrap();
        assert_eq!(check(&Publish { authority: Some(ping), ..stage(&scene, true) }), Err(Unfit::OtherAuthority));
        // The stage must be written by the master.
        let by_operator = Publish { request: scene.publish().request, ..stage(&scene, true) };
        assert!(matches!(check(&by_operator), Err(Unfit::Request(_))));
        let mut forged = stage(&scene, true).authority.unwrap();
        forged.body = [&forged.body[..], &[0]].concat().into();
        assert!(matches!(check(&Publish { authority: Some(forged), ..stage(&scene, true) }), Err(Unfit::Authority(_))));
        let mut other = scene.request.clone();
        other.operator = "eve".parse().unwrap();
        let request = scene.master.sign_value(REQUEST, &other).unwrap();
        assert_eq!(check(&Publish { request, ..stage(&scene, true) }), Err(Unfit::OtherAuthority));
    }

    #[test]
    fn what_is_late_or_for_others_is_refused() {
        let mut scene = Scene::new();
        assert_eq!(scene.check(&scene.signed(), None, 1001), Err(Unfit::Expired));
        scene.expires = 5000;
        assert_eq!(scene.check(&scene.signed(), None, 2001), Err(Unfit::Stale));
        scene.request.target = "db*".into();
        assert_eq!(scene.check(&scene.signed(), None, 0), Err(Unfit::NotMeant("db*".into())));
    }
}
