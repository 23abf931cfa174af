//! Where in a folder the SLS and the pillar are: a formula's layout, a repository of trees, or a
//! tree by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::Value;
use states::{
    Diagnostic, Tree,
    diag::Source,
    tree::{Folders, NoTree},
    yaml,
};

use crate::error::Error;

/// What is to be compiled.
pub struct Layout {
    /// For people: `the formula nginx`, `a tree`.
    pub what: String,
    pub files: Box<dyn Tree>,
    /// Where pillar comes from.
    pub pillar: Pillar,
}

pub enum Pillar {
    None,
    /// One file of data that every minion gets, as `pillar.example`.
    File(PathBuf),
    /// A pillar root with its `top.sls`.
    Root(PathBuf),
}

/// # Errors
/// No such folder, or none with SLS in it.
pub fn find(path: &Path) -> Result<Layout, Error> {
    let shown = path.display();
    let path = fs::canonicalize(path).map_err(|why| Error::nothing(format!("{shown} cannot be read: {why}")))?;
    if !path.is_dir() {
        return Err(Error::nothing(format!("{shown} is not a folder"))
            .hint("name the folder of a formula, or of a state tree (its `file_roots`)"));
    }
    let found = formula(&path)
        .or_else(|| environments(&path))
        .or_else(|| repository(&path))
        .unwrap_or_else(|| Layout { what: "a tree".into(), files: one_root(&path), pillar: pillar_beside(&path) });
    let any = found.files.environments().iter().any(|env| found.files.files(env).iter().any(|f| f.ends_with(".sls")));
    match any {
        true => Ok(found),
        false => Err(Error::nothing(format!("there are no SLS files beneath {shown}"))
            .hint("name the folder of a formula, or of a state tree (its `file_roots`)")),
    }
}

/// The folders that a master is given for a tree.
pub struct Roots {
    states: PathBuf,
    pillar: Option<PathBuf>,
}

impl Roots {
    /// Keys of the master's configuration, each with its folder.
    pub fn keys(&self) -> Vec<(&'static str, &Path)> {
        let pillar = self.pillar.as_deref().map(|pillar| ("pillar_roots", pillar));
        std::iter::once(("file_roots", self.states.as_path())).chain(pillar).collect()
    }
}

/// Where the states and the pillar of a tree are.
///
/// # Errors
/// No such folder, or none with SLS in it.
pub fn roots(path: &Path) -> Result<Roots, Error> {
    let layout = find(path)?;
    let path = fs::canonicalize(path).map_err(|why| Error::nothing(format!("{}: {why}", path.display())))?;
    let inside = if path.join("top.sls").is_file() { None } else { states_inside(&path) };
    let pillar = match layout.pillar {
        Pillar::Root(folder) => Some(folder),
        Pillar::None | Pillar::File(_) => None,
    };
    Ok(Roots { states: inside.unwrap_or(path), pillar })
}

fn states_inside(path: &Path) -> Option<PathBuf> {
    ["salt", "states"].map(|name| path.join(name)).into_iter().find(|folder| has_sls(folder))
}

fn one_root(path: &Path) -> Box<dyn Tree> {
    Box::new(Folders::new([("base".to_owned(), vec![path.to_owned()])]))
}

/// `FORMULA` or `pillar.example` beside folders of SLS; also when one of these folders is named.
fn formula(path: &Path) -> Option<Layout> {
    let is_formula = |path: &Path| path.join("FORMULA").is_file() || path.join("pillar.example").is_file();
    let parent = path.parent().filter(|parent| path.join("init.sls").is_file() && is_formula(parent));
    let (root, folders) = match parent {
        Some(parent) => (parent, vec![file_name(path)]),
        None if is_formula(path) => (path, sls_folders(path)),
        None => return None,
    };
    let name = formula_name(root).unwrap_or_else(|| file_name(root));
    let example = root.join("pillar.example");
    Some(Layout {
        what: format!("the formula {name}"),
        files: Box::new(Only { all: Folders::new([("base".to_owned(), vec![root.to_owned()])]), folders }),
        pillar: if example.is_file() { Pillar::File(example) } else { Pillar::None },
    })
}

/// What the FORMULA file calls it.
fn formula_name(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join("FORMULA")).ok()?;
    let node = yaml::parse("FORMULA", &text).ok()?;
    match yaml::to_value(&node).get("name") {
        Some(Value::String(name)) => Some(name.clone()),
        _ => None,
    }
}

/// Folders of a formula that hold no states of it.
const OTHER: [&str; 4] = ["test", "tests", "docs", "bin"];

fn sls_folders(root: &Path) -> Vec<String> {
    let is_states = |name: &String| !name.starts_with('.') && !OTHER.contains(&name.as_str());
    folders(root).into_iter().filter(is_states).filter(|name| has_sls(&root.join(name))).collect()
}

fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn has_sls(folder: &Path) -> bool {
    one_root(folder).files("base").iter().any(|file| file.ends_with(".sls"))
}

/// `PATH/base/top.sls` and its like: a folder an environment.
fn environments(path: &Path) -> Option<Layout> {
    if !path.join("base/top.sls").is_file() {
        return None;
    }
    let names: Vec<String> = folders(path).into_iter().filter(|name| has_sls(&path.join(name))).collect();
    let what = format!("a tree of the environments {}", names.join(", "));
    let roots = names.into_iter().map(|name| (name.clone(), vec![path.join(name)]));
    Some(Layout { what, files: Box::new(Folders::new(roots)), pillar: pillar_beside(path) })
}

/// A folder of states and one of pillar, side by side.
fn repository(path: &Path) -> Option<Layout> {
    if path.join("top.sls").is_file() {
        return None;
    }
    let states = states_inside(path)?;
    let what = format!("the tree in {}", file_name(&states));
    Some(Layout { what, files: one_root(&states), pillar: pillar_beside(&states) })
}

fn pillar_beside(path: &Path) -> Pillar {
    match path.parent().map(|parent| parent.join("pillar")).filter(|folder| folder.join("top.sls").is_file()) {
        Some(folder) if folder != path => Pillar::Root(folder),
        _ => Pillar::None,
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Some folders of a root; the rest of it is not there.
struct Only {
    all: Folders,
    folders: Vec<String>,
}

impl Only {
    fn has_folder_of(&self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(first, _)| self.folders.iter().any(|folder| folder == first))
    }
}

impl Tree for Only {
    fn environments(&self) -> Vec<String> {
        self.all.environments()
    }
    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        if self.has_folder_of(path) { self.all.read(env, path) } else { Ok(None) }
    }
    fn files(&self, env: &str) -> Arc<Vec<String>> {
        Arc::new(self.all.files(env).iter().filter(|path| self.has_folder_of(path)).cloned().collect())
    }
    fn local(&self, env: &str, path: &str) -> Option<PathBuf> {
        self.has_folder_of(path).then(|| self.all.local(env, path)).flatten()
    }
}

impl Pillar {
    /// What `--pillar` names.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn named(path: &Path) -> Result<Self, Error> {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Ok(Self::Root(path.to_owned())),
            Ok(_) => Ok(Self::File(path.to_owned())),
            Err(why) => Err(Error::nothing(format!("the pillar {} cannot be read: {why}", path.display()))),
        }
    }

    /// Where it is, for people; `None` where there is none.
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::File(path) | Self::Root(path) => Some(path),
        }
    }

    /// A problem of the one file, under the name by which it is known outside.
    pub fn named_as_outside(&self, mut why: Diagnostic) -> Diagnostic {
        let Self::File(path) = self else { return why };
        let chain = why.notes.iter_mut().chain(&mut why.chain).filter_map(|frame| frame.place.as_mut());
        for place in why.place.iter_mut().chain(chain).filter(|place| place.file() == OneFile::FILE) {
            place.source = Source::new(&file_name(path), &place.source.text);
        }
        why
    }

    /// It as a tree with a top file.
    pub fn tree(&self) -> Box<dyn Tree> {
        match self {
            Self::None => Box::new(NoTree),
            Self::File(path) => Box::new(OneFile(path.clone())),
            Self::Root(path) => one_root(path),
        }
    }
}

/// A pillar of one file, which the top file gives to everybody.
struct OneFile(PathBuf);

impl OneFile {
    const FILE: &'static str = "pillar.sls";
    const TOP: &'static str = "base: {'*': [pillar]}\n";
}

impl Tree for OneFile {
    fn environments(&self) -> Vec<String> {
        vec!["base".into()]
    }
    fn read(&self, _: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        match path {
            "top.sls" => Ok(Some(Self::TOP.into())),
            Self::FILE => fs::read(&self.0).map(Some),
            _ => Ok(None),
        }
    }
    fn files(&self, _: &str) -> Arc<Vec<String>> {
        Arc::new(vec![Self::FILE.into(), "top.sls".into()])
    }
    fn local(&self, _: &str, path: &str) -> Option<PathBuf> {
        (path == Self::FILE).then(|| self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        folder
    }

    fn seen(files: &[&str], path: &str) -> (String, Vec<String>, Option<String>) {
        let folder = folder(files);
        let layout = find(&folder.path().join(path)).unwrap();
        let found = layout.files.environments().iter().flat_map(|env| layout.files.files(env).to_vec()).collect();
        (layout.what, found, layout.pillar.place().map(file_name))
    }

    #[test]
    fn the_layouts_are_found() {
        let formula = ["FORMULA", "pillar.example", "web/init.sls", "test/salt/top.sls", "docs/x.rst"];
        let (what, files, pillar) = seen(&formula, "");
        assert!(what.starts_with("the formula"), "{what}");
        assert_eq!((files, pillar.as_deref()), (vec!["web/init.sls".to_owned()], Some("pillar.example")));
        assert_eq!(seen(&formula, "web").1, ["web/init.sls"]);
        let (what, files, pillar) = seen(&["salt/top.sls", "salt/a.sls", "pillar/top.sls"], "");
        assert_eq!((what.as_str(), pillar.as_deref()), ("the tree in salt", Some("pillar")));
        assert_eq!(files, ["a.sls", "top.sls"]);
        assert_eq!(seen(&["salt/top.sls", "pillar/top.sls"], "salt").2.as_deref(), Some("pillar"));
        assert_eq!(seen(&["base/top.sls", "dev/b.sls"], "").0, "a tree of the environments base, dev");
    }

    #[test]
    fn a_folder_without_sls_is_refused() {
        let folder = folder(&["README.md"]);
        let error = find(folder.path()).err().unwrap();
        assert!(error.render().contains("no SLS files") && error.exit().0 == 2, "{}", error.render());
        assert_eq!(find(Path::new("/no/such/folder")).err().unwrap().exit().0, 2);
    }
}
