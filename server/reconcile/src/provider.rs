//! Has providers checked.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::{
    driver::{Activity, Loop},
    job::Job,
};

/// While a provider was never checked (no worker was there yet), the look is this frequent.
const UNCHECKED: Duration = Duration::from_secs(5);

/// Has all providers checked. The checks wait in the queue for a worker, so the first one that connects does them.
pub(crate) struct CheckAll {
    pub(crate) app: Arc<App>,
    pub(crate) interval: Duration,
}

#[async_trait]
impl Job for CheckAll {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "provider-check",
            description: "Has workers look whether each provider answers, and which templates are there.",
            period: self.interval,
        }
    }

    async fn run(&self) -> Result<String> {
        let parent = self.app.check_providers().await?;
        Ok(format!("{} providers are being checked by workflow {}", parent.child_count, parent.id))
    }
}

/// Has providers checked once when this server begins to lead, for what the configuration says of them may be new, and again soon while one was
/// never checked.
pub(crate) struct CheckNew {
    app: Arc<App>,
    begun: bool,
}

impl CheckNew {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, begun: false }
    }
}

#[async_trait]
impl Activity for CheckNew {
    fn when(&self) -> Loop {
        Loop { name: "new-providers", period: Duration::from_secs(60), topic: None, rest: Duration::ZERO }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        let providers = self.app.all_providers().await?;
        let unchecked = providers.iter().any(|provider| !provider.disabled && provider.checked_at.is_none());
        if unchecked || !self.begun {
            self.app.check_providers().await?;
            self.begun = true;
        }
        Ok(unchecked.then_some(UNCHECKED))
    }
}
