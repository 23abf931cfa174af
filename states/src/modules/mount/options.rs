//! Whether a mount's options are those that are wanted, as far as the kernel shows them.

use crate::{
    Look,
    plan::Call,
    resource::{accounts, mounts::Mount},
};

/// Options that the kernel does not show.
const INVISIBLE: [&str; 23] = [
    "_netdev",
    "actimeo",
    "bg",
    "comment",
    "defaults",
    "delay_connect",
    "direct-io-mode",
    "intr",
    "loop",
    "nointr",
    "nobootwait",
    "nofail",
    "password",
    "reconnect",
    "retry",
    "soft",
    "auto",
    "users",
    "bind",
    "nonempty",
    "transform_symlinks",
    "port",
    "backup-volfile-servers",
];
/// Options whose value it does not show.
const KEYS: [&str; 8] =
    ["actimeo", "comment", "credentials", "direct-io-mode", "password", "port", "retry", "secretfile"];

/// The wanted options that a mount does not have, sorted.
pub fn changed(call: &Call<'_>, wanted: &[String], fstype: &str, there: &Mount) -> Vec<String> {
    let mut hidden: Vec<String> = INVISIBLE.map(str::to_owned).to_vec();
    hidden.extend(KEYS.map(str::to_owned));
    for key in ["extra_mount_invisible_options", "extra_mount_invisible_keys", "hidden_opts"] {
        hidden.extend(call.list(key).iter().flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>()));
    }
    let ignored = call.map("extra_mount_ignore_fs_keys");
    if let Some(keys) = ignored.get(fstype).and_then(|keys| keys.as_array()) {
        hidden.extend(keys.iter().map(crate::value::python_str));
    }
    let translated = call.map("extra_mount_translate_options");
    let shown: Vec<String> = there.options.iter().chain(&there.super_options).map(|opt| sized(opt)).collect();
    let mut missing: Vec<String> = wanted
        .iter()
        .map(|opt| translated.get(opt).map_or_else(|| opt.clone(), crate::value::python_str))
        .map(|opt| as_shown(call.look, &opt, fstype, &hidden))
        .filter(|opt| !shown.contains(opt) && !hidden.contains(opt))
        .collect();
    missing.sort();
    missing
}

/// An option as the kernel writes it.
fn as_shown(look: &dyn Look, opt: &str, fstype: &str, hidden: &[String]) -> String {
    let (key, value) = match opt {
        "tcp" | "udp" => return format!("proto={opt}"),
        _ => opt.split_once('=').unwrap_or((opt, "")),
    };
    match (key, fstype) {
        ("size", "ramfs") => "defaults".into(),
        ("user", "cifs") => format!("username={value}"),
        ("uid", _) => format!("uid={}", accounts::uid(look, value).map_or(value.to_owned(), |uid| uid.to_string())),
        ("gid", _) => format!("gid={}", accounts::gid(look, value).map_or(value.to_owned(), |gid| gid.to_string())),
        _ if hidden.iter().any(|known| known == key) => key.to_owned(),
        _ => sized(opt),
    }
}

/// Sizes in kilobytes.
fn sized(opt: &str) -> String {
    let size = || -> Option<u64> {
        let value = opt.strip_prefix("size=")?;
        let number: u64 = value.get(..value.len().checked_sub(1)?)?.parse().ok()?;
        match value.as_bytes().last()? {
            b'k' => Some(number),
            b'm' => number.checked_mul(1024),
            b'g' => number.checked_mul(1024 * 1024),
            _ => None,
        }
    };
    size().map_or_else(|| opt.to_owned(), |size| format!("size={size}k"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_compared_as_the_kernel_shows_them() {
        assert_eq!(sized("size=2m"), "size=2048k");
        assert_eq!(sized("size=10%"), "size=10%");
        let host = crate::testing::Memory::new(serde_json::json!({}));
        assert_eq!(as_shown(&host, "tcp", "nfs", &[]), "proto=tcp");
        assert_eq!(as_shown(&host, "retry=5", "nfs", &["retry".into()]), "retry");
        assert_eq!(as_shown(&host, "user=me", "cifs", &[]), "username=me");
    }
}
