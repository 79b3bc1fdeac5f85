//! Serves those who wait, and ends the wait of those whose time is over.
//!
//! On every server, not where the leadership is: people wait for this, and a leader that died would be missed for seconds. Who has the turn places;
//! the others see that and look again, so that several servers cost a look each and never wait for one another.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, Placed, ports::Topic};
use sprout_domain::Result;

use crate::driver::{Activity, Loop};

/// Under load wake-ups come by the thousand.
const REST: Duration = Duration::from_millis(20);
/// While another server has the turn, the look is this frequent: it may not have seen what woke us.
const ELSEWHERE: Duration = Duration::from_millis(100);

/// Grants and deploys for those who wait.
pub(crate) struct Place(pub(crate) Arc<App>);

#[async_trait]
impl Activity for Place {
    fn when(&self) -> Loop {
        Loop { name: "queue", period: Duration::from_secs(2), topic: Some(Topic::Queue), rest: REST }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        Ok(match self.0.place_waiting().await? {
            Placed::All => None,
            Placed::More => Some(Duration::ZERO),
            Placed::Elsewhere => Some(ELSEWHERE),
        })
    }
}

/// Fails those who waited for too long, exactly when they did; what is requested meanwhile wakes it.
pub(crate) struct EndOverdue(pub(crate) Arc<App>);

#[async_trait]
impl Activity for EndOverdue {
    fn when(&self) -> Loop {
        let rest = Duration::from_millis(200);
        Loop { name: "wait-limits", period: Duration::from_secs(5), topic: Some(Topic::Queue), rest }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.0.end_overdue_pools().await
    }
}
