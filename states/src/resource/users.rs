//! Users of the host, changed by the tools of `shadow-utils`.

use proto::{Map, Value};
use serde_json::json;

use super::{
    accounts,
    command::{program, run},
};
use crate::{Command, Host, Look, look::Expected, plan::StateError};

/// The five fields of a user's full name.
pub const GECOS: [&str; 5] = ["fullname", "roomnumber", "workphone", "homephone", "other"];

/// A user as `user.info` shows it; none if there is none.
pub fn info(look: &dyn Look, name: &str) -> Option<Map> {
    let user = accounts::user(look, name)?;
    let mut office = user.fullname.splitn(5, ',').map(str::to_owned);
    let mut info = json!({
        "gid": user.gid, "groups": groups(look, name), "home": user.home, "name": user.name, "passwd": "x",
        "shell": user.shell, "uid": user.uid,
    });
    let map = info.as_object_mut()?;
    for field in GECOS {
        map.insert(field.into(), office.next().unwrap_or_default().into());
    }
    Some(map.clone())
}

/// The groups of a user, that of its own row among them, by name.
pub fn groups(look: &dyn Look, name: &str) -> Vec<String> {
    let own = accounts::user(look, name).map(|user| user.gid);
    let is_in = |group: &accounts::Group| Some(group.gid) == own || group.members.iter().any(|member| member == name);
    let mut found: Vec<String> = accounts::groups(look).into_iter().filter(is_in).map(|group| group.name).collect();
    found.sort();
    found.dedup();
    found
}

/// A row of `/etc/shadow`, as `shadow.info` shows it; -1 stands for a field without a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    pub passwd: String,
    pub lstchg: i64,
    pub min: i64,
    pub max: i64,
    pub warn: i64,
    pub inact: i64,
    pub expire: i64,
}

impl Shadow {
    pub fn of(look: &dyn Look, name: &str) -> Option<Self> {
        let bytes = look.read("/etc/shadow".as_ref(), 16 << 20).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let row =
            text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|row| row.first() == Some(&name))?;
        let number = |at: usize| row.get(at).and_then(|field| field.parse().ok()).unwrap_or(-1);
        Some(Self {
            passwd: row.get(1).copied().unwrap_or_default().to_owned(),
            lstchg: number(2),
            min: number(3),
            max: number(4),
            warn: number(5),
            inact: number(6),
            expire: number(7),
        })
    }

    /// `shadow.info`.
    pub fn map(&self, name: &str) -> Map {
        let shown = json!({
            "name": name, "passwd": self.passwd, "lstchg": self.lstchg, "min": self.min, "max": self.max,
            "warn": self.warn, "inact": self.inact, "expire": self.expire,
        });
        shown.as_object().cloned().unwrap_or_default()
    }
}

/// How a user is made.
#[derive(Debug, Clone, Default)]
pub struct New {
    pub uid: Option<String>,
    pub gid: Option<String>,
    pub groups: Vec<String>,
    pub home: Option<String>,
    pub shell: Option<String>,
    pub non_unique: bool,
    pub system: bool,
    pub create_home: bool,
    pub no_log_init: bool,
    /// Whether a group of the same name is made; as the system has it, if none.
    pub user_group: Option<bool>,
    /// By `luseradd`, past what the network says of users.
    pub local: bool,
    /// Full name and its kin, by name of the field.
    pub office: Vec<(&'static str, String)>,
}

/// Makes a user. Gives whether it went well, as `user.add` does.
pub fn add(host: &dyn Host, name: &str, new: &New) -> Result<bool, StateError> {
    let own_group = own_group(host, name, new);
    let mut argv = vec![if new.local { "luseradd" } else { "useradd" }];
    let mut words: Vec<String> = Vec::new();
    let mut with = |flag: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            words.extend([flag.to_owned(), value.clone()]);
        }
    };
    with("-s", new.shell.as_ref());
    with("-u", new.uid.as_ref());
    with("-g", new.gid.as_ref().or(own_group.as_ref()));
    with("-d", new.home.as_ref());
    argv.extend(words.iter().map(String::as_str));
    let flags = [
        (new.gid.is_none() && new.user_group == Some(true) && !new.local, "-U"),
        (new.user_group == Some(false), if new.local { "-n" } else { "-N" }),
        (new.create_home && !new.local, "-m"),
        (!new.create_home, "-M"),
        (new.no_log_init, "-l"),
        (new.non_unique, "-o"),
        (new.system, "-r"),
    ];
    argv.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag));
    argv.push(name);
    host.expect(Expected::User(name.to_owned()));
    if run(host, &argv)?.code != 0 {
        return Ok(false);
    }
    if !new.groups.is_empty() {
        set_groups(host, name, &new.groups, false)?;
    }
    for (field, text) in new.office.iter().filter(|(_, text)| !text.is_empty()) {
        set_office(host, name, field, text)?;
    }
    Ok(true)
}

/// A user who is to be in a group of its own name, which is there, gets it as its first.
fn own_group(look: &dyn Look, name: &str, new: &New) -> Option<String> {
    if new.user_group == Some(true) || !new.groups.iter().any(|group| group == name) {
        return None;
    }
    let bytes = look.read("/etc/login.defs".as_ref(), 1 << 20).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let line = text.lines().find(|line| line.get(..15).unwrap_or(line).contains("USERGROUPS_ENAB"))?;
    line.contains("yes").then(|| accounts::gid(look, name).map(|gid| gid.to_string()))?
}

/// Removes a user, with its home folder and mail if `purge`.
pub fn delete(host: &dyn Host, name: &str, purge: bool, force: bool, local: bool) -> Result<bool, StateError> {
    let mut argv = vec![if local { "luserdel" } else { "userdel" }];
    argv.extend(purge.then_some("-r"));
    argv.extend((force && !local).then_some("-f"));
    argv.push(name);
    let output = run(host, &argv)?;
    // Debian's userdel fails this way where there is no mail to remove.
    let no_mail = output.code == 12
        && host.grains().get("os_family").and_then(Value::as_str) == Some("Debian")
        && ["var/mail", "var/spool/mail"].iter().any(|part| String::from_utf8_lossy(&output.stderr).contains(part));
    Ok(output.code == 0 || no_mail)
}

/// What `usermod` can change of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Uid,
    Gid,
    Shell,
    Home,
}

/// Changes one field. `persist` takes what is in the home folder along.
pub fn set(host: &dyn Host, name: &str, field: Field, value: &str, persist: bool) -> Result<bool, StateError> {
    let flag = match field {
        Field::Uid => "-u",
        Field::Gid => "-g",
        Field::Shell => "-s",
        Field::Home => "-d",
    };
    let mut argv = vec!["usermod"];
    argv.extend(persist.then_some("-m"));
    argv.extend([flag, value, name]);
    Ok(run(host, &argv)?.code == 0)
}

/// Puts a user into groups: in these only, or in these besides its others.
pub fn set_groups(host: &dyn Host, name: &str, groups: &[String], append: bool) -> Result<bool, StateError> {
    let mut now = self::groups(host, name);
    let mut wanted = groups.to_vec();
    now.sort();
    wanted.sort();
    if now == wanted {
        return Ok(true);
    }
    let list = groups.join(",");
    let mut argv = vec!["usermod"];
    argv.extend(append.then_some("-a"));
    argv.extend(["-G", &list, name]);
    Ok(run(host, &argv)?.code == 0)
}

/// Changes one of the fields of the full name.
pub fn set_office(host: &dyn Host, name: &str, field: &str, text: &str) -> Result<bool, StateError> {
    let Some(mut now) = info(host, name) else { return Ok(false) };
    now.insert(field.to_owned(), text.into());
    let fields = GECOS.map(|field| now.get(field).and_then(Value::as_str).unwrap_or("").to_owned());
    let line = fields.join(",");
    Ok(run(host, &["usermod", "-c", line.trim_end_matches(','), name])?.code == 0)
}

/// Sets a password's hash. It goes through standard input: others can see command lines.
pub fn set_password(host: &dyn Host, name: &str, hash: &str) -> Result<bool, StateError> {
    if hash.contains(['\n', ':']) {
        return Err(StateError::failed("a password's hash has no colon and no line end"));
    }
    let stdin = Some(format!("{name}:{hash}\n").into_bytes());
    let command = Command { stdin, ..program(&["chpasswd", "-e"]) };
    Ok(host.run(&command).map_err(|why| StateError::failed(why.to_string()))?.code == 0)
}

pub fn delete_password(host: &dyn Host, name: &str) -> Result<bool, StateError> {
    Ok(run(host, &["passwd", "-d", name])?.code == 0)
}

pub fn lock_password(host: &dyn Host, name: &str, lock: bool) -> Result<bool, StateError> {
    Ok(run(host, &["passwd", if lock { "-l" } else { "-u" }, name])?.code == 0)
}

/// Sets a limit of a password's age, in days: `key` is Salt's name of it.
pub fn set_age(host: &dyn Host, name: &str, key: &str, days: i64) -> Result<bool, StateError> {
    let flag = match key {
        "date" => "-d",
        "mindays" => "-m",
        "maxdays" => "-M",
        "inactdays" => "-I",
        "warndays" => "-W",
        _ => "-E",
    };
    Ok(run(host, &["chage", flag, &days.to_string(), name])?.code == 0)
}
