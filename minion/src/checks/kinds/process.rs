//! `process`: how many run.

use fancy_regex::Regex;
use procfs::process::all_processes;
use serde::Deserialize;

use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Processes with this name, as `ps` shows it.
    name: Option<String>,
    /// Processes whose command line has this pattern in it.
    pattern: Option<String>,
    /// How many of them; with a name or a pattern, at least one is needed without thresholds.
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Process {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let pattern = self.pattern.as_deref().map(Regex::new).transpose();
        let pattern = pattern.map_err(|error| format!("the pattern cannot be read: {error}"))?;
        let all = all_processes().map_err(|error| error.to_string())?;
        let count = all.flatten().filter(|process| self.fits(process, pattern.as_ref())).count();
        let selected = self.name.as_deref().or(self.pattern.as_deref());
        let default = if selected.is_some() { ["1:", "1:"] } else { ["", ""] };
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), default);
        let status = thresholds.judge(count as f64);
        let what = selected.unwrap_or("all");
        let plural = if count == 1 { "" } else { "es" };
        let output = format!("{what}: {count} process{plural}{}", thresholds.reason(status));
        let perf = Perf { min: Some(0.0), ..Perf::new("processes", count as f64, "").judged(&thresholds) };
        Ok(Found::new(status, output).with(perf))
    }
}

impl Process {
    fn fits(&self, process: &procfs::process::Process, pattern: Option<&Regex>) -> bool {
        // The kernel keeps 15 characters of a name.
        let named = |name: &String| {
            let short: String = name.chars().take(15).collect();
            process.stat().is_ok_and(|stat| stat.comm == *name || stat.comm == short)
        };
        let matches = |pattern: &Regex| {
            // Who looks is no process of what is looked for.
            let own = process.pid as u32 == std::process::id();
            let line = process.cmdline().map(|words| words.join(" ")).unwrap_or_default();
            !own && pattern.is_match(&line).unwrap_or(false)
        };
        self.name.as_ref().is_none_or(named) && pattern.is_none_or(matches)
    }
}
