//! Owner, group and mode of a state's arguments.

use crate::{
    Look,
    plan::{Call, StateError, failed},
    resource::{accounts, files::Permissions, files::parse_mode},
};

/// Stands for a user that an earlier state of a dry run makes.
const NOT_YET: u32 = u32::MAX;

/// What `user`, `group` and the mode in `mode` ask for.
pub fn permissions(call: &Call<'_>, mode: &str) -> Result<Permissions, StateError> {
    let (user, group) = (call.some_text("user"), call.some_text("group"));
    let mode = match call.some_text(mode) {
        Some(text) if text.eq_ignore_ascii_case("keep") => None,
        Some(text) => match parse_mode(&text) {
            Some(mode) => Some(mode),
            None => return failed(format!("Invalid mode: '{text}'")),
        },
        None => None,
    };
    let found_user = user.as_deref().map(|name| find_user(call.look, name));
    let found_group = group.as_deref().map(|name| find_group(call.look, name));
    let mut missing = String::new();
    if let (Some(name), Some(None)) = (&user, &found_user) {
        missing.push_str(&format!("User {name} is not available "));
    }
    if let (Some(name), Some(None)) = (&group, &found_group) {
        missing.push_str(&format!("Group {name} is not available"));
    }
    if !missing.is_empty() {
        return failed(missing);
    }
    Ok(Permissions { user: user.zip(found_user.flatten()), group: group.zip(found_group.flatten()), mode })
}

fn find_user(look: &dyn Look, name: &str) -> Option<u32> {
    let expected = || (accounts::user_expected(look, name) || look.expects_packages()).then_some(NOT_YET);
    accounts::uid(look, name).or_else(expected)
}

fn find_group(look: &dyn Look, name: &str) -> Option<u32> {
    let expected = || (accounts::group_expected(look, name) || look.expects_packages()).then_some(NOT_YET);
    accounts::gid(look, name).or_else(expected)
}
