//! `postgres_user.*` and `postgres_group.*`: both are roles.

use proto::{Map, Value};

use super::{at, changed, find, flag, statements};
use crate::{
    plan::{Call, Done, Plan, StateError, failed},
    resource::postgres::{Server, members, name as quoted, password::Method, roles, text as literal},
    value::python_str,
};

/// What a role is called.
pub struct Kind {
    one: &'static str,
    upper: &'static str,
    login: bool,
}

pub const USER: Kind = Kind { one: "user", upper: "User", login: true };
pub const GROUP: Kind = Kind { one: "group", upper: "Group", login: false };

/// The flags of a role: the argument, the column, and the word of SQL.
const FLAGS: [(&str, &str, &str); 6] = [
    ("createdb", "can create databases", "CREATEDB"),
    ("inherit", "inherits privileges", "INHERIT"),
    ("login", "can login", "LOGIN"),
    ("createroles", "can create roles", "CREATEROLE"),
    ("replication", "replication", "REPLICATION"),
    ("superuser", "superuser", "SUPERUSER"),
];

pub fn present(call: &Call<'_>, kind: &Kind) -> Result<Plan, StateError> {
    let (name, server) = (call.name(), Server::of(call)?);
    let method = Method::of(call.text("encrypted").as_deref()).map_err(StateError::failed)?;
    let refresh = call.flag("refresh_password", false);
    let known = find(server.rows(call.look, &roles(!refresh))?, "name", &name);
    let new = known.is_none();
    let default = || call.text("default_password").filter(|_| new);
    let password = call.text("password").or_else(default);
    let is_same =
        |text: &String| known.as_ref().is_some_and(|row| !refresh && method.fits(&name, text, at(row, "password")));
    let password = password.filter(|text| !is_same(text)).map(|text| method.hash(&name, &text));
    let mut role = Role { name: &name, call, method, password, groups: groups(call), kind };
    let update = match &known {
        Some(row) => role.update(&server, row)?,
        None => Map::new(),
    };
    if !new && update.is_empty() {
        return Plan::keep(format!("{} {name} is already present", kind.upper));
    }
    let mode = if new { "create" } else { "update" };
    let changes = if new { changed(&name, "Present") } else { changed(&name, update) };
    let sql = role.sql(known.as_ref());
    Plan::change(format!("{} {name} is set to be {mode}d", kind.upper), changes.clone(), {
        let (one, name) = (kind.one, name.clone());
        move |doing| match server.run(doing.host, &sql)? {
            Some(why) => failed(format!("Failed to {mode} {one} {name}\n{why}")),
            None => Ok(Done::new(format!("The {one} {name} has been {mode}d"), changes)),
        }
    })
}

/// Groups, as a list or with commas between.
fn groups(call: &Call<'_>) -> Vec<String> {
    match call.value("groups") {
        Some(Value::Array(_)) => call.list("groups"),
        Some(text) => python_str(text).split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// What is wanted of a role.
struct Role<'call> {
    name: &'call str,
    call: &'call Call<'call>,
    method: Method,
    /// What the server is to keep, where it does not keep it.
    password: Option<String>,
    groups: Vec<String>,
    kind: &'call Kind,
}

impl Role<'_> {
    /// What is to be changed of a role that is there.
    fn update(&mut self, server: &Server, row: &Map) -> Result<Map, StateError> {
        let mut update = Map::new();
        for (key, column, _) in FLAGS {
            if let Some(wanted) = flag(self.call, key)
                && (at(row, column) == "t") != wanted
            {
                update.insert(key.into(), wanted.into());
            }
        }
        if self.password.is_some() {
            update.insert("password".into(), true.into());
        }
        if let Some(until) = self.call.text("valid_until") {
            let query = format!("SELECT {}::timestamp(0) AS dt", literal(&until));
            let rows = server.rows(self.call.look, &query).map_err(|why| StateError::failed(why.to_string()))?;
            let date = |text: &str| Some(text.to_owned()).filter(|text| text.starts_with(|c: char| c.is_ascii_digit()));
            if rows.first().and_then(|row| date(at(row, "dt"))) != date(at(row, "expiry time")) {
                update.insert("valid_until".into(), until.into());
            }
        }
        let there = members(at(row, "groups"));
        let missing: Vec<Value> =
            self.groups.iter().filter(|group| !there.contains(group)).map(|group| group.as_str().into()).collect();
        if !missing.is_empty() {
            update.insert("groups".into(), missing.into());
        }
        Ok(update)
    }

    /// The statements that make the role, or change the one that is there.
    fn sql(&self, known: Option<&Map>) -> Vec<String> {
        let mut words = Vec::new();
        for (key, column, word) in FLAGS {
            let default = match (key, known) {
                ("inherit", None) => Some(true),
                ("login", None) => Some(self.kind.login),
                _ => None,
            };
            let wanted = flag(self.call, key).or(default);
            let is_so = key == "superuser" && known.is_some_and(|row| Some(at(row, column) == "t") == wanted);
            if let Some(wanted) = wanted.filter(|_| !is_so) {
                words.push(format!("{}{word}", if wanted { "" } else { "NO" }));
            }
        }
        if let Some(password) = self.password.as_ref().filter(|password| !password.is_empty()) {
            let un = if self.method == Method::Plain { "UN" } else { "" };
            words.push(format!("{un}ENCRYPTED PASSWORD {}", literal(password)));
        }
        if let Some(until) = self.call.some_text("valid_until") {
            words.push(format!("VALID UNTIL {}", literal(&until)));
        }
        let verb = if known.is_some() { "ALTER" } else { "CREATE" };
        let with = if words.is_empty() { String::new() } else { format!(" WITH {}", words.join(" ")) };
        let name = quoted(self.name);
        let grants = self.groups.iter().map(|group| format!("GRANT {} TO {name}", quoted(group)));
        std::iter::once(format!("{verb} ROLE {name}{with}")).chain(grants).collect()
    }
}

pub fn absent(call: &Call<'_>, kind: &Kind) -> Result<Plan, StateError> {
    let (name, server, upper) = (call.name(), Server::of(call)?, kind.upper);
    if find(server.rows(call.look, &roles(false))?, "name", &name).is_none() {
        return Plan::keep(format!("{upper} {name} is not present, so it cannot be removed"));
    }
    let said = ["is set to be removed", "has been removed", "failed to be removed"];
    let sql = vec![format!("DROP ROLE {}", quoted(&name))];
    statements(server, sql, changed(&name, "Absent"), said.map(|what| format!("{upper} {name} {what}")))
}
