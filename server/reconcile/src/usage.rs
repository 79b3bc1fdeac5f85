//! Accounts leases while they run, so that little is to be summed up when someone asks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::job::Job;

/// Appliances accounted in one transaction.
const BATCH: u64 = 500;
/// What was accounted more recently than this waits for the next run.
const RECENT: Duration = Duration::from_secs(1800);

/// Accounts what runs. Done twice, the second time adds nothing.
pub(crate) struct AccountLeases {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl Job for AccountLeases {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "account-leases",
            description: "Adds the hours of leases that run to the usage of their owners.",
            period: Duration::from_secs(3600),
        }
    }

    async fn run(&self) -> Result<String> {
        let mut count = 0;
        loop {
            let more = self.app.account_leases(RECENT, BATCH).await?;
            count += more;
            if more < BATCH {
                return Ok(format!("{count} leases were accounted"));
            }
        }
    }
}
