//! `sproutctl job run`

use std::time::Duration;

use sprout_client::{
    Connection,
    proto::job::{JobRun, JobRunState, ListJobRunsRequest, RunJobRequest},
    retry,
};
use tokio::time::{Instant, sleep};

use crate::{
    args::job::Run,
    context::Context,
    failure::Failure,
    output::job::{JobRunView, JobView},
};

/// Pause between two looks for the end of the run.
const PAUSE: Duration = Duration::from_millis(300);

pub(crate) async fn run(context: &Context<'_>, args: Run) -> Result<(), Failure> {
    let connection = context.connect()?;
    let name = &args.which.name;
    let last = if args.wait { latest(&connection, name).await?.map_or(0, |run| run.id) } else { 0 };
    // Asked for twice it runs once, unless it began in between; then it finds nothing to do.
    let answer = retry(async || {
        let request = RunJobRequest { name: name.clone() };
        connection.jobs().run_job(request).await.map_err(|status| connection.explain(status))
    })
    .await?;
    if !args.wait {
        let job = answer.into_inner().job.ok_or(Failure::Incomplete("job"))?;
        context.out.note(&format!("it runs at once; `sproutctl job history {name}` shows what it did"));
        return context.out.card(&JobView::from(job));
    }
    let run = ended(&connection, name, last, args.timeout).await?;
    let (state, message) = (run.state(), run.message.clone());
    context.out.card(&JobRunView::from(run))?;
    if state == JobRunState::Done {
        return Ok(());
    }
    Err(Failure::Outcome {
        message: format!("the run did not end well: {message}"),
        hint: "the server's log says more; what is left undone is done when the job is due next".to_owned(),
    })
}

/// Waits for the end of the first run that began after this one.
pub(crate) async fn ended(
    connection: &Connection,
    name: &str,
    after: u64,
    timeout: Duration,
) -> Result<JobRun, Failure> {
    let began = Instant::now();
    loop {
        match latest(connection, name).await? {
            Some(run) if run.id > after && run.state() != JobRunState::Running => return Ok(run),
            _ if began.elapsed() > timeout => {
                return Err(Failure::TimedOut {
                    message: format!("job {name} did not end in time"),
                    hint: format!("`sproutctl job history {name}` shows how it goes on"),
                });
            }
            _ => sleep(PAUSE).await,
        }
    }
}

/// The last run of a job, whether it ended or not.
pub(crate) async fn latest(connection: &Connection, name: &str) -> Result<Option<JobRun>, Failure> {
    let runs = retry(async || {
        let request = ListJobRunsRequest { name: name.to_owned(), page_size: 1, page_token: String::new() };
        connection.jobs().list_job_runs(request).await.map_err(|status| connection.explain(status))
    })
    .await?;
    Ok(runs.into_inner().runs.into_iter().next())
}
