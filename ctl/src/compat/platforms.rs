//! The platforms that a tree is compiled for: grains that we ship, or a minion's own.

use std::{path::Path, sync::LazyLock};

use proto::{Map, Value};
use states::{Diagnostic, diag::did_you_mean, yaml};

use crate::error::{Error, Kind};

/// A name, and the grains of a host of that kind.
#[derive(Debug, Clone)]
pub struct Platform {
    pub name: String,
    pub grains: Map,
}

/// Those that a tree is compiled for where nobody says otherwise.
pub const DEFAULT: [&str; 4] = ["debian-12", "ubuntu-24.04", "rocky-9", "opensuse-15"];

static SHIPPED: LazyLock<Map> = LazyLock::new(|| {
    let read = yaml::parse("platforms.yaml", include_str!("platforms.yaml"));
    // A test reads it, so that what is shipped can be read.
    read.map(|node| object(yaml::to_value(&node))).unwrap_or_default()
});

fn object(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn section(name: &str) -> Map {
    SHIPPED.get(name).cloned().map(object).unwrap_or_default()
}

/// The names that [`named`] knows.
pub fn names() -> Vec<String> {
    section("platforms").keys().cloned().collect()
}

/// # Errors
/// A platform that we have no grains of.
pub fn named(name: &str) -> Result<Platform, Error> {
    match section("platforms").get(name).cloned() {
        Some(own) => Ok(Platform { name: name.to_owned(), grains: above_common(object(own)) }),
        None => {
            let known = names();
            let near = did_you_mean(name, known.iter().map(String::as_str));
            Err(Error::nothing(format!("there are no grains of a platform {name} here"))
                .hints(near)
                .hint(format!("it is one of {}", known.join(", ")))
                .hint("for any other:  ctl run ID grains.items --out json > FILE;  ctl compat PATH --grains FILE"))
        }
    }
}

fn above_common(own: Map) -> Map {
    let mut grains = section("common");
    grains.extend(own);
    grains.retain(|_, value| !value.is_null());
    grains
}

/// The grains in a file (YAML or JSON): a mapping of them, or what `grains.items` gave, with the
/// minion's id above.
///
/// # Errors
/// A file that cannot be read, or holds no mapping.
pub fn of_file(file: &Path) -> Result<Platform, Error> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|why| Error::nothing(format!("{shown} cannot be read: {why}")))?;
    let wrong = |why: Diagnostic| Error::rendered(Kind::Nothing, why.render(true));
    let node = yaml::parse(&shown, &text).map_err(wrong)?;
    let stem = file.file_stem().map_or("grains".into(), |stem| stem.to_string_lossy().into_owned());
    let (name, own) = match yaml::to_value(&node) {
        Value::Object(map) => of_one_minion(map, stem),
        _ => return Err(Error::nothing(format!("{shown} holds no grains: it has to be a mapping"))),
    };
    Ok(Platform { name, grains: above_common(own) })
}

fn of_one_minion(map: Map, stem: String) -> (String, Map) {
    match map.iter().next() {
        Some((id, Value::Object(grains))) if map.len() == 1 => {
            let name = if id == "local" { stem } else { id.clone() };
            (name, grains.clone())
        }
        _ => (stem, map),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_the_grains_that_trees_ask_for() {
        assert!(names().len() > 10);
        for name in names() {
            let grains = named(&name).unwrap().grains;
            for grain in ["os", "os_family", "osfullname", "osrelease", "osfinger", "osarch", "kernel", "id", "init"] {
                assert!(grains.contains_key(grain), "{name} lacks {grain}");
            }
        }
        for name in DEFAULT {
            assert!(named(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_platform_that_is_not_there_is_met_with_its_neighbour() {
        let error = named("debian12").unwrap_err();
        assert!(error.render().contains("did you mean debian-12?"), "{}", error.render());
    }

    #[test]
    fn what_grains_items_gave_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.json");
        std::fs::write(&file, r#"{"web1": {"os": "Void", "id": "web1"}}"#).unwrap();
        let platform = of_file(&file).unwrap();
        assert_eq!((platform.name.as_str(), &platform.grains["os"]), ("web1", &Value::from("Void")));
        std::fs::write(&file, "os: Void\nos_family: Void\n").unwrap();
        assert_eq!(of_file(&file).unwrap().name, "mine");
        std::fs::write(&file, "- os").unwrap();
        assert_eq!(of_file(&file).unwrap_err().exit().0, 2);
    }
}
