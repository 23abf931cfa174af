//! `service`: whether it runs.

use serde::Deserialize;
use states::resource::services::Manager;

use crate::{
    checks::{Check, Found, Scene, Status},
    host::Local,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    name: String,
}

impl Check for Service {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let (host, name) = (Local::default(), &self.name);
        if name.is_empty() || name.starts_with('-') || name.contains(['/', '\0', '\n']) {
            return Err(format!("'{name}' is not the name of a service"));
        }
        let status = Manager::detect(&host).status(&host, name).map_err(|why| why.to_string())?;
        Ok(match (status.available, status.running) {
            (_, true) => Found::new(Status::Ok, format!("{name} runs")),
            (true, false) => Found::new(Status::Critical, format!("{name} does not run")),
            (false, false) => Found::new(Status::Critical, format!("{name}: there is no such service")),
        })
    }
}
