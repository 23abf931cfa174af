//! Repositories of yum, dnf and zypper: a section of a file in `/etc/yum.repos.d`.

use std::path::{Path, PathBuf};

use proto::{Map, Value};
use serde_json::json;

use super::{WILL, WOULD, check, enabled};
use crate::{
    Look,
    plan::{Call, Done, Plan, StateError, failed},
    resource::{
        lines,
        packages::{self, Manager},
    },
    value,
};

/// A section of a file, with the lines as they are.
#[derive(Debug, Clone, Default, PartialEq)]
struct Section {
    name: String,
    entries: Vec<(String, String)>,
    comments: Vec<String>,
}

fn parse(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), ..Section::default() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        match (bare.starts_with('#'), line.starts_with([' ', '\t']), bare.split_once('=')) {
            (true, ..) => section.comments.push(bare.trim_start_matches(['#', ' ']).to_owned()),
            (_, true, _) if !bare.is_empty() => {
                if let Some((_, value)) = section.entries.last_mut() {
                    value.push('\n');
                    value.push_str(bare);
                }
            }
            (_, _, Some((key, value))) => section.entries.push((key.trim().to_owned(), value.trim().to_owned())),
            _ => {}
        }
    }
    sections
}

fn render(sections: &[Section]) -> String {
    let section = |section: &Section| {
        let entry = |(key, value): &(String, String)| format!("\n{key}={}", value.replace('\n', "\n "));
        let entries: String = section.entries.iter().map(entry).collect();
        let comments: String = section.comments.iter().map(|comment| format!("# {comment}\n")).collect();
        format!("[{}]{entries}\n{comments}\n", section.name)
    };
    sections.iter().map(section).collect()
}

fn folder(call: &Call<'_>) -> PathBuf {
    let zypper = call.look.grains().get("os_family").and_then(Value::as_str) == Some("Suse");
    let default = if zypper { "/etc/zypp/repos.d" } else { "/etc/yum.repos.d" };
    call.some_text("basedir").map_or_else(|| default.into(), PathBuf::from)
}

fn find(look: &dyn Look, folder: &Path, id: &str) -> Option<(PathBuf, Section)> {
    let files = look.list(folder).unwrap_or_default().into_iter().filter(|name| name.ends_with(".repo"));
    files.map(|name| folder.join(name)).find_map(|file| {
        let text = lines::read(look, &file)?;
        Some((file, parse(&text).into_iter().find(|section| section.name == id)?))
    })
}

/// What the state itself, and not the repository, is told.
const OWN: [&str; 16] = [
    "name",
    "humanname",
    "enabled",
    "disabled",
    "comments",
    "basedir",
    "refresh",
    "refresh_db",
    "key_url",
    "ppa",
    "copr",
    "aptkey",
    "allow_insecure_key",
    "file",
    "clean_file",
    "cache_valid_time",
];

fn id(call: &Call<'_>) -> Result<String, StateError> {
    let id = call.name();
    match id.is_empty() || id.contains(['/', '\n', ']', '\0']) || id.starts_with('.') {
        true => failed(format!("Failed to configure repo '{id}': that is not the id of a repository")),
        false => Ok(id),
    }
}

/// The keys that a state gives a repository.
fn wanted(call: &Call<'_>, id: &str) -> Map {
    let mut wanted = Map::new();
    wanted.insert("name".into(), call.text_or("humanname", id).into());
    wanted.insert("enabled".into(), enabled(call).into());
    let own = |key: &&String| !OWN.contains(&key.as_str()) && !crate::compile::is_keyword(key);
    for key in call.low.keys().filter(own) {
        if let Some(value) = call.value(key) {
            wanted.insert(key.clone(), value.clone());
        }
    }
    wanted
}

fn written(value: &Value) -> String {
    match value {
        Value::Bool(flag) => if *flag { "1" } else { "0" }.to_owned(),
        Value::Array(items) => items.iter().map(value::python_str).collect::<Vec<_>>().join("\n"),
        other => value::python_str(other),
    }
}

fn same(wanted: &Value, now: &str) -> bool {
    let truth = |text: &str| match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    };
    match wanted {
        Value::Bool(flag) => truth(now) == Some(*flag),
        other => written(other) == now,
    }
}

pub fn managed(call: &Call<'_>) -> Result<Plan, StateError> {
    check(call)?;
    let (id, folder) = (id(call)?, folder(call));
    let name = id.clone();
    let mut wanted = wanted(call, &id);
    let comments = call.value("comments").map(|_| call.list("comments"));
    let known = find(call.look, &folder, &id);
    let now = |key: &str| -> Option<String> {
        let (_, section) = known.as_ref()?;
        section.entries.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let is_same = |key: &str, value: &Value| match now(key) {
        Some(now) => same(value, &now),
        // A repository without `enabled` is used.
        None => key == "enabled" && *value == Value::Bool(true),
    };
    if known.is_none()
        && !wanted.contains_key("baseurl")
        && !wanted.contains_key("mirrorlist")
        && !wanted.contains_key("metalink")
    {
        return failed(format!(
            "Failed to configure repo '{name}': The repo does not exist and needs to be created, but none of the \
             following are set: baseurl, mirrorlist, metalink"
        ));
    }
    let old_comments = known.as_ref().map(|(_, section)| section.comments.clone()).unwrap_or_default();
    let same_comments = comments.as_ref().is_none_or(|comments| *comments == old_comments);
    if known.is_some() && same_comments && wanted.iter().all(|(key, value)| is_same(key, value)) {
        return Plan::keep(format!("Package repo '{name}' already configured"));
    }
    let mut changes = Map::new();
    match &known {
        None => drop(changes.insert("repo".into(), name.clone().into())),
        Some(_) => {
            wanted.retain(|key, value| !is_same(key, value));
            changes.extend(wanted.iter().map(|(key, value)| (key.clone(), json!({"new": value, "old": now(key)}))));
        }
    }
    let file = known.as_ref().map_or_else(|| folder.join(format!("{id}.repo")), |(file, _)| file.clone());
    Plan::change(format!("Package repo '{name}' {WOULD}"), changes.clone(), move |doing| {
        let mut sections = parse(&lines::read(doing.host, &file).unwrap_or_default());
        let at = sections.iter().position(|section| section.name == id).unwrap_or_else(|| {
            sections.push(Section { name: id.clone(), ..Section::default() });
            sections.len() - 1
        });
        let section = &mut sections[at];
        for (key, value) in &wanted {
            let value = written(value);
            match section.entries.iter_mut().find(|(known, _)| known == key) {
                Some((_, old)) => *old = value,
                None => section.entries.push((key.clone(), value)),
            }
        }
        if let Some(comments) = comments {
            section.comments = comments;
        }
        lines::write(doing.host, &file, &render(&sections), 0o644)?;
        Ok(Done::new(format!("Configured package repo '{name}'"), changes))
    })
}

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (id, folder) = (id(call)?, folder(call));
    let Some((file, _)) = find(call.look, &folder, &id) else {
        return Plan::keep(format!("Package repo {id} is absent"));
    };
    let refresh = call.flag("refresh", false);
    Plan::change(format!("Package repo '{id}' {WILL}"), json!({}), move |doing| {
        let mut sections = parse(&lines::read(doing.host, &file).unwrap_or_default());
        sections.retain(|section| section.name != id);
        match sections.is_empty() {
            true => doing.host.remove(&file).map_err(|why| StateError::io("remove", &file, &why))?,
            false => lines::write(doing.host, &file, &render(&sections), 0o644)?,
        }
        if let Some(manager) = Manager::detect(doing.host).filter(|_| refresh) {
            let _ = packages::apply(doing, &manager.refresh());
        }
        Ok(Done::new(format!("Removed repo {id}"), json!({ "repo": id })))
    })
}
