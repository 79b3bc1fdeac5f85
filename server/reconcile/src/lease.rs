//! Ends leases when they end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, ports::Topic};
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Every grant nudges; a lease that is this late ended in time.
const REST: Duration = Duration::from_millis(100);

/// Kills what is past its lease. Sleeps exactly until the next lease ends, as the database's clock sees it: only the length of
/// the pause comes from there, so that this machine's clock may differ. The period heals a database clock that was set.
pub(crate) struct Expire(pub(crate) Arc<App>);

#[async_trait]
impl Activity for Expire {
    fn when(&self) -> Loop {
        Loop { name: "lease-expiry", period: Duration::from_secs(30), topic: Some(Topic::Leases), rest: REST }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.expire_leases().await
    }
}
