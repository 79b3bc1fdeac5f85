//! Tries providers and templates again that failed, when it is time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, ports::Topic};
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Many deployments may fail at once.
const REST: Duration = Duration::from_millis(100);

/// Has providers checked whose circuits are open, deploys from quarantined templates, and ends specimens. Sleeps until the next try is due, as the
/// database's clock sees it.
pub(crate) struct TryAgain(pub(crate) Arc<App>);

#[async_trait]
impl Activity for TryAgain {
    fn when(&self) -> Loop {
        Loop { name: "try-again", period: Duration::from_secs(30), topic: Some(Topic::Tries), rest: REST }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.try_again().await
    }
}
