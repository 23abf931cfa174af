//! `file`: whether it is there, its age and size, what is in it.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::Path,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::{plain, plain_file};
use crate::checks::{Check, Found, Pattern, Perf, Range, Scene, Status, Thresholds};

/// What is searched of a file.
const LIMIT: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    path: String,
    /// Whether it is to be there.
    #[serde(default = "yes")]
    exists: bool,
    /// Seconds since it was changed.
    #[serde(default)]
    age_warning: Option<Range>,
    #[serde(default)]
    age_critical: Option<Range>,
    /// Bytes.
    #[serde(default)]
    size_warning: Option<Range>,
    #[serde(default)]
    size_critical: Option<Range>,
    /// A pattern that must be found in it.
    #[serde(default)]
    content: Option<Pattern>,
}

fn yes() -> bool {
    true
}

impl Check for File {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let path = &self.path;
        let meta = match fs::metadata(path) {
            Ok(_) if !self.exists => return Ok(Found::new(Status::Critical, format!("{path} is there"))),
            Ok(meta) => meta,
            // Or what should be a folder on the way there is none.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let status = if self.exists { Status::Critical } else { Status::Ok };
                return Ok(Found::new(status, format!("{path} is not there")));
            }
            Err(error) => return Err(format!("{path}: {}", plain(&error))),
        };
        let changed = meta.modified().map_err(|error| error.to_string())?;
        let age = SystemTime::now().duration_since(changed).unwrap_or(Duration::ZERO).as_secs_f64();
        let ages = Thresholds::new(self.age_warning.as_ref(), self.age_critical.as_ref());
        let sizes = Thresholds::new(self.size_warning.as_ref(), self.size_critical.as_ref());
        let (by_age, by_size) = (ages.judge(age), sizes.judge(meta.len() as f64));
        let mut trouble = Vec::new();
        if by_age != Status::Ok {
            trouble.push(format!("changed {age:.0} s ago{}", ages.reason(by_age)));
        }
        if by_size != Status::Ok {
            trouble.push(format!("{} bytes{}", meta.len(), sizes.reason(by_size)));
        }
        let mut status = by_age.worse(by_size);
        if let Some(pattern) = &self.content
            && !contains(path, pattern)?
        {
            status = Status::Critical;
            trouble.push(format!("nothing in it matches {}", pattern.as_str()));
        }
        let said = if trouble.is_empty() { "well".to_owned() } else { trouble.join(", ") };
        Ok(Found::new(status, format!("{path}: {said}"))
            .with(Perf::new("age", age.round(), "s").judged(&ages))
            .with(Perf::new("size", meta.len() as f64, "B").judged(&sizes)))
    }
}

fn contains(path: &str, pattern: &Pattern) -> Result<bool, String> {
    let (regex, mut bytes) = (pattern.regex()?, Vec::new());
    let file = plain_file(Path::new(path))?;
    file.take(LIMIT).read_to_end(&mut bytes).map_err(|error| format!("{path}: {}", plain(&error)))?;
    regex.is_match(&*String::from_utf8_lossy(&bytes)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_file_is_to_be_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f").display().to_string();
        let scene = Scene { offset: None, timeout: Duration::from_secs(1), memory: None, drift: None };
        let look = |mut options: serde_json::Value| {
            options["path"] = path.as_str().into();
            let check: File = serde_json::from_value(options).unwrap();
            check.look(&scene).unwrap().status
        };
        assert_eq!((look(json!({})), look(json!({"exists": false}))), (Status::Critical, Status::Ok));
        fs::write(&path, "state: ready\n").unwrap();
        assert_eq!((look(json!({})), look(json!({"exists": false}))), (Status::Ok, Status::Critical));
        assert_eq!(look(json!({"size_critical": "100:"})), Status::Critical);
        assert_eq!(look(json!({"size_warning": 5})), Status::Warning);
        assert_eq!(look(json!({"age_critical": "1h"})), Status::Ok);
        assert_eq!(
            (look(json!({"content": "ready"})), look(json!({"content": "down"}))),
            (Status::Ok, Status::Critical)
        );
    }
}
