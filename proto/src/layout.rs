//! Names of the files beneath a daemon's `root_dir` that another process looks for.

/// The TCP port a master really listens on, as text: what `port: 0` came to.
pub const PORT_FILE: &str = "run/port";
/// The master's local ZeroMQ event bus: PUB, to follow events.
pub const EVENTS_SOCKET: &str = "run/events.ipc";
/// The master's local ZeroMQ event bus: PULL, to send events.
pub const EVENTS_IN_SOCKET: &str = "run/events-in.ipc";
/// The master's identity, an Ed25519 key in PKCS#8 PEM.
pub const MASTER_KEY: &str = "pki/master.pem";
/// The master's public key as its fingerprint, for `master_fingerprint:` and for `ctl`.
pub const MASTER_FINGERPRINT: &str = "pki/master.fingerprint";
/// The key of the first operator, made when a master first starts; `ctl` on that host uses it.
pub const FIRST_OPERATOR_KEY: &str = "pki/operator-root.pem";
/// The name of the first operator.
pub const FIRST_OPERATOR: &str = "root";
/// A minion's identity.
pub const MINION_KEY: &str = "pki/minion.pem";
/// What a minion (or `ctl`) knows of its master: identity and Noise key.
pub const PINNED_MASTER: &str = "pki/master.pin";
