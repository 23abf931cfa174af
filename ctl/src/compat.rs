//! What a Salt tree or formula uses that we do not support, and whether it compiles on some
//! platforms: `ctl compat` without its words.

mod layout;
mod paper;
mod platforms;
mod secrets;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::AtomicI32,
};

use indexmap::IndexMap;
use proto::{Map, MinionId, Value};
use serde_json::json;
use states::{
    Context, Diagnostic, Tree,
    compat::{Finding, Kind, Survey, survey},
    compile, stack,
};

pub use layout::{Layout, Roots, roots};
pub use platforms::Platform;

use crate::{catalogue, error::Error};

/// What is judged, and by what.
pub struct Question {
    pub layout: Layout,
    pub platforms: Vec<Platform>,
}

impl Question {
    /// # Errors
    /// A folder without SLS, a platform that is not known, files that cannot be read.
    pub fn new(
        path: &Path,
        pillar: Option<&Path>,
        names: &[String],
        grains: &[impl AsRef<Path>],
    ) -> Result<Self, Error> {
        let mut layout = layout::find(path)?;
        if let Some(pillar) = pillar {
            layout.pillar = layout::Pillar::named(pillar)?;
        }
        let mut platforms = names.iter().map(|name| platforms::named(name)).collect::<Result<Vec<_>, _>>()?;
        platforms.extend(grains.iter().map(|file| platforms::of_file(file.as_ref())).collect::<Result<Vec<_>, _>>()?);
        if platforms.is_empty() {
            platforms = platforms::DEFAULT.iter().map(|name| platforms::named(name)).collect::<Result<_, _>>()?;
        }
        Ok(Self { layout, platforms })
    }
}

/// What a platform makes of the tree.
#[derive(Debug, Default)]
pub struct Verdict {
    pub compiled: usize,
    /// The SLS that do not compile.
    pub failed: Vec<String>,
    /// The pillar is broken, so that nothing would be applied at all.
    pub pillar_failed: bool,
}

/// Something that keeps SLS from compiling.
#[derive(Debug)]
pub struct Problem {
    pub why: Diagnostic,
    pub sls: BTreeSet<String>,
    pub platforms: Vec<String>,
}

/// The answer.
#[derive(Debug, Default)]
pub struct Report {
    pub sls: usize,
    pub templates: usize,
    pub verdicts: IndexMap<String, Verdict>,
    /// Those that break the most first.
    pub problems: Vec<Problem>,
    pub findings: Vec<Finding>,
    /// Secrets that are handed out by a claim.
    pub leaks: Vec<Diagnostic>,
}

impl Report {
    /// Every SLS compiles on every platform, and every template can be read.
    pub fn all_compiles(&self) -> bool {
        self.problems.is_empty() && self.verdicts.values().all(|verdict| verdict.failed.is_empty())
    }
}

/// Compiles every SLS for every platform.
///
/// # Errors
/// Grains with an id that no minion can have.
pub fn judge(question: &Question) -> Result<Report, Error> {
    let mut report = Report::default();
    let mut problems = Problems::default();
    for platform in &question.platforms {
        on_platform(question, platform, &mut report, &mut problems)?;
    }
    report.problems = problems.into_values().collect();
    report.problems.sort_by_key(|problem| std::cmp::Reverse(problem.sls.len() * problem.platforms.len()));
    report.findings.sort_by(|a, b| (b.places.len(), &a.name).cmp(&(a.places.len(), &b.name)));
    Ok(report)
}

/// By message and place: the same macro breaks every SLS that imports it.
type Problems = IndexMap<(String, String), Problem>;

fn on_platform(
    question: &Question,
    platform: &Platform,
    report: &mut Report,
    problems: &mut Problems,
) -> Result<(), Error> {
    let id = platform.grains.get("id").and_then(Value::as_str).unwrap_or("minion.example.org");
    let id: MinionId = id.parse().map_err(|why| Error::nothing(format!("grains of {}: {why}", platform.name)))?;
    let host = paper::Paper(platform.grains.clone());
    let opts = options(&id);
    let roots = question.layout.pillar.tree();
    let context = |pillar| Context { pillar, opts: &opts, ..bare(&id, &host, &*question.layout.files) };
    let empty = Map::new();
    let pillar = compile::pillar::compile(&context(&empty), &*roots, &empty);
    let survey = survey(&context(&pillar.data), &catalogue::has_state);
    let leaks = stack::deep(|| secrets::leaks(&context(&pillar.data), &*roots));
    report.leaks.extend(leaks.into_iter().filter(|leak| !report.leaks.contains(leak)).collect::<Vec<_>>());
    let mut verdict = verdict(&survey);
    verdict.pillar_failed = !pillar.errors.is_empty();
    for why in pillar.errors {
        add(problems, question.layout.pillar.named_as_outside(why), "the pillar", &platform.name);
    }
    take(report, survey, problems, &platform.name);
    report.verdicts.insert(platform.name.clone(), verdict);
    Ok(())
}

fn bare<'a>(id: &'a MinionId, host: &'a paper::Paper, tree: &'a dyn Tree) -> Context<'a> {
    static RETCODE: AtomicI32 = AtomicI32::new(0);
    static EMPTY: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);
    Context {
        id,
        look: host,
        host: None,
        functions: &paper::Reading,
        tree,
        pillar: &EMPTY,
        opts: &EMPTY,
        agent: None,
        progress: &|_| {},
        retcode: &RETCODE,
    }
}

fn options(id: &MinionId) -> Map {
    let Value::Object(opts) =
        json!({"id": id, "file_client": "local", "saltenv": null, "pillarenv": null, "test": false})
    else {
        return Map::new();
    };
    opts
}

fn verdict(survey: &Survey) -> Verdict {
    let failed: Vec<String> =
        survey.sls.iter().filter(|sls| !sls.problems.is_empty()).map(|sls| shown(&sls.env, &sls.name)).collect();
    Verdict { compiled: survey.sls.len() - failed.len(), failed, pillar_failed: false }
}

fn shown(env: &str, sls: &str) -> String {
    if env == "base" { sls.to_owned() } else { format!("{env}:{sls}") }
}

fn take(report: &mut Report, survey: Survey, problems: &mut Problems, platform: &str) {
    (report.sls, report.templates) = (survey.sls.len(), survey.templates);
    for sls in survey.sls {
        let name = shown(&sls.env, &sls.name);
        sls.problems.into_iter().for_each(|why| add(problems, why, &name, platform));
    }
    for why in survey.unreadable {
        let file = why.place.as_ref().map_or(String::new(), |place| place.file().to_owned());
        add(problems, why, &file, platform);
    }
    for finding in survey.findings {
        add_finding(&mut report.findings, finding);
    }
}

fn add(problems: &mut Problems, why: Diagnostic, sls: &str, platform: &str) {
    let place = why.place.as_ref().map_or(String::new(), ToString::to_string);
    let problem = problems.entry((why.message.clone(), place)).or_insert_with(|| Problem {
        why,
        sls: BTreeSet::new(),
        platforms: Vec::new(),
    });
    problem.sls.insert(sls.to_owned());
    if !problem.platforms.iter().any(|known| known == platform) {
        problem.platforms.push(platform.to_owned());
    }
}

fn add_finding(findings: &mut Vec<Finding>, new: Finding) {
    let known = findings.iter_mut().find(|known| known.kind == new.kind && known.name == new.name);
    match known {
        None => findings.push(new),
        Some(known) => {
            for place in new.places {
                if !known.places.contains(&place) {
                    known.places.push(place);
                }
            }
        }
    }
}

/// The findings by what they are: what we lack, and what acts while it is rendered.
pub fn by_kind(findings: &[Finding]) -> BTreeMap<Kind, Vec<&Finding>> {
    let mut all: BTreeMap<Kind, Vec<&Finding>> = BTreeMap::new();
    findings.iter().for_each(|finding| all.entry(finding.kind).or_default().push(finding));
    all
}
