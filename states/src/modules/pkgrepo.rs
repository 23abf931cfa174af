//! `pkgrepo.*`: where packages come from.

mod apt;
#[cfg(test)]
mod tests;
mod yum;

use proto::Value;

use super::params::pkgrepo as params;
use crate::plan::{Call, Plan, State, StateError, StateModule, failed};

pub const MODULE: StateModule = StateModule {
    name: "pkgrepo",
    states: &[
        State {
            name: "managed",
            doc: "Makes sure that packages come from a repository.\n\n    deb [signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian bookworm stable:\n      pkgrepo.managed:\n        - file: /etc/apt/sources.list.d/docker.list\n        - key_url: https://download.docker.com/linux/debian/gpg",
            params: params::MANAGED,
            plan: |call| dispatch(call, apt::managed, yum::managed),
        },
        State {
            name: "absent",
            doc: "Makes sure that packages do not come from a repository.\n\n    deb http://ppa.example.com/ubuntu focal main:\n      pkgrepo.absent",
            params: params::ABSENT,
            plan: |call| dispatch(call, apt::absent, yum::absent),
        },
    ],
    watch: None,
};

type Way = fn(&Call<'_>) -> Result<Plan, StateError>;

fn dispatch(call: &Call<'_>, apt: Way, yum: Way) -> Result<Plan, StateError> {
    if call.value("ppa").is_some() || call.name().starts_with("ppa:") {
        return failed(
            "ppa: is not available here, since it asks Launchpad what it stands for; name the repository's line and \
             its key instead",
        );
    }
    let family = call.look.grains().get("os_family").and_then(Value::as_str).unwrap_or("");
    // Elsewhere the argument says nothing, as in Salt.
    if family != "Debian" && (call.value("copr").is_some() || call.name().starts_with("copr:")) {
        return failed("copr: is not available here; name the repository's baseurl and gpgkey instead");
    }
    match family {
        "Debian" => apt(call),
        "RedHat" | "Suse" | "Amazon" => yum(call),
        _ => failed("Repo management not implemented on this platform"),
    }
}

/// Arguments that contradict one another.
fn check(call: &Call<'_>) -> Result<(), StateError> {
    let given = |key: &str| call.value(key).is_some();
    if given("key_url") && (given("keyid") || given("keyserver")) {
        return failed("You may not use both \"keyid\"/\"keyserver\" and \"key_url\" argument.");
    }
    if given("key_text") && (given("keyid") || given("keyserver")) {
        return failed("You may not use both \"keyid\"/\"keyserver\" and \"key_text\" argument.");
    }
    if given("key_text") && given("key_url") {
        return failed("You may not use both \"key_url\" and \"key_text\" argument.");
    }
    if given("repo") {
        return failed(
            "'repo' is not a supported argument for this state. The 'name' argument is probably what was intended.",
        );
    }
    if given("enabled") && given("disabled") {
        return failed("Only one of enabled/disabled is allowed");
    }
    let insecure = call.text("key_url").is_some_and(|url| url.trim().starts_with("http:"));
    if insecure && !call.flag("allow_insecure_key", true) {
        return failed("Cannot have 'key_url' using http with 'allow_insecure_key' set to True");
    }
    Ok(())
}

/// Whether the repository is to be used.
fn enabled(call: &Call<'_>) -> bool {
    let truth = |key: &str| match call.text(key).unwrap_or_default().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => true,
        text => text.parse::<i64>().is_ok_and(|number| number != 0),
    };
    match (call.value("enabled").is_some(), call.value("disabled").is_some()) {
        (true, _) => truth("enabled"),
        (_, true) => !truth("disabled"),
        _ => true,
    }
}

const WOULD: &str = "would be configured. This may cause pkg states to behave differently than stated if this action \
                     is repeated without test=True, due to the differences in the configured repositories.";
const WILL: &str = "will be removed. This may cause pkg states to behave differently than stated if this action is \
                    repeated without test=True, due to the differences in the configured repositories.";
