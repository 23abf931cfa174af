//! What a minion knows of its host, with Salt's names, values and types.

use proto::{Map, Value};

/// The id of a minion whose configuration names none.
pub fn default_id() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".into())
}

/// All grains of a configured minion.
pub fn of(config: &crate::config::Config) -> Map {
    let mut grains = Map::new();
    grains.insert("os".into(), Value::from("Debian"));
    grains.extend(config.keys.grains.clone());
    grains.insert("id".into(), Value::from(config.id.as_str()));
    grains
}
