//! `at.*`: jobs that run once, at a time.

use proto::Value;
use serde_json::json;

use super::params::at as params;
use crate::{
    Command, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts,
        command::{self, ask, program, run_well, text},
    },
};

pub const MODULE: StateModule = StateModule {
    name: "at",
    states: &[
        State {
            name: "present",
            doc: "Has a command run once at a time; each run adds it again unless `unique_tag` is set.\n\n    reboot:\n      at.present:\n        - job: /sbin/reboot\n        - timespec: '23:00'\n        - tag: reboot\n        - unique_tag: True",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Takes jobs away: those that fit all conditions, or all jobs.\n\n    reboot:\n      at.absent:\n        - tag: reboot",
            params: params::ABSENT,
            plan: absent,
        },
    ],
    watch: Some(present),
};

/// A job that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    id: u64,
    /// `2026-11-25`
    date: String,
    /// `10:00:00`
    time: String,
    queue: String,
    user: String,
    tag: String,
}

impl Job {
    /// The number, a tab, and `Wed Nov 25 10:00:00 2026 a root`.
    fn parse(line: &str) -> Option<Self> {
        let (id, rest) = line.trim().split_once(char::is_whitespace)?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [_, month, day, time, year, queue, user, ..] = words[..] else { return None };
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1;
        let day: u8 = day.parse().ok()?;
        let (queue, user) = (queue.to_owned(), user.to_owned());
        let date = format!("{year}-{month:02}-{day:02}");
        Some(Self { id: id.parse().ok()?, date, time: time.to_owned(), queue, user, tag: String::new() })
    }

    fn to_value(&self) -> Value {
        json!({
            "job": self.id, "date": self.date, "time": self.time, "queue": self.queue, "user": self.user,
            "tag": self.tag,
        })
    }
}

/// The first line of a job that has a tag.
const TAG: &str = "### SALT: ";

fn jobs(look: &dyn Look) -> Result<Vec<Job>, StateError> {
    if look.which("at").is_none() {
        return failed("The at module could not be loaded: at command not found");
    }
    let listed = text(&ask(look, &["at", "-l"])?.stdout);
    let with_tag = |mut job: Job| {
        let script = text(&ask(look, &["at", "-c", &job.id.to_string()])?.stdout);
        let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        job.tag = script.lines().filter_map(|line| line.strip_prefix(TAG)).next_back().map(word).unwrap_or_default();
        Ok(job)
    };
    listed.lines().filter_map(Job::parse).map(with_tag).collect()
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (timespec, tag, user) = (call.need("timespec")?, call.some_text("tag"), call.some_text("user"));
    let job = call.some_text("job").unwrap_or_else(|| call.name());
    if timespec.starts_with('-') {
        return failed("invalid timespec");
    }
    if call.flag("unique_tag", false) {
        let Some(tag) = &tag else { return failed("no tag provided and unique_tag is set to True") };
        if jobs(call.look)?.iter().any(|job| job.tag == *tag) {
            return Plan::keep(format!("atleast one job with tag {tag} exists."));
        }
    }
    if let Some(user) = &user
        && accounts::user(call.look, user).is_none()
        && !accounts::user_expected(call.look, user)
    {
        return failed(format!("user {user} does not exists"));
    }
    let would = format!("job {job} added and will run on {timespec}");
    let did = match &user {
        Some(user) => format!("job {job} added and will run as {user} on {timespec}"),
        None => would.clone(),
    };
    let tagged = tag.map_or(String::new(), |tag| format!("{TAG}{tag}\n"));
    let stdin = Some(format!("{tagged}{job}\n").into_bytes());
    Plan::change(would, json!({}), move |doing| {
        let mut command = Command { stdin, runas: user, merge_stderr: true, ..program(&["at"]) };
        command.argv.extend(timespec.split_whitespace().map(str::to_owned));
        let output = doing.host.run(&command).map_err(|why| StateError::failed(why.to_string()))?;
        let said = text(&output.stdout);
        if said.ends_with("Garbled time") || said.contains("syntax error") {
            return failed("invalid timespec");
        }
        if output.code != 0 {
            return failed(command::complaint(&output));
        }
        let id = said.lines().find_map(|line| line.strip_prefix("job ")?.split_whitespace().next()?.parse().ok());
        let made = jobs(doing.host)?.into_iter().find(|job| Some(job.id) == id);
        Ok(Done::new(did, made.map_or(json!({}), |job| job.to_value())))
    })
}

/// What a job has to be to go.
struct Filter(Vec<(&'static str, String)>);

impl Filter {
    fn of(call: &Call<'_>) -> Self {
        let keys = ["tag", "runas", "hour", "minute", "day", "month", "year"];
        Self(keys.into_iter().filter_map(|key| Some((key, call.some_text(key)?))).collect())
    }

    fn fits(&self, job: &Job) -> bool {
        let date: Vec<&str> = job.date.split('-').collect();
        let time: Vec<&str> = job.time.split(':').collect();
        let is = |part: Option<&&str>, wanted: &str| {
            part.and_then(|part| part.parse::<u32>().ok()) == wanted.trim().parse().ok() && !wanted.is_empty()
        };
        self.0.iter().all(|(key, wanted)| match *key {
            "tag" => job.tag == *wanted,
            "runas" => job.user == *wanted,
            "hour" => is(time.first(), wanted),
            "minute" => is(time.get(1), wanted),
            "day" => is(date.get(2), wanted),
            "month" => is(date.get(1), wanted),
            _ if wanted.len() == 2 => is(date.first(), &format!("20{wanted}")),
            _ => is(date.first(), wanted),
        })
    }
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    if call.value("limit").is_some() {
        return failed(format!("limit parameter not supported {}", call.name()));
    }
    let (jobid, all) = (call.some_text("jobid"), jobs(call.look)?);
    let gone: Vec<String> = match &jobid {
        Some(id) => all.iter().map(|job| job.id.to_string()).filter(|known| known == id).collect(),
        None => {
            let filter = Filter::of(call);
            all.iter().filter(|job| filter.fits(job)).map(|job| job.id.to_string()).collect()
        }
    };
    if gone.is_empty() {
        return Plan::keep(match &jobid {
            Some(id) => format!("job with id {id} not present"),
            None => "removed 0 job(s)".to_owned(),
        });
    }
    let changes = json!({ "removed": gone });
    Plan::change(format!("removed {} job(s)", gone.len()), changes.clone(), move |doing| {
        let argv: Vec<&str> = ["at", "-d"].into_iter().chain(gone.iter().map(String::as_str)).collect();
        run_well(doing.host, &argv)?;
        Ok(Done::new(
            match &jobid {
                Some(id) => format!("job with id {id} was removed"),
                None => format!("removed {} job(s)", gone.len()),
            },
            changes,
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        Host,
        testing::{Memory, apply, refused, said, thrice},
    };

    /// A host whose `at` keeps one job in a file.
    fn host() -> Memory {
        Memory::new(json!({})).answer(|host, line| match line {
            "at -l" => {
                said(&host.text("/job").map_or(String::new(), |_| "5\tWed Nov 25 10:00:00 2026 a root\n".into()))
            }
            "at -c 5" => said("#!/bin/sh\n### SALT: love\necho x\n"),
            "at 10:00 25.11.2026" => {
                host.put("/job", "x");
                said("warning: commands will be executed using /bin/sh\njob 5 at Wed Nov 25 10:00:00 2026\n")
            }
            "at -d 5" => host.remove("/job".as_ref()).ok().and_then(|()| said("")),
            _ => refused(1, "Garbled time"),
        })
    }

    #[test]
    fn a_job_comes_once_by_its_tag_and_goes() {
        let host = host();
        let sls =
            "echo x:\n  at.present:\n    - timespec: '10:00 25.11.2026'\n    - tag: love\n    - unique_tag: True\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "job echo x added and will run on 10:00 25.11.2026");
        let job =
            json!({"job": 5, "date": "2026-11-25", "time": "10:00:00", "queue": "a", "user": "root", "tag": "love"});
        assert_eq!(first.2, job);
        assert_eq!(second.1, "atleast one job with tag love exists.");
        let sls = "x:\n  at.absent:\n    - tag: other\n";
        assert_eq!(apply(&host, sls, false)[0].2, "removed 0 job(s)");
        let [_, first, _] = thrice(&host, &[("t.sls", "x:\n  at.absent:\n    - day: 25\n    - year: 26\n")]);
        assert_eq!((first.1.as_str(), first.2), ("removed 1 job(s)", json!({"removed": ["5"]})));
    }
}
