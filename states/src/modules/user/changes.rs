//! What has to change of a user for it to be as a state wants it.

use proto::{Map, Value};
use serde_json::json;

use crate::{
    Look,
    plan::{Call, StateError, failed},
    resource::{
        accounts,
        crypt::{self, Kind},
        files,
        users::{self, Shadow},
    },
    value,
};

/// The limits of a password's age: Salt's argument, and its name in `shadow.info`.
pub const AGES: [(&str, &str); 6] = [
    ("date", "lstchg"),
    ("mindays", "min"),
    ("maxdays", "max"),
    ("inactdays", "inact"),
    ("warndays", "warn"),
    ("expire", "expire"),
];

/// What a user is to be.
#[derive(Clone)]
pub struct Wanted {
    pub name: String,
    pub uid: Option<i64>,
    /// A name or a number.
    pub gid: Option<Value>,
    pub user_group: Option<bool>,
    pub groups: Option<Vec<String>>,
    pub optional: Vec<String>,
    pub remove_groups: bool,
    pub home: Option<String>,
    pub create_home: bool,
    pub persist_home: bool,
    pub password: Option<String>,
    pub enforce_password: bool,
    pub empty_password: bool,
    pub shell: Option<String>,
    pub office: Vec<(&'static str, String)>,
    pub ages: Vec<(&'static str, i64)>,
    pub allow_uid: bool,
    pub allow_gid: bool,
    pub lock: Option<bool>,
}

impl Wanted {
    pub fn of(call: &Call<'_>, name: String) -> Result<Self, StateError> {
        let uid = match call.value("uid") {
            None => None,
            Some(_) => Some(call.int("uid").ok_or_else(|| StateError::failed("Invalid uid"))?),
        };
        Ok(Self {
            uid,
            gid: call.value("gid").cloned(),
            user_group: call.value("usergroup").map(|_| call.flag("usergroup", false)),
            groups: call.value("groups").map(|_| call.list("groups")),
            optional: call.list("optional_groups"),
            remove_groups: call.flag("remove_groups", true),
            home: call.some_text("home"),
            create_home: call.flag("createhome", true),
            persist_home: call.flag("persist_home", false),
            password: password(call, &name),
            enforce_password: call.flag("enforce_password", true),
            empty_password: call.flag("empty_password", false),
            shell: call.some_text("shell"),
            office: users::GECOS.into_iter().filter_map(|field| Some((field, call.text(field)?))).collect(),
            ages: AGES.into_iter().filter_map(|(key, _)| Some((key, call.int(key)?))).collect(),
            allow_uid: call.flag("allow_uid_change", false),
            allow_gid: call.flag("allow_gid_change", false),
            lock: call.value("password_lock").map(|_| call.flag("password_lock", false)),
            name,
        })
    }

    pub fn office(&self, field: &str) -> Option<&String> {
        self.office.iter().find(|(known, _)| *known == field).map(|(_, text)| text)
    }

    /// The groups that are asked for, by name.
    pub fn all_groups(&self) -> Vec<String> {
        let mut all: Vec<String> = self.groups.iter().flatten().chain(&self.optional).cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// What has to change, in Salt's order; `None` where there is no such user.
    pub fn changes(&self, look: &dyn Look) -> Result<Option<Map>, StateError> {
        let Some(user) = accounts::user(look, &self.name) else { return Ok(None) };
        let info = users::info(look, &self.name).unwrap_or_default();
        let mut changes = Map::new();
        if let Some(uid) = self.uid.filter(|uid| *uid != 0 && *uid != i64::from(user.uid)) {
            changes.insert("uid".into(), uid.into());
        }
        let gid = self.gid(look);
        if let Some(gid) = gid.as_ref().filter(|gid| accounts::gid(look, &value::python_str(gid)) != Some(user.gid)) {
            changes.insert("gid".into(), gid.clone());
        }
        if let Some(groups) = self.group_changes(look, user.gid, gid.as_ref()) {
            changes.insert("groups".into(), json!(groups));
        }
        let mut differing = |key: &str, wanted: Option<&String>, has: &str| {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != has) {
                changes.insert(key.into(), wanted.as_str().into());
            }
        };
        differing("home", self.home.as_ref(), &user.home);
        let home = self.home.as_ref().unwrap_or(&user.home);
        if self.create_home && !files::is_dir(look, home.as_ref()) {
            differing("homeDoesNotExist", Some(home), "");
        }
        differing("shell", self.shell.as_ref(), &user.shell);
        if let Some(shadow) = Shadow::of(look, &self.name) {
            self.shadow_changes(&shadow, &mut changes);
        }
        for (field, text) in &self.office {
            if info.get(*field).and_then(Value::as_str) != Some(text) {
                changes.insert((*field).into(), text.as_str().into());
            }
        }
        self.permitted(user.uid, user.gid, changes).map(Some)
    }

    /// `usergroup` stands for a group of the user's own name, where there is one.
    fn gid(&self, look: &dyn Look) -> Option<Value> {
        let own = || self.user_group == Some(true) && accounts::group(look, &self.name).is_some();
        if own() { Some(self.name.as_str().into()) } else { self.gid.clone() }
    }

    fn permitted(&self, uid: u32, gid: u32, changes: Map) -> Result<Map, StateError> {
        let mut refused = String::new();
        for (key, allowed, old) in [("uid", self.allow_uid, uid), ("gid", self.allow_gid, gid)] {
            if let Some(new) = changes.get(key).filter(|_| !allowed) {
                refused.push_str(&format!(
                    "- Changing {key} ({old} -> {}) not permitted, set allow_{key}_change to True to force this \
                     change. Note that this will not change file ownership.\n",
                    value::python_str(new)
                ));
            }
        }
        match refused.is_empty() {
            true => Ok(changes),
            false => failed(format!(
                "Encountered error checking for needed changes. Additional info follows:\n\n{}",
                refused.trim_end()
            )),
        }
    }

    /// The groups a user is to be in besides its own, if they are not those that it is in.
    fn group_changes(&self, look: &dyn Look, old: u32, gid: Option<&Value>) -> Option<Vec<String>> {
        let mut now = users::groups(look, &self.name);
        let mut wanted = self.all_groups();
        if !self.remove_groups || self.groups.is_none() && self.optional.is_empty() {
            wanted.extend(now.iter().cloned());
            wanted.sort();
            wanted.dedup();
        }
        let old = accounts::group_name(look, old);
        let default = gid.map_or_else(
            || old.clone(),
            |gid| match gid.as_u64().and_then(|gid| u32::try_from(gid).ok()) {
                Some(gid) => accounts::group_name(look, gid),
                None => value::python_str(gid),
            },
        );
        now.retain(|group| *group != default && *group != old);
        wanted.retain(|group| *group != default);
        if !wanted.contains(&self.name) {
            now.retain(|group| *group != self.name);
        }
        let same = now == wanted || !self.remove_groups && wanted.iter().all(|group| now.contains(group));
        (!same).then_some(wanted)
    }

    fn shadow_changes(&self, shadow: &Shadow, changes: &mut Map) {
        if let Some(password) = self.password.as_ref().filter(|hash| !hash.is_empty() && !self.empty_password)
            && (shadow.passwd == "!" || self.enforce_password)
            && shadow.passwd != *password
        {
            changes.insert("passwd".into(), password.as_str().into());
        }
        if self.empty_password && !shadow.passwd.is_empty() {
            changes.insert("empty_password".into(), true.into());
        }
        let now = shadow.map(&self.name);
        for (key, field) in AGES {
            let wanted = self.ages.iter().find(|(known, _)| *known == key).map(|(_, days)| *days);
            let wanted = wanted.filter(|days| key != "expire" || *days != 0);
            if let Some(days) = wanted.filter(|days| now.get(field).and_then(Value::as_i64) != Some(*days)) {
                changes.insert(key.into(), days.into());
            }
        }
        if let Some(lock) = self.lock.filter(|lock| *lock != shadow.passwd.starts_with('!')) {
            changes.insert("password_lock".into(), lock.into());
        }
    }
}

/// The password's hash. One that is made here takes the salt of the one that is there, so that it stays.
fn password(call: &Call<'_>, name: &str) -> Option<String> {
    let given = call.some_text("password")?;
    if !call.flag("hash_password", false) {
        return Some(given);
    }
    let known = Shadow::of(call.look, name).map(|shadow| shadow.passwd).unwrap_or_default();
    let parts: Vec<&str> = known.splitn(4, '$').collect();
    Some(match (&parts[..], parts.get(1).and_then(|number| Kind::parse(number))) {
        (["", _, salt, _], Some(kind)) => crypt::hash(kind, &given, salt),
        _ => crypt::hash(Kind::Sha512, &given, &crypt::salt()),
    })
}
