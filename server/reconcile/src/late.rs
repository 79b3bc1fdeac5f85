//! Notices what takes too long: deployments, kills; and pools of which nothing is left.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec, ports::Topic};
use sprout_domain::Result;

use crate::{
    driver::{Activity, Loop},
    job::Job,
};

/// A pool may be empty for a moment; not for this long.
const EMPTY: Duration = Duration::from_secs(2 * 3600);

/// Ends deployments that are late, and tells of kills that are. Sleeps until the next one is, as the database's clock sees it.
pub(crate) struct DealWithLate(pub(crate) Arc<App>);

#[async_trait]
impl Activity for DealWithLate {
    fn when(&self) -> Loop {
        Loop {
            name: "late-workflows",
            period: Duration::from_secs(30),
            topic: Some(Topic::Late),
            rest: Duration::from_millis(200),
        }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.deal_with_late().await
    }
}

/// Ends pools that are empty. There ought to be none.
pub(crate) struct EndEmptyPools(pub(crate) Arc<App>);

#[async_trait]
impl Job for EndEmptyPools {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "end-empty-pools",
            description: "Ends pools older than two hours that have no appliance and wait for none.",
            period: EMPTY,
        }
    }

    async fn run(&self) -> Result<String> {
        let ended = self.0.end_empty_pools(EMPTY).await?;
        if ended > 0 {
            tracing::error!(ended, "pools were empty and had not ended; this is a defect, report it");
        }
        Ok(format!("{ended} pools were empty"))
    }
}
