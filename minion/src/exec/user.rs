//! `user.*` beyond what `states::functions` reads. Salt's `modules/useradd.py`.

use proto::{Map, Value};
use states::{
    CallError, Context, Function,
    plan::StateError,
    resource::{
        accounts,
        groups::is_name,
        users::{self, Field, GECOS},
    },
};

use super::bind::{Bound, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "user.add",
        Writes,
        [
            need("name"),
            with("uid", "None"),
            with("gid", "None"),
            with("groups", "None"),
            with("home", "None"),
            with("shell", "None"),
            with("unique", "True"),
            with("system", "False"),
            with("fullname", "''"),
            with("roomnumber", "''"),
            with("workphone", "''"),
            with("homephone", "''"),
            with("other", "''"),
            with("createhome", "True"),
            with("loginclass", "None"),
            with("nologinit", "False"),
            with("root", "None"),
            with("usergroup", "None"),
            with("local", "False"),
        ],
        add,
        "Makes a user.\n\n    ctl run '*' user.add app uid=900 home=/srv/app shell=/usr/sbin/nologin"
    ),
    row!(
        "user.delete",
        Writes,
        [need("name"), with("remove", "False"), with("force", "False"), with("root", "None"), with("local", "False")],
        |context, bound| {
            let flag = |name: &str| bound.flag(name, false);
            let done = users::delete(context.host()?, &name(bound)?, flag("remove"), flag("force"), flag("local"));
            told(done)
        },
        "Removes a user; with `remove` its home folder and mail too.\n\n    ctl run '*' user.delete app remove=True"
    ),
    row!(
        "user.chloginclass",
        Writes,
        [need("name"), need("loginclass"), with("root", "None")],
        |_, _| Ok(false.into()),
        "Changes a login class, which only OpenBSD has: false, as Salt says on all else.\n\n    \
         ctl run '*' user.chloginclass app staff"
    ),
    row!(
        "user.get_loginclass",
        Reads,
        [need("name")],
        |_, _| Ok(false.into()),
        "Names a login class, which only OpenBSD has: false, as Salt says on all else.\n\n    \
         ctl run '*' user.get_loginclass app"
    ),
    row!(
        "user.chuid",
        Writes,
        [need("name"), need("uid"), with("root", "None")],
        |context, bound| set(context, bound, Field::Uid, "uid"),
        "Gives a user another number.\n\n    ctl run '*' user.chuid app 901"
    ),
    row!(
        "user.chgid",
        Writes,
        [need("name"), need("gid"), with("root", "None")],
        |context, bound| set(context, bound, Field::Gid, "gid"),
        "Gives a user another first group.\n\n    ctl run '*' user.chgid app 901"
    ),
    row!(
        "user.chshell",
        Writes,
        [need("name"), need("shell"), with("root", "None")],
        |context, bound| set(context, bound, Field::Shell, "shell"),
        "Gives a user another shell.\n\n    ctl run '*' user.chshell app /bin/bash"
    ),
    row!(
        "user.chhome",
        Writes,
        [need("name"), need("home"), with("persist", "False"), with("root", "None")],
        |context, bound| set(context, bound, Field::Home, "home"),
        "Gives a user another home folder; with `persist` what is in the old one goes along.\n\n    \
         ctl run '*' user.chhome app /srv/app persist=True"
    ),
    row!(
        "user.chgroups",
        Writes,
        [need("name"), need("groups"), with("append", "False"), with("root", "None")],
        |context, bound| {
            let groups = names(bound, "groups")?;
            told(users::set_groups(context.host()?, &name(bound)?, &groups, bound.flag("append", false)))
        },
        "Puts a user into groups: these only, or besides its others (`append`).\n\n    \
         ctl run '*' user.chgroups app wheel,adm append=True"
    ),
    row!(
        "user.chfullname",
        Writes,
        [need("name"), need("fullname"), with("root", "None")],
        |context, bound| office(context, bound, "fullname"),
        "Gives a user another full name.\n\n    ctl run '*' user.chfullname app 'The application'"
    ),
    row!(
        "user.chroomnumber",
        Writes,
        [need("name"), need("roomnumber"), with("root", "None")],
        |context, bound| office(context, bound, "roomnumber"),
        "Gives a user another room.\n\n    ctl run '*' user.chroomnumber app 123"
    ),
    row!(
        "user.chworkphone",
        Writes,
        [need("name"), need("workphone"), with("root", "None")],
        |context, bound| office(context, bound, "workphone"),
        "Gives a user another telephone at work.\n\n    ctl run '*' user.chworkphone app 5551234"
    ),
    row!(
        "user.chhomephone",
        Writes,
        [need("name"), need("homephone"), with("root", "None")],
        |context, bound| office(context, bound, "homephone"),
        "Gives a user another telephone at home.\n\n    ctl run '*' user.chhomephone app 5551234"
    ),
    row!(
        "user.chother",
        Writes,
        [need("name"), need("other"), with("root", "None")],
        |context, bound| office(context, bound, "other"),
        "Changes the last field of a user's full name.\n\n    ctl run '*' user.chother app whatever"
    ),
    row!(
        "user.rename",
        Writes,
        [need("name"), need("new_name"), with("root", "None")],
        rename,
        "Gives a user another name.\n\n    ctl run '*' user.rename app app2"
    ),
    row!(
        "user.primary_group",
        Reads,
        [need("name")],
        |context, bound| {
            let user = accounts::user(context.look, &name(bound)?);
            Ok(user.map_or_else(|| "".into(), |user| accounts::group_name(context.look, user.gid).into()))
        },
        "Names a user's first group.\n\n    ctl run '*' user.primary_group root"
    ),
    row!(
        "user.getent",
        Reads,
        [with("refresh", "False"), with("root", "None")],
        |context, bound| {
            here(bound)?;
            let all = accounts::users(context.look);
            Ok(all.iter().filter_map(|user| users::info(context.look, &user.name)).map(Value::Object).collect())
        },
        "Shows all users.\n\n    ctl run '*' user.getent"
    ),
];

pub fn told(done: Result<bool, StateError>) -> Result<Value, CallError> {
    done.map(Value::Bool).map_err(|why| CallError::failed(why.to_string()))
}

/// Users of another root are not ours to change.
pub fn here(bound: &Bound) -> Result<(), CallError> {
    match bound.has("root") {
        true => Err(CallError::arguments("root: another root cannot be changed here")),
        false => Ok(()),
    }
}

pub fn checked(name: String) -> Result<String, CallError> {
    match is_name(&name) {
        true => Ok(name),
        false => Err(CallError::arguments(format!("'{name}' is no name of a user or group"))),
    }
}

fn name(bound: &Bound) -> Result<String, CallError> {
    here(bound)?;
    checked(bound.need_text("name")?)
}

pub fn names(bound: &Bound, key: &str) -> Result<Vec<String>, CallError> {
    bound.list(key).iter().map(text_of).filter(|name| !name.is_empty()).map(checked).collect()
}

/// A text that is one argument of a program, and no option of it.
fn argument(bound: &Bound, key: &str) -> Result<String, CallError> {
    let text = bound.need_text(key)?;
    match text.starts_with('-') || text.contains(['\n', ':', '\0']) {
        true => Err(CallError::arguments(format!("{key}: '{text}' cannot be set"))),
        false => Ok(text),
    }
}

fn add(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    if bound.has("loginclass") {
        return Err(CallError::arguments("loginclass: Linux has none"));
    }
    let some = |key: &str| match bound.value(key).is_some_and(|value| truth(value) || value.is_number()) {
        true => argument(bound, key).map(Some),
        false => Ok(None),
    };
    let mut office = Vec::new();
    for field in GECOS {
        office.extend(some(field)?.map(|text| (field, text)));
    }
    let new = users::New {
        uid: some("uid")?,
        gid: some("gid")?,
        groups: names(bound, "groups")?,
        home: some("home")?,
        shell: some("shell")?,
        non_unique: !bound.flag("unique", true),
        system: bound.flag("system", false),
        create_home: bound.flag("createhome", true),
        no_log_init: bound.flag("nologinit", false),
        user_group: bound.value("usergroup").map(truth),
        local: bound.flag("local", false),
        office,
    };
    told(users::add(context.host()?, &name(bound)?, &new))
}

fn info(context: &Context<'_>, name: &str) -> Result<Map, CallError> {
    let missing = || CallError::failed(format!("User '{name}' does not exist"));
    users::info(context.look, name).ok_or_else(missing)
}

/// Changes a field, and looks whether it is changed.
fn set(context: &Context<'_>, bound: &Bound, field: Field, key: &str) -> Result<Value, CallError> {
    let (name, value) = (name(bound)?, argument(bound, key)?);
    let is = |info: &Map| {
        let shown = info.get(key).map(text_of).unwrap_or_default();
        shown == value
            || key == "gid" && accounts::gid(context.look, &value).is_some_and(|gid| gid.to_string() == shown)
    };
    if is(&info(context, &name)?) {
        return Ok(true.into());
    }
    let persist = bound.flag("persist", false);
    told(users::set(context.host()?, &name, field, &value, persist))?;
    Ok(is(&info(context, &name)?).into())
}

fn office(context: &Context<'_>, bound: &Bound, field: &str) -> Result<Value, CallError> {
    let (name, text) = (name(bound)?, bound.text(field)?.unwrap_or_default());
    if text.contains(['\n', ':', '\0']) || text.contains(',') && field != "other" {
        return Err(CallError::arguments(format!("{field}: '{text}' cannot be set")));
    }
    let is = |info: &Map| info.get(field).and_then(Value::as_str) == Some(&text);
    if is(&info(context, &name)?) {
        return Ok(true.into());
    }
    told(users::set_office(context.host()?, &name, field, &text))?;
    Ok(is(&info(context, &name)?).into())
}

fn rename(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (old, new) = (name(bound)?, checked(bound.need_text("new_name")?)?);
    info(context, &old)?;
    if accounts::user(context.look, &new).is_some() {
        return Err(CallError::failed(format!("User '{new}' already exists")));
    }
    let argv = ["usermod", "-l", &new, &old].map(str::to_owned).to_vec();
    let command = states::Command { argv, ..states::Command::default() };
    context.host()?.run(&command).map_err(|error| CallError::failed(error.to_string()))?;
    Ok(accounts::user(context.look, &new).is_some().into())
}
