//! Writes down, each minute, what people look at over time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, JobSpec};
use sprout_domain::Result;

use crate::job::Job;

/// Takes samples, and makes old ones fewer. What a run does not get to, the next one does.
pub(crate) struct Sample(pub(crate) Arc<App>);

#[async_trait]
impl Job for Sample {
    fn spec(&self) -> JobSpec {
        JobSpec {
            name: "sample",
            description: "Writes down numbers over time (`sproutctl stats`), and makes old ones fewer.",
            period: Duration::from_secs(60),
        }
    }

    async fn run(&self) -> Result<String> {
        let mut events = 0;
        loop {
            let sampled = self.0.sample().await?;
            events += sampled.events;
            if !sampled.more {
                break;
            }
        }
        let mut thinned = 0;
        loop {
            let gone = self.0.thin_samples().await?;
            thinned += gone;
            if gone == 0 {
                return Ok(format!("{events} events were counted, and {thinned} old samples thinned out"));
            }
        }
    }
}
