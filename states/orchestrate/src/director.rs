//! The agent of an orchestration: how its states reach the fleet.

use std::{any::Any, sync::Arc};

use proto::Value;
use states::{CallError, call::Agent};

use crate::{Fleet, fleet::Refused};

pub struct Director(pub Arc<dyn Fleet>);

impl Agent for Director {
    fn send_event(&self, tag: &str, data: Value) -> Result<(), CallError> {
        self.0.send_event(tag, data).map_err(|why: Refused| CallError::failed(why.to_string()))
    }

    fn running(&self) -> Vec<Value> {
        Vec::new()
    }

    fn signal(&self, _jid: &str, _signal: i32) -> bool {
        false
    }

    /// Nothing of a master is restarted or refreshed by an orchestration.
    fn restart(&self) {}
    fn refresh_grains(&self) {}

    fn beyond(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
