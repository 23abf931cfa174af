//! Rules of the packet filter: built from options as Salt's `modules/iptables.py` does, and asked for with
//! the host's own `iptables` and `ip6tables`.

use std::path::{Path, PathBuf};

mod rule;

pub use rule::rule;

use proto::{Map, Value};
use serde_json::json;

use super::{command, lines, words};
use crate::{Context, Host, Look, plan::StateError, value::python_str};

/// A table of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
}

impl Table {
    /// # Errors
    /// A name that no table can have.
    pub fn new(name: String, family: String) -> Result<Self, StateError> {
        match name.is_empty() || name.starts_with('-') {
            true => Err(StateError::failed(format!("'{name}' is not the name of a table"))),
            false => Ok(Self { name, family }),
        }
    }

    /// Where the program is.
    pub fn program(&self, look: &dyn Look) -> Result<String, StateError> {
        let name = if self.family == "ipv6" { "ip6tables" } else { "iptables" };
        let found = look.which(name).map(|path| path.to_string_lossy().into_owned());
        found.ok_or_else(|| StateError::Missing("iptables module could not be loaded: it is not installed".into()))
    }

    fn argv(&self, look: &dyn Look, action: &str, rest: &[String]) -> Result<Vec<String>, StateError> {
        let start = [&self.program(look)?, "--wait", "-t", &self.name, action].map(str::to_owned);
        Ok(start.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// Changes something: `-A`, `-I`, `-D`, `-N`, `-X`, `-P`, `-F` and what belongs to it. Gives what the
    /// program complained of, if it did not go well.
    pub fn change(&self, host: &dyn Host, action: &str, rest: &[String]) -> Result<Option<String>, StateError> {
        let argv = self.argv(host, action, rest)?;
        let output = command::run(host, &argv.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok((output.code != 0).then(|| command::complaint(&output).trim().to_owned()))
    }

    /// Whether a chain has a rule.
    pub fn has(&self, look: &dyn Look, chain: &str, rule: &str) -> Result<bool, StateError> {
        let argv = self.argv(look, "-C", &rule_words(&[chain], rule)?)?;
        Ok(command::ask(look, &argv.iter().map(String::as_str).collect::<Vec<_>>())?.code == 0)
    }

    pub fn has_chain(&self, look: &dyn Look, chain: &str) -> Result<bool, StateError> {
        Ok(self.chains(look)?.iter().any(|(name, ..)| name == chain))
    }

    /// What a chain does with what no rule is for; nothing where there is no such chain yet.
    pub fn policy(&self, look: &dyn Look, chain: &str) -> Result<Option<String>, StateError> {
        Ok(self.chains(look)?.into_iter().find(|(name, ..)| name == chain).map(|(_, policy, _)| policy))
    }

    /// The number that a rule is to be inserted as, where negative ones count from the end.
    pub fn place(&self, look: &dyn Look, chain: &str, position: i64) -> Result<i64, StateError> {
        if position >= 0 {
            return Ok(position);
        }
        let rules = self.chains(look)?.into_iter().find(|(name, ..)| name == chain).map_or(0, |(.., rules)| rules);
        let rules = i64::try_from(rules).unwrap_or(i64::MAX);
        Ok(match rules.saturating_add(position).saturating_add(1) {
            0 => 1,
            place => place,
        })
    }

    /// The chains of this table, with their policies and how many rules they have.
    fn chains(&self, look: &dyn Look) -> Result<Vec<(String, String, usize)>, StateError> {
        let saved = saved(look, &self.family, Some(&self.name))?;
        let mut chains: Vec<(String, String, usize)> = Vec::new();
        for line in saved.lines() {
            if let Some((name, rest)) = line.strip_prefix(':').and_then(|line| line.split_once(' ')) {
                chains.push((name.to_owned(), rest.split(' ').next().unwrap_or("").to_owned(), 0));
            } else if let Some(rest) = line.strip_prefix("-A ") {
                let of = rest.split(' ').next().unwrap_or("");
                chains.iter_mut().filter(|(name, ..)| name == of).for_each(|(.., rules)| *rules += 1);
            }
        }
        Ok(chains)
    }
}

/// The words of a rule after others.
pub fn rule_words(before: &[&str], rule: &str) -> Result<Vec<String>, StateError> {
    let words = words::split(rule).map_err(|why| StateError::failed(format!("{rule}: {why}")))?;
    Ok(before.iter().map(ToString::to_string).chain(words).collect())
}

/// All rules as `iptables-save` writes them.
pub fn saved(look: &dyn Look, family: &str, table: Option<&str>) -> Result<String, StateError> {
    let program = Table { name: "filter".into(), family: family.to_owned() }.program(look)? + "-save";
    let mut argv = vec![program.as_str()];
    argv.extend(table.into_iter().flat_map(|table| ["-t", table]));
    Ok(command::text(&command::ask(look, &argv)?.stdout))
}

/// The file that the host reads its rules from when it starts.
pub fn config(look: &dyn Look, family: &str) -> Result<PathBuf, StateError> {
    let grain = |key: &str| look.grains().get(key).and_then(Value::as_str).unwrap_or("");
    let (six, four) = match (grain("os_family"), grain("os")) {
        ("RedHat", _) => ("/etc/sysconfig/ip6tables", "/etc/sysconfig/iptables"),
        ("Arch" | "Void", _) => ("/etc/iptables/ip6tables.rules", "/etc/iptables/iptables.rules"),
        ("Debian", _) => ("/etc/iptables/rules.v6", "/etc/iptables/rules.v4"),
        (_, "Gentoo") => ("/var/lib/ip6tables/rules-save", "/var/lib/iptables/rules-save"),
        ("Suse", _) => ["/etc/sysconfig/scripts/SuSEfirewall2-custom"; 2].into(),
        (_, "Alpine") => ("/etc/iptables/rules6-save", "/etc/iptables/rules-save"),
        (_, os) => return Err(StateError::failed(format!("Saving iptables to file is not supported on {os}."))),
    };
    Ok(if family == "ipv6" { six } else { four }.into())
}

/// Writes all rules into a file, and says so in Salt's words. Lines that fit one of `filters` are left out.
pub fn save(host: &dyn Host, file: &Path, family: &str, filters: &[String]) -> Result<String, StateError> {
    let mut text = String::new();
    let filters: Vec<_> = filters.iter().filter_map(|pattern| fancy_regex::Regex::new(pattern).ok()).collect();
    for line in saved(host, family, None)?.lines() {
        if !filters.iter().any(|pattern| pattern.is_match(line).unwrap_or(false)) {
            text += &format!("{line}\n");
        }
    }
    lines::write(host, file, &text, 0o644)?;
    Ok(format!("Wrote 1 lines to \"{}\"", file.display()))
}

/// Whether a file holds the rules that there are; counters and remarks do not matter.
pub fn is_saved(look: &dyn Look, file: &Path, family: &str) -> Result<bool, StateError> {
    let of = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(['*', ':', '-']));
        lines.map(|line| line.split(" [").next().unwrap_or("").trim_end().to_owned()).collect()
    };
    Ok(lines::read(look, file).is_some_and(|text| text.lines().next().is_some()) && {
        of(&lines::read(look, file).unwrap_or_default()) == of(&saved(look, family, None)?)
    })
}

/// A rule as an administrator would type it, with the blanks that Salt leaves.
pub fn command(
    look: &dyn Look,
    table: &Table,
    action: &str,
    chain: &str,
    position: &str,
    rule: &str,
) -> Result<String, StateError> {
    let dash = if "ACDIRLSFZNXPE".contains(action) { "-" } else { "--" };
    Ok(format!("{} --wait -t {} {dash}{action} {chain} {position} {rule}", table.program(look)?, table.name))
}

/// What is not to be saved: `iptables.save_filters` of the configuration, the grains or the pillar.
pub fn save_filters(context: &Context<'_>) -> Vec<String> {
    let key = "iptables.save_filters";
    let found = context.opts.get(key).or_else(|| context.look.grains().get(key)).or_else(|| context.pillar.get(key));
    found.and_then(Value::as_array).into_iter().flatten().map(python_str).collect()
}

/// What `iptables-save` wrote, as data: tables, chains, and the options of their rules, each a list.
pub fn parsed(text: &str) -> Result<Map, StateError> {
    let mut tables = Map::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
            tables.insert(table.clone(), json!({}));
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut parts = rest.split(' ');
            let (name, policy) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let counters = parts.next().unwrap_or("").trim_matches(['[', ']']);
            let (packets, bytes) = counters.split_once(':').unwrap_or(("0", "0"));
            tables[&table][name] = json!({
                "policy": policy, "packet count": packets, "byte count": bytes, "rules": [], "rules_comment": {},
            });
        } else if line.starts_with("-A ") {
            let words = rule_words(&[], line)?;
            let (chain, options) = (words.get(1).cloned().unwrap_or_default(), options(words.get(2..).unwrap_or(&[])));
            let chain = &mut tables[&table][&chain];
            if let Some(comment) = options.get("comment").and_then(|texts| texts[0].as_str()) {
                chain["rules_comment"][comment.trim_matches('"')] = json!(options);
            }
            if let Some(rules) = chain.get_mut("rules").and_then(Value::as_array_mut) {
                rules.push(json!(options));
            }
        }
    }
    Ok(tables)
}

/// Short options, and long ones with another name in Salt's answers.
const NAMES: [(&str, &str); 15] = [
    ("-p", "protocol"),
    ("-s", "source"),
    ("-d", "destination"),
    ("-j", "jump"),
    ("-g", "goto"),
    ("-i", "in-interface"),
    ("-o", "out-interface"),
    ("-f", "fragment"),
    ("-c", "set-counters"),
    ("-m", "match"),
    ("--sport", "source_port"),
    ("--dport", "destination_port"),
    ("--sports", "source-ports"),
    ("--source-port", "source_port"),
    ("--destination-port", "destination_port"),
];

/// The options of a rule. A `!` before one stands before its value.
fn options(words: &[String]) -> Map {
    let mut found = Map::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let (negated, option) = match word.as_str() {
            "!" => (true, words.next().map_or("", String::as_str)),
            option => (false, option),
        };
        let known = NAMES.iter().find(|(short, _)| *short == option).map(|(_, name)| *name);
        let name = known.unwrap_or_else(|| option.trim_start_matches('-'));
        let mut value = if negated { vec!["!"] } else { Vec::new() };
        while let Some(next) = words.next_if(|word| !word.starts_with('-') && *word != "!") {
            value.push(next);
        }
        if let Value::Array(values) = found.entry(name).or_insert_with(|| json!([])) {
            values.push(value.join(" ").into());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read() {
        let text = "# x\n*filter\n:INPUT DROP [3:90]\n:own - [0:0]\n\
                    -A INPUT ! -s 10.0.0.0/8 -p tcp -m comment --comment \"a b\" -m tcp --dport 22 -j own\nCOMMIT\n";
        let tables = parsed(text).unwrap();
        let options = json!({
            "source": ["! 10.0.0.0/8"], "protocol": ["tcp"], "match": ["comment", "tcp"], "comment": ["a b"],
            "destination_port": ["22"], "jump": ["own"],
        });
        assert_eq!(tables["filter"]["INPUT"]["policy"], "DROP");
        assert_eq!(tables["filter"]["INPUT"]["byte count"], "90");
        assert_eq!(tables["filter"]["INPUT"]["rules"], json!([options]));
        assert_eq!(tables["filter"]["INPUT"]["rules_comment"]["a b"], options);
        assert_eq!(tables["filter"]["own"]["rules"], json!([]));
    }
}
