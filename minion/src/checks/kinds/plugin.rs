//! `plugin`: any monitoring plugin: its exit code, its first line, its figures.

use serde::Deserialize;
use states::Command;

use crate::{
    checks::{Check, Found, Scene, Status, perf},
    host,
};

/// What is kept of what a plugin prints.
const OUTPUT: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    command: Line,
    /// The user that runs it.
    #[serde(default)]
    runas: Option<String>,
}

/// A command line (no shell reads it), or its words.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a command is a text, or a list of texts")]
enum Line {
    Words(Vec<String>),
    Text(String),
}

impl Check for Plugin {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let argv = match &self.command {
            Line::Words(words) => words.clone(),
            Line::Text(text) => crate::exec::split_words(text).map_err(|error| format!("command: {error}"))?,
        };
        let timeout = Some(scene.timeout);
        let env = vec![("LC_ALL".to_owned(), "C".to_owned())];
        let command = Command { argv, runas: self.runas.clone(), timeout, env, ..Command::default() };
        let output = host::run_bounded(&command, OUTPUT).map_err(|error| error.to_string())?;
        if output.timed_out {
            return Ok(Found::unknown(format!("the plugin was killed after {} s", scene.timeout.as_secs_f64())));
        }
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = if out.trim().is_empty() { err } else { out };
        Ok(found(output.code, &said))
    }
}

/// The first line and what stands behind its bar; below it more text, and behind its bar more figures.
fn found(code: i32, said: &str) -> Found {
    let (first, rest) = said.split_once('\n').unwrap_or((said, ""));
    let (output, figures) = first.split_once('|').unwrap_or((first, ""));
    let (long, more) = rest.split_once('|').unwrap_or((rest, ""));
    let status = Status::of_code(code);
    let output = match output.trim() {
        "" => format!("the plugin said nothing and ended with {code}"),
        text if (0..=3).contains(&code) => text.to_owned(),
        text => format!("{text} (the plugin ended with {code})"),
    };
    let mut perfdata = perf::parse(figures);
    perfdata.extend(perf::parse(&more.replace('\n', " ")));
    let long = Some(long.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    Found { perfdata, long, ..Found::new(status, output) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn look(command: &str, timeout: Duration) -> Found {
        let plugin = Plugin { command: Line::Words(vec!["sh".into(), "-c".into(), command.into()]), runas: None };
        plugin.look(&Scene { offset: None, timeout, memory: None, drift: None }).unwrap()
    }

    #[test]
    fn output_is_read_as_the_guidelines_write_it() {
        let said = "DISK OK - free space: / 3326 MB | /=2643MB;5948;5958;0;5968\n/ 15272 MB;\n/boot 68 MB | /boot=68MB\n/home=69357MB\n";
        let found = found(1, said);
        assert_eq!((found.status, found.output.as_str()), (Status::Warning, "DISK OK - free space: / 3326 MB"));
        assert_eq!(found.long.as_deref(), Some("/ 15272 MB;\n/boot 68 MB"));
        let labels: Vec<&str> = found.perfdata.iter().map(|perf| perf.label.as_str()).collect();
        assert_eq!(labels, ["/", "/boot", "/home"]);
    }

    #[test]
    fn codes_are_statuses() {
        let minute = Duration::from_secs(60);
        assert_eq!(look("echo well; exit 0", minute).status, Status::Ok);
        assert_eq!(look("echo bad; exit 2", minute).status, Status::Critical);
        let odd = look("echo odd >&2; exit 7", minute);
        assert_eq!((odd.status, odd.output.as_str()), (Status::Unknown, "odd (the plugin ended with 7)"));
        assert_eq!(look("exit 0", minute).output, "the plugin said nothing and ended with 0");
    }

    #[test]
    fn a_plugin_that_hangs_is_killed_with_its_children_and_one_that_floods_is_cut() {
        let hung = look("sleep 1000 & sleep 1000", Duration::from_millis(100));
        assert_eq!((hung.status, hung.output.as_str()), (Status::Unknown, "the plugin was killed after 0.1 s"));
        let flood = look("head -c 3000000 /dev/zero | tr '\\0' x", Duration::from_secs(60));
        assert_eq!((flood.status, flood.output.len()), (Status::Ok, OUTPUT));
    }
}
