//! `dns`: the addresses of a name.

use std::{collections::BTreeSet, net::IpAddr, time::Instant};

use serde::Deserialize;

use super::tcp::resolve;
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    name: String,
    /// Addresses that must be among those found.
    #[serde(default)]
    expect: Vec<IpAddr>,
    /// Seconds that it takes.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

impl Check for Dns {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let (begun, name) = (Instant::now(), &self.name);
        let found: BTreeSet<IpAddr> = match resolve(name, 0, scene.timeout) {
            Ok(found) => found.into_iter().map(|address| address.ip()).collect(),
            Err(why) => return Ok(Found::new(Status::Critical, why)),
        };
        let took = begun.elapsed().as_secs_f64();
        let missing: Vec<String> =
            self.expect.iter().filter(|ip| !found.contains(ip)).map(ToString::to_string).collect();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        if !missing.is_empty() {
            let output = format!("{name} is {}, not {}", shown.join(", "), missing.join(", "));
            return Ok(Found::new(Status::Critical, output));
        }
        let thresholds = Thresholds::new(self.warning.as_ref(), self.critical.as_ref());
        let status = thresholds.judge(took);
        let output = format!("{name} is {}{}", shown.join(", "), thresholds.reason(status));
        Ok(Found::new(status, output).with(Perf::new("time", took, "s").judged(&thresholds)))
    }
}
