//! Keeps appliances warm.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, ports::Topic};
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Every grant nudges; under load they come by the thousand.
const REST: Duration = Duration::from_millis(200);

/// Makes the warm appliances that are missing.
pub(crate) struct Refill(pub(crate) Arc<App>);

#[async_trait]
impl Activity for Refill {
    fn when(&self) -> Loop {
        Loop { name: "warm-refill", period: Duration::from_secs(30), topic: Some(Topic::Warm), rest: REST }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.refill_warm().await.map(|()| None)
    }
}
