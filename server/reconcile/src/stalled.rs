//! Notices steps that say nothing, and steps that do not stop.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, ports::Topic};
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Has silent steps stopped, and takes from their workers what does not stop. Sleeps until the next one may be late; what is given out meanwhile is
/// late no earlier than the shortest limit, which the period is below.
pub(crate) struct StopStalled(pub(crate) Arc<App>);

#[async_trait]
impl Activity for StopStalled {
    fn when(&self) -> Loop {
        Loop {
            name: "stalled-steps",
            period: Duration::from_secs(5),
            topic: Some(Topic::Cancels),
            rest: Duration::ZERO,
        }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.stop_stalled().await
    }
}
