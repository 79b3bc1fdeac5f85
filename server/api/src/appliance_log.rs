//! Sends the log of an appliance line by line, and follows it until the appliance is gone.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{Stream, TryStreamExt as _, stream};
use sprout_app::{
    App, EventStream,
    ports::{ApplianceBy, EventFilter},
};
use sprout_domain::{ApplianceId, Result, appliance::ApplianceState, event::EventKind, user::User};
use sprout_proto::appliance::WatchApplianceLogsResponse;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tonic::Status;

use crate::status::status;

/// Lines held at once.
const BATCH: usize = 256;
/// Looks are at least this far apart: wake-ups tell that some log grew, not which.
const PACE: Duration = Duration::from_millis(100);

/// The lines of the log, oldest first; with `follow`, new ones too until the appliance is gone.
pub(crate) async fn watch(
    app: Arc<App>,
    caller: User,
    id: ApplianceId,
    follow: bool,
) -> Result<impl Stream<Item = Result<WatchApplianceLogsResponse, Status>>> {
    let mut reader =
        Reader { app, caller, id, position: 0, lines: VecDeque::new(), looked_at: Instant::now(), following: None };
    if follow {
        reader.following = Some(reader.follow().await?);
    }
    reader.look().await?;
    let lines = stream::try_unfold(reader, |mut reader| async {
        Ok(reader.next().await?.map(|line| (WatchApplianceLogsResponse { line }, reader)))
    });
    Ok(lines.map_err(status))
}

struct Reader {
    app: Arc<App>,
    caller: User,
    id: ApplianceId,
    position: u64,
    lines: VecDeque<String>,
    looked_at: Instant,
    /// None: ends at the end.
    following: Option<Following>,
}

/// What tells that there may be more.
struct Following {
    grown: watch::Receiver<u64>,
    events: EventStream,
    /// Nothing more is written; what there is, is still read.
    gone: bool,
}

impl Reader {
    async fn follow(&self) -> Result<Following> {
        // Listening starts before the look, so that nothing falls between the two.
        let filter = EventFilter { appliance_id: Some(self.id), ..EventFilter::default() };
        let (grown, events) = (self.app.logs_changed(), self.app.events(&self.caller, filter, None).await?);
        let gone = self.app.appliance(&self.caller, &ApplianceBy::Id(self.id)).await?.state == ApplianceState::Gone;
        Ok(Following { grown, events, gone })
    }

    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            // Whether it is gone is known before the look, so that its last lines are seen.
            let ending = self.following.as_ref().is_none_or(|following| following.gone);
            if self.look().await? {
                continue;
            }
            match &mut self.following {
                Some(following) if !ending => following.woken().await?,
                _ => return Ok(None),
            }
            sleep_until(self.looked_at + PACE).await;
        }
    }

    /// Reads on; returns whether there was anything.
    async fn look(&mut self) -> Result<bool> {
        self.looked_at = Instant::now();
        if let Some(following) = &mut self.following {
            following.grown.mark_unchanged();
        }
        let (lines, position) = self.app.appliance_log(&self.caller, self.id, self.position, BATCH).await?;
        self.position = position;
        self.lines.extend(lines);
        Ok(!self.lines.is_empty())
    }
}

impl Following {
    /// Waits until the log may have grown or the appliance is gone.
    async fn woken(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                grown = self.grown.changed() => {
                    // Without its log store the server is ending; so does this.
                    self.gone |= grown.is_err();
                    return Ok(());
                }
                event = self.events.next() => {
                    let fact = event?.fact;
                    let gone = fact.kind == EventKind::ApplianceState
                        && fact.state.as_deref() == Some(ApplianceState::Gone.as_str());
                    if gone {
                        self.gone = true;
                        return Ok(());
                    }
                }
            }
        }
    }
}
