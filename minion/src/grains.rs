//! What a minion knows of its host, with Salt's names, values and types.

use proto::{Map, Value};

/// The id of a minion whose configuration names none.
pub fn default_id() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".into())
}

pub fn core(id: &str) -> Map {
    let mut grains = Map::new();
    grains.insert("id".into(), Value::from(id));
    grains.insert("os".into(), Value::from("Debian"));
    grains
}
