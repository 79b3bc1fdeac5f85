//! Sends the log of a task, and follows it until the task has ended.

use std::{sync::Arc, time::Duration};

use futures::{Stream, TryStreamExt as _, stream};
use sprout_app::App;
use sprout_domain::{Reason, Result, TaskId, workflow::Task};
use sprout_proto::task::WatchTaskLogsResponse;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tonic::Status;

use crate::status::status;

/// Lines of the subject's log looked at together. Few of a provider's are of one task.
const BATCH: usize = 4096;
/// Looks are at least this far apart: wake-ups tell that some log grew, not which.
const PACE: Duration = Duration::from_millis(100);
/// Looks are at most this far apart: a task may end without a word, or be served by another replica.
const SWEEP: Duration = Duration::from_secs(1);
/// The last line of a task is written after its end was committed.
const AFTERMATH: Duration = Duration::from_millis(500);

/// The lines of the log, oldest first; with `follow`, new ones too until the task has ended.
pub(crate) async fn watch(
    app: Arc<App>,
    id: TaskId,
    follow: bool,
) -> Result<impl Stream<Item = Result<WatchTaskLogsResponse, Status>>> {
    // Listening starts before the look, so that nothing falls between the two.
    let grown = app.logs_changed();
    let task = app.task(id).await?;
    let over = task.state.is_final().then(|| Instant::now() + AFTERMATH);
    let reader = Reader { app, task, follow, grown, position: 0, over };
    let lines = stream::try_unfold(reader, |mut reader| async {
        Ok(reader.next().await?.map(|lines| (WatchTaskLogsResponse { lines }, reader)))
    });
    Ok(lines.map_err(status))
}

struct Reader {
    app: Arc<App>,
    task: Task,
    follow: bool,
    grown: watch::Receiver<u64>,
    position: u64,
    /// When nothing more is to be expected; none: the task goes on.
    over: Option<Instant>,
}

impl Reader {
    /// The next lines; none: that was all.
    async fn next(&mut self) -> Result<Option<Vec<String>>> {
        loop {
            let looked_at = Instant::now();
            self.grown.mark_unchanged();
            let (lines, position) = self.app.task_log(&self.task, self.position, BATCH).await?;
            let is_at_end = std::mem::replace(&mut self.position, position) == position;
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            if !is_at_end {
                continue;
            }
            if !self.follow || self.over.is_some_and(|over| over <= looked_at) {
                return Ok(None);
            }
            match self.over {
                Some(over) => sleep_until(over).await,
                None => self.wait(looked_at).await?,
            }
        }
    }

    /// Waits until the log may have grown, and looks whether the task has ended.
    async fn wait(&mut self, looked_at: Instant) -> Result<()> {
        // Without its log store the server is ending; so does this.
        let is_ending = matches!(timeout(SWEEP, self.grown.changed()).await, Ok(Err(_)));
        sleep(PACE.saturating_sub(looked_at.elapsed())).await;
        let is_final = match self.app.task(self.task.id).await {
            Ok(task) => task.state.is_final(),
            Err(error) if error.reason == Reason::TaskNotFound => true, // pruned
            Err(error) => return Err(error),
        };
        if is_final || is_ending {
            self.over = Some(Instant::now() + AFTERMATH);
        }
        Ok(())
    }
}
