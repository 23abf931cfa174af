//! `file.find`: files by name, kind, owner, size, age and contents.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use fancy_regex::Regex;
use proto::{Map, Value};
use states::{
    CallError, Context, Function, Stat,
    look::Kind,
    resource::{accounts, files::followed},
};

use super::{expand_glob, hash, path};
use crate::exec::bind::{Bound, NAMED, REST, need, row, text_of, truth};

/// How deep folders are followed.
const DEPTH: usize = 200;
/// The longest line that is searched as a whole.
const LINE: u64 = 1 << 20;

pub static TABLE: &[Function] = &[row!(
    "file.find",
    Runs,
    [need("path"), REST, NAMED],
    find,
    "Finds files beneath a path, as `find` does: by `name`, `iname`, `regex`, `iregex`, `type`, `user`, `group`, \
     `size`, `mtime`, `grep`, `maxdepth`, `mindepth`; `print` says what is shown of them, `delete` removes them, \
     `exec` runs a command for each.\n\n    ctl run '*' file.find /var/log name='*.[0-9]' mtime=+30d size=+10m"
)];

fn find(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let mut options = bound.named.clone();
    let has = |word: &str| bound.rest.iter().any(|arg| arg.as_str() == Some(word));
    if has("delete") {
        options.insert("delete".into(), "f".into());
    } else if has("print") {
        options.insert("print".into(), "path".into());
    }
    let finder = match Finder::read(context, &options) {
        Ok(finder) => finder,
        Err(why) => return Ok(format!("error: {why}").into()),
    };
    let mut found = Vec::new();
    let name = path(bound, "path")?;
    for place in expand_glob(context, &name) {
        finder.walk(context, &place, 0, &mut found)?;
    }
    found.sort_by_cached_key(|item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    Ok(found.into())
}

enum Test {
    Name(Vec<String>, bool),
    Regex(Regex),
    Kinds(Vec<Kind>),
    User(Vec<u32>),
    Group(Vec<u32>),
    Size(u64, u64),
    /// Earliest and latest time of change.
    Changed(f64, f64),
    Grep(Regex),
}

enum Action {
    Print(Vec<String>),
    Delete(Vec<Kind>),
    Exec(String),
}

struct Finder {
    tests: Vec<Test>,
    actions: Vec<Action>,
    least: usize,
    most: Option<usize>,
    /// Nothing is removed.
    test: bool,
}

impl Finder {
    fn read(context: &Context<'_>, options: &Map) -> Result<Self, String> {
        let mut finder = Self { tests: Vec::new(), actions: Vec::new(), least: 0, most: None, test: false };
        for (key, value) in options.iter().filter(|(key, _)| !key.starts_with('_')) {
            let number = || text_of(value).parse().map_err(|_| format!("invalid {key}: \"{}\"", text_of(value)));
            match key.as_str() {
                "mindepth" => finder.least = number()?,
                "maxdepth" => finder.most = if value.is_null() { None } else { Some(number()?) },
                "test" => finder.test = truth(value),
                _ if !truth(value) => return Err(format!("missing value for \"{key}\" option")),
                _ => finder.add(context, key, &text_of(value))?,
            }
        }
        if finder.actions.is_empty() {
            finder.actions.push(Action::Print(vec!["path".into()]));
        }
        // What costs least is asked first.
        finder.tests.sort_by_key(|test| match test {
            Test::Name(..) | Test::Regex(_) => 0,
            Test::Grep(_) => 2,
            _ => 1,
        });
        Ok(finder)
    }

    fn add(&mut self, context: &Context<'_>, key: &str, text: &str) -> Result<(), String> {
        let regex = |flags: &str| {
            Regex::new(&format!("{flags}{text}")).map_err(|_| format!("invalid regular expression: \"{text}\""))
        };
        let ids = |find: &dyn Fn(&str) -> Option<u32>| {
            let names = text.split([',', ' ']).filter(|name| !name.is_empty());
            names
                .map(|name| find(name).ok_or_else(|| format!("no such {key} \"{name}\"")))
                .collect::<Result<Vec<u32>, String>>()
        };
        self.tests.push(match key {
            "name" => Test::Name(braces(text), false),
            "iname" => Test::Name(braces(&text.to_lowercase()), true),
            "regex" => Test::Regex(regex("\\A")?),
            "iregex" => Test::Regex(regex("(?i)\\A")?),
            "type" => Test::Kinds(kinds(text)?),
            "user" | "owner" => Test::User(ids(&|name| accounts::uid(context.look, name))?),
            "group" => Test::Group(ids(&|name| accounts::gid(context.look, name))?),
            "size" => size(text)?,
            "mtime" => changed(text)?,
            "grep" => Test::Grep(regex("")?),
            "delete" | "exec" | "print" => {
                self.actions.push(match key {
                    "delete" => Action::Delete(kinds(text)?),
                    "exec" => Action::Exec(text.to_owned()),
                    _ => Action::Print(printed(text)),
                });
                return Ok(());
            }
            _ => return Err(format!("invalid option \"{key}\"")),
        });
        Ok(())
    }

    fn walk(&self, context: &Context<'_>, place: &str, depth: usize, found: &mut Vec<Value>) -> Result<(), CallError> {
        let at = Path::new(place);
        if depth >= self.least && self.fits(context, at) {
            for action in &self.actions {
                found.extend(self.act(context, action, at)?);
            }
        }
        let deeper = self.most.is_none_or(|most| depth < most) && depth < DEPTH;
        if !deeper || !context.look.stat(at).is_ok_and(|stat| stat.kind == Kind::Directory) {
            return Ok(());
        }
        for name in context.look.list(at).unwrap_or_default() {
            self.walk(context, &format!("{}/{name}", place.trim_end_matches('/')), depth + 1, found)?;
        }
        Ok(())
    }

    fn fits(&self, context: &Context<'_>, at: &Path) -> bool {
        let name = at.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        // As Salt has it, links are followed, but for those that lead nowhere.
        let stat = followed(context.look, at).map(|(_, stat)| stat).or_else(|_| context.look.stat(at));
        let Ok(stat) = stat else { return false };
        self.tests.iter().all(|test| test.fits(&name, at, &stat))
    }

    fn act(&self, context: &Context<'_>, action: &Action, at: &Path) -> Result<Option<Value>, CallError> {
        let shown = at.display().to_string();
        match action {
            Action::Print(what) => print(context, what, at).map(Some),
            Action::Exec(command) => {
                let command = command.replace("{}", &shown);
                let words = crate::exec::split_words(&command).map_err(|e| CallError::arguments(e.to_string()))?;
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let said = super::run(context, &words).map(|output| output.stdout);
                Ok(Some(match said {
                    Ok(out) => format!("{command}:\n{}\n", String::from_utf8_lossy(&out)).into(),
                    Err(_) => format!("{shown}: Failed").into(),
                }))
            }
            Action::Delete(kinds) => {
                let Ok(stat) = context.look.stat(at) else { return Ok(None) };
                if !kinds.contains(&stat.kind) {
                    return Ok(None);
                }
                let host = context.host()?;
                if !self.test && host.remove(at).is_err() {
                    return Ok(None);
                }
                Ok(Some(shown.into()))
            }
        }
    }
}

impl Test {
    fn fits(&self, name: &str, at: &Path, stat: &Stat) -> bool {
        match self {
            Self::Name(globs, false) => globs.iter().any(|glob| states::glob::matches(glob, name)),
            Self::Name(globs, true) => globs.iter().any(|glob| states::glob::matches(glob, &name.to_lowercase())),
            Self::Regex(regex) => regex.is_match(name).unwrap_or(false),
            Self::Kinds(kinds) => kinds.contains(&stat.kind),
            Self::User(ids) => ids.contains(&stat.uid),
            Self::Group(ids) => ids.contains(&stat.gid),
            Self::Size(least, most) => (*least..=*most).contains(&stat.size),
            Self::Changed(earliest, latest) => {
                let time = fs::metadata(at)
                    .map_or(stat.mtime as f64, |meta| meta.mtime() as f64 + meta.mtime_nsec() as f64 / 1e9);
                (*earliest..=*latest).contains(&time)
            }
            Self::Grep(regex) => stat.kind == Kind::File && grep(at, regex).unwrap_or(false),
        }
    }
}

fn grep(at: &Path, regex: &Regex) -> std::io::Result<bool> {
    let mut lines = BufReader::new(fs::File::open(at)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if Read::take(&mut lines, LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if regex.is_match(&*String::from_utf8_lossy(&line)).unwrap_or(false) {
            return Ok(true);
        }
    }
}

/// `a{b,c}` is `ab` and `ac`; nothing nested.
fn braces(glob: &str) -> Vec<String> {
    match glob.split_once('{').and_then(|(front, rest)| Some((front, rest.split_once('}')?))) {
        Some((front, (inside, end))) => {
            inside.split(',').flat_map(|part| braces(&format!("{front}{part}{end}"))).collect()
        }
        None => vec![glob.to_owned()],
    }
}

fn kinds(letters: &str) -> Result<Vec<Kind>, String> {
    let mut kinds = Vec::new();
    for letter in letters.chars().filter(|c| !matches!(c, ' ' | ',')) {
        kinds.extend(match letter.to_ascii_lowercase() {
            'a' => {
                vec![Kind::Block, Kind::Character, Kind::Directory, Kind::Fifo, Kind::File, Kind::Symlink, Kind::Socket]
            }
            'b' => vec![Kind::Block],
            'c' => vec![Kind::Character],
            'd' => vec![Kind::Directory],
            'p' => vec![Kind::Fifo],
            'f' => vec![Kind::File],
            'l' => vec![Kind::Symlink],
            's' => vec![Kind::Socket],
            other => return Err(format!("invalid file type \"{other}\"")),
        });
    }
    Ok(kinds)
}

/// `+1G`, `-10k`, `512`.
fn size(text: &str) -> Result<Test, String> {
    let wrong = || format!("invalid size: \"{text}\"");
    let bare = text.trim().trim_start_matches(['+', '-']);
    let unit = match bare.chars().last().map(|c| c.to_ascii_lowercase()) {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        Some('t') => 40,
        _ => 0,
    };
    let digits = bare.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let (unit, bytes) = (1u64 << unit, (number * (1u64 << unit) as f64) as u64);
    Ok(match text.trim().chars().next() {
        Some('-') => Test::Size(0, bytes),
        Some('+') => Test::Size(bytes, u64::MAX),
        _ => Test::Size(bytes, bytes.saturating_add(unit - 1)),
    })
}

/// `1w3d6h`, with `+` older than that, with `-` younger, alone to within its smallest unit.
fn changed(text: &str) -> Result<Test, String> {
    let wrong = || format!("invalid time interval: '{text}'");
    let (mut seconds, mut unit, mut digits) = (0.0, None, String::new());
    for c in text.trim().trim_start_matches(['+', '-']).chars().filter(|c| !c.is_whitespace()) {
        let length = match c.to_ascii_lowercase() {
            '0'..='9' | '.' => {
                digits.push(c);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            'w' => 604800.0,
            _ => return Err(wrong()),
        };
        seconds += std::mem::take(&mut digits).parse::<f64>().map_err(|_| wrong())? * length;
        unit = Some(length);
    }
    if !digits.is_empty() {
        // A number alone means days.
        seconds += digits.parse::<f64>().map_err(|_| wrong())? * 86400.0;
        unit = Some(86400.0);
    }
    let unit = unit.ok_or_else(wrong)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    Ok(match text.trim().chars().next() {
        Some('-') => Test::Changed(now - seconds, f64::MAX),
        Some('+') => Test::Changed(0.0, now - seconds),
        _ => Test::Changed(now - seconds - unit, now - seconds),
    })
}

fn printed(text: &str) -> Vec<String> {
    let words: Vec<String> = text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if words.is_empty() { vec!["path".into()] } else { words }
}

fn print(context: &Context<'_>, what: &[String], at: &Path) -> Result<Value, CallError> {
    let stat = followed(context.look, at).map(|(_, stat)| stat).or_else(|_| context.look.stat(at));
    let stat = stat.map_err(|error| super::system(&at.display().to_string(), &error))?;
    let one = |word: &String| {
        Some(match word.as_str() {
            "path" => at.display().to_string().into(),
            "name" => at.file_name().map(|name| name.to_string_lossy()).unwrap_or_default().into(),
            "size" => stat.size.into(),
            "type" => match stat.kind {
                Kind::File => "f",
                Kind::Directory => "d",
                Kind::Symlink => "l",
                Kind::Block => "b",
                Kind::Character => "c",
                Kind::Fifo => "p",
                Kind::Socket => "s",
            }
            .into(),
            "mode" => (stat.mode & 0o777).into(),
            "mtime" => stat.mtime.into(),
            "user" => accounts::user_name(context.look, stat.uid).into(),
            "group" => accounts::group_name(context.look, stat.gid).into(),
            "md5" if stat.kind == Kind::File => {
                hash::of_file(context, &at.display().to_string(), "md5").unwrap_or_default().into()
            }
            "md5" => "".into(),
            _ => return None,
        })
    };
    let mut shown: Vec<Value> = what.iter().filter_map(one).collect();
    Ok(if shown.len() == 1 { shown.remove(0) } else { shown.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_salt_reads_them() {
        let bounds = |text: &str| match size(text) {
            Ok(Test::Size(least, most)) => Some((least, most)),
            _ => None,
        };
        assert_eq!(bounds("+1k"), Some((1024, u64::MAX)));
        assert_eq!(bounds("-10"), Some((0, 10)));
        assert_eq!(bounds("2k"), Some((2048, 3071)));
        assert_eq!(bounds("x"), None);
        assert!(matches!(changed("+1w2d"), Ok(Test::Changed(earliest, _)) if earliest == 0.0));
        assert!(changed("5y").is_err() && changed("").is_err());
    }

    #[test]
    fn braces_stand_for_each_of_their_parts() {
        assert_eq!(braces("a{b,c}d{1,2}"), ["abd1", "abd2", "acd1", "acd2"]);
        assert_eq!(braces("*.{log"), ["*.{log"]);
    }
}
