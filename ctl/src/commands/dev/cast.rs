//! Who plays in a test cluster: the usual few minions, or those that a tree's own `minions.yaml`
//! names, each with a configuration of its own; and what its `master.yaml` adds to the master's.

use std::{fs, io, path::Path};

use indexmap::IndexMap;
use proto::{Map, MinionId, Value};
use serde_json::json;
use states::{
    Diagnostic,
    yaml::{self, Data, Node},
};

use crate::{access::diagnosed, error::Error};

/// Minions and what is peculiar to each, in their order.
#[derive(Debug, Default)]
pub struct Cast {
    pub minions: IndexMap<String, Map>,
    /// Keys for the master's configuration.
    pub master: Map,
    /// The minions are the tree's own, and not ours.
    pub own: bool,
}

/// `web1 web2 db1 web3 web4 db2 …`: something to aim at.
fn names(count: u16) -> impl Iterator<Item = String> {
    (0..count).map(|i| if i % 3 == 2 { format!("db{}", i / 3 + 1) } else { format!("web{}", i / 3 * 2 + i % 3 + 1) })
}

impl Cast {
    /// So many minions with roles and racks.
    pub fn usual(count: u16) -> Self {
        let grains = |index: usize, id: &str| {
            let role = id.trim_end_matches(|c: char| c.is_ascii_digit());
            Map::from_iter([("grains".to_owned(), json!({"role": role, "rack": format!("r{}", index % 2 + 1)}))])
        };
        let minions = names(count).enumerate().map(|(index, id)| (id.clone(), grains(index, &id))).collect();
        Self { minions, ..Self::default() }
    }

    /// What the tree at `dir` wishes for; `count` is what was asked for on the command line.
    ///
    /// # Errors
    /// A file that cannot be read, a key that no configuration has, one that the cluster sets itself,
    /// or two answers to how many minions there are.
    pub fn of(dir: &Path, count: Option<u16>) -> Result<Self, Error> {
        let mut cast = match read(&dir.join("minions.yaml"))? {
            Some(_) if count.is_some() => {
                return Err(Error::nothing(format!(
                    "{} says which minions there are",
                    dir.join("minions.yaml").display()
                ))
                .hint("leave out --minions"));
            }
            Some(node) => Self { minions: minions(&node).map_err(diagnosed)?, own: true, ..Self::default() },
            None => Self::usual(count.unwrap_or(super::MINIONS)),
        };
        if let Some(node) = read(&dir.join("master.yaml"))? {
            cast.master = checked(&node, super::for_master, &["interface", "port", "root_dir"]).map_err(diagnosed)?;
        }
        Ok(cast)
    }
}

fn read(file: &Path) -> Result<Option<Node>, Error> {
    let shown = file.display().to_string();
    match fs::read_to_string(file) {
        Ok(text) => yaml::parse(&shown, &text).map(Some).map_err(diagnosed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::nothing(format!("{shown} cannot be read: {error}"))),
    }
}

fn minions(node: &Node) -> Result<IndexMap<String, Map>, Diagnostic> {
    let Some(entries) = node.as_map().filter(|entries| !entries.is_empty()) else {
        return Err(Diagnostic::new("this is a mapping of minions' ids to their configuration").at(&node.place()));
    };
    let one = |(id, keys): &(Node, Node)| {
        let name: MinionId =
            id.to_text().parse().map_err(|why: proto::IdError| Diagnostic::new(why.to_string()).at(&id.place()))?;
        if name.as_str() == "master" {
            return Err(Diagnostic::new("the master has this name here").at(&id.place()));
        }
        Ok((name.to_string(), checked(keys, super::for_minion, &["id", "master", "root_dir"])?))
    };
    entries.iter().map(one).collect()
}

/// A mapping whose keys are those of a configuration, but for some.
fn checked(node: &Node, fits: fn(&Node) -> Result<(), Diagnostic>, ours: &[&str]) -> Result<Map, Diagnostic> {
    if let Data::Null = node.data {
        return Ok(Map::new());
    }
    let taken =
        node.as_map().into_iter().flatten().find(|(key, _)| key.as_str().is_some_and(|key| ours.contains(&key)));
    if let Some((key, _)) = taken {
        return Err(Diagnostic::new(format!("`{}` is set by the test cluster itself", key.to_text())).at(&key.place()));
    }
    fits(node)?;
    match yaml::to_value(node) {
        Value::Object(keys) => Ok(keys),
        _ => Err(Diagnostic::new("a configuration is a mapping of keys to values").at(&node.place())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), text).unwrap();
        let error = Cast::of(dir.path(), None).unwrap_err().render();
        anstream::adapter::strip_str(&error).to_string()
    }

    #[test]
    fn minions_have_names_to_aim_at() {
        assert_eq!(names(7).collect::<Vec<_>>(), ["web1", "web2", "db1", "web3", "web4", "db2", "web5"]);
        assert_eq!(Cast::usual(3).minions["db1"]["grains"], json!({"role": "db", "rack": "r1"}));
    }

    #[test]
    fn a_tree_may_bring_its_minions_and_what_its_master_needs() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("minions.yaml"), "db-a1: {grains: {role: primary}}\nplain:\n").unwrap();
        fs::write(dir.path().join("master.yaml"), "nodegroups: {db: 'db-*'}\n").unwrap();
        let cast = Cast::of(dir.path(), None).unwrap();
        assert_eq!(cast.minions["db-a1"]["grains"], json!({"role": "primary"}));
        assert!(cast.own && cast.minions["plain"].is_empty() && cast.master.contains_key("nodegroups"));
        assert!(Cast::of(dir.path(), Some(3)).unwrap_err().render().contains("--minions"));
    }

    #[test]
    fn what_no_configuration_has_is_refused_with_its_place() {
        let misspelt = refusal("minions.yaml", "a:\n  grians: {}\n");
        assert!(misspelt.contains("minions.yaml:2:3") && misspelt.contains("did you mean grains?"), "{misspelt}");
        let ours = refusal("minions.yaml", "a: {root_dir: /tmp}\n");
        assert!(ours.contains("set by the test cluster") && ours.contains("minions.yaml:1:5"), "{ours}");
        assert!(refusal("minions.yaml", "[a, b]").contains("mapping"));
        assert!(refusal("minions.yaml", "a/b: {}").contains("minions.yaml:1:1"));
        assert!(refusal("master.yaml", "port: 4510\n").contains("master.yaml:1:1"));
    }
}
