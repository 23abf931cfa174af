//! What files held before they were changed (`backup: minion`).

use std::path::{Path, PathBuf};

use jiff::{civil::DateTime, fmt::strtime};
use proto::{Map, Value};
use serde_json::json;
use states::{
    CallError, Context, Function,
    look::Kind,
    resource::{
        backup,
        files::{LIMIT, followed},
    },
};

use super::{path, system};
use crate::exec::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.list_backups",
        Reads,
        [need("path"), with("limit", "None")],
        list,
        "Lists what is kept of a file from before it was changed, the newest first.\n\n    \
         ctl run '*' file.list_backups /etc/motd"
    ),
    row!(
        "file.list_backup",
        Reads,
        [need("path"), with("limit", "None")],
        list,
        "The same as `file.list_backups`.\n\n    ctl run '*' file.list_backup /etc/motd"
    ),
    row!(
        "file.list_backups_dir",
        Reads,
        [need("path"), with("limit", "None")],
        list_dir,
        "Lists what is kept of all files of a folder from before they were changed.\n\n    \
         ctl run '*' file.list_backups_dir /etc/"
    ),
    row!(
        "file.restore_backup",
        Writes,
        [need("path"), need("backup_id")],
        restore,
        "Puts back what a file held before, by its number in `file.list_backups`; what it holds now is kept too.\n\n    \
         ctl run '*' file.restore_backup /etc/motd 0"
    ),
    row!(
        "file.delete_backup",
        Writes,
        [need("path"), need("backup_id")],
        delete,
        "Removes one of the backups of a file.\n\n    ctl run '*' file.delete_backup /etc/motd 0"
    ),
    row!(
        "file.remove_backup",
        Writes,
        [need("path"), need("backup_id")],
        delete,
        "The same as `file.delete_backup`.\n\n    ctl run '*' file.remove_backup /etc/motd 0"
    ),
];

struct Backup {
    name: String,
    time: DateTime,
    size: u64,
    place: PathBuf,
}

/// All backups in the folder that those of `folder` lie in.
fn beneath(context: &Context<'_>, folder: &Path) -> Vec<Backup> {
    let kept = backup::folder(context).join(folder.strip_prefix("/").unwrap_or(folder));
    let read = |file: String| {
        let place = kept.join(&file);
        let stat = context.look.stat(&place).ok().filter(|stat| stat.kind == Kind::File)?;
        let (name, time) = parsed(&file)?;
        Some(Backup { name, time, size: stat.size, place })
    };
    let mut all: Vec<Backup> = context.look.list(&kept).unwrap_or_default().into_iter().filter_map(read).collect();
    all.sort_by_key(|backup| std::cmp::Reverse(backup.time));
    all
}

/// `motd_Sat_Nov_21_14:05:06_000007_2026`.
fn parsed(file: &str) -> Option<(String, DateTime)> {
    let parts: Vec<&str> = file.rsplitn(7, '_').collect();
    let [year, micros, clock, day, month, weekday, name] = parts[..] else { return None };
    let text = format!("{weekday} {month} {day} {clock}.{micros} {year}");
    let time = strtime::parse("%a %b %d %H:%M:%S%.f %Y", text).ok()?.to_datetime().ok()?;
    Some((name.to_owned(), time))
}

fn shown(backups: &[&Backup], limit: Option<usize>) -> Value {
    let row = |(number, backup): (usize, &&Backup)| {
        let time = backup.time.strftime("%a %b %d %Y %H:%M:%S%.6f").to_string();
        let row = json!({"Backup Time": time, "Size": backup.size, "Location": backup.place.display().to_string()});
        (number.to_string(), row)
    };
    backups.iter().take(limit.unwrap_or(usize::MAX)).enumerate().map(row).collect::<Map>().into()
}

fn limit(bound: &Bound) -> Option<usize> {
    bound.integer("limit").ok().flatten().and_then(|limit| usize::try_from(limit).ok())
}

/// The backups of one file.
fn of(context: &Context<'_>, name: &str) -> Vec<Backup> {
    let at = Path::new(name);
    let file = at.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    let mut all = beneath(context, at.parent().unwrap_or(Path::new("/")));
    all.retain(|backup| backup.name == file);
    all
}

fn list(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let all = of(context, &path(bound, "path")?);
    Ok(shown(&all.iter().collect::<Vec<_>>(), limit(bound)))
}

fn list_dir(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let folder =
        if name.ends_with('/') { Path::new(&name) } else { Path::new(&name).parent().unwrap_or(Path::new("/")) };
    let all = beneath(context, folder);
    let mut names: Vec<&str> = all.iter().map(|backup| backup.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let one = |name: &str| {
        let own: Vec<&Backup> = all.iter().filter(|backup| backup.name == name).collect();
        (name.to_owned(), shown(&own, limit(bound)))
    };
    Ok(names.into_iter().map(one).collect::<Map>().into())
}

/// The backup of a number, or what Salt answers to a number that is none.
fn chosen(context: &Context<'_>, bound: &Bound, name: &str) -> Result<Backup, Value> {
    let id = bound.value("backup_id").map(text_of).unwrap_or_default();
    let refused = |comment: String| json!({"result": false, "comment": comment});
    let number: usize = id.parse().map_err(|_| refused(format!("Invalid backup_id '{id}'")))?;
    let found = of(context, name).into_iter().nth(number);
    found.ok_or_else(|| refused(format!("backup_id '{id}' does not exist for {name}")))
}

fn restore(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let backup = match chosen(context, bound, &name) {
        Ok(backup) => backup,
        Err(answer) => return Ok(answer),
    };
    let host = context.host()?;
    let found = followed(context.look, Path::new(&name)).ok();
    let target = found.as_ref().map_or_else(|| PathBuf::from(&name), |(path, _)| path.clone());
    if found.is_some() {
        let now = context.look.read(&target, LIMIT).map_err(|error| system(&name, &error))?;
        backup::keep(host, &backup::folder(context), &target, &now)
            .map_err(|why| CallError::failed(why.to_string()))?;
    }
    let place = backup.place.display();
    let mode = found.map_or(0o644, |(_, stat)| stat.mode);
    Ok(match host.copy(&backup.place, &target, mode) {
        Ok(()) => json!({"result": true, "comment": format!("Successfully restored {place} to {name}")}),
        Err(error) => json!({"result": false, "comment": format!("Unable to restore {place} to {name}: {error}")}),
    })
}

fn delete(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let backup = match chosen(context, bound, &name) {
        Ok(backup) => backup,
        Err(answer) => return Ok(answer),
    };
    let place = backup.place.display();
    Ok(match context.host()?.remove(&backup.place) {
        Ok(()) => json!({"result": true, "comment": format!("Successfully removed {place}")}),
        Err(error) => json!({"result": false, "comment": format!("Unable to remove {place}: {error}")}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_backups_are_read() {
        let (name, time) = parsed("my_app.conf_Sat_Nov_21_14:05:06_000007_2026").unwrap();
        assert_eq!((name.as_str(), time.to_string().as_str()), ("my_app.conf", "2026-11-21T14:05:06.000007"));
        for other in ["motd", "motd_Sat_Nov_99_14:05:06_000007_2026", "a_b_c_d_e_f_g"] {
            assert!(parsed(other).is_none(), "{other}");
        }
    }
}
