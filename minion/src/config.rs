//! A minion's configuration: `DIR/minion`, then `DIR/minion.d/*.conf` in order of name.

mod salt_keys;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use proto::{Args, FunctionName, Map, MinionId, Value, net::Transport, sign::Fingerprint, sign::PublicKey};
use serde::Deserialize;
use states::{
    Diagnostic,
    config::{self, Loaded},
    diag::Place,
    yaml::{Node, from_node},
};

use crate::{
    checks::{self, Wrong},
    schedule::{self, Entry},
};

/// Every key that the minion reads, with its default. Salt's spelling where the thing is Salt's.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The minion's name; by default the host's full name.
    pub id: Option<String>,
    /// `HOST` or `HOST:PORT` of the master.
    pub master: String,
    /// Everything that is written lies beneath this folder.
    pub root_dir: PathBuf,
    /// The master's fingerprint (`ctl key show` there). Without it and without a token, the first
    /// master that answers is trusted, and only that one from then on.
    pub master_fingerprint: Option<String>,
    /// A one-time token (`ctl key token`): the master accepts this minion's key by it.
    pub enroll_token: Option<String>,
    /// Public keys of the operators whose requests are honoured: a list of keys, or names with
    /// keys. Without it, every operator that the master permits.
    pub operators: Option<Value>,
    /// `tcp` or `zeromq` (trusted networks only).
    pub transport: Transport,
    /// Grains that replace what was detected.
    pub grains: Map,
    /// Health checks.
    pub checks: Value,
    /// Functions whose results other minions may ask for.
    pub mine_functions: Value,
    /// How often `mine_functions` are called, in minutes; 0 for never.
    pub mine_interval: u64,
    /// `remote`: files and pillar come from the master; `local`: from this host.
    pub file_client: FileClient,
    /// Folders of state files, by environment (with `file_client: local`).
    pub file_roots: BTreeMap<String, Vec<PathBuf>>,
    /// Folders of pillar files, by environment (with `file_client: local`).
    pub pillar_roots: BTreeMap<String, Vec<PathBuf>>,
    /// What to apply when the minion starts: `highstate`, `sls` or `top`.
    pub startup_states: Option<String>,
    /// The SLS files for `startup_states: sls`.
    pub sls_list: Vec<String>,
    /// The top file for `startup_states: top`.
    pub top_file: Option<String>,
    /// Jobs that the minion starts by itself.
    pub schedule: Value,
    /// `error`, `warning`, `info`, `debug` or `trace`.
    pub log_level: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
    /// How much may wait for the master in the spool, in MiB.
    pub spool_limit: u64,
    /// How much of the master's files is kept beneath `root_dir/cache`, in MiB.
    pub cache_limit: u64,
    /// The largest file that is fetched from the web, in bytes.
    pub http_max_body: u64,
    /// How long fetching a file from the web may take, in seconds.
    pub http_request_timeout: u64,

    // What follows is kept as it is, for the state compiler and for `config.get`; the meaning is
    // Salt's.
    pub age_identity: Value,
    pub decrypt_pillar: Value,
    pub decrypt_pillar_default: Value,
    pub decrypt_pillar_delimiter: Value,
    pub default_top: Value,
    pub disabled_requisites: Value,
    pub env_order: Value,
    pub ext_pillar: Value,
    pub ext_pillar_first: Value,
    pub failhard: Value,
    pub file_ignore_glob: Value,
    pub file_ignore_regex: Value,
    pub global_state_conditions: Value,
    pub gpg_decrypt_must_succeed: Value,
    pub gpg_keydir: Value,
    pub hash_type: Value,
    pub jinja_env: Value,
    pub jinja_lstrip_blocks: Value,
    pub jinja_sls_env: Value,
    pub jinja_trim_blocks: Value,
    pub lock_saltenv: Value,
    pub master_tops_first: Value,
    pub nodegroups: Value,
    pub optimization_order: Value,
    pub pillar_includes_override_sls: Value,
    pub pillar_merge_lists: Value,
    pub pillar_opts: Value,
    pub pillar_source_merging_strategy: Value,
    pub pillarenv: Value,
    pub pillarenv_from_saltenv: Value,
    pub renderer: Value,
    pub saltenv: Value,
    pub state_aggregate: Value,
    pub state_auto_order: Value,
    pub state_top: Value,
    pub state_top_saltenv: Value,
    pub test: Value,
    pub top_file_merging_strategy: Value,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileClient {
    #[default]
    Remote,
    Local,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            id: None,
            master: "salt".into(),
            root_dir: "/var/lib/overstate/minion".into(),
            master_fingerprint: None,
            enroll_token: None,
            operators: None,
            transport: Transport::Tcp,
            grains: Map::new(),
            checks: Value::Null,
            mine_functions: Value::Null,
            mine_interval: 60,
            file_client: FileClient::Remote,
            file_roots: BTreeMap::from([("base".into(), vec!["/srv/salt".into()])]),
            pillar_roots: BTreeMap::from([("base".into(), vec!["/srv/pillar".into()])]),
            startup_states: None,
            sls_list: Vec::new(),
            top_file: None,
            schedule: Value::Null,
            log_level: None,
            log_format: None,
            spool_limit: 256,
            cache_limit: 1024,
            http_max_body: 100 << 30,
            http_request_timeout: 3600,
            age_identity: Value::Null,
            decrypt_pillar: Value::Null,
            decrypt_pillar_default: Value::Null,
            decrypt_pillar_delimiter: Value::Null,
            default_top: Value::Null,
            disabled_requisites: Value::Null,
            env_order: Value::Null,
            ext_pillar: Value::Null,
            ext_pillar_first: Value::Null,
            failhard: Value::Null,
            file_ignore_glob: Value::Null,
            file_ignore_regex: Value::Null,
            global_state_conditions: Value::Null,
            gpg_decrypt_must_succeed: Value::Null,
            gpg_keydir: Value::Null,
            hash_type: Value::Null,
            jinja_env: Value::Null,
            jinja_lstrip_blocks: Value::Null,
            jinja_sls_env: Value::Null,
            jinja_trim_blocks: Value::Null,
            lock_saltenv: Value::Null,
            master_tops_first: Value::Null,
            nodegroups: Value::Null,
            optimization_order: Value::Null,
            pillar_includes_override_sls: Value::Null,
            pillar_merge_lists: Value::Null,
            pillar_opts: Value::Null,
            pillar_source_merging_strategy: Value::Null,
            pillarenv: Value::Null,
            pillarenv_from_saltenv: Value::Null,
            renderer: Value::Null,
            saltenv: Value::Null,
            state_aggregate: Value::Null,
            state_auto_order: Value::Null,
            state_top: Value::Null,
            state_top_saltenv: Value::Null,
            test: Value::Null,
            top_file_merging_strategy: Value::Null,
        }
    }
}

/// A configuration that was read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub keys: Keys,
    /// The folder it was read from; a `grains` file and executables in `grains.d` lie there too.
    pub dir: PathBuf,
    pub id: MinionId,
    pub master: Address,
    pub master_fingerprint: Option<Fingerprint>,
    /// `None`: every operator that the master permits.
    pub operators: Option<Vec<PublicKey>>,
    /// Jobs that it starts by itself, again and again.
    pub schedule: Vec<Entry>,
    /// What it applies when it starts.
    pub startup: Option<(FunctionName, Args)>,
    /// Everything as Salt's `__opts__` shows it.
    pub opts: Map,
}

/// Where a master listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// Where a master listens unless it is told otherwise.
pub const DEFAULT_PORT: u16 = 4510;

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    /// `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| format!("{port:?} is no port")))?;
        match host.is_empty() || host.chars().any(char::is_whitespace) {
            true => Err(format!("{text:?} names no host")),
            false => Ok(Self { host: host.to_owned(), port }),
        }
    }
}

impl Config {
    /// Reads the configuration beneath `dir`; a missing file is an empty one. Gives warnings too,
    /// one for each key of Salt's that has no meaning here.
    ///
    /// # Errors
    /// The place and cause of what cannot be read, is not known or makes no sense.
    pub fn load(dir: &Path) -> Result<(Self, Vec<String>), Diagnostic> {
        let Loaded { config, warnings, .. } = config::written(dir, "minion", salt_keys::UNUSED)?;
        let (keys, given): (Keys, Map) = (from_node(&config)?, from_node(&config)?);
        Ok((Self::made(dir, keys, given, Some(&config))?, warnings))
    }

    /// A configuration from keys that were not read from a file.
    pub fn new(dir: &Path, keys: Keys, given: Map) -> Result<Self, Diagnostic> {
        Self::made(dir, keys, given, None)
    }

    /// `written` is what the keys were read from, with its places.
    fn made(dir: &Path, keys: Keys, given: Map, written: Option<&Node>) -> Result<Self, Diagnostic> {
        let id = keys.id.clone().unwrap_or_else(crate::grains::default_id);
        let id: MinionId = id.parse().map_err(|error| Diagnostic::new(format!("id: {error}")))?;
        let master = keys.master.parse().map_err(|error| Diagnostic::new(format!("master: {error}")))?;
        let print = keys.master_fingerprint.as_deref().map(str::parse).transpose();
        let master_fingerprint = print.map_err(|error| {
            Diagnostic::new(format!("master_fingerprint: {error}")).hint("`ctl key show` on the master prints it")
        })?;
        let operators = keys.operators.as_ref().map(operators).transpose()?;
        checks::validate(&keys.checks).map_err(|(name, wrong)| wrong_check(written, &name, &wrong))?;
        let schedule = schedule(&keys)?;
        let startup = startup(&keys)?;
        let mut opts = given;
        opts.insert("id".into(), id.as_str().into());
        opts.insert("root_dir".into(), keys.root_dir.to_string_lossy().into());
        opts.insert("cachedir".into(), keys.root_dir.join("cache").to_string_lossy().into());
        opts.insert("config_dir".into(), dir.to_string_lossy().into());
        opts.entry("master").or_insert_with(|| keys.master.clone().into());
        opts.entry("http_max_body").or_insert_with(|| keys.http_max_body.into());
        opts.entry("http_request_timeout").or_insert_with(|| keys.http_request_timeout.into());
        opts.entry("saltenv").or_insert(Value::Null);
        opts.entry("hash_type").or_insert_with(|| "sha256".into());
        opts.shift_remove("enroll_token");
        Ok(Self { keys, dir: dir.to_owned(), id, master, master_fingerprint, operators, schedule, startup, opts })
    }

    /// A path beneath `root_dir`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.keys.root_dir.join(name)
    }
}

/// A check that is wrong, and where it stands: the option that is meant, or else its name.
fn wrong_check(written: Option<&Node>, name: &str, wrong: &Wrong) -> Diagnostic {
    let said = Diagnostic::new(format!("checks: {name}: {wrong}"))
        .hint("docs/checks.md has every kind of check with its options");
    match written.and_then(|written| place_of_check(written, name, wrong)) {
        Some(place) => said.at(&place),
        None => said,
    }
}

fn place_of_check(written: &Node, name: &str, wrong: &Wrong) -> Option<Place> {
    let (whole, checks) = under(written, "checks")?;
    let Some((check, options)) = under(checks, name) else { return Some(whole) };
    let option = wrong.option.as_ref().and_then(|option| under(options, option));
    Some(option.map_or(check, |(option, _)| option))
}

/// The place of a key of a mapping, and its value.
fn under<'node>(node: &'node Node, wanted: &str) -> Option<(Place, &'node Node)> {
    let (key, value) = node.as_map()?.iter().find(|(key, _)| key.as_str() == Some(wanted))?;
    Some((key.place(), value))
}

/// The schedule, with what keeps the mine fresh.
fn schedule(keys: &Keys) -> Result<Vec<Entry>, Diagnostic> {
    let mut schedule = schedule::parse(&keys.schedule).map_err(Diagnostic::new)?;
    if keys.mine_interval > 0 && !keys.mine_functions.is_null() {
        let every = Duration::from_secs(keys.mine_interval.saturating_mul(60));
        schedule.push(Entry::every(crate::agent::MINE, name("mine.update")?, every));
    }
    Ok(schedule)
}

fn name(text: &str) -> Result<FunctionName, Diagnostic> {
    text.parse().map_err(|error: proto::IdError| Diagnostic::new(error.to_string()))
}

/// Salt's `startup_states`.
fn startup(keys: &Keys) -> Result<Option<(FunctionName, Args)>, Diagnostic> {
    let (function, argument) = match keys.startup_states.as_deref() {
        None | Some("") => return Ok(None),
        Some("highstate") => ("state.highstate", None),
        Some("sls") if keys.sls_list.is_empty() => {
            return Err(Diagnostic::new("startup_states: sls needs sls_list").hint("sls_list: [web, db.backup]"));
        }
        Some("sls") => ("state.sls", Some(Value::from(keys.sls_list.clone()))),
        Some("top") => match &keys.top_file {
            Some(top) => ("state.top", Some(Value::from(top.clone()))),
            None => return Err(Diagnostic::new("startup_states: top needs top_file")),
        },
        Some(other) => {
            let hint = "highstate, sls (with sls_list) or top (with top_file)";
            return Err(Diagnostic::new(format!("startup_states: {other} is none of them")).hint(hint));
        }
    };
    // Another run may be under way, begun before this minion was started anew.
    Ok(Some((name(function)?, Args::positional(argument).with("queue", true))))
}

fn operators(value: &Value) -> Result<Vec<PublicKey>, Diagnostic> {
    let keys: Vec<&Value> = match value {
        Value::Array(keys) => keys.iter().collect(),
        Value::Object(by_name) => by_name.values().collect(),
        _ => return Err(Diagnostic::new("operators must be a list of public keys, or names with keys")),
    };
    let key = |value: &Value| {
        let text = value.as_str().or_else(|| value.get("key").and_then(Value::as_str)).unwrap_or_default();
        text.parse().map_err(|error| {
            Diagnostic::new(format!("operators: {error}")).hint("`ctl operator keygen` prints the public key")
        })
    };
    keys.into_iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(text: &str) -> Result<(Config, Vec<String>), Diagnostic> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("minion"), text).unwrap();
        Config::load(dir.path())
    }

    #[test]
    fn keys_are_read_and_files_add_to_each_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("minion.d")).unwrap();
        fs::write(dir.path().join("minion"), "id: web1\nmaster: 127.0.0.1:99\nfile_client: local\n").unwrap();
        fs::write(dir.path().join("minion.d/a.conf"), "master: '[::1]'\ngrains: {role: db}\nstate_output: mixed\n")
            .unwrap();
        let (config, warnings) = Config::load(dir.path()).unwrap();
        assert_eq!(config.id.as_str(), "web1");
        assert_eq!(config.master, Address { host: "::1".into(), port: DEFAULT_PORT });
        assert_eq!(config.keys.file_client, FileClient::Local);
        assert_eq!(config.keys.grains["role"], "db");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("minion.d/a.conf:3: `state_output`"), "{warnings:?}");
    }

    #[test]
    fn a_check_that_is_wrong_is_refused_with_its_place() {
        for (checks, place, part) in [
            ("  load: {warnign: 3}", ":3:10", "unknown field `warnign`; did you mean warning?"),
            ("  web:\n    check: tcp\n    port: http", ":5:5", "checks: web: port: a port is a number"),
            ("  web: {check: tcp}", ":3:3", "missing field `port`"),
            ("  laod:", ":3:3", "did you mean load?"),
            ("  load: {interval: 0}", ":3:10", "interval must be"),
            ("  [load]", ":2:1", "checks must be a mapping"),
        ] {
            let error = load(&format!("id: a\nchecks:\n{checks}\n")).unwrap_err().render(false);
            assert!(error.contains(&format!("minion{place}")) && error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_place_and_the_nearest_name() {
        let error = load("id: a\nmastre: b\n").unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.hint.as_deref()),
            ("unknown key mastre", Some("did you mean master?"))
        );
        assert_eq!(error.place.unwrap().line, 2);
    }

    #[test]
    fn a_minion_can_start_jobs_by_itself() {
        let text = "startup_states: sls\nsls_list: [web]\nmine_functions: [test.ping]\nmine_interval: 5\n\
                    schedule: {high: {function: state.highstate, hours: 1}}\n";
        let (config, _) = load(text).unwrap();
        let (function, args) = config.startup.unwrap();
        assert_eq!((function.as_str(), &args.positional), ("state.sls", &vec![Value::from(vec!["web"])]));
        let names: Vec<_> = config.schedule.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["high", "__mine_interval"]);
        assert!(load("id: a").unwrap().0.schedule.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "id: ../../etc",
            "id: a\nmaster: 'a:b'",
            "master_fingerprint: xyz",
            "operators: 3",
            "transport: udp",
            "startup_states: state.apply",
            "startup_states: sls",
            "schedule: {a: {function: test.ping}}",
            "- a",
        ] {
            assert!(load(bad).is_err(), "{bad}");
        }
        let key = "ab".repeat(32);
        assert_eq!(load(&format!("operators: [{key}]")).unwrap().0.operators.unwrap().len(), 1);
        assert_eq!(load(&format!("operators: {{root: {key}}}")).unwrap().0.operators.unwrap().len(), 1);
        assert!(load("id: a").unwrap().0.operators.is_none());
    }
}
