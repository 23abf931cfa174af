//! A rule of the packet filter from its options, as Salt's `iptables.build_rule` puts them in order.

use proto::{Map, Value};

use crate::{functions::truth, plan::StateError, value::python_str};

/// A rule from its options, in Salt's order. Those of the runner, and of the state itself, are left out.
///
/// # Errors
/// What cannot be told without another option.
pub fn rule(given: &Map) -> Result<String, StateError> {
    let mut building = Building { options: own(given), rule: Vec::new() };
    building.start()?;
    building.matches();
    building.ports()?;
    building.rest();
    Ok(building.rule.join(" "))
}

/// The options of the rule alone.
fn own(given: &Map) -> Map {
    let ours = ["name", "state", "chain", "save", "table", "family", "position", "command", "full", "names"];
    let is_ours = |key: &str| ours.contains(&key) || matches!(key, "name_order" | "sfun");
    let of = |key: &str| key != "target" && (!crate::compile::is_keyword(key) && !is_ours(key));
    let mut kept: Map =
        given.iter().filter(|(key, _)| of(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(target) = given.get("target") {
        kept.insert("jump".into(), target.clone());
    }
    kept
}

/// A value without the `!` or `not` before it, and whether there was one.
fn turned(value: &Value) -> (&'static str, String) {
    let text = python_str(value);
    if !text.starts_with('!') && !text.starts_with("not") {
        return ("", text);
    }
    // All of them go, as in Salt, with one blank behind each.
    let plain = text.replace("not ", "").replace("not", "").replace("! ", "").replace('!', "");
    ("! ", plain)
}

struct Building {
    options: Map,
    rule: Vec<String>,
}

impl Building {
    fn take(&mut self, key: &str) -> Option<Value> {
        self.options.shift_remove(key)
    }

    fn add(&mut self, key: &str, flag: &str) -> bool {
        let Some(value) = self.take(key) else { return false };
        let (not, value) = turned(&value);
        self.rule.push(format!("{not}{flag} {value}"));
        true
    }

    fn add_match(&mut self, name: &str) {
        let line = format!("-m {name}");
        if !self.rule.contains(&line) {
            self.rule.push(line);
        }
    }

    fn is_policy(&self) -> bool {
        self.options.get("match").and_then(Value::as_str) == Some("policy")
    }

    fn start(&mut self) -> Result<(), StateError> {
        self.add("if", "-i");
        self.add("of", "-o");
        if !self.is_policy()
            && let Some(proto) = self.take("proto")
        {
            self.options.insert("protocol".into(), proto);
        }
        let protocol = self.add("protocol", "-p");
        let several = ["dports", "sports"].iter().any(|key| self.options.contains_key(*key));
        match several && !protocol {
            true => Err(StateError::failed("Error: protocol must be specified")),
            false => Ok(()),
        }
    }

    fn matches(&mut self) {
        let policy = self.is_policy();
        let matches = match self.take("match") {
            Some(Value::Array(names)) => names.iter().map(python_str).collect(),
            Some(names) => python_str(&names).split(',').map(str::to_owned).collect(),
            None => Vec::new(),
        };
        for name in matches {
            self.rule.push(format!("-m {name}"));
            if matches!(name.trim(), "pknock" | "quota2" | "recent")
                && let Some(name) = self.take("name_")
            {
                self.rule.push(format!("--name {}", python_str(&name)));
            }
        }
        if policy {
            self.add("proto", "--proto");
        }
        let sets = match self.take("match-set") {
            Some(Value::Array(sets)) => sets,
            one => one.into_iter().collect(),
        };
        for set in sets {
            let (not, set) = turned(&set);
            self.rule.push(format!("-m set {not}--match-set {set}"));
        }
        if self.options.contains_key("connstate") {
            self.add_match("state");
            self.add("connstate", "--state");
        }
    }

    fn ports(&mut self) -> Result<(), StateError> {
        self.add("dport", "--dport");
        self.add("sport", "--sport");
        for key in ["dports", "sports"] {
            let Some(value) = self.take(key) else { continue };
            self.add_match("multiport");
            let values = match value {
                Value::Array(values) => values,
                one => vec![one],
            };
            let (turns, plain): (Vec<&str>, Vec<String>) = values.iter().map(turned).unzip();
            if turns.iter().any(|not| !not.is_empty()) {
                self.rule.push("!".into());
            }
            self.rule.push(format!("--{key} {}", plain.join(",")));
        }
        if let Some(comment) = self.take("comment") {
            self.add_match("comment");
            self.rule.push(format!("--comment \"{}\"", python_str(&comment)));
        }
        if self.options.get("set").is_some_and(truth) {
            self.add("set", "--match-set");
        }
        Ok(())
    }

    /// Options that nothing is known of, then the jump and what belongs to it.
    fn rest(&mut self) {
        let is_empty = |value: &Value| value.is_null() || value == "";
        let mut after = Vec::new();
        for key in AFTER_JUMP {
            let Some(value) = self.take(key) else { continue };
            let text = python_str(&value);
            after.push(match (is_empty(&value), text.contains(char::is_whitespace)) {
                (true, _) => format!("--{key}"),
                (_, true) => format!("--{key} \"{text}\""),
                _ => format!("--{key} {text}"),
            });
        }
        for (key, value) in std::mem::take(&mut self.options) {
            let (not, text) = turned(&value);
            let flag = if key.chars().count() == 1 { "-" } else { "--" };
            let text = if is_empty(&value) { String::new() } else { format!(" {text}") };
            self.rule.push(format!("{not}{flag}{key}{text}"));
        }
        self.rule.append(&mut after);
    }
}

/// Options of jumps, in the order in which they come last.
const AFTER_JUMP: [&str; 120] = [
    "j",
    "jump",
    "add-set",
    "and-mark",
    "and-tos",
    "checksum-fill",
    "clamp-mss-to-pmtu",
    "clustermac",
    "ctevents",
    "ctmask",
    "del-set",
    "ecn-tcp-remove",
    "exist",
    "expevents",
    "gateway",
    "hash-init",
    "hashmode",
    "helper",
    "label",
    "local-node",
    "log-ip-options",
    "log-level",
    "log-prefix",
    "log-tcp-options",
    "log-tcp-sequence",
    "log-uid",
    "map-set",
    "mask",
    "mss",
    "new",
    "nfmask",
    "nflog-group",
    "nflog-prefix",
    "nflog-range",
    "nflog-threshold",
    "nodst",
    "notrack",
    "on-ip",
    "on-port",
    "or-mark",
    "or-tos",
    "persistent",
    "queue-balance",
    "queue-bypass",
    "queue-num",
    "random",
    "random-fully",
    "rateest-ewmalog",
    "rateest-interval",
    "rateest-name",
    "reject-with",
    "restore",
    "restore-mark",
    "sack-perm",
    "save-mark",
    "selctx",
    "set-class",
    "set-dscp",
    "set-dscp-class",
    "set-mark",
    "set-mss",
    "set-tos",
    "set-xmark",
    "strip-options",
    "timeout",
    "timestamp",
    "to",
    "to-destination",
    "to-ports",
    "to-source",
    "total-nodes",
    "tproxy-mark",
    "ttl-dec",
    "ttl-inc",
    "ttl-set",
    "type",
    "ulog-cprange",
    "ulog-nlgroup",
    "ulog-prefix",
    "ulog-qthreshold",
    "wscale",
    "xor-mark",
    "xor-tos",
    "zone",
    "zone-orig",
    "zone-reply",
    "dst-pfx",
    "hl-dec",
    "hl-inc",
    "hl-set",
    "hmark-dport-mask",
    "hmark-dst-prefix",
    "hmark-mod",
    "hmark-offset",
    "hmark-proto-mask",
    "hmark-rnd",
    "hmark-spi-mask",
    "hmark-sport-mask",
    "hmark-src-prefix",
    "hmark-tuple",
    "led-always-blink",
    "led-delay",
    "led-trigger-id",
    "queue-cpu-fanout",
    "src-pfx",
    "to-port",
    "addr",
    "and-mask",
    "delude",
    "honeypot",
    "or-mask",
    "prefix",
    "reset",
    "reuse",
    "set-mac",
    "shift",
    "static",
    "tarpit",
    "tname",
    "ttl",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn built(options: Value) -> String {
        rule(options.as_object().unwrap()).unwrap_or_else(|why| why.to_string())
    }

    #[test]
    fn rules_are_built_as_salt_builds_them() {
        let rule = built(json!({
            "name": "x", "table": "filter", "chain": "INPUT", "jump": "ACCEPT", "match": ["state", "comment"],
            "comment": "Allow HTTP", "connstate": "NEW", "dport": 80, "proto": "tcp", "sport": "1025:65535",
            "source": "!10.0.0.0/8", "save": true, "require": [],
        }));
        assert_eq!(
            rule,
            "-p tcp -m state -m comment --state NEW --dport 80 --sport 1025:65535 --comment \"Allow HTTP\" \
             ! --source 10.0.0.0/8 --jump ACCEPT"
        );
        let rule = built(json!({"target": "LOG", "log-prefix": "a b", "dports": ["!1", 2], "protocol": "udp"}));
        assert_eq!(rule, "-p udp -m multiport ! --dports 1,2 --jump LOG --log-prefix \"a b\"");
        assert_eq!(built(json!({"dports": [1]})), "Error: protocol must be specified");
        let rule = built(json!({"match": "recent", "name_": "n", "set": "", "if": "not eth0", "syn": null}));
        assert_eq!(rule, "! -i eth0 -m recent --name n --set --syn");
    }
}
