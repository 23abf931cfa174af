//! `iptables.*`: rules of the packet filter. Salt's `modules/iptables.py`.

use std::path::PathBuf;

use proto::{Args, Value};

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    call::Param,
    plan::StateError,
    resource::iptables::{self, Table, rule_words},
};

const TABLE_PARAM: Param = opt("table", "'filter'");
const CHAIN: Param = opt("chain", "None");
const RULE: Param = opt("rule", "None");
const FAMILY: Param = opt("family", "'ipv4'");

/// Rows of the functions that write.
const fn writes(
    name: &'static str,
    params: &'static [Param],
    call: fn(&Context<'_>, Args) -> Result<Value, CallError>,
    doc: &'static str,
) -> Function {
    Function { name, doc, params, effect: Effect::Writes, call }
}

pub const TABLE: &[Function] = &[
    Function::reads(
        "iptables.version",
        &[FAMILY],
        version,
        "Tells the version of `iptables`.\n\nctl run '*' iptables.version",
    ),
    Function::reads(
        "iptables.build_rule",
        &[
            TABLE_PARAM,
            CHAIN,
            opt("command", "None"),
            opt("position", "''"),
            opt("full", "None"),
            FAMILY,
            opt("**kwargs", ""),
        ],
        build_rule,
        "Builds a rule from options, or with `full` the whole command.\n\nctl run '*' iptables.build_rule filter INPUT command=A full=True proto=tcp dport=22 jump=ACCEPT",
    ),
    Function::reads(
        "iptables.get_rules",
        &[FAMILY],
        |context, args| {
            Ok(iptables::parsed(&iptables::saved(context.look, &family(&args, &["family"]), None).map_err(why)?)
                .map_err(why)?
                .into())
        },
        "Shows the rules that there are.\n\nctl run '*' iptables.get_rules",
    ),
    Function::reads(
        "iptables.get_saved_rules",
        &[opt("conf_file", "None"), FAMILY],
        |context, args| saved(context, &Given::new(&args, &["conf_file", "family"])),
        "Shows the rules of the file that the host starts with, or of another.\n\nctl run '*' iptables.get_saved_rules",
    ),
    Function::reads(
        "iptables.get_policy",
        &[TABLE_PARAM, CHAIN, FAMILY],
        |context, args| {
            let (table, chain) = of(&args, &["table", "chain", "family"])?;
            Ok(table.policy(context.look, &chain).map_err(why)?.map_or(Value::Null, Value::String))
        },
        "Tells what a chain does with what no rule is for.\n\nctl run '*' iptables.get_policy filter INPUT",
    ),
    Function::reads(
        "iptables.get_saved_policy",
        &[TABLE_PARAM, CHAIN, opt("conf_file", "None"), FAMILY],
        |context, args| {
            let names = &["table", "chain", "conf_file", "family"];
            let (table, chain) = of(&args, names)?;
            Ok(saved(context, &Given::new(&args, names))?[&table.name][&chain]["policy"].clone())
        },
        "Tells what a chain does, by the file that the host starts with.\n\nctl run '*' iptables.get_saved_policy filter INPUT",
    ),
    Function::reads(
        "iptables.check",
        &[TABLE_PARAM, CHAIN, RULE, FAMILY],
        |context, args| {
            let (table, chain, rule) = ruled(&args, &["table", "chain", "rule", "family"])?;
            Ok(table.has(context.look, &chain, &rule).map_err(why)?.into())
        },
        "Tells whether a chain has a rule.\n\nctl run '*' iptables.check filter INPUT rule='-p tcp --dport 22 -j ACCEPT'",
    ),
    Function::reads(
        "iptables.check_chain",
        &[TABLE_PARAM, CHAIN, FAMILY],
        |context, args| {
            let (table, chain) = of(&args, &["table", "chain", "family"])?;
            Ok(table.has_chain(context.look, &chain).map_err(why)?.into())
        },
        "Tells whether a chain is there.\n\nctl run '*' iptables.check_chain filter INPUT",
    ),
    writes(
        "iptables.new_chain",
        &[TABLE_PARAM, CHAIN, FAMILY],
        |context, args| chain_changed(context, &args, "-N"),
        "Makes a chain.\n\nctl run '*' iptables.new_chain filter LOGGING",
    ),
    writes(
        "iptables.delete_chain",
        &[TABLE_PARAM, CHAIN, FAMILY],
        |context, args| chain_changed(context, &args, "-X"),
        "Takes a chain away.\n\nctl run '*' iptables.delete_chain filter LOGGING",
    ),
    writes(
        "iptables.append",
        &[TABLE_PARAM, CHAIN, RULE, FAMILY],
        |context, args| {
            let (table, chain, rule) = ruled(&args, &["table", "chain", "rule", "family"])?;
            if table.has(context.look, &chain, &rule).map_err(why)? {
                return Ok(false.into());
            }
            let words = rule_words(&[&chain], &rule).map_err(why)?;
            Ok(table.change(context.host()?, "-A", &words).map_err(why)?.is_none().into())
        },
        "Adds a rule at the end of a chain. True if that went well; False also where it is there.\n\nctl run '*' iptables.append filter INPUT rule='-p tcp --dport 22 -j ACCEPT'",
    ),
    writes(
        "iptables.insert",
        &[TABLE_PARAM, CHAIN, opt("position", "None"), RULE, FAMILY],
        insert,
        "Inserts a rule at a position. Gives what went wrong, or nothing.\n\nctl run '*' iptables.insert filter INPUT position=1 rule='-p tcp --dport 22 -j ACCEPT'",
    ),
    writes(
        "iptables.delete",
        &[need("table"), CHAIN, opt("position", "None"), RULE, FAMILY],
        delete,
        "Takes away a rule, or the one at a position. Gives what went wrong, or nothing.\n\nctl run '*' iptables.delete filter INPUT position=1",
    ),
    writes(
        "iptables.flush",
        &[TABLE_PARAM, opt("chain", "''"), FAMILY],
        |context, args| {
            let given = Given::new(&args, &["table", "chain", "family"]);
            let chain = Some(given.text_or("chain", "")).filter(|chain| !chain.is_empty());
            let words: Vec<String> = chain.into_iter().collect();
            complained(table(&given)?.change(context.host()?, "-F", &words))
        },
        "Takes away all rules of a chain or of a table. Gives what went wrong, or nothing.\n\nctl run '*' iptables.flush filter INPUT",
    ),
    writes(
        "iptables.set_policy",
        &[TABLE_PARAM, CHAIN, opt("policy", "None"), FAMILY],
        |context, args| {
            let names = &["table", "chain", "policy", "family"];
            let (table, chain) = of(&args, names)?;
            let policy = said(&Given::new(&args, names), "policy", "Error: Policy needs to be specified")?;
            complained(table.change(context.host()?, "-P", &[chain, policy]))
        },
        "Sets what a chain does with what no rule is for. Gives what went wrong, or nothing.\n\nctl run '*' iptables.set_policy filter INPUT DROP",
    ),
    writes(
        "iptables.save",
        &[opt("filename", "None"), FAMILY],
        |context, args| {
            let family = family(&args, &["filename", "family"]);
            let file = file(context, &Given::new(&args, &["filename", "family"]), "filename", &family)?;
            let filters = iptables::save_filters(context);
            Ok(iptables::save(context.host()?, &file, &family, &filters).map_err(why)?.into())
        },
        "Writes the rules into the file that the host starts with, or into another.\n\nctl run '*' iptables.save /etc/iptables/rules.v4",
    ),
];

fn why(error: StateError) -> CallError {
    CallError::failed(error.to_string())
}

fn family(args: &Args, names: &[&str]) -> String {
    Given::new(args, names).text_or("family", "ipv4")
}

fn table(given: &Given<'_>) -> Result<Table, CallError> {
    Table::new(given.text_or("table", "filter"), given.text_or("family", "ipv4")).map_err(why)
}

/// An argument that Salt asks for in its own words.
fn said(given: &Given<'_>, key: &str, without: &str) -> Result<String, CallError> {
    let text = given.text_or(key, "");
    if text.is_empty() { Err(CallError::arguments(without)) } else { Ok(text) }
}

fn of(args: &Args, names: &[&str]) -> Result<(Table, String), CallError> {
    let given = Given::new(args, names);
    Ok((table(&given)?, said(&given, "chain", "Error: Chain needs to be specified")?))
}

fn ruled(args: &Args, names: &[&str]) -> Result<(Table, String, String), CallError> {
    let (table, chain) = of(args, names)?;
    Ok((table, chain, said(&Given::new(args, names), "rule", "Error: Rule needs to be specified")?))
}

/// What the program complained of, or an empty text.
fn complained(done: Result<Option<String>, StateError>) -> Result<Value, CallError> {
    Ok(done.map_err(why)?.unwrap_or_default().into())
}

fn version(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let table = Table { name: "filter".into(), family: family(&args, &["family"]) };
    let program = table.program(context.look).map_err(why)?;
    let output = crate::resource::command::ask(context.look, &[&program, "--version"]).map_err(why)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split_whitespace().nth(1).unwrap_or("").into())
}

fn build_rule(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["table", "chain", "command", "position", "full", "family"]);
    let rule = iptables::rule(&args.named).map_err(why)?;
    if !given.flag("full", false) {
        return Ok(rule.into());
    }
    let chain = said(&given, "chain", "Error: Chain needs to be specified")?;
    let action = said(&given, "command", "Error: Command needs to be specified")?;
    let position = given.text_or("position", "");
    Ok(iptables::command(context.look, &table(&given)?, &action, &chain, &position, &rule).map_err(why)?.into())
}

fn file(context: &Context<'_>, given: &Given<'_>, key: &str, family: &str) -> Result<PathBuf, CallError> {
    match given.text_or(key, "") {
        none if none.is_empty() => iptables::config(context.look, family).map_err(why),
        path => Ok(path.into()),
    }
}

fn saved(context: &Context<'_>, given: &Given<'_>) -> Result<Value, CallError> {
    let file = file(context, given, "conf_file", &given.text_or("family", "ipv4"))?;
    let text = crate::resource::lines::read(context.look, &file);
    let text = text.ok_or_else(|| CallError::failed(format!("{} cannot be read", file.display())))?;
    Ok(iptables::parsed(&text).map_err(why)?.into())
}

fn chain_changed(context: &Context<'_>, args: &Args, action: &str) -> Result<Value, CallError> {
    let (table, chain) = of(args, &["table", "chain", "family"])?;
    Ok(table.change(context.host()?, action, &[chain]).map_err(why)?.map_or(Value::Bool(true), Value::String))
}

fn insert(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let names = &["table", "chain", "position", "rule", "family"];
    let (table, chain, rule) = ruled(&args, names)?;
    let without = "Error: Position needs to be specified or use append (-A)";
    let position = said(&Given::new(&args, names), "position", without)?;
    let position =
        position.parse().ok().filter(|position| *position != 0).ok_or_else(|| CallError::arguments(without))?;
    if table.has(context.look, &chain, &rule).map_err(why)? {
        return Ok(false.into());
    }
    let place = table.place(context.look, &chain, position).map_err(why)?;
    let words = rule_words(&[&chain, &place.to_string()], &rule).map_err(why)?;
    complained(table.change(context.host()?, "-I", &words))
}

fn delete(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let names = &["table", "chain", "position", "rule", "family"];
    let (table, chain) = of(&args, names)?;
    let given = Given::new(&args, names);
    let words = match (given.text_or("position", ""), given.text_or("rule", "")) {
        (position, rule) if !position.is_empty() && !rule.is_empty() => {
            return Err(CallError::arguments("Error: Only specify a position or a rule, not both"));
        }
        (position, rule) if rule.is_empty() => vec![chain, position],
        (_, rule) => rule_words(&[&chain], &rule).map_err(why)?,
    };
    complained(table.change(context.host()?, "-D", &words))
}
