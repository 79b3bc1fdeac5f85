//! Notices workers that fell silent.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::App;
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Gives the tasks of silent workers to others. A worker that dies does not nudge anyone; so the look is frequent, and cheap, and ends exactly when
/// the next one may have been silent for too long.
pub(crate) struct ReleaseSilent(pub(crate) Arc<App>);

#[async_trait]
impl Activity for ReleaseSilent {
    fn when(&self) -> Loop {
        Loop { name: "silent-workers", period: Duration::from_secs(1), topic: None, rest: Duration::ZERO }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.release_silent().await
    }
}
