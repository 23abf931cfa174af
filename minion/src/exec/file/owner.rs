//! Owners, modes and attributes of files.

use std::{io, path::Path};

use proto::Value;
use rustix::fs::Access;
use serde_json::json;
use states::{
    CallError, Context, Function, Host,
    look::Kind,
    resource::{
        accounts,
        files::{followed, parse_mode},
    },
};

use super::{absolute, path, system};
use crate::exec::bind::{Bound, NAMED, REST, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.chown",
        Writes,
        [need("path"), need("user"), need("group")],
        |context, bound| own(context, bound, Follow::Yes),
        "Gives a path an owner and a group, by name or number; an empty text leaves one as it is. Links are \
         followed.\n\n    ctl run '*' file.chown /etc/motd root root"
    ),
    row!(
        "file.lchown",
        Writes,
        [need("path"), need("user"), need("group")],
        |context, bound| own(context, bound, Follow::No),
        "Gives a path an owner and a group; of a link, the link itself.\n\n    ctl run '*' file.lchown /etc/mtab root root"
    ),
    row!(
        "file.chgrp",
        Writes,
        [need("path"), need("group")],
        |context, bound| own(context, bound, Follow::Yes),
        "Gives a path a group.\n\n    ctl run '*' file.chgrp /var/log/app adm"
    ),
    row!(
        "file.set_mode",
        Writes,
        [need("path"), need("mode")],
        set_mode,
        "Sets the permission bits of a path, and gives them.\n\n    ctl run '*' file.set_mode /etc/shadow 0640"
    ),
    row!(
        "file.user_to_uid",
        Reads,
        [need("user")],
        |context, bound| Ok(id_of(context, bound.value("user"), accounts::uid)),
        "Gives the number of a user, or an empty text.\n\n    ctl run '*' file.user_to_uid root"
    ),
    row!(
        "file.group_to_gid",
        Reads,
        [need("group")],
        |context, bound| Ok(id_of(context, bound.value("group"), accounts::gid)),
        "Gives the number of a group, or an empty text.\n\n    ctl run '*' file.group_to_gid adm"
    ),
    row!(
        "file.uid_to_user",
        Reads,
        [need("uid")],
        |context, bound| Ok(name_of(bound.value("uid"), |uid| accounts::user_name(context.look, uid))),
        "Gives the name of a user, or the number where there is none.\n\n    ctl run '*' file.uid_to_user 0"
    ),
    row!(
        "file.gid_to_group",
        Reads,
        [need("gid")],
        |context, bound| Ok(name_of(bound.value("gid"), |gid| accounts::group_name(context.look, gid))),
        "Gives the name of a group, or the number where there is none.\n\n    ctl run '*' file.gid_to_group 0"
    ),
    row!(
        "file.access",
        Reads,
        [need("path"), need("mode")],
        access,
        "Tells whether the minion may read (`r`), write (`w`) or run (`x`) a path, or whether it exists (`f`).\n\n    \
         ctl run '*' file.access /etc/shadow r"
    ),
    row!(
        "file.check_perms",
        Writes,
        [
            need("name"),
            need("ret"),
            need("user"),
            need("group"),
            need("mode"),
            with("attrs", "None"),
            with("follow_symlinks", "False"),
            with("seuser", "None"),
            with("serole", "None"),
            with("setype", "None"),
            with("serange", "None"),
        ],
        check_perms,
        "Makes a path have an owner, a group and a mode, and tells what had to be changed and what was there.\n\n    \
         ctl run '*' file.check_perms /etc/sudoers '{}' root root 400"
    ),
    row!(
        "file.lsattr",
        Reads,
        [need("path")],
        lsattr,
        "Shows the attributes of files on an ext file system, as `lsattr` does.\n\n    ctl run '*' file.lsattr /etc/motd"
    ),
    row!(
        "file.chattr",
        Writes,
        [REST, NAMED],
        chattr,
        "Adds or removes attributes of files on an ext file system, as `chattr` does.\n\n    \
         ctl run '*' file.chattr /etc/motd operator=add attributes=i"
    ),
    row!(
        "file.get_selinux_context",
        Reads,
        [need("path")],
        |context, bound| selinux_context(context, &path(bound, "path")?),
        "Gives the SELinux context of a path.\n\n    ctl run '*' file.get_selinux_context /etc/hosts"
    ),
    row!(
        "file.set_selinux_context",
        Writes,
        [
            need("path"),
            with("user", "None"),
            with("role", "None"),
            with("type", "None"),
            with("range", "None"),
            with("persist", "False"),
        ],
        set_selinux_context,
        "Sets parts of the SELinux context of a path, until it is relabelled.\n\n    \
         ctl run '*' file.set_selinux_context /srv/www type=httpd_sys_content_t"
    ),
    row!(
        "file.restorecon",
        Writes,
        [need("path"), with("recursive", "False")],
        |context, bound| {
            let option = if bound.flag("recursive", false) { "-FR" } else { "-F" };
            let words = ["restorecon", option, "--", &path(bound, "path")?];
            Ok((super::run(context, &words)?.code == 0).into())
        },
        "Gives a path the SELinux context that the policy has for it.\n\n    ctl run '*' file.restorecon /etc/hosts"
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Follow {
    Yes,
    No,
}

/// A number, or a name that is looked up; an empty text for one that is not known.
fn id_of(context: &Context<'_>, value: Option<&Value>, find: fn(&dyn states::Look, &str) -> Option<u32>) -> Value {
    match value {
        None => "".into(),
        Some(Value::Number(number)) => number.clone().into(),
        // As Salt has it, digits in a text are a name.
        Some(other) => {
            let name = text_of(other);
            let digits = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
            find(context.look, &name).filter(|_| !digits).map_or_else(|| "".into(), Value::from)
        }
    }
}

fn name_of(id: Option<&Value>, find: impl Fn(u32) -> String) -> Value {
    let Some(id) = id else { return Value::Null };
    let number = id.as_u64().or_else(|| id.as_str()?.parse().ok()).and_then(|number| u32::try_from(number).ok());
    match number.map(|number| (number, find(number))) {
        Some((number, name)) if name == number.to_string() => number.into(),
        Some((_, name)) => name.into(),
        None => id.clone(),
    }
}

/// The owner and group of a call: `None` leaves one as it is.
fn owners(context: &Context<'_>, bound: &Bound) -> Result<(Option<u32>, Option<u32>), String> {
    let mut why = String::new();
    let mut one = |key: &str, what: &str, find: fn(&dyn states::Look, &str) -> Option<u32>| {
        let given = bound.value(key).filter(|value| !text_of(value).is_empty() && value.as_i64() != Some(-1))?;
        let id = find(context.look, &text_of(given));
        if id.is_none() {
            why.push_str(&format!("{what} does not exist\n"));
        }
        id
    };
    let found = (one("user", "User", accounts::uid), one("group", "Group", accounts::gid));
    if why.is_empty() { Ok(found) } else { Err(why) }
}

fn own(context: &Context<'_>, bound: &Bound, follow: Follow) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let host = context.host()?;
    let ((uid, gid), mut why) = match owners(context, bound) {
        Ok(found) => (found, String::new()),
        Err(why) => ((None, None), why),
    };
    let target = match follow {
        Follow::No => Path::new(&name).to_owned(),
        // A link that leads nowhere is changed itself.
        Follow::Yes => {
            followed(context.look, Path::new(&name)).map_or_else(|_| Path::new(&name).into(), |(path, _)| path)
        }
    };
    if let Err(error) = context.look.stat(&target) {
        if follow == Follow::No {
            return Err(system(&name, &error));
        }
        why.push_str("File not found");
    }
    if !why.is_empty() {
        return Ok(why.into());
    }
    host.set_owner(&target, uid, gid).map_err(|error| system(&name, &error))?;
    Ok(Value::Null)
}

/// A mode as Salt's functions take it: a text, or a number whose digits are octal.
pub fn mode_of(value: &Value) -> Option<u32> {
    parse_mode(text_of(value).trim_start_matches(['0', 'o', 'O']))
        .or_else(|| text_of(value).chars().all(|c| matches!(c, '0' | 'o' | 'O')).then_some(0))
}

pub fn shown(mode: u32) -> Value {
    format!("{mode:04o}").into()
}

fn set_mode(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let (target, _) =
        followed(context.look, Path::new(&name)).map_err(|_| CallError::failed(format!("{name}: File not found")))?;
    let given = bound.value("mode").cloned().unwrap_or_default();
    let Some(mode) = mode_of(&given) else { return Ok(format!("Invalid Mode {}", text_of(&given)).into()) };
    context.host()?.set_mode(&target, mode).map_err(|error| system(&name, &error))?;
    Ok(shown(context.look.stat(&target).map_err(|error| system(&name, &error))?.mode))
}

fn access(_: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if !name.starts_with('/') {
        return Err(CallError::arguments("Path to link must be absolute."));
    }
    let asked = match bound.need_text("mode")?.as_str() {
        "f" | "0" => Access::EXISTS,
        "r" | "4" => Access::READ_OK,
        "w" | "2" => Access::WRITE_OK,
        "x" | "1" => Access::EXEC_OK,
        _ => return Err(CallError::arguments("Invalid mode specified.")),
    };
    Ok(rustix::fs::access(&name, asked).is_ok().into())
}

fn check_perms(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "name")?;
    let refused = ["attrs", "seuser", "serole", "setype", "serange"].into_iter().find(|key| bound.has(key));
    if let Some(key) = refused {
        return Err(CallError::arguments(format!("file.check_perms: {key} is not available here")));
    }
    let follow = bound.flag("follow_symlinks", false);
    let target = match follow {
        true => followed(context.look, Path::new(&name)).map(|(path, _)| path),
        false => Ok(Path::new(&name).to_owned()),
    };
    let found = target.and_then(|target| Ok((context.look.stat(&target)?, target)));
    let (stat, target) = found.map_err(|_| CallError::failed(format!("{name} does not exist")))?;
    let (uid, gid) = match owners(context, bound) {
        Ok(found) => found,
        Err(why) => return Err(CallError::failed(why.trim_end().to_owned())),
    };
    let mode = bound.value("mode").and_then(mode_of).filter(|_| stat.kind != Kind::Symlink);
    let test = context.opts.get("test").is_some_and(crate::exec::bind::truth);
    let mut changes = serde_json::Map::new();
    let mut perms = json!({
        "luser": accounts::user_name(context.look, stat.uid),
        "lgroup": accounts::group_name(context.look, stat.gid),
        "lmode": shown(stat.mode),
    });
    let mut note = |key: &str, value: Value| {
        perms[format!("c{key}")] = value.clone();
        changes.insert(key.to_owned(), value);
    };
    if uid.is_some_and(|uid| uid != stat.uid) {
        note("user", bound.value("user").cloned().unwrap_or_default());
    }
    if gid.is_some_and(|gid| gid != stat.gid) {
        note("group", bound.value("group").cloned().unwrap_or_default());
    }
    if let Some(mode) = mode.filter(|mode| *mode != stat.mode) {
        note("mode", shown(mode));
    }
    if !test && !changes.is_empty() {
        set(context.host()?, &target, (uid, gid), mode.unwrap_or(stat.mode), stat.kind)
            .map_err(|error| system(&name, &error))?;
    }
    let mut ret = match bound.value("ret") {
        Some(Value::Object(given)) if !given.is_empty() => Value::Object(given.clone()),
        _ => json!({"name": name, "changes": {}, "comment": "", "result": true}),
    };
    if test && !changes.is_empty() {
        ret["result"] = Value::Null;
    }
    match ret.get_mut("changes").and_then(Value::as_object_mut) {
        Some(known) => known.extend(changes),
        None => ret["changes"] = changes.into(),
    }
    Ok(json!([ret, perms]))
}

fn set(host: &dyn Host, path: &Path, (uid, gid): (Option<u32>, Option<u32>), mode: u32, kind: Kind) -> io::Result<()> {
    if uid.is_some() || gid.is_some() {
        host.set_owner(path, uid, gid)?;
    }
    // Changing the owner clears the set-user-id bit.
    if kind == Kind::Symlink { Ok(()) } else { host.set_mode(path, mode) }
}

fn lsattr(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if context.look.which("lsattr").is_none() {
        return Ok(Value::Null);
    }
    if context.look.stat(Path::new(&name)).is_err() {
        return Err(CallError::arguments(format!("File or directory does not exist: {name}")));
    }
    let said = super::probe(context, &["lsattr", "--", &name])?;
    let row = |line: &str| {
        let (attributes, file) = line.split_once(char::is_whitespace)?;
        let known = attributes.chars().filter(|c| "aAcCdDeijPsStTu".contains(*c)).map(String::from);
        Some((file.trim().to_owned(), known.collect::<Value>()))
    };
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    Ok(text.lines().filter_map(row).collect::<proto::Map>().into())
}

fn chattr(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let given = |key: &str| bound.named.get(key).filter(|value| !value.is_null()).map(text_of);
    let sign = match given("operator").as_deref() {
        Some("add") => '+',
        Some("remove") => '-',
        _ => return Err(CallError::arguments("Need an operator: 'add' or 'remove' to modify attributes.")),
    };
    let attributes = given("attributes").ok_or_else(|| CallError::arguments("Need attributes: [aAcCdDeijPsStTu]"))?;
    let mut words = vec!["chattr".to_owned(), format!("{sign}{attributes}")];
    words.extend(given("flags").map(|flags| format!("-{flags}")));
    words.extend(given("version").into_iter().flat_map(|version| ["-v".to_owned(), version]));
    words.push("--".into());
    words.extend(bound.rest.iter().map(text_of));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = super::run(context, &words)?;
    Ok((output.stdout.is_empty() && output.stderr.is_empty() && output.code == 0).into())
}

fn selinux_context(context: &Context<'_>, name: &str) -> Result<Value, CallError> {
    let output = super::probe(context, &["stat", "-c", "%C", "--", name])?;
    Ok(match output.code {
        0 => String::from_utf8_lossy(&output.stdout).trim_end().into(),
        _ => format!("No selinux context information is available for {name}").into(),
    })
}

fn set_selinux_context(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = absolute(bound, "path")?;
    if bound.flag("persist", false) {
        return Err(CallError::arguments("persist: rules of the policy cannot be added here; use semanage fcontext"));
    }
    let mut words = vec!["chcon".to_owned()];
    for (key, option) in [("user", "-u"), ("role", "-r"), ("type", "-t"), ("range", "-l")] {
        words.extend(bound.text(key)?.into_iter().flat_map(|text| [option.to_owned(), text]));
    }
    if words.len() == 1 {
        return Ok(false.into());
    }
    words.extend(["--".to_owned(), name.clone()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match super::run(context, &words)?.code {
        0 => selinux_context(context, &name),
        _ => Ok(false.into()),
    }
}
