//! `ini.*`: options and sections of configuration files.

use std::path::{Path, PathBuf};

use proto::{Map, Value};
use serde_json::json;

use super::params::ini as params;
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{encoding, files, ini::Ini, lines},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "ini",
    states: &[
        State {
            name: "options_present",
            doc: "Makes sure that options of a file have values.\n\n    /etc/app.ini:\n      ini.options_present:\n        - sections:\n            server:\n              port: 80",
            params: params::OPTIONS_PRESENT,
            plan: options_present,
        },
        State {
            name: "options_absent",
            doc: "Makes sure that options are not in a file.\n\n    /etc/app.ini:\n      ini.options_absent:\n        - sections:\n            server: [debug]",
            params: params::OPTIONS_ABSENT,
            plan: options_absent,
        },
        State {
            name: "sections_present",
            doc: "Makes sure that sections are in a file.\n\n    /etc/app.ini:\n      ini.sections_present:\n        - sections: [server]",
            params: params::SECTIONS_PRESENT,
            plan: sections_present,
        },
        State {
            name: "sections_absent",
            doc: "Makes sure that sections are not in a file.\n\n    /etc/app.ini:\n      ini.sections_absent:\n        - sections: [debug]",
            params: params::SECTIONS_ABSENT,
            plan: sections_absent,
        },
    ],
    watch: None,
};

/// A file, and what is to be said and changed.
struct Work {
    path: PathBuf,
    /// What the file is written in, where it is said.
    encoding: Option<String>,
    ini: Ini,
    said: String,
    changes: Map,
}

impl Work {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let path = PathBuf::from(call.name());
        if !path.is_absolute() {
            return failed(format!("{} is not an absolute path", path.display()));
        }
        if files::is_dir(call.look, &path) {
            return failed(format!("Unable to open file '{}'. Exception: it is a directory", path.display()));
        }
        let encoding = call.text("encoding").filter(|name| !name.is_empty());
        let text = match &encoding {
            Some(encoding) => decoded(call, &path, encoding)?,
            None => lines::read(call.look, &path).unwrap_or_default(),
        };
        let ini = Ini::parse(&text, &call.text_or("separator", "="), call.flag("no_spaces", false));
        Ok(Self { path, encoding, ini, said: String::new(), changes: Map::new() })
    }

    fn say(&mut self, line: String) {
        self.said.push_str(&line);
        self.said.push('\n');
    }

    /// Notes a change of an option; options above all sections stand by themselves.
    fn change(&mut self, section: &str, key: &str, change: Value) {
        match section {
            "" => drop(self.changes.insert(key.to_owned(), change)),
            name => {
                let of = self.changes.entry(name.to_owned()).or_insert_with(|| json!({}));
                of[key] = change;
            }
        }
    }

    /// A section that was not there is one change, as Salt shows it.
    fn fresh(&mut self, section: &str, body: &Map) {
        for (key, value) in body {
            self.set(section, key, &value::python_str(value));
        }
        let texts = body.iter().map(|(key, value)| (key.clone(), Value::String(value::python_str(value))));
        let after: Map = texts.collect();
        self.changes.insert(section.to_owned(), json!({"before": null, "after": after}));
    }

    fn set(&mut self, section: &str, key: &str, wanted: &str) {
        let old = self.ini.section(section).and_then(|section| section.get(key)).map(str::to_owned);
        let place = place(section);
        if old.as_deref() == Some(wanted) {
            return self.say(format!("Unchanged key {key}{place}."));
        }
        self.say(format!("Changed key {key}{place}."));
        self.change(section, key, json!({"before": old, "after": wanted}));
        let separator = self.ini.separator().to_owned();
        self.ini.section_mut(section).set(key, wanted, &separator);
    }

    /// A dry run says each line; a run says whether anything changed.
    fn plan(self, call: &Call<'_>, nothing: &str) -> Result<Plan, StateError> {
        if self.changes.is_empty() {
            let said = if self.said.is_empty() { nothing } else { &self.said };
            return Plan::keep(if call.test { said } else { "No anomaly detected" });
        }
        Plan::change(self.said, json!({}), move |doing| {
            let text = self.ini.render();
            match &self.encoding {
                None => lines::write(doing.host, &self.path, &text, 0o644)?,
                Some(encoding) => {
                    let bytes = encoding::encode(&text, encoding, "strict").map_err(StateError::Failed)?;
                    lines::write_bytes(doing.host, &self.path, &bytes, 0o644)?;
                }
            }
            Ok(Done::new("Changes take effect", self.changes))
        })
    }
}

/// The file's text; nothing where it is not there.
fn decoded(call: &Call<'_>, path: &Path, encoding: &str) -> Result<String, StateError> {
    match call.look.read(path, files::LIMIT) {
        Ok(bytes) => encoding::decode(&bytes, encoding)
            .map_err(|why| StateError::Failed(format!("Unable to open file '{}'. Exception: {why}", path.display()))),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(why) => Err(StateError::io("read", path, &why)),
    }
}

fn place(section: &str) -> String {
    if section.is_empty() { String::new() } else { format!(" in section {section}") }
}

fn options_present(call: &Call<'_>) -> Result<Plan, StateError> {
    let mut work = Work::of(call)?;
    let sections = call.map("sections");
    let strict = call.flag("strict", false);
    for (key, body) in sections.iter().filter(|(_, body)| !body.is_object()) {
        work.set("", key, &value::python_str(body));
    }
    if strict && !sections.is_empty() {
        surplus(&mut work, &sections);
    }
    for (section, body) in sections.iter().filter_map(|(name, body)| Some((name, body.as_object()?))) {
        if strict {
            let known = work.ini.section(section).map(|section| {
                section.options().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
            });
            for (key, old) in known.unwrap_or_default().into_iter().filter(|(key, _)| !body.contains_key(key)) {
                work.say(format!("Deleted key {key}{}.", place(section)));
                work.change(section, &key, json!({"before": old, "after": null}));
                work.ini.section_mut(section).remove(&key);
            }
        }
        if work.ini.section(section).is_none() {
            work.fresh(section, body);
            continue;
        }
        for (key, wanted) in body {
            work.set(section, key, &value::python_str(wanted));
        }
    }
    work.plan(call, "")
}

/// With `strict`, what is not named goes: options above the sections, and whole sections.
fn surplus(work: &mut Work, sections: &Map) {
    let own = |pairs: Option<&crate::resource::ini::Section>| -> Vec<(String, String)> {
        let pairs = pairs.map(|section| section.options().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        pairs.unwrap_or_default()
    };
    for (key, old) in own(work.ini.section("")).into_iter().filter(|(key, _)| !sections.contains_key(key)) {
        work.say(format!("Removed key {key}."));
        work.change("", &key, json!({"before": old, "after": null}));
        work.ini.section_mut("").remove(&key);
    }
    let names: Vec<String> = work.ini.sections().map(|section| section.name.clone()).collect();
    for name in names.into_iter().filter(|name| !sections.get(name).is_some_and(Value::is_object)) {
        let before: Map = own(work.ini.section(&name)).into_iter().map(|(key, value)| (key, value.into())).collect();
        work.say(format!("Removed section {name}."));
        work.changes.insert(name.clone(), json!({"before": before, "after": null}));
        work.ini.remove_section(&name);
    }
}

fn options_absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let mut work = Work::of(call)?;
    for (section, keys) in call.map("sections") {
        // A name without a list is an option above the sections.
        let (section, keys, shown) = match keys {
            Value::Array(keys) => (section.clone(), keys.iter().map(value::python_str).collect(), section),
            _ => (String::new(), vec![section.clone()], String::new()),
        };
        for key in keys {
            match work.ini.section_mut(&section).remove(&key) {
                None => work.say(format!("Key {key}{} does not exist.", place(&shown))),
                Some(old) => {
                    work.say(format!("Deleted key {key}{}.", place(&shown)));
                    work.change(&section, &key, old.into());
                }
            }
        }
    }
    work.plan(call, "No changes detected.")
}

fn names(call: &Call<'_>) -> Vec<String> {
    match call.value("sections") {
        Some(Value::Object(map)) => map.keys().cloned().collect(),
        _ => call.list("sections"),
    }
}

fn sections_present(call: &Call<'_>) -> Result<Plan, StateError> {
    let mut work = Work::of(call)?;
    for name in names(call) {
        if work.ini.section(&name).is_some() {
            work.say(format!("Section unchanged {name}."));
            continue;
        }
        work.say(format!("Created new section {name}."));
        work.changes.insert(name.clone(), json!({"before": null, "after": {}}));
        work.ini.section_mut(&name);
    }
    work.plan(call, "No changes detected.")
}

fn sections_absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let mut work = Work::of(call)?;
    for name in names(call) {
        let Some(section) = work.ini.section(&name) else {
            work.say(format!("Section {name} does not exist."));
            continue;
        };
        let before: Map = section.options().map(|(key, value)| (key.to_owned(), value.into())).collect();
        work.changes.insert(name.clone(), Value::Object(before));
        work.say(format!("Deleted section {name}."));
        work.ini.remove_section(&name);
    }
    work.plan(call, "No changes detected.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, thrice};

    #[test]
    fn options_and_sections_come_and_go() {
        let host = Memory::new(json!({})).with(&[("/a.ini", "[s]\nx = 1\ny = 2\n")]);
        let sls = "/a.ini:\n  ini.options_present:\n    - sections:\n        s: {x: 5}\n        t: {z: true}\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "Changed key x in section s.\nChanged key z in section t.\n");
        assert_eq!(
            first.2,
            json!({"s": {"x": {"before": "1", "after": "5"}}, "t": {"before": null, "after": {"z": "True"}}})
        );
        assert_eq!(second.1, "No anomaly detected");
        assert_eq!(host.text("/a.ini").unwrap(), "[s]\nx = 5\ny = 2\n\n[t]\nz = True\n");
        let [_, first, _] =
            thrice(&host, &[("t.sls", "/a.ini:\n  ini.options_absent:\n    - sections: {s: [y, q]}\n")]);
        assert_eq!(first.2, json!({"s": {"y": "2"}}));
        let [_, first, _] = thrice(&host, &[("t.sls", "/a.ini:\n  ini.sections_absent:\n    - sections: [t]\n")]);
        assert_eq!(first.2, json!({"t": {"z": "True"}}));
        let [test, _, _] = thrice(&host, &[("t.sls", "/a.ini:\n  ini.sections_present:\n    - sections: [u]\n")]);
        assert_eq!(test.1, "Created new section u.\n");
    }
}
