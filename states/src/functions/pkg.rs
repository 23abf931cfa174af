//! `pkg.*` that read what is installed and what there is.

use proto::{Args, Map, Value};

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    resource::packages::{self, Manager, Versions},
    value,
};

pub const TABLE: &[Function] = &[
    Function {
        name: "pkg.version",
        doc: "Gives the version of installed packages; nothing for one that is not installed.\n\nctl run '*' pkg.version bash",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| {
            let installed = installed(context)?;
            Ok(versions(&names(&args)?, |name| installed.get(name).cloned()))
        },
    },
    Function {
        name: "pkg.latest_version",
        doc: "Gives the version that an installation would bring; nothing if the newest is installed.\n\nctl run '*' pkg.latest_version bash",
        params: &[],
        effect: Effect::Reads,
        call: latest,
    },
    Function {
        name: "pkg.list_pkgs",
        doc: "Lists the installed packages with their versions.\n\nctl run '*' pkg.list_pkgs",
        params: &[opt("versions_as_list", "False")],
        effect: Effect::Reads,
        call: list,
    },
    Function {
        name: "pkg.version_cmp",
        doc: "Compares two versions: -1, 0 or 1.\n\nctl run '*' pkg.version_cmp 1.2-1 1.2-2",
        params: &[need("pkg1"), need("pkg2"), opt("ignore_epoch", "False")],
        effect: Effect::Reads,
        call: |_, args| {
            let given = Given::new(&args, &["pkg1", "pkg2", "ignore_epoch"]);
            let bare = |text: String| match text.split_once(':') {
                Some((_, rest)) if given.flag("ignore_epoch", false) => rest.to_owned(),
                _ => text,
            };
            let (a, b) = (bare(given.text("pkg1")?), bare(given.text("pkg2")?));
            Ok(Value::from(packages::compare(&a, &b) as i8))
        },
    },
];

fn manager(context: &Context<'_>) -> Result<Manager, CallError> {
    Manager::detect(context.look).ok_or_else(|| CallError::failed("no package manager that is known was found here"))
}

fn installed(context: &Context<'_>) -> Result<Versions, CallError> {
    manager(context)?.installed(context.look).map_err(|why| CallError::failed(why.to_string()))
}

/// The names of a call; none may look like an option of a package manager.
fn names(args: &Args) -> Result<Vec<String>, CallError> {
    let names: Vec<String> = args.positional.iter().flat_map(super::args::list).collect();
    match names.iter().find(|name| name.starts_with('-') || name.contains(char::is_whitespace)) {
        Some(bad) => Err(CallError::arguments(format!("'{bad}' is not the name of a package"))),
        None => Ok(names),
    }
}

/// One version as a text, several as a mapping, as Salt gives them.
fn versions(names: &[String], find: impl Fn(&str) -> Option<String>) -> Value {
    let one = |name: &String| Value::String(find(name).unwrap_or_default());
    match names {
        [name] => one(name),
        [] => Value::String(String::new()),
        many => Value::Object(many.iter().map(|name| (name.clone(), one(name))).collect()),
    }
}

fn latest(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let names = names(&args)?;
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let installed = installed(context)?;
    let newest = manager(context)?.candidates(context.look, &asked);
    let newest = newest.map_err(|why| CallError::failed(why.to_string()))?;
    Ok(versions(&names, |name| {
        let there = newest.get(name)?;
        let newer = |have: &String| packages::compare(have, there) == std::cmp::Ordering::Less;
        installed.get(name).is_none_or(newer).then(|| there.clone())
    }))
}

fn list(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let as_list = Given::new(&args, &["versions_as_list"]).flag("versions_as_list", false);
    let shown = |versions: String| match as_list {
        true => versions.split(',').map(str::to_owned).collect(),
        false => Value::String(versions),
    };
    let all: Map = installed(context)?.into_iter().map(|(name, versions)| (name, shown(versions))).collect();
    Ok(value::plain(Value::Object(all)))
}

#[cfg(test)]
mod tests {
    use proto::Args;
    use serde_json::json;

    use crate::testing::{Memory, call, said};

    #[test]
    fn versions_are_read_and_compared() {
        let host = Memory::new(json!({"os_family": "Debian"})).answer(|_, line| {
            if line.starts_with("apt-cache") {
                return said("bash:\n  Candidate: 5.3\nvim:\n  Candidate: 9\n");
            }
            line.starts_with("dpkg-query").then(|| said("install ok installed bash 5.2 amd64\n"))?
        });
        let ask = |name: &str, args: &[&str]| {
            let args = Args::positional(args.iter().map(|arg| (*arg).into()));
            call(&host, &[], json!({}), name, args).0.unwrap()
        };
        assert_eq!(ask("pkg.version", &["bash"]), json!("5.2"));
        assert_eq!(ask("pkg.version", &["bash", "vim"]), json!({"bash": "5.2", "vim": ""}));
        assert_eq!(ask("pkg.latest_version", &["bash", "vim"]), json!({"bash": "5.3", "vim": "9"}));
        assert_eq!(ask("pkg.list_pkgs", &[]), json!({"bash": "5.2"}));
        assert_eq!(ask("pkg.version_cmp", &["1.2", "1.10"]), json!(-1));
        assert_eq!(ask("pkg.version_cmp", &["1.2", "1.2"]), json!(0));
    }
}
