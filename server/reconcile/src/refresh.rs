//! Has everything on providers listed, and what was left over there deleted.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::job::Job;

/// Listings in a row that a provider may miss before the job says so.
const LATE: u32 = 5;

/// Has all providers listed.
pub(crate) struct Refresh {
    pub(crate) app: Arc<App>,
    pub(crate) interval: Duration,
}

#[async_trait]
impl Job for Refresh {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "refresh",
            description: "Has workers list everything on each provider: what is off, missing, somebody else's, or left over.",
            period: self.interval,
        }
    }

    async fn run(&self) -> Result<String> {
        let parent = self.app.refresh_providers().await?;
        let stale = self.app.stale_providers(self.interval.saturating_mul(LATE)).await?;
        let late = stale.into_iter().map(|(key, at)| match at {
            Some(at) => format!("; {key} was not listed since {}", at.format("%F %T UTC")),
            None => format!("; {key} was never listed"),
        });
        let late: String = late.collect();
        Ok(format!("{} providers are being listed by workflow {}{}", parent.child_count, parent.id, late))
    }
}

/// Has leftovers deleted that a refresh did not have deleted at once: what got old enough since, and what could not be deleted before.
pub(crate) struct Leaks {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl Job for Leaks {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "leaks",
            description: "Deletes what was left over on providers, and what clean-up rules match. By hand: also where most of what is ours would go.",
            period: Duration::from_secs(60),
        }
    }

    async fn run(&self) -> Result<String> {
        self.app.clean_up(false).await
    }

    async fn run_by_hand(&self) -> Result<String> {
        self.app.clean_up(true).await
    }
}
