//! `group.*` beyond what `states::functions` reads. Salt's `modules/groupadd.py`.

use proto::Value;
use states::{
    CallError, Context, Function,
    resource::{accounts, groups},
};

use super::{
    bind::{Bound, need, row, text_of, with},
    user::{checked, here, names, told},
};

pub static TABLE: &[Function] = &[
    row!(
        "group.add",
        Writes,
        [
            need("name"),
            with("gid", "None"),
            with("system", "False"),
            with("root", "None"),
            with("non_unique", "False"),
            with("local", "False"),
        ],
        |context, bound| {
            let new = groups::New {
                gid: number(bound, "gid")?,
                system: bound.flag("system", false),
                non_unique: bound.flag("non_unique", false),
                local: bound.flag("local", false),
            };
            told(groups::add(context.host()?, &name(bound)?, &new))
        },
        "Makes a group.\n\n    ctl run '*' group.add app gid=3456"
    ),
    row!(
        "group.delete",
        Writes,
        [need("name"), with("root", "None"), with("local", "False")],
        |context, bound| told(groups::delete(context.host()?, &name(bound)?, bound.flag("local", false))),
        "Removes a group.\n\n    ctl run '*' group.delete app"
    ),
    row!(
        "group.chgid",
        Writes,
        [need("name"), need("gid"), with("root", "None"), with("non_unique", "False")],
        |context, bound| {
            let name = name(bound)?;
            let gid = number(bound, "gid")?.ok_or_else(|| CallError::arguments("gid must be a number"))?;
            let now = |context: &Context<'_>| accounts::group(context.look, &name).map(|group| group.gid);
            match now(context) {
                None => return Ok(false.into()),
                Some(before) if before == gid => return Ok(true.into()),
                Some(_) => {}
            }
            told(groups::change_gid(context.host()?, &name, gid, bound.flag("non_unique", false)))?;
            Ok((now(context) == Some(gid)).into())
        },
        "Gives a group another number.\n\n    ctl run '*' group.chgid app 4376"
    ),
    row!(
        "group.adduser",
        Writes,
        [need("name"), need("username"), with("root", "None")],
        |context, bound| told(groups::add_user(
            context.host()?,
            &name(bound)?,
            &checked(bound.need_text("username")?)?
        )),
        "Puts a user into a group.\n\n    ctl run '*' group.adduser adm app"
    ),
    row!(
        "group.deluser",
        Writes,
        [need("name"), need("username"), with("root", "None")],
        |context, bound| {
            let (name, user) = (name(bound)?, checked(bound.need_text("username")?)?);
            let group = accounts::group(context.look, &name);
            // Who is not in it need not be taken out.
            match group.is_some_and(|group| group.members.contains(&user)) {
                true => told(groups::remove_user(context.host()?, &name, &user)),
                false => Ok(true.into()),
            }
        },
        "Takes a user out of a group.\n\n    ctl run '*' group.deluser adm app"
    ),
    row!(
        "group.members",
        Writes,
        [need("name"), need("members_list"), with("root", "None")],
        |context, bound| told(groups::set_members(context.host()?, &name(bound)?, &names(bound, "members_list")?)),
        "Makes these users the only members of a group.\n\n    ctl run '*' group.members adm app,app2"
    ),
    row!(
        "group.getent",
        Reads,
        [with("refresh", "False"), with("root", "None")],
        |context, bound| {
            here(bound)?;
            let all = accounts::groups(context.look);
            Ok(all.iter().filter_map(|group| groups::info(context.look, &group.name)).map(Value::Object).collect())
        },
        "Shows all groups.\n\n    ctl run '*' group.getent"
    ),
];

fn name(bound: &Bound) -> Result<String, CallError> {
    here(bound)?;
    checked(bound.need_text("name")?)
}

fn number(bound: &Bound, key: &str) -> Result<Option<u32>, CallError> {
    let Some(value) = bound.value(key) else { return Ok(None) };
    let number = text_of(value).trim().parse();
    number.map(Some).map_err(|_| CallError::arguments(format!("{key} must be a number, not {}", text_of(value))))
}
