//! `drift`: whether the host is as its highstate declares it.

use serde::Deserialize;

use crate::checks::{Check, Found, Scene};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {}

impl Check for Drift {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let drift = scene.drift.as_ref().ok_or("drift can only be looked for by a minion or by `ctl call`")?;
        drift.look(scene.timeout)
    }
}
