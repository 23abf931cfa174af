//! `systemd`: units that have failed.

use serde::Deserialize;
use states::Command;

use crate::{
    checks::{Check, Found, Perf, Range, Scene, Thresholds},
    host::Local,
};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Systemd {
    /// Units that may fail.
    exclude: Vec<String>,
    /// How many units; critical at the first without thresholds.
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Systemd {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        use states::Look;
        let argv = ["systemctl", "list-units", "--failed", "--all", "--plain", "--no-legend", "--no-pager", "--full"];
        let argv = argv.map(str::to_owned).to_vec();
        let command = Command { argv, timeout: Some(scene.timeout), ..Command::default() };
        let output = Local::default().probe(&command).map_err(|error| error.to_string())?;
        if output.code != 0 {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("systemctl: {}", said.lines().next().unwrap_or("it did not say why")));
        }
        Ok(self.judge(&String::from_utf8_lossy(&output.stdout)))
    }
}

impl Systemd {
    fn judge(&self, said: &str) -> Found {
        let names = said.lines().filter_map(|line| line.split_whitespace().next());
        let failed: Vec<&str> =
            names.filter(|name| !self.exclude.iter().any(|glob| states::glob::matches(glob, name))).collect();
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["0", "0"]);
        let status = thresholds.judge(failed.len() as f64);
        let output = match failed[..] {
            [] => "no unit has failed".to_owned(),
            [one] => format!("{one} has failed"),
            [first, second] => format!("{first}, {second} have failed"),
            [first, second, ..] => format!("{first}, {second} and {} more have failed", failed.len() - 2),
        };
        Found::new(status, output).with(Perf::new("failed", failed.len() as f64, "").judged(&thresholds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Status;

    #[test]
    fn failed_units_are_named() {
        let said = "nginx.service loaded failed failed A web server\nfoo.mount loaded failed failed Foo\n";
        let found = Systemd::default().judge(said);
        assert_eq!((found.status, found.output.as_str()), (Status::Critical, "nginx.service, foo.mount have failed"));
        let lenient: Systemd = serde_json::from_str(r#"{"exclude": ["foo.*"], "warning": 0}"#).unwrap();
        assert_eq!((lenient.judge(said).status, lenient.judge("").status), (Status::Warning, Status::Ok));
    }
}
