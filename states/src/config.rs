//! Configuration files of the daemons: `DIR/NAME`, then `DIR/NAME.d/*.conf` in order of name,
//! read by the YAML loader that reads SLS, so that every error names its place.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use crate::{
    diag::Diagnostic,
    yaml::{self, Data, Node},
};

/// A configuration, and what is to be told of it.
#[derive(Debug)]
pub struct Loaded<T> {
    pub config: T,
    /// One line for each key that has no meaning here.
    pub warnings: Vec<String>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// Reads the configuration `name` beneath `dir`. Keys of later files replace those of earlier
/// ones. `foreign` are Salt's own keys that we do not use: they give a warning, so that a Salt
/// file can be read; any other unknown key is an error. Files that are not there are empty.
///
/// # Errors
/// What cannot be read, parsed, or is not known, with its place.
pub fn load<T: DeserializeOwned>(dir: &Path, name: &str, foreign: &[&str]) -> Result<Loaded<T>, Diagnostic> {
    let Loaded { config, warnings, files } = written(dir, name, foreign)?;
    Ok(Loaded { config: yaml::from_node(&config)?, warnings, files })
}

/// As [`load`], as it is written: for who wants it as more than one type ([`yaml::from_node`]).
///
/// # Errors
/// What cannot be read or parsed, with its place.
pub fn written(dir: &Path, name: &str, foreign: &[&str]) -> Result<Loaded<Node>, Diagnostic> {
    let mut entries: Vec<(Node, Node)> = Vec::new();
    let mut warnings = Vec::new();
    let mut files = Vec::new();
    for file in candidates(dir, name) {
        let Some(text) = read(&file)? else { continue };
        let shown = file.display().to_string();
        for (key, value) in mapping(yaml::parse(&shown, &text)?)? {
            if key.as_str().is_some_and(|key| foreign.contains(&key)) {
                warnings.push(format!(
                    "{shown}:{}: `{}` is a key of Salt's that has no meaning here",
                    key.line,
                    key.to_text()
                ));
                continue;
            }
            entries.retain(|(known, _)| known.key() != key.key());
            entries.push((key, value));
        }
        files.push(file);
    }
    Ok(Loaded { config: whole(entries)?, warnings, files })
}

fn candidates(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut more: Vec<PathBuf> = std::fs::read_dir(dir.join(format!("{name}.d")))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    more.sort();
    std::iter::once(dir.join(name)).chain(more).collect()
}

fn read(file: &Path) -> Result<Option<String>, Diagnostic> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::new(format!("cannot read {}: {error}", file.display()))),
    }
}

fn mapping(node: Node) -> Result<Vec<(Node, Node)>, Diagnostic> {
    match &node.data {
        Data::Null => Ok(Vec::new()),
        Data::Map(entries) => Ok(entries.as_ref().clone()),
        _ => Err(Diagnostic::new("a configuration is a mapping of keys to values").at(&node.place())),
    }
}

/// One mapping of what all files said.
fn whole(entries: Vec<(Node, Node)>) -> Result<Node, Diagnostic> {
    let mut node = match entries.first() {
        Some((key, _)) => key.clone(),
        None => yaml::parse("configuration", "{}")?,
    };
    node.data = Data::Map(Arc::new(entries));
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        port: u16,
        id: String,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { port: 4510, id: "none".into() }
        }
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("minion.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn later_files_win_and_no_file_is_an_empty_one() {
        let dir = folder(&[]);
        assert_eq!(load::<Example>(dir.path(), "minion", &[]).unwrap().config.port, 4510);
        let dir =
            folder(&[("minion", "port: 1\nid: a\n"), ("minion.d/2.conf", "port: 3"), ("minion.d/1.conf", "port: 2")]);
        let loaded = load::<Example>(dir.path(), "minion", &[]).unwrap();
        assert_eq!((loaded.config.port, loaded.config.id.as_str(), loaded.files.len()), (3, "a", 3));
    }

    #[test]
    fn salts_keys_warn_and_misspelt_ones_are_refused_with_their_place() {
        let dir = folder(&[("minion", "id: a\nsock_dir: /run\n")]);
        let loaded = load::<Example>(dir.path(), "minion", &["sock_dir"]).unwrap();
        assert!(loaded.warnings[0].contains("minion:2: `sock_dir`"), "{:?}", loaded.warnings);
        let dir = folder(&[("minion", "id: a\nprot: 5\n")]);
        let error = load::<Example>(dir.path(), "minion", &[]).unwrap_err().render(false);
        assert!(error.contains("minion:2:1") && error.contains("did you mean port?"), "{error}");
        let dir = folder(&[("minion", "- a\n")]);
        assert!(load::<Example>(dir.path(), "minion", &[]).unwrap_err().render(false).contains("mapping"));
    }
}
