//! `iptables.*`: rules, chains and policies of the packet filter. Salt's `states/iptables.py`.

use std::path::PathBuf;

use proto::{Map, Value};
use serde_json::json;

use super::params::iptables as params;
use crate::{
    Host,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::iptables::{self, Table, rule_words},
};

pub const MODULE: StateModule = StateModule {
    name: "iptables",
    states: &[
        State {
            name: "append",
            doc: "Makes sure that a chain has a rule, adding it at its end.\n\n    http:\n      iptables.append:\n        - chain: INPUT\n        - proto: tcp\n        - dport: 80\n        - jump: ACCEPT\n        - save: True",
            params: params::RULE,
            plan: append,
        },
        State {
            name: "insert",
            doc: "Makes sure that a chain has a rule, inserting it at a position.\n\n    http:\n      iptables.insert:\n        - position: 1\n        - chain: INPUT\n        - proto: tcp\n        - dport: 80\n        - jump: ACCEPT",
            params: params::RULE,
            plan: insert,
        },
        State {
            name: "delete",
            doc: "Makes sure that a chain does not have a rule, or takes away the one at a position.\n\n    http:\n      iptables.delete:\n        - chain: INPUT\n        - proto: tcp\n        - dport: 80\n        - jump: ACCEPT",
            params: params::RULE,
            plan: delete,
        },
        State {
            name: "chain_present",
            doc: "Makes sure that a chain is there.\n\n    LOGGING:\n      iptables.chain_present",
            params: params::CHAIN,
            plan: chain_present,
        },
        State {
            name: "chain_absent",
            doc: "Makes sure that a chain is not there.\n\n    LOGGING:\n      iptables.chain_absent",
            params: params::CHAIN,
            plan: chain_absent,
        },
        State {
            name: "set_policy",
            doc: "Sets what a chain does with what no rule is for.\n\n    drop:\n      iptables.set_policy:\n        - chain: INPUT\n        - policy: DROP",
            params: params::SET_POLICY,
            plan: set_policy,
        },
        State {
            name: "flush",
            doc: "Takes away all rules of a chain, or of all chains of a table.\n\n    clear:\n      iptables.flush:\n        - chain: INPUT",
            params: params::FLUSH,
            plan: flush,
        },
    ],
    watch: None,
};

/// A rule that a state names.
struct Rule {
    name: String,
    table: Table,
    chain: String,
    rule: String,
    /// As an administrator would type it, with the blanks that Salt leaves.
    shown: String,
    save: Option<Save>,
}

impl Rule {
    fn of(call: &Call<'_>, action: &str) -> Result<Self, StateError> {
        let (table, chain) = (table(call)?, call.need("chain")?);
        let rule = iptables::rule(call.low)?;
        let shown = iptables::command(call.look, &table, action, &chain, &call.text_or("position", ""), &rule)?;
        Ok(Self { name: call.name(), table, chain, rule, shown: shown.trim().to_owned(), save: Save::of(call)? })
    }

    fn is_there(&self, call: &Call<'_>) -> Result<bool, StateError> {
        self.table.has(call.look, &self.chain, &self.rule)
    }

    /// The rule is there; whether the file that it is to be in has it too.
    fn kept(self, call: &Call<'_>, comment: String) -> Result<Plan, StateError> {
        let Some(save) = self.save else { return Plan::keep(comment) };
        if iptables::is_saved(call.look, &save.file, &save.family)? {
            return Plan::keep(comment);
        }
        let changes = json!({ "saved": save.file.display().to_string() });
        Plan::change(format!("{comment}\nRules need to be saved"), changes.clone(), move |doing| {
            let said = save.save(doing.host)?;
            let said = format!("Saved iptables rule {} for {}\n{}\n{said}", self.name, self.table.family, self.shown);
            Ok(Done::new(format!("{comment}\n{said}"), changes))
        })
    }
}

/// Where rules are kept for the next start.
struct Save {
    file: PathBuf,
    family: String,
    filters: Vec<String>,
}

impl Save {
    fn of(call: &Call<'_>) -> Result<Option<Self>, StateError> {
        if !call.flag("save", false) {
            return Ok(None);
        }
        let family = call.text_or("family", "ipv4");
        let file = match call.value("save") {
            Some(Value::Bool(_)) | None => iptables::config(call.look, &family)?,
            Some(_) => call.text_or("save", "").into(),
        };
        if !file.is_absolute() {
            return failed(format!("{} is not an absolute path", file.display()));
        }
        Ok(Some(Self { file, family, filters: iptables::save_filters(call.context()) }))
    }

    fn save(&self, host: &dyn Host) -> Result<String, StateError> {
        iptables::save(host, &self.file, &self.family, &self.filters)
    }
}

fn table(call: &Call<'_>) -> Result<Table, StateError> {
    Table::new(call.text_or("table", "filter"), call.text_or("family", "ipv4"))
}

/// What has changed, as Salt tells it.
fn changed(name: &str) -> Map {
    [("locale".to_owned(), Value::from(name))].into_iter().collect()
}

fn append(call: &Call<'_>) -> Result<Plan, StateError> {
    let rule = Rule::of(call, "A")?;
    let (name, family, shown) = (rule.name.clone(), rule.table.family.clone(), rule.shown.clone());
    if rule.is_there(call)? {
        return rule.kept(call, format!("iptables rule for {name} already set ({shown}) for {family}"));
    }
    let words = rule_words(&[&rule.chain], &rule.rule)?;
    let would = format!("iptables rule for {name} needs to be set ({shown}) for {family}");
    Plan::change(would, changed(&name), move |doing| {
        if let Some(why) = rule.table.change(doing.host, "-A", &words)? {
            return failed(format!(
                "Failed to set iptables rule for {name}.\nAttempted rule was {shown} for {family}\n{why}"
            ));
        }
        set_and_saved(rule, doing.host)
    })
}

fn set_and_saved(rule: Rule, host: &dyn Host) -> Result<Done, StateError> {
    let Rule { name, table: Table { family, .. }, shown, save, .. } = rule;
    let comment = match save {
        Some(save) => format!("Set and saved iptables rule {name} for {family}\n{shown}\n{}", save.save(host)?),
        None => format!("Set iptables rule for {name} to: {shown} for {family}"),
    };
    Ok(Done::new(comment, changed(&name)))
}

fn insert(call: &Call<'_>) -> Result<Plan, StateError> {
    let rule = Rule::of(call, "I")?;
    let position = call.int("position").filter(|position| *position != 0);
    let Some(position) = position else {
        return failed("Error: Position needs to be specified or use append (-A)");
    };
    let (name, family, shown) = (rule.name.clone(), rule.table.family.clone(), rule.shown.clone());
    if rule.is_there(call)? {
        return rule.kept(call, format!("iptables rule for {name} already set for {family} ({shown})"));
    }
    let would = format!("iptables rule for {name} needs to be set for {family} ({shown})");
    Plan::change(would, changed(&name), move |doing| {
        let place = rule.table.place(doing.host, &rule.chain, position)?;
        let words = rule_words(&[&rule.chain, &place.to_string()], &rule.rule)?;
        if let Some(why) = rule.table.change(doing.host, "-I", &words)? {
            return failed(format!("Failed to set iptables rule for {name}.\nAttempted rule was {shown}\n{why}"));
        }
        set_and_saved(rule, doing.host)
    })
}

fn delete(call: &Call<'_>) -> Result<Plan, StateError> {
    let rule = Rule::of(call, "D")?;
    let position = call.value("position").map(|_| call.need("position")).transpose()?;
    let (name, family, shown) = (rule.name.clone(), rule.table.family.clone(), rule.shown.clone());
    if position.is_none() && !rule.is_there(call)? {
        return Plan::keep(format!("iptables rule for {name} already absent for {family} ({shown})"));
    }
    let words = match &position {
        Some(position) => vec![rule.chain.clone(), position.clone()],
        None => rule_words(&[&rule.chain], &rule.rule)?,
    };
    let would = format!("iptables rule for {name} needs to be deleted for {family} ({shown})");
    Plan::change(would, changed(&name), move |doing| {
        if let Some(why) = rule.table.change(doing.host, "-D", &words)? {
            return failed(format!("Failed to delete iptables rule for {name}.\nAttempted rule was {shown}\n{why}"));
        }
        let comment = match rule.save {
            Some(save) => {
                format!("Deleted and saved iptables rule {name} for {family}\n{shown}\n{}", save.save(doing.host)?)
            }
            None => format!("Delete iptables rule for {name} {shown}"),
        };
        Ok(Done::new(comment, changed(&name)))
    })
}

/// The chain that a state is named after.
fn chain(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    match name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        true => failed(format!("'{name}' is not the name of a chain")),
        false => Ok(name),
    }
}

fn chain_present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, table) = (chain(call)?, table(call)?);
    let of = format!("{} table", table.name);
    if table.has_chain(call.look, &name)? {
        return Plan::keep(format!("iptables {name} chain is already exist in {of} for {}", table.family));
    }
    let would = format!("iptables {name} chain in {of} needs to be set for {}", table.family);
    Plan::change(would, changed(&name), move |doing| {
        let family = &table.family;
        match table.change(doing.host, "-N", std::slice::from_ref(&name))? {
            Some(why) => failed(format!("Failed to create {name} chain in {of}: {why} for {family}")),
            None => Ok(Done::new(format!("iptables {name} chain in {of} create success for {family}"), changed(&name))),
        }
    })
}

fn chain_absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, table) = (chain(call)?, table(call)?);
    let of = format!("{} table", table.name);
    if !table.has_chain(call.look, &name)? {
        return Plan::keep(format!("iptables {name} chain is already absent in {of} for {}", table.family));
    }
    let would = format!("iptables {name} chain in {of} needs to be removed {}", table.family);
    Plan::change(would, changed(&name), move |doing| {
        let family = &table.family;
        for (action, what) in [("-F", "flush"), ("-X", "delete")] {
            if let Some(why) = table.change(doing.host, action, std::slice::from_ref(&name))? {
                return failed(format!("Failed to {what} {name} chain in {of}: {why} for {family}"));
            }
        }
        Ok(Done::new(format!("iptables {name} chain in {of} delete success for {family}"), changed(&name)))
    })
}

fn set_policy(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, table, save) = (call.name(), table(call)?, Save::of(call)?);
    let (chain, policy) = (call.need("chain")?, call.need("policy")?);
    let of = format!("iptables default policy for chain {chain} on table {} for {}", table.name, table.family);
    if table.policy(call.look, &chain)?.as_ref() == Some(&policy) {
        return Plan::keep(format!("{of} already set to {policy}"));
    }
    Plan::change(format!("{of} needs to be set to {policy}"), changed(&name), move |doing| {
        if let Some(why) = table.change(doing.host, "-P", &[chain.clone(), policy.clone()])? {
            return failed(format!("Failed to set iptables default policy\n{why}"));
        }
        let saved = save.map(|save| save.save(doing.host)).transpose()?.map_or("", |_| " and saved");
        let comment = format!("Set{saved} default policy for {chain} to {policy} family {}", table.family);
        Ok(Done::new(comment, changed(&name)))
    })
}

fn flush(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, table, chain) = (call.name(), table(call)?, call.text_or("chain", ""));
    // Here Salt takes one word for another; so would who looks for its sentence.
    let would =
        format!("iptables rules in {name} table {} chain {} family needs to be flushed", table.name, table.family);
    table.program(call.look)?;
    Plan::change(would, changed(&name), move |doing| {
        let words: Vec<String> = Some(chain.clone()).filter(|chain| !chain.is_empty()).into_iter().collect();
        match table.change(doing.host, "-F", &words)? {
            Some(why) => failed(format!("Failed to flush iptables rules\n{why}")),
            None => {
                let comment =
                    format!("Flush iptables rules in {} table {chain} chain {} family", table.name, table.family);
                Ok(Done::new(comment, changed(&name)))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Memory, apply, refused, said, thrice};

    /// A host whose filter has one chain, with its rules in a file.
    fn host() -> Memory {
        let filter = |host: &Memory| host.text("/rules").unwrap_or_default();
        Memory::new(json!({"os_family": "Debian"})).with(&[("/rules", "")]).answer(move |host, line| {
            let rules = filter(host);
            if line.starts_with("/usr/bin/iptables-save") {
                return said(&format!("# now\n*filter\n:INPUT ACCEPT [0:0]\n{rules}COMMIT\n"));
            }
            let line = line.strip_prefix("/usr/bin/iptables --wait -t filter ")?;
            let (action, rule) = line.split_once(' ')?;
            match action {
                "-C" if rules.contains(&format!("-A {rule}\n")) => {}
                "-A" => host.put("/rules", &format!("{rules}-A {rule}\n")),
                "-D" => host.put("/rules", &rules.replace(&format!("-A {rule}\n"), "")),
                _ => return refused(1, "iptables: Bad rule"),
            }
            said("")
        })
    }

    #[test]
    fn a_rule_comes_is_saved_and_goes() {
        let host = host();
        let sls = |fun: &str| {
            format!(
                "ssh:\n  iptables.{fun}:\n    - chain: INPUT\n    - proto: tcp\n    - dport: 22\n    - jump: ACCEPT\n    - save: true\n"
            )
        };
        let [test, first, second] = thrice(&host, &[("t.sls", &sls("append"))]);
        let shown = "/usr/bin/iptables --wait -t filter -A INPUT  -p tcp --dport 22 --jump ACCEPT";
        assert_eq!(
            (test.0, test.1),
            (Value::Null, format!("iptables rule for ssh needs to be set ({shown}) for ipv4"))
        );
        let wrote = "Wrote 1 lines to \"/etc/iptables/rules.v4\"";
        assert_eq!(first.1, format!("Set and saved iptables rule ssh for ipv4\n{shown}\n{wrote}"));
        assert_eq!(first.2, json!({"locale": "ssh"}));
        assert_eq!(second.1, format!("iptables rule for ssh already set ({shown}) for ipv4"));
        assert!(host.text("/etc/iptables/rules.v4").unwrap().contains("-A INPUT -p tcp --dport 22 --jump ACCEPT\n"));
        host.put("/etc/iptables/rules.v4", "");
        let rows = apply(&host, &sls("append"), true);
        assert_eq!((&rows[0].1, host.text("/etc/iptables/rules.v4").unwrap().as_str()), (&Value::Null, ""));
        let [_, first, _] = thrice(&host, &[("t.sls", &sls("append"))]);
        assert_eq!(first.2, json!({"saved": "/etc/iptables/rules.v4"}));
        let [_, first, _] = thrice(&host, &[("t.sls", &sls("delete"))]);
        assert_eq!((first.2, host.text("/rules").unwrap().as_str()), (json!({"locale": "ssh"}), ""));
    }

    #[test]
    fn what_cannot_be_a_rule_fails_in_a_dry_run_too() {
        for sls in [
            "x:\n  iptables.insert:\n    - chain: INPUT\n    - jump: ACCEPT\n",
            "x:\n  iptables.append:\n    - chain: INPUT\n    - dports: [1]\n",
            "x:\n  iptables.append:\n    - jump: ACCEPT\n",
            "-F:\n  iptables.chain_present: []\n",
        ] {
            assert_eq!(apply(&host(), sls, true)[0].1, json!(false), "{sls}");
        }
    }
}
