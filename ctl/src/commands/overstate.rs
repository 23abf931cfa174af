//! `ctl overstate [FILE|SLS]`

use std::{fs, path::Path};

use proto::{
    Map,
    message::orchestration::{Orchestration, Source},
};

use crate::{
    arguments,
    cli::Global,
    error::{Error, Outcome},
    orchestration::{self, Options},
};

/// Bring a system up role by role, as overstate.sls says
///
///   ctl overstate                           overstate.sls of the state tree
///   ctl overstate --test                    what would each stage change?
///   ctl overstate ./cluster.sls             a file of this host
///   ctl overstate deploy.web saltenv=dev    deploy/web.sls of the tree
///   ctl overstate --from app                the stage `app` and what waits for it
///   ctl overstate --resume last             after a repair: on from what failed
///
/// Shows the plan, with who matches now, then the stages as they run. Ctrl-C
/// detaches: it goes on. Exit codes: 0 all stages well, 1 one failed, 2 nothing
/// was done, 130 Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// A file of this host, or an SLS of the tree; KEY=VALUE: saltenv=…, pillar='{…}'
    #[arg(value_name = "FILE|SLS", help_heading = None)]
    words: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let (names, mut orchestration) = named(&args.words)?;
    orchestration.source = match names.as_slice() {
        [] if args.options.resume.is_some() => Source::Resumed,
        [] => Source::default(),
        [name] => source(name)?,
        _ => {
            return Err(Error::nothing("an overstate is one file").hint("`ctl orchestrate` takes several SLS"));
        }
    };
    orchestration::carry_out(global, orchestration, &args.options)
}

/// Names, and what KEY=VALUE says of environment and pillar.
///
/// # Errors
/// Another key, or a value of another kind.
pub fn named(words: &[String]) -> Result<(Vec<String>, Orchestration), Error> {
    let names = words.iter().filter(|word| !arguments::is_named(word)).cloned().collect();
    let mut orchestration = Orchestration::default();
    for (key, value) in arguments::parse(words).named {
        match (key.as_str(), value) {
            ("saltenv", proto::Value::String(env)) => orchestration.saltenv = Some(env),
            ("pillar", proto::Value::Object(pillar)) => orchestration.pillar = pillar as Map,
            ("test", proto::Value::Bool(_)) => {
                return Err(Error::nothing("test= is an option here").hint("--test plans and changes nothing"));
            }
            ("saltenv" | "pillar", value) => {
                return Err(
                    Error::nothing(format!("{key}={value} makes no sense")).hint("saltenv=dev, pillar='{version: 2}'")
                );
            }
            (other, _) => {
                return Err(Error::nothing(format!("there is no argument {other}"))
                    .hints(states::diag::did_you_mean(other, ["saltenv", "pillar"]))
                    .hint("an overstate takes saltenv=… and pillar='{…}'"));
            }
        }
    }
    Ok((names, orchestration))
}

/// A file that is there is meant, or one whose name can be nothing else; all else is the tree's.
fn source(name: &str) -> Result<Source, Error> {
    let looks_like_file = name.starts_with(['.', '/', '~']);
    if !looks_like_file && !Path::new(name).is_file() {
        let path = if name.ends_with(".sls") { name.to_owned() } else { format!("{}.sls", name.replace('.', "/")) };
        return Ok(Source::Overstate(path));
    }
    let text = fs::read_to_string(name).map_err(|why| {
        Error::nothing(format!("{name} cannot be read: {why}"))
            .hint("a name without ./ before it is a file of the state tree")
    })?;
    Ok(Source::Text { name: name.to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_the_tree_unless_such_a_file_is_here() {
        assert_eq!(source("deploy.web").unwrap(), Source::Overstate("deploy/web.sls".into()));
        assert_eq!(source("deploy/web.sls").unwrap(), Source::Overstate("deploy/web.sls".into()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("o.sls").display().to_string();
        assert!(source(&file).unwrap_err().render().contains("cannot be read"));
        fs::write(&file, "a:\n  match: '*'\n").unwrap();
        assert_eq!(source(&file).unwrap(), Source::Text { name: file, text: "a:\n  match: '*'\n".into() });
    }

    #[test]
    fn arguments_are_those_of_an_overstate() {
        let of = |words: &[&str]| named(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let (names, orchestration) = of(&["web", "saltenv=dev", "pillar={a: 1}"]).unwrap();
        assert_eq!((names, orchestration.saltenv), (vec!["web".to_owned()], Some("dev".into())));
        assert_eq!(orchestration.pillar["a"], 1);
        for (word, hint) in
            [("pilar={a: 1}", "did you mean pillar?"), ("pillar=5", "makes no sense"), ("test=True", "--test")]
        {
            let error = of(&[word]).err().map(|error| error.render()).unwrap_or_default();
            assert!(error.contains(hint), "{error}");
        }
    }
}
