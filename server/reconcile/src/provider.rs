//! Has providers checked.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::App;
use sprout_domain::Result;
use tokio::time::Instant;

use crate::driver::{Activity, Loop};

/// While a provider was never checked (no worker was there yet), the look is this frequent.
const UNCHECKED: Duration = Duration::from_secs(5);

/// Has all providers checked, at the start and then at an interval. The checks wait in the queue for a worker, so the first one
/// that connects does them; what was lost on the way before the first result is asked for again soon.
pub(crate) struct Check {
    app: Arc<App>,
    interval: Duration,
    next: Option<Instant>,
}

impl Check {
    pub(crate) fn new(app: Arc<App>, interval: Duration) -> Self {
        Self { app, interval, next: None }
    }
}

#[async_trait]
impl Activity for Check {
    fn when(&self) -> Loop {
        Loop { name: "provider-check", period: self.interval, topic: None }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        let providers = self.app.providers().await?;
        let unchecked = providers.iter().any(|provider| !provider.disabled && provider.checked_at.is_none());
        if unchecked || self.next.is_none_or(|next| next <= Instant::now()) {
            self.app.check_providers().await?;
            self.next = Some(Instant::now() + self.interval);
        }
        let left = self.next.map(|next| next.saturating_duration_since(Instant::now()));
        Ok(if unchecked { Some(UNCHECKED) } else { left })
    }
}
