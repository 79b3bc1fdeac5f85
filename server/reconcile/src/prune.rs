//! Forgets workflows that ended long ago.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::job::Job;

/// Workflows deleted in one transaction.
const BATCH: u64 = 500;

/// Deletes what ended longer than `keep` ago, in batches. What a run does not get to, the next one does.
pub(crate) struct Prune {
    pub(crate) app: Arc<App>,
    pub(crate) keep: Duration,
}

#[async_trait]
impl Job for Prune {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "prune-workflows",
            description: "Deletes workflows that ended long ago, with their tasks.",
            period: Duration::from_secs(600),
        }
    }

    async fn run(&self) -> Result<String> {
        let mut pruned = 0;
        loop {
            let more = self.app.prune(self.keep, BATCH).await?;
            pruned += more;
            if more < BATCH {
                return Ok(format!("{pruned} workflows were deleted"));
            }
        }
    }
}
