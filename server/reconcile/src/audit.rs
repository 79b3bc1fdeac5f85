//! Forgets audit records of long ago.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::job::Job;

/// Records deleted in one transaction.
const BATCH: u64 = 1000;

/// Deletes what was written longer than `keep` ago, in batches. What a run does not get to, the next one does.
pub(crate) struct PruneAudit {
    pub(crate) app: Arc<App>,
    pub(crate) keep: Duration,
}

#[async_trait]
impl Job for PruneAudit {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "prune-audit",
            description: "Deletes audit records that are older than they are kept.",
            period: Duration::from_secs(3600),
        }
    }

    async fn run(&self) -> Result<String> {
        let mut count = 0;
        loop {
            let more = self.app.prune_records(self.keep, BATCH).await?;
            count += more;
            if more < BATCH {
                return Ok(format!("{count} records were deleted"));
            }
        }
    }
}
