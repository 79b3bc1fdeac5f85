//! Background activities of a server: each is idempotent, takes no input, and runs on a period and on a nudge. What a nudge
//! that got lost would have done, the period does.

mod driver;
mod lease;
mod provider;
mod warm;
mod worker;

use std::{sync::Arc, time::Duration};

use sprout_app::App;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::driver::Activity;

/// How often things are done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Providers are checked, and their templates listed.
    pub check_interval: Duration,
}

/// An activity ended that never should: a defect, after which the server must not go on as if nothing had happened.
#[derive(Debug, thiserror::Error)]
#[error("a background activity of the server ended ({0}); this is a defect, restart the server")]
pub struct Ended(String);

/// Runs all activities until `shutdown`.
///
/// # Errors
/// If one of them ends by itself.
pub async fn run(app: Arc<App>, options: Options, shutdown: CancellationToken) -> Result<(), Ended> {
    let mut running = JoinSet::new();
    let mut begin = |activity: Box<dyn Activity>| {
        running.spawn(driver::run(activity, app.bus().clone(), shutdown.clone()));
    };
    begin(Box::new(lease::Expire(app.clone())));
    begin(Box::new(worker::ReleaseSilent(app.clone())));
    begin(Box::new(warm::Refill(app.clone())));
    begin(Box::new(provider::Check::new(app.clone(), options.check_interval)));
    running.spawn({
        let (app, shutdown) = (app.clone(), shutdown.clone());
        async move {
            shutdown.run_until_cancelled_owned(app.feed().run()).await;
        }
    });
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            return Err(Ended(error.to_string()));
        }
        if !shutdown.is_cancelled() {
            return Err(Ended("without an error".to_owned()));
        }
    }
    Ok(())
}
