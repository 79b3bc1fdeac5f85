//! Background activities of a server: each is idempotent, takes no input, and runs on a period and on a nudge. What a nudge
//! that got lost would have done, the period does.
//!
//! What must happen on time although a server has just died runs on every server: the ends of leases, the look for silent workers and steps, the queue. Each locks what
//! it is about and looks again, so that the second to come finds nothing to do. What is merely to be done runs where the leadership is: jobs, the
//! warm refill, the look for providers that were never checked.

mod audit;
mod catalogue_sync;
mod driver;
mod job;
mod late;
mod leader;
mod lease;
mod provider;
mod prune;
mod queue;
mod refresh;
mod stalled;
mod stats;
mod template;
mod trial;
mod usage;
mod warm;
mod worker;

use std::{sync::Arc, time::Duration};

use sprout_app::{
    App,
    ports::{BuildIndex, Listings},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    driver::Activity,
    job::{Job, Jobs},
};

/// How often things are done, how long they are kept, and by whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// Providers are checked, and their templates listed.
    pub check_interval: Duration,
    /// Everything on providers is listed.
    pub refresh_interval: Duration,
    /// Catalogues are read.
    pub catalogue_interval: Duration,
    /// Reads them.
    pub listings: Arc<dyn Listings>,
    /// Workflows that ended are kept for this long.
    pub keep_results: Duration,
    /// Audit records are kept for this long.
    pub keep_audit: Duration,
    /// Names this server, and no other one nor an earlier life of it: it holds the leadership by this name.
    pub server: String,
    /// What reads indexes of builds; none: nothing does.
    pub index: Option<Arc<dyn BuildIndex>>,
    /// Jobs are told by this machine's clock when they are due. Without, they are found due some seconds later; for where time is not this machine's.
    pub ticks: bool,
}

/// An activity ended that never should: a defect, after which the server must not go on as if nothing had happened.
#[derive(Debug, thiserror::Error)]
#[error("a background activity of the server ended ({0}); this is a defect, restart the server")]
pub struct Ended(String);

/// The leadership is given up in the end, if the database takes it within this time; else it runs out.
const STEP_DOWN: Duration = Duration::from_secs(1);

/// Runs all activities until `shutdown`.
///
/// # Errors
/// If one of them ends by itself.
pub async fn run(app: Arc<App>, options: Options, shutdown: CancellationToken) -> Result<(), Ended> {
    let (term, leading) = watch::channel(None);
    let server: Arc<str> = options.server.into();
    let check = provider::CheckAll { app: app.clone(), interval: options.check_interval };
    let prune = prune::Prune { app: app.clone(), keep: options.keep_results };
    let every: Vec<Box<dyn Job>> = vec![
        Box::new(check),
        Box::new(refresh::Refresh { app: app.clone(), interval: options.refresh_interval }),
        Box::new(refresh::Leaks { app: app.clone() }),
        Box::new(prune),
        Box::new(audit::PruneAudit { app: app.clone(), keep: options.keep_audit }),
        Box::new(usage::AccountLeases { app: app.clone() }),
        Box::new(catalogue_sync::SyncCatalogues {
            app: app.clone(),
            listings: options.listings,
            interval: options.catalogue_interval,
        }),
        Box::new(template::Mark(app.clone())),
        Box::new(template::DeleteObsolete(app.clone())),
        Box::new(template::Prepare(app.clone())),
        Box::new(template::Builds { app: app.clone(), index: options.index }),
        Box::new(late::EndEmptyPools(app.clone())),
        Box::new(stats::Sample(app.clone())),
    ];
    let jobs = Jobs::new(app.clone(), server.clone(), leading.clone(), every);
    let scheduler =
        if options.ticks { Some(jobs.scheduler().await.map_err(|error| Ended(error.to_string()))?) } else { None };

    let mut running = JoinSet::new();
    let everywhere: [Box<dyn Activity>; 9] = [
        Box::new(leader::Lead::new(app.clone(), server.clone(), term)),
        Box::new(lease::Expire(app.clone())),
        Box::new(worker::ReleaseSilent(app.clone())),
        Box::new(stalled::StopStalled(app.clone())),
        Box::new(queue::Place(app.clone())),
        Box::new(queue::EndOverdue(app.clone())),
        Box::new(trial::TryAgain(app.clone())),
        Box::new(template::DeleteRetired(app.clone())),
        Box::new(late::DealWithLate(app.clone())),
    ];
    for activity in everywhere {
        running.spawn(driver::run(activity, app.bus().clone(), shutdown.clone()));
    }
    let in_one_place: [Box<dyn Activity>; 3] =
        [Box::new(jobs), Box::new(warm::Refill(app.clone())), Box::new(provider::CheckNew::new(app.clone()))];
    running.spawn(driver::run_leading(in_one_place.into(), app.bus().clone(), leading, shutdown.clone()));
    running.spawn({
        let (app, shutdown) = (app.clone(), shutdown.clone());
        async move {
            shutdown.run_until_cancelled_owned(app.feed().run()).await;
        }
    });
    let ended = until_all_ended(running, &shutdown).await;
    // Only now that nothing of it is done any more.
    if let Ok(Err(error)) = timeout(STEP_DOWN, app.step_down(&server)).await {
        tracing::debug!(%error, "the leadership was not given up; it runs out");
    }
    if let Some(mut scheduler) = scheduler
        && let Err(error) = scheduler.shutdown().await
    {
        tracing::debug!(%error, "the scheduler did not shut down cleanly");
    }
    ended
}

async fn until_all_ended(mut running: JoinSet<()>, shutdown: &CancellationToken) -> Result<(), Ended> {
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
