//! `user.*` and `group.*` that read the host's tables.

use proto::{Args, Map, Value};

use super::{args::Given, need};
use crate::{CallError, Context, Effect, Function};

pub const TABLE: &[Function] = &[
    Function {
        name: "user.info",
        doc: "Shows a user; an unknown one gives nothing.\n\nctl run '*' user.info root",
        params: &[need("name")],
        effect: Effect::Reads,
        call: user_info,
    },
    Function {
        name: "user.list_users",
        doc: "Lists the users.\n\nctl run '*' user.list_users",
        params: &[],
        effect: Effect::Reads,
        call: |c, _| Ok(names(c, "/etc/passwd")),
    },
    Function {
        name: "user.list_groups",
        doc: "Lists the groups that a user is in.\n\nctl run '*' user.list_groups root",
        params: &[need("name")],
        effect: Effect::Reads,
        call: |c, a| Ok(groups(c, &Given::new(&a, &["name"]).text("name")?).into_iter().collect()),
    },
    Function {
        name: "group.info",
        doc: "Shows a group; an unknown one gives nothing.\n\nctl run '*' group.info root",
        params: &[need("name")],
        effect: Effect::Reads,
        call: group_info,
    },
];

/// The rows of a table such as `/etc/passwd`.
fn rows(context: &Context<'_>, table: &str) -> Vec<Vec<String>> {
    let bytes = context.look.read(table.as_ref(), 16 << 20).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect()
}

fn names(context: &Context<'_>, table: &str) -> Value {
    let mut names: Vec<String> = rows(context, table).into_iter().filter_map(|row| row.into_iter().next()).collect();
    names.sort();
    names.into_iter().collect()
}

fn groups(context: &Context<'_>, user: &str) -> Vec<String> {
    let primary =
        rows(context, "/etc/passwd").into_iter().find(|row| row[0] == user).and_then(|row| row.get(3).cloned());
    let member = |row: &Vec<String>| row.get(3).is_some_and(|members| members.split(',').any(|m| m == user));
    let mut found: Vec<String> = rows(context, "/etc/group")
        .into_iter()
        .filter(|row| member(row) || row.get(2) == primary.as_ref() && primary.is_some())
        .map(|row| row[0].clone())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn user_info(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = Given::new(&args, &["name"]).text("name")?;
    let Some(row) = rows(context, "/etc/passwd").into_iter().find(|row| row[0] == name && row.len() >= 7) else {
        return Ok(Value::Object(Map::new()));
    };
    let number = |text: &str| text.parse::<i64>().map_or(Value::Null, Value::from);
    let mut office = row[4].split(',').map(str::to_owned);
    let mut field = || office.next().unwrap_or_default();
    Ok(serde_json::json!({
        "gid": number(&row[3]), "groups": groups(context, &name), "home": row[5], "name": row[0], "passwd": row[1],
        "shell": row[6], "uid": number(&row[2]), "fullname": field(), "roomnumber": field(), "workphone": field(),
        "homephone": field(), "other": field(),
    }))
}

fn group_info(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = Given::new(&args, &["name"]).text("name")?;
    let Some(row) = rows(context, "/etc/group").into_iter().find(|row| row[0] == name && row.len() >= 4) else {
        return Ok(Value::Object(Map::new()));
    };
    let members: Vec<&str> = row[3].split(',').filter(|member| !member.is_empty()).collect();
    Ok(
        serde_json::json!({"name": row[0], "passwd": row[1], "gid": row[2].parse::<i64>().unwrap_or_default(), "members": members}),
    )
}
