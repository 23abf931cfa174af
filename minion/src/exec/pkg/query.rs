//! What is known of packages and their files.

use std::{collections::BTreeSet, path::Path};

use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Context, Function, resource::packages::Manager};

use super::{ask, checked, manager, only_apt, rest};
use crate::exec::bind::{Bound, NAMED, REST, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "pkg.info_installed",
        Reads,
        [REST, NAMED],
        info_installed,
        "Shows what is known of installed packages; of all without a name.\n\n    ctl run '*' pkg.info_installed bash"
    ),
    row!(
        "pkg.file_list",
        Reads,
        [REST, NAMED],
        |context, bound| {
            let files = files(context, bound)?;
            let all: BTreeSet<String> = files.into_iter().flat_map(|(_, files)| files).collect();
            Ok(json!({"errors": [], "files": all}))
        },
        "Lists the files of packages; of all without a name.\n\n    ctl run '*' pkg.file_list nginx"
    ),
    row!(
        "pkg.file_dict",
        Reads,
        [REST, NAMED],
        |context, bound| {
            let files = files(context, bound)?.into_iter().map(|(name, files)| (name, files.into()));
            Ok(json!({"errors": [], "packages": files.collect::<Map>()}))
        },
        "Lists the files of packages, by package.\n\n    ctl run '*' pkg.file_dict nginx"
    ),
    row!(
        "pkg.owner",
        Reads,
        [REST, NAMED],
        |context, bound| {
            let paths: Vec<String> = bound.rest.iter().map(text_of).collect();
            let one = |path: &String| Ok((path.clone(), owner(context, path)?.unwrap_or_default().into()));
            let owners = paths.iter().map(one).collect::<Result<Map, CallError>>()?;
            Ok(match owners.len() {
                0 => "".into(),
                1 => owners.values().next().cloned().unwrap_or_default(),
                _ => owners.into(),
            })
        },
        "Names the package that a file belongs to.\n\n    ctl run '*' pkg.owner /usr/bin/ls"
    ),
    row!(
        "pkg.which",
        Reads,
        [need("path")],
        |context, bound| {
            let path = bound.need_text("path")?;
            match path.starts_with('/') && Path::new(&path).exists() {
                true => Ok(owner(context, &path)?.map_or(Value::Null, Value::from)),
                false => Ok(false.into()),
            }
        },
        "Names the package that a file which is there belongs to.\n\n    ctl run '*' pkg.which /usr/bin/ls"
    ),
    row!(
        "pkg.show",
        Reads,
        [REST, NAMED],
        show,
        "Shows what the repositories say of packages, by version; `filter` names what is shown.\n\n    \
         ctl run '*' pkg.show bash filter=section,homepage"
    ),
    row!(
        "pkg.list_repo_pkgs",
        Reads,
        [REST, NAMED],
        |context, bound| {
            only_apt(context, "pkg.list_repo_pkgs")?;
            let names = rest(bound)?;
            let words: &[&str] = if names.is_empty() { &["apt-cache", "dump"] } else { &["apt-cache", "show"] };
            Ok(versions(&ask(context, words, &names)?.1).into())
        },
        "Lists the versions that the repositories have of packages.\n\n    ctl run '*' pkg.list_repo_pkgs bash"
    ),
    row!(
        "pkg.list_downloaded",
        Reads,
        [with("root", "None"), NAMED],
        list_downloaded,
        "Lists the packages that were fetched and are still kept.\n\n    ctl run '*' pkg.list_downloaded"
    ),
    row!(
        "pkg.upgrade_available",
        Reads,
        [need("name"), NAMED],
        |context, bound| {
            let latest = latest(context, &[bound.need_text("name")?])?;
            Ok(latest.as_str().is_some_and(|version| !version.is_empty()).into())
        },
        "Tells whether the repositories have a newer version of a package.\n\n    ctl run '*' pkg.upgrade_available bash"
    ),
    row!(
        "pkg.available_version",
        Reads,
        [REST, NAMED],
        |context, bound| latest(context, &rest(bound)?),
        "Gives the version that an installation would bring; nothing if the newest is installed.\n\n    \
         ctl run '*' pkg.available_version bash"
    ),
    row!(
        "pkg.services_need_restart",
        Reads,
        [NAMED],
        |context, _| {
            if context.look.which("checkrestart").is_none() {
                let why = "'checkrestart' is needed. It is part of the 'debian-goodies' package which can be installed \
                           from official repositories.";
                return Err(CallError::failed(why));
            }
            let (_, said) = ask(context, &["checkrestart", "--machine", "--package"], &[])?;
            let name = |line: &str| Some(line.strip_prefix("SERVICE:")?.split(',').next()?.to_owned());
            Ok(said.lines().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect())
        },
        "Lists services that still use what was upgraded under them.\n\n    ctl run '*' pkg.services_need_restart"
    ),
];

/// What Salt calls the fields of `dpkg-query`, with their names there.
const FIELDS: &[(&str, &str)] = &[
    ("name", "Package"),
    ("revision", "binary:Revision"),
    ("architecture", "Architecture"),
    ("packager", "Maintainer"),
    ("summary", "Summary"),
    ("source", "source:Package"),
    ("version", "Version"),
    ("group", "Section"),
    ("size", "Size"),
    ("MD5", "MD5sum"),
    ("SHA1", "SHA1"),
    ("SHA256", "SHA256"),
    ("vendor", "Origin"),
    ("url", "Homepage"),
    ("status", "db:Status-Abbrev"),
    ("install_date", "db-fsys:Last-Modified"),
    ("description", "Description"),
];

/// What stands between fields and between packages; no text has these.
const FIELD: &str = "\u{1f}";
const PACKAGE: &str = "\u{1e}";

fn info_installed(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.info_installed")?;
    let fields: Vec<String> = FIELDS.iter().map(|(_, field)| format!("${{{field}}}")).collect();
    let format = format!("-f={}{PACKAGE}", fields.join(FIELD));
    let (output, said) = ask(context, &["dpkg-query", "-W", &format], &rest(bound)?)?;
    if output.code != 0 {
        return match bound.named.get("failhard").is_none_or(truth) {
            true => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(CallError::failed(format!("Error getting packages information: {said}")))
            }
            false => Ok(json!({})),
        };
    }
    let packages = said.split(PACKAGE).filter(|row| !row.is_empty()).filter_map(|row| info(context, row));
    Ok(packages.collect::<Map>().into())
}

fn info(context: &Context<'_>, row: &str) -> Option<(String, Value)> {
    let mut info = Map::new();
    for ((name, _), text) in FIELDS.iter().zip(row.split(FIELD)) {
        match *name {
            "status" if text.chars().nth(1) != Some('i') => return None,
            "status" => {}
            "install_date" => {
                let time = text.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
                info.extend(time.map(|time| ("install_date".to_owned(), time.to_string().into())));
            }
            // Salt keeps the line end behind it.
            "description" => drop(info.insert("description".into(), format!("{text}\n").into())),
            _ if text.is_empty() => {}
            name => drop(info.insert(name.to_owned(), text.trim().into())),
        }
    }
    let name = info.get("name")?.as_str()?.to_owned();
    info.extend(license(context, &name).map(|license| ("license".to_owned(), license.into())));
    Some((name, info.into()))
}

fn license(context: &Context<'_>, name: &str) -> Option<String> {
    let path = format!("/usr/share/doc/{name}/copyright");
    let text = context.look.read(path.as_ref(), 4 << 20).ok()?;
    let text = String::from_utf8_lossy(&text);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then_some(names)
}

/// The files of packages by package.
fn files(context: &Context<'_>, bound: &Bound) -> Result<Vec<(String, Vec<String>)>, CallError> {
    let names = rest(bound)?;
    let manager = manager(context)?;
    let installed: Vec<String> = match manager {
        Manager::Apt => {
            let format = "-f=${db:Status-Status}\t${binary:Package}\n";
            let (output, said) = ask(context, &["dpkg-query", format, "-W"], &names)?;
            if output.code != 0 {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(CallError::failed(said));
            }
            said.lines().filter_map(|line| line.strip_prefix("installed\t")).map(str::to_owned).collect()
        }
        _ if names.is_empty() => manager.installed(context.look).map_err(super::why)?.into_keys().collect(),
        _ => names,
    };
    let words: &[&str] = match manager {
        Manager::Apt => &["dpkg", "-L"],
        Manager::Dnf(_) => &["rpm", "-ql"],
        Manager::Apk => &["apk", "info", "-L", "-q"],
    };
    let of = |name: String| {
        let (_, said) = ask(context, words, std::slice::from_ref(&name))?;
        let path = |line: &str| if line.starts_with('/') { line.to_owned() } else { format!("/{line}") };
        let lines = said.lines().filter(|line| !line.is_empty());
        // dpkg's lines are paths already, or remarks about them.
        let files = match manager {
            Manager::Apk => lines.map(path).collect(),
            _ => lines.map(str::to_owned).collect(),
        };
        Ok((name, files))
    };
    installed.into_iter().map(of).collect()
}

/// The package that a file belongs to.
fn owner(context: &Context<'_>, path: &str) -> Result<Option<String>, CallError> {
    if path.starts_with('-') {
        return Err(CallError::arguments(format!("{path} is no path")));
    }
    let words: &[&str] = match manager(context)? {
        Manager::Apt => &["dpkg", "-S"],
        Manager::Dnf(_) => &["rpm", "-qf", "--queryformat", "%{NAME}\n"],
        Manager::Apk => &["apk", "info", "-W", "-q"],
    };
    let (output, said) = ask(context, words, &[path.to_owned()])?;
    let first = said.split([':', '\n']).next().unwrap_or_default().trim().to_owned();
    Ok(Some(first).filter(|name| output.code == 0 && !name.is_empty()))
}

fn show(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.show")?;
    let names = rest(bound)?;
    if names.is_empty() {
        return Ok(json!({}));
    }
    let wanted: Vec<String> = match bound.named.get("filter") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(|item| text_of(item).to_lowercase()).collect(),
        Some(text) => text_of(text).split(',').map(|part| part.trim().to_lowercase()).collect(),
    };
    Ok(shown(&ask(context, &["apt-cache", "show"], &names)?.1, &wanted).into())
}

fn shown(said: &str, wanted: &[String]) -> Map {
    let mut packages = Map::new();
    for paragraph in said.split("\n\n") {
        let mut fields: Map = paragraph
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .map(|(key, text)| (key.trim().to_owned(), Value::from(text.trim())))
            .collect();
        let taken = |fields: &mut Map, key: &str| fields.shift_remove(key).as_ref().map(text_of);
        let (name, version) = (taken(&mut fields, "Package"), taken(&mut fields, "Version"));
        let (Some(name), Some(version)) = (name, version) else { continue };
        fields.retain(|key, _| wanted.is_empty() || wanted.contains(&key.to_lowercase()));
        let versions = packages.entry(name).or_insert_with(|| json!({}));
        versions[version] = fields.into();
    }
    packages
}

fn versions(said: &str) -> Map {
    let (mut packages, mut name) = (Map::new(), "");
    for line in said.lines().map(str::trim) {
        if let Some(named) = line.strip_prefix("Package: ") {
            name = named;
        } else if let Some(version) = line.strip_prefix("Version: ") {
            let list = packages.entry(name.to_owned()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(version.trim().into());
            }
        }
    }
    packages
}

fn list_downloaded(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.list_downloaded")?;
    let root = bound.text("root")?.unwrap_or_default();
    let cache = format!("{}/var/cache/apt", root.trim_end_matches('/'));
    let files = states::resource::files::walk(context.look, Path::new(&cache)).unwrap_or_default();
    let mut found = Map::new();
    for (path, stat) in files.into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "deb")) {
        let path = path.display().to_string();
        let (_, said) = ask(context, &["dpkg-deb", "-f"], &[path.clone(), "Package".into(), "Version".into()])?;
        let field =
            |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned());
        let (Some(name), Some(version)) = (field("Package:"), field("Version:")) else { continue };
        let time = jiff::Timestamp::from_second(stat.ctime).map(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        found.entry(name).or_insert_with(|| json!({}))[version] = json!({
            "path": path, "size": stat.size, "creation_date_time_t": stat.ctime,
            "creation_date_time": time.unwrap_or_default(),
        });
    }
    Ok(found.into())
}

fn latest(context: &Context<'_>, names: &[String]) -> Result<Value, CallError> {
    let function =
        "pkg.latest_version".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let names = checked(names.to_vec())?.into_iter().map(Value::from);
    context.call(&function, Args::positional(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_cache_says_is_read() {
        let said = "Package: bash\nVersion: 5.2\nSection: shells\nDescription: GNU\n more: text\n\nPackage: bash\nVersion: 5.1\nSection: shells\n";
        assert_eq!(Value::Object(versions(said)), json!({"bash": ["5.2", "5.1"]}));
        let filtered = shown(said, &["section".into()]);
        assert_eq!(
            Value::Object(filtered),
            json!({"bash": {"5.2": {"Section": "shells"}, "5.1": {"Section": "shells"}}})
        );
    }
}
