//! `sproutctl job …`

pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod resume;
pub(crate) mod run;

use crate::{args::job::Job, context::Context, failure::Failure};

/// Does what was asked of jobs.
pub(crate) async fn dispatch(context: &Context<'_>, job: Job) -> Result<(), Failure> {
    match job {
        Job::List => list::run(context).await,
        Job::Run(args) => run::run(context, args).await,
        Job::Pause(args) => pause::run(context, args).await,
        Job::Resume(args) => resume::run(context, args).await,
        Job::History(args) => history::run(context, args).await,
    }
}
