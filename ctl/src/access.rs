//! How to reach the master and who we are to it: `DIR/ctl`, the options, and on the master's own
//! host what lies beneath its `root_dir`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use proto::{
    layout,
    net::Transport,
    session::Pin,
    sign::{Fingerprint, Identity, StaticPublic},
};
use serde::Deserialize;
use states::{diag::Diagnostic, yaml};

use crate::{
    cli::Global,
    commands::master::{Here, here},
    error::{Error, Kind},
    term,
};

/// Where a master listens unless something else is said.
const PORT: u16 = 4510;

/// The `ctl` file: how this operator reaches the master.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CtlFile {
    /// `HOST` or `HOST:PORT` of the master.
    pub master: Option<String>,
    /// File of the operator's secret key, as `ctl operator keygen` writes it; relative to this file.
    pub key: Option<PathBuf>,
    /// The master's fingerprint. Without it the first answer is trusted, and remembered.
    pub master_fingerprint: Option<Fingerprint>,
    /// `tcp` or `zeromq`, as the master's.
    pub transport: Option<Transport>,
}

/// Everything that a connection needs.
pub struct Door {
    /// `HOST:PORT`.
    pub address: String,
    pub transport: Transport,
    pub identity: Identity,
    pub key_file: PathBuf,
    pub pin: Option<Pin>,
    pub known_static: Option<StaticPublic>,
    /// Where to remember a master that is seen for the first time.
    pub memory: Option<PathBuf>,
}

/// What is remembered of a master: a YAML file each, beside the `ctl` file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    master: String,
    fingerprint: Fingerprint,
    session_key: StaticPublic,
}

impl Door {
    /// # Errors
    /// What is missing: no master configured, no key, a key that may not be read.
    pub fn find(global: &Global) -> Result<Self, Error> {
        let dir = config_dir(global)?;
        let (file, folder) = ctl_file(&dir)?;
        let here = here(&dir);
        match global.master.as_ref().or(file.master.as_ref()) {
            // A user who may not read the master's configuration can still name a master.
            Some(address) => {
                let here = here.ok().flatten();
                Ok(Self::elsewhere(&file, &folder, &with_port(address), here.as_ref())?.recall())
            }
            None => match here? {
                Some(here) => Self::here(&file, &folder, &here),
                None => Err(nowhere(&dir)),
            },
        }
    }

    /// On the master's own host.
    fn here(file: &CtlFile, folder: &Path, here: &Here) -> Result<Self, Error> {
        let key_file = match &file.key {
            Some(key) => folder.join(key),
            None => here.root_dir.join(layout::FIRST_OPERATOR_KEY),
        };
        let identity = identity(&key_file)?;
        let fingerprint = fs::read_to_string(here.root_dir.join(layout::MASTER_FINGERPRINT)).ok();
        let pin = file.master_fingerprint.or_else(|| fingerprint?.trim().parse().ok());
        Ok(Self {
            address: local_address(here),
            transport: file.transport.unwrap_or(here.transport),
            identity,
            key_file,
            pin: pin.map(Pin::Fingerprint),
            known_static: None,
            memory: None,
        })
    }

    fn elsewhere(file: &CtlFile, folder: &Path, address: &str, here: Option<&Here>) -> Result<Self, Error> {
        let first = here.map(|here| here.root_dir.join(layout::FIRST_OPERATOR_KEY));
        let key_file = match (&file.key, first) {
            (Some(key), _) => folder.join(key),
            (None, Some(first)) if first.exists() => first,
            (None, _) => folder.join(KEY),
        };
        let identity = identity(&key_file)?;
        let name: String = address.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        Ok(Self {
            address: address.to_owned(),
            transport: file.transport.or(here.map(|here| here.transport)).unwrap_or_default(),
            identity,
            memory: Some(folder.join(format!("known-{name}.yaml"))),
            key_file,
            pin: file.master_fingerprint.map(Pin::Fingerprint),
            known_static: None,
        })
    }

    /// Adds what is remembered of the master. What the configuration says counts more.
    fn recall(mut self) -> Self {
        let memory = self.memory.as_ref().and_then(|file| {
            let text = fs::read_to_string(file).ok()?;
            yaml::from_str::<Memory>(&file.display().to_string(), &text).ok()
        });
        if let Some(memory) = memory.filter(|memory| memory.master == self.address) {
            let remembered = Pin::Fingerprint(memory.fingerprint);
            if *self.pin.get_or_insert(remembered) == remembered {
                self.known_static = Some(memory.session_key);
            }
        }
        self
    }

    /// Remembers a master that has shown its key. Says so when nothing had vouched for it.
    pub fn remember(&self, fingerprint: Fingerprint, session_key: StaticPublic) {
        let Some(file) = &self.memory else { return };
        if self.known_static == Some(session_key) {
            return;
        }
        let text = format!("master: '{}'\nfingerprint: '{fingerprint}'\nsession_key: '{session_key}'\n", self.address);
        let written = write_private(file, &text);
        match (&self.pin, written) {
            (Some(_), _) => {}
            (None, Ok(())) => term::complain(&format!(
                "first contact with {}: its fingerprint is\n  {fingerprint}\n  remembered in {}\n",
                self.address,
                file.display()
            )),
            (None, Err(error)) => term::complain(&format!(
                "first contact with {}: its fingerprint is\n  {fingerprint}\n  which could not be remembered ({error}); put `master_fingerprint` into your ctl file\n",
                self.address
            )),
        }
    }
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.persist(file)?;
    Ok(())
}

const KEY: &str = "operator.pem";

/// Where `ctl operator keygen` puts a key: where we will look for it.
pub fn own_key_file(global: &Global) -> PathBuf {
    match &global.config_dir {
        Some(dir) => dir.join(KEY),
        None => own_folder().unwrap_or_else(|| global.config_dir()).join(KEY),
    }
}

/// This user's own configuration: `~/.config/overstate`; none for root, who has `/etc`.
fn own_folder() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")))?;
    Some(home.join("overstate"))
}

fn config_dir(global: &Global) -> Result<PathBuf, Error> {
    if global.dev { crate::cluster::folder::newest() } else { Ok(global.config_dir()) }
}

/// The `ctl` file and the folder it lies in. In `/etc` or, for a user, in `~/.config`.
fn ctl_file(dir: &Path) -> Result<(CtlFile, PathBuf), Error> {
    let own = own_folder().filter(|_| dir == Path::new(crate::cli::CONFIG_DIR));
    let folder = own.filter(|own| own.join("ctl").exists() || own.join(KEY).exists()).unwrap_or_else(|| dir.to_owned());
    let loaded = states::config::load::<CtlFile>(&folder, "ctl", &[]).map_err(diagnosed)?;
    Ok((loaded.config, folder))
}

/// A diagnostic of a configuration file: nothing was done.
pub fn diagnosed(diagnostic: Diagnostic) -> Error {
    Error::rendered(Kind::Nothing, diagnostic.render(true))
}

fn identity(file: &Path) -> Result<Identity, Error> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        let failed = Error::nothing(format!("the operator's key {name} cannot be read: {}", plain(&error)));
        match error.kind() {
            io::ErrorKind::NotFound => failed
                .hint("on the master's host it is made when the master first starts: is `ctl master` running?")
                .hint("elsewhere `ctl operator keygen` makes one, and `key: FILE` in the ctl file names it"),
            _ => failed.hint("run this as its owner, or make a key of your own with `ctl operator keygen`"),
        }
    })?;
    let mode = fs::metadata(file).map_or(0, |status| status.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(Error::nothing(format!("others may read the operator's key {name} (mode {:04o})", mode & 0o7777))
            .hint(format!("`chmod 600 {name}`, and think about whether somebody has read it")));
    }
    Identity::from_pem(&text).map_err(|error| Error::nothing(format!("{name}: {error}")))
}

/// An I/O error in the middle of a sentence.
pub fn plain(error: &io::Error) -> String {
    error.to_string().to_lowercase()
}

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT` or a bare V6 as `HOST:PORT`.
fn with_port(address: &str) -> String {
    if let Ok(v6) = address.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return format!("[{v6}]:{PORT}");
    }
    match address.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => address.to_owned(),
        _ => format!("{address}:{PORT}"),
    }
}

/// The port is the one that the master wrote down: the configured one may be 0.
fn local_address(here: &Here) -> String {
    let host = match here.interface {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        host => host,
    };
    let written = fs::read_to_string(here.root_dir.join(layout::PORT_FILE)).ok();
    let port = written.and_then(|text| text.trim().parse().ok()).unwrap_or(here.port);
    std::net::SocketAddr::new(host, port).to_string()
}

fn nowhere(dir: &Path) -> Error {
    Error::nothing(format!("no master is configured in {}", dir.display()))
        .hint("name it: `--master HOST`, or `master: HOST` in the file `ctl` there")
        .hint("to try things out, `ctl dev` starts a master and three minions here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_where_none_is() {
        for (given, expected) in [
            ("salt", "salt:4510"),
            ("salt:14506", "salt:14506"),
            ("10.0.0.1", "10.0.0.1:4510"),
            ("::1", "[::1]:4510"),
            ("[::1]", "[::1]:4510"),
            ("[::1]:99", "[::1]:99"),
        ] {
            assert_eq!(with_port(given), expected);
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ctl"), "master: salt\nmaster_fingerprnt: aa\n").unwrap();
        let error = ctl_file(folder.path()).unwrap_err().render();
        let error = anstream::adapter::strip_str(&error).to_string();
        assert!(error.contains("ctl:2:1") && error.contains("did you mean master_fingerprint?"), "{error}");
    }

    #[test]
    fn parts_of_the_configuration_come_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ctl.d")).unwrap();
        fs::write(folder.path().join("ctl"), "master: a\nkey: k.pem\n").unwrap();
        fs::write(folder.path().join("ctl.d/20.conf"), "master: c\n").unwrap();
        fs::write(folder.path().join("ctl.d/10.conf"), "master: b\n").unwrap();
        fs::write(folder.path().join("ctl.d/30.txt"), "master: d\n").unwrap();
        let (file, _) = ctl_file(folder.path()).unwrap();
        assert_eq!((file.master.as_deref(), file.key), (Some("c"), Some("k.pem".into())));
    }
}
