//! `ctl compat PATH`

use std::path::PathBuf;

use serde_json::{Value, json};
use states::{
    Diagnostic,
    compat::{Finding, Kind},
    diag::Place,
};

use crate::{
    cli::Global,
    compat::{self, Problem, Question, Report, Verdict},
    error::{Exit, Outcome},
    output::{self, Format},
    term::{self, BAD, BOLD, DIM, GOOD, VALUE, paint},
};

/// Show what a Salt tree or formula uses that is not supported, with places
///
///   ctl compat /srv/salt
///   ctl compat nginx-formula --platform debian-12,rocky-9
///   ctl run web1 grains.items --out json > web1.json
///   ctl compat /srv/salt --grains web1.json --pillar /srv/pillar
///
/// Compiles every SLS for each platform, on any machine: no master, no minion;
/// nothing is started. Exit codes: 0 everything compiles, 1 something does not,
/// 2 nothing was done.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A state tree (its `file_roots` folder), or a formula
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// For which platforms [default: debian-12, ubuntu-24.04, rocky-9, opensuse-15]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    platform: Vec<String>,
    /// Grains of a host of yours, as `grains.items --out json` gives them; may be repeated
    #[arg(long, value_name = "FILE")]
    grains: Vec<PathBuf>,
    /// Pillar: a file of data, or a folder with a top.sls [default: what lies beside the tree]
    #[arg(long, value_name = "FILE|DIR")]
    pillar: Option<PathBuf>,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let question = Question::new(&args.path, args.pillar.as_deref(), &args.platform, &args.grains)?;
    let report = compat::judge(&question)?;
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => {
            output::one(global.out, &object(&question, &report))?;
        }
        _ => term::result(&text(&question, &report, global.verbose > 0))?,
    }
    Ok(if report.all_compiles() { Exit::OK } else { Exit::FAILED })
}

fn text(question: &Question, report: &Report, all: bool) -> String {
    let mut text = head(question, report);
    let limit = if all { usize::MAX } else { PROBLEMS };
    for problem in report.problems.iter().take(limit) {
        text += &problem_text(problem, report);
    }
    if report.problems.len() > limit {
        text += &format!("\n… and {} more problems; -v shows them\n", report.problems.len() - limit);
    }
    for (kind, findings) in compat::by_kind(&report.findings) {
        text += &format!("\n{}\n", paint(BOLD, title(kind)));
        text += &findings_text(&findings, all);
    }
    for leak in &report.leaks {
        text += &format!("\n{}", leak.render_as("warning", true));
    }
    text
}

/// Problems that are shown where nobody asks for more.
const PROBLEMS: usize = 12;
/// Places that are shown of each finding where nobody asks for more.
const PLACES: usize = 3;

fn head(question: &Question, report: &Report) -> String {
    let pillar = match question.layout.pillar.place() {
        Some(path) => format!("pillar from {}", path.file_name().unwrap_or_default().to_string_lossy()),
        None => "no pillar".into(),
    };
    let mut text = format!("{}: {} SLS, {pillar}\n", paint(BOLD, &question.layout.what), report.sls);
    let width = report.verdicts.keys().map(String::len).max().unwrap_or(0);
    for (platform, verdict) in &report.verdicts {
        text += &format!("  {platform:width$}  {}\n", verdict_text(verdict, report.sls));
    }
    text
}

fn verdict_text(verdict: &Verdict, sls: usize) -> String {
    let broken = if verdict.pillar_failed { "; its pillar is broken" } else { "" };
    if verdict.failed.is_empty() {
        let style = if verdict.pillar_failed { BAD } else { GOOD };
        let all = if sls == 1 { "it compiles".to_owned() } else { format!("all {sls} compile") };
        return paint(style, all + broken);
    }
    let count = paint(BAD, format!("{} of {sls} compile", verdict.compiled));
    format!("{count}, not {}{}", some(&verdict.failed, 2), paint(BAD, broken))
}

/// A few names, and how many more there are.
fn some(names: &[impl AsRef<str>], limit: usize) -> String {
    let mut shown: Vec<&str> = names.iter().take(limit).map(AsRef::as_ref).collect();
    let more = format!("{} more", names.len().saturating_sub(limit));
    if names.len() > limit {
        shown.push(&more);
    }
    term::clean(&shown.join(", "))
}

fn problem_text(problem: &Problem, report: &Report) -> String {
    let sls: Vec<&String> = problem.sls.iter().collect();
    let platforms = match problem.platforms.len() == report.verdicts.len() {
        true => "every platform".to_owned(),
        false => problem.platforms.join(", "),
    };
    let breaks = format!("breaks {} on {platforms}", some(&sls, 4));
    format!("\n{}  {}\n", problem.why.render(true), paint(DIM, breaks))
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Function => "Functions that are not available",
        Kind::Filter => "Filters that do not exist",
        Kind::Test => "Tests that do not exist",
        Kind::State => "States that are not available",
        Kind::Action => "Called while rendering, in dry runs too (here they answer nothing)",
    }
}

fn findings_text(findings: &[&Finding], all: bool) -> String {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    findings.iter().fold(String::new(), |text, finding| {
        let count = paint(VALUE, format!("{:>4}×", finding.places.len()));
        let limit = if all { usize::MAX } else { PLACES };
        let places: Vec<String> = finding.places.iter().map(line).collect();
        text + &format!("{count} {:width$}  {}\n", finding.name, some(&places, limit))
    })
}

/// `nginx/init.sls:14`
fn line(place: &Place) -> String {
    format!("{}:{}", place.file(), place.line)
}

fn object(question: &Question, report: &Report) -> Value {
    let verdict = |v: &Verdict| json!({"compiled": v.compiled, "failed": v.failed, "pillar_failed": v.pillar_failed});
    let finding = |f: &Finding| {
        let places: Vec<String> = f.places.iter().map(ToString::to_string).collect();
        json!({"kind": kind(f.kind), "name": f.name, "count": f.places.len(), "places": places})
    };
    json!({
        "what": question.layout.what,
        "pillar": question.layout.pillar.place(),
        "sls": report.sls,
        "templates": report.templates,
        "platforms": report.verdicts.iter().map(|(name, v)| (name.clone(), verdict(v))).collect::<proto::Map>(),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "claimed_secrets": report.leaks.iter().map(diagnostic).collect::<Vec<_>>(),
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Function => "function",
        Kind::Filter => "filter",
        Kind::Test => "test",
        Kind::State => "state",
        Kind::Action => "action",
    }
}

fn problem(problem: &Problem) -> Value {
    let mut object = diagnostic(&problem.why);
    object["sls"] = json!(problem.sls);
    object["platforms"] = json!(problem.platforms);
    object
}

fn diagnostic(why: &Diagnostic) -> Value {
    let place = why.place.as_ref().map(|p| json!({"file": p.file(), "line": p.line, "column": p.column}));
    json!({"message": why.message, "place": place, "hint": why.hint})
}
