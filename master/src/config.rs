//! The master's configuration: `DIR/master`, then `DIR/master.d/*.conf` in order of name.

mod serving;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use proto::{
    Map, Value,
    message::OperatorEntry,
    net::Transport,
    target::{Nodegroups, Target},
};
use serde::Deserialize;
use states::{config::Loaded, diag::Diagnostic};

/// Every key that the master reads, with its default. Salt's spelling where the thing is Salt's.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub interface: IpAddr,
    /// Port to listen on; 0 lets the system choose, and `ROOT_DIR/run/port` tells which.
    pub port: u16,
    /// Everything that is written lies beneath this folder.
    pub root_dir: PathBuf,
    /// Accept every new minion's key. For test fleets.
    pub auto_accept: bool,
    /// `tcp` or `zeromq` (trusted networks only).
    pub transport: Transport,
    /// Operators, by name.
    pub operators: BTreeMap<String, Operator>,
    /// Named targets, for `N@name`.
    pub nodegroups: Map,
    /// Folders of state files, by environment.
    pub file_roots: BTreeMap<String, Vec<PathBuf>>,
    /// Folders of pillar files, by environment.
    pub pillar_roots: BTreeMap<String, Vec<PathBuf>>,
    /// Where environments come from, the first ones first: `roots` and `gitfs` (or `git`).
    pub fileserver_backend: Vec<String>,
    /// Files and folders that a symbolic link in a root leads to belong to the tree.
    pub fileserver_followsymlinks: bool,
    /// Also where it leads out of its root. Ours: Salt always follows.
    pub fileserver_symlinks_outside: bool,
    /// Paths that match are left out, as `re.search` finds them in `/PATH`.
    pub file_ignore_regex: Vec<String>,
    pub file_ignore_glob: Vec<String>,
    /// Git repositories: addresses, or an address with settings of its own.
    pub gitfs_remotes: Vec<Value>,
    /// The branch or tag that is the environment `base`.
    pub gitfs_base: String,
    /// The folder of each repository that is served.
    pub gitfs_root: String,
    /// Where in the tree it appears (`salt://FOLDER`).
    pub gitfs_mountpoint: String,
    /// `branch` and `tag`.
    pub gitfs_ref_types: Vec<String>,
    /// Environments (globs) that are served, and that are not.
    pub gitfs_saltenv_whitelist: Vec<String>,
    pub gitfs_saltenv_blacklist: Vec<String>,
    pub gitfs_ssl_verify: bool,
    /// Seconds between two looks at the repositories.
    pub gitfs_update_interval: u64,
    /// Minions may push files here (`cp.push`), of so many MiB each.
    pub file_recv: bool,
    pub file_recv_max_size: u64,
    /// Functions (globs) that pillar may call beside those that only read.
    pub pillar_functions: Vec<String>,
    /// Threads that compile pillar; 0 is half of the processors.
    pub pillar_workers: usize,
    /// How long a compiled pillar is used again while nothing it depends on changes, in seconds.
    pub pillar_cache_ttl: u64,
    /// For compiling pillar, as Salt's.
    pub renderer: Option<Value>,
    pub pillar_source_merging_strategy: Option<Value>,
    pub pillar_merge_lists: Option<Value>,
    pub pillar_includes_override_sls: Option<Value>,
    pub age_identity: Option<Value>,
    pub decrypt_pillar: Option<Value>,
    pub decrypt_pillar_default: Option<Value>,
    pub decrypt_pillar_delimiter: Option<Value>,
    pub gpg_keydir: Option<Value>,
    pub gpg_decrypt_must_succeed: Option<Value>,
    pub state_top: Option<Value>,
    pub env_order: Option<Value>,
    pub jinja_env: Option<Value>,
    pub jinja_sls_env: Option<Value>,
    pub jinja_trim_blocks: Option<Value>,
    pub jinja_lstrip_blocks: Option<Value>,
    /// How long ended jobs are kept, in seconds.
    pub keep_jobs_seconds: u64,
    /// How long a pair whose minion is silent stays open before it is called lost, in seconds.
    pub job_lost_after: u64,
    /// Handshakes that may be under way at once; who comes beyond it is told when to come again.
    pub max_pending_connections: usize,
    /// Memory for returns that are on their way to disk, in MiB.
    pub return_buffer: u32,
    /// Where metrics are served over HTTP: an address and a port, or a port of this host alone. Without
    /// it, nowhere.
    pub metrics: Option<Value>,
    /// `error`, `warning`, `info`, `debug` or `trace`.
    pub log_level: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
}

/// An operator in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The public key, as `ctl operator keygen` prints it.
    pub key: String,
    #[serde(default)]
    pub allow: Vec<proto::message::Rule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interface: IpAddr::from([0, 0, 0, 0]),
            port: 4510,
            root_dir: "/var/lib/overstate/master".into(),
            auto_accept: false,
            transport: Transport::Tcp,
            operators: BTreeMap::new(),
            nodegroups: Map::new(),
            file_roots: BTreeMap::from([("base".into(), vec!["/srv/salt".into()])]),
            pillar_roots: BTreeMap::from([("base".into(), vec!["/srv/pillar".into()])]),
            fileserver_backend: vec!["roots".into()],
            fileserver_followsymlinks: true,
            fileserver_symlinks_outside: false,
            file_ignore_regex: vec![r"/\.svn($|/)".into(), r"/\.git($|/)".into()],
            file_ignore_glob: Vec::new(),
            gitfs_remotes: Vec::new(),
            gitfs_base: "master".into(),
            gitfs_root: String::new(),
            gitfs_mountpoint: String::new(),
            gitfs_ref_types: vec!["branch".into(), "tag".into()],
            gitfs_saltenv_whitelist: Vec::new(),
            gitfs_saltenv_blacklist: Vec::new(),
            gitfs_ssl_verify: true,
            gitfs_update_interval: 60,
            file_recv: false,
            file_recv_max_size: 100,
            pillar_functions: Vec::new(),
            pillar_workers: 0,
            pillar_cache_ttl: 3600,
            renderer: None,
            pillar_source_merging_strategy: None,
            pillar_merge_lists: None,
            pillar_includes_override_sls: None,
            age_identity: None,
            decrypt_pillar: None,
            decrypt_pillar_default: None,
            decrypt_pillar_delimiter: None,
            gpg_keydir: None,
            gpg_decrypt_must_succeed: None,
            state_top: None,
            env_order: None,
            jinja_env: None,
            jinja_sls_env: None,
            jinja_trim_blocks: None,
            jinja_lstrip_blocks: None,
            keep_jobs_seconds: 30 * 86_400,
            job_lost_after: 86_400,
            max_pending_connections: 2048,
            return_buffer: 64,
            metrics: None,
            log_level: None,
            log_format: None,
        }
    }
}

/// What OpenTelemetry's exporters for Prometheus listen on.
const METRICS_PORT: u16 = 9464;

/// Salt's own keys of a master file that mean nothing here: they give a warning.
const SALT_KEYS: &[&str] = &[
    "auto_accept_grains",
    "autosign_file",
    "autosign_timeout",
    "cachedir",
    "cli_summary",
    "client_acl_verify",
    "cluster_id",
    "con_cache",
    "conf_file",
    "default_include",
    "enable_ssh_minions",
    "event_return",
    "ext_job_cache",
    "external_auth",
    "file_buffer_size",
    "gather_job_timeout",
    "gitfs_provider",
    "hash_type",
    "id",
    "include",
    "ipc_mode",
    "job_cache",
    "keep_jobs",
    "key_logfile",
    "keysize",
    "log_file",
    "log_fmt_console",
    "log_fmt_logfile",
    "log_level_logfile",
    "loop_interval",
    "master_job_cache",
    "max_open_files",
    "minion_data_cache",
    "open_mode",
    "output",
    "peer",
    "peer_run",
    "permissive_pki_access",
    "pillar_cache",
    "pillar_cache_backend",
    "pillar_safe_render_error",
    "pidfile",
    "pki_dir",
    "preserve_minion_cache",
    "pub_hwm",
    "publish_port",
    "publisher_acl",
    "publisher_acl_blacklist",
    "range_server",
    "reactor",
    "ret_port",
    "returner",
    "rotate_aes_key",
    "runner_dirs",
    "show_jid",
    "sock_dir",
    "state_output",
    "state_verbose",
    "syndic_master",
    "syndic_user",
    "timeout",
    "token_dir",
    "token_expire",
    "transport_opts",
    "user",
    "verify_env",
    "winrepo_dir",
    "worker_threads",
    "zmq_filtering",
];

impl Config {
    /// Reads the configuration beneath `dir`; no file at all is the default.
    ///
    /// # Errors
    /// The place and cause of what cannot be read or is not known.
    pub fn load(dir: &Path) -> Result<Loaded<Self>, Diagnostic> {
        states::config::load(dir, "master", SALT_KEYS)
    }

    /// The nodegroups, parsed.
    ///
    /// # Errors
    /// The group that cannot be read, or contains itself.
    pub fn groups(&self) -> Result<Nodegroups, Diagnostic> {
        Nodegroups::parse(&self.nodegroups)
            .map_err(|error| Diagnostic::new(format!("nodegroups: {error}")).hint_opt(error.hint()))
    }

    /// Where metrics are served, if they are.
    ///
    /// # Errors
    /// It is neither an address with a port nor a port.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>, Diagnostic> {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let wrong = |value: &Value| {
            Diagnostic::new(format!("metrics: {value} is no address to listen on"))
                .hint("write metrics: '127.0.0.1:9464', or a port of this host alone: metrics: 9464")
        };
        match &self.metrics {
            None | Some(Value::Null | Value::Bool(false)) => Ok(None),
            Some(Value::Bool(true)) => Ok(Some(local(METRICS_PORT))),
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let parsed = text.parse().or_else(|_| text.parse().map(local));
                parsed.map(Some).map_err(|_| wrong(value))
            }
        }
    }

    /// The operators that the configuration names, their keys and rules parsed.
    ///
    /// # Errors
    /// The operator whose name, key or rule cannot be read.
    pub fn operator_entries(&self) -> Result<Vec<OperatorEntry>, Diagnostic> {
        self.operators.iter().map(|(name, operator)| operator.entry(name)).collect()
    }
}

impl Operator {
    fn entry(&self, name: &str) -> Result<OperatorEntry, Diagnostic> {
        let wrong = |what: &str, why: String| Diagnostic::new(format!("operators: {name}: {what}: {why}"));
        for rule in &self.allow {
            Target::parse(&rule.targets).map_err(|error| wrong("targets", error.to_string()).hint_opt(error.hint()))?;
            for glob in &rule.functions {
                globset::Glob::new(glob).map_err(|error| wrong("functions", error.to_string()))?;
            }
        }
        Ok(OperatorEntry {
            name: name.parse().map_err(|error: proto::IdError| wrong("name", error.to_string()))?,
            key: self.key.parse().map_err(|error: proto::sign::SignError| wrong("key", error.to_string()))?,
            rules: self.allow.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_are_for_this_host_alone_unless_told() {
        let of = |metrics: Value| Config { metrics: Some(metrics), ..Config::default() }.metrics_address();
        assert_eq!(Config::default().metrics_address().unwrap(), None);
        assert_eq!(of(json!(false)).unwrap(), None);
        for local in [json!(9464), json!("9464"), json!("127.0.0.1:9464"), json!(true)] {
            assert_eq!(of(local.clone()).unwrap().unwrap().to_string(), "127.0.0.1:9464", "{local}");
        }
        assert_eq!(of(json!("[::]:80")).unwrap().unwrap().to_string(), "[::]:80");
        for wrong in [json!("localhost"), json!(70_000), json!("1.2.3.4")] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
