//! Has catalogues read.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec, ports::Listings};
use sprout_domain::Result;

use crate::job::Job;

/// Reads the catalogues of groups. What templates are on providers is seen by their checks.
pub(crate) struct SyncCatalogues {
    pub(crate) app: Arc<App>,
    pub(crate) listings: Arc<dyn Listings>,
    pub(crate) interval: Duration,
}

#[async_trait]
impl Job for SyncCatalogues {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "catalogue-sync",
            description: "Reads which templates there are, and which of them may be used. By hand: also where most would be listed no more.",
            period: self.interval,
        }
    }

    async fn run(&self) -> Result<String> {
        self.app.sync_catalogues(&*self.listings, false).await
    }

    async fn run_by_hand(&self) -> Result<String> {
        self.app.sync_catalogues(&*self.listings, true).await
    }
}
