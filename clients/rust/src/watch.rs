//! Streams that go on where they were after the connection broke or the server restarted.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use sprout_proto::{
    appliance::{
        Appliance, ApplianceState, WatchApplianceLogsRequest, WatchApplianceLogsResponse, WatchApplianceRequest,
        WatchApplianceResponse,
    },
    event::{WatchRequest, WatchResponse},
    pool::{Pool, PoolState, WatchPoolRequest, WatchPoolResponse},
    task::{WatchTaskLogsRequest, WatchTaskLogsResponse},
    template::{WatchTemplateLogsRequest, WatchTemplateLogsResponse},
    workflow::{WatchWorkflowRequest, WatchWorkflowResponse},
};
use tonic::{Response, Status, Streaming};

use crate::{connection::Connection, error::ClientError};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Opens a stream behind the last message seen.
type Opener<T> = Box<dyn Fn(&Connection, Option<&T>) -> Opening<T> + Send + Sync>;
type Opening<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

/// What a watch tells.
#[derive(Debug)]
pub enum Watched<T> {
    /// The server sent this.
    Message(T),
    /// The connection is lost; the watch goes on by itself. Told once per loss.
    Lost(ClientError),
    /// The connection is there again.
    Back,
}

/// A stream of the server that is opened again when it breaks.
pub struct Watch<T> {
    connection: Connection,
    open: Opener<T>,
    /// Whether the server may end the stream after this message (or without one).
    is_last: fn(Option<&T>) -> bool,
    stream: Option<Streaming<T>>,
    last: Option<T>,
    was_open: bool,
    /// Servers that did not open it at first.
    refused: usize,
    is_lost: bool,
    is_over: bool,
    pause: Duration,
    not_before: Option<Instant>,
}

impl Watch<WatchPoolResponse> {
    /// Watches a pool until it ended or failed. After a break the server sends it as it is then.
    pub fn pool(connection: &Connection, id: u64) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut pools = connection.pools();
                Box::pin(async move { pools.watch_pool(WatchPoolRequest { id }).await })
            }),
            |message| {
                let state = message.and_then(|message| message.pool.as_ref()).map(Pool::state);
                matches!(state, Some(PoolState::Ended | PoolState::Failed))
            },
        )
    }
}

impl Watch<WatchWorkflowResponse> {
    /// Watches a workflow until it ended. After a break the server sends it as it is then.
    pub fn workflow(connection: &Connection, id: u64) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut workflows = connection.workflows();
                Box::pin(async move { workflows.watch_workflow(WatchWorkflowRequest { id }).await })
            }),
            |message| message.and_then(|message| message.workflow.as_ref()).is_some_and(|it| it.finished_at.is_some()),
        )
    }
}

impl Watch<WatchApplianceResponse> {
    /// Watches an appliance until it is gone. After a break the server sends it as it is then.
    pub fn appliance(connection: &Connection, id: u64) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut appliances = connection.appliances();
                Box::pin(async move { appliances.watch_appliance(WatchApplianceRequest { id }).await })
            }),
            |message| {
                let state = message.and_then(|message| message.appliance.as_ref()).map(Appliance::state);
                state == Some(ApplianceState::Gone)
            },
        )
    }
}

impl Watch<WatchResponse> {
    /// Watches the event log for good. After a break it goes on behind the last event seen, so none is missed.
    pub fn events(connection: &Connection, request: WatchRequest) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, last: Option<&WatchResponse>| {
                let mut events = connection.events();
                let mut request = request.clone();
                request.after_sequence = last.map(|message| message.sequence).or(request.after_sequence);
                Box::pin(async move { events.watch(request).await })
            }),
            |_| false,
        )
    }
}

impl Watch<WatchApplianceLogsResponse> {
    /// Reads an appliance's log. The server cannot resume it: after a break it comes from its first line again.
    pub fn logs(connection: &Connection, id: u64, follow: bool) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut appliances = connection.appliances();
                let request = WatchApplianceLogsRequest { id, follow };
                Box::pin(async move { appliances.watch_appliance_logs(request).await })
            }),
            |_| true,
        )
    }
}

impl Watch<WatchTaskLogsResponse> {
    /// Reads a task's log. The server cannot resume it: after a break it comes from its first line again.
    pub fn task_logs(connection: &Connection, id: u64, follow: bool) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut tasks = connection.tasks();
                Box::pin(async move { tasks.watch_task_logs(WatchTaskLogsRequest { id, follow }).await })
            }),
            |_| true,
        )
    }
}

impl Watch<WatchTemplateLogsResponse> {
    /// Reads what was said while a template was prepared. The server cannot resume it: after a break it comes from its first line again.
    pub fn template_logs(connection: &Connection, id: u64, follow: bool) -> Self {
        Self::new(
            connection,
            Box::new(move |connection, _| {
                let mut templates = connection.templates();
                let request = WatchTemplateLogsRequest { id, follow };
                Box::pin(async move { templates.watch_template_logs(request).await })
            }),
            |_| true,
        )
    }
}

impl<T: Clone> Watch<T> {
    fn new(connection: &Connection, open: Opener<T>, is_last: fn(Option<&T>) -> bool) -> Self {
        Self {
            connection: connection.clone(),
            open,
            is_last,
            stream: None,
            last: None,
            was_open: false,
            refused: 0,
            is_lost: false,
            is_over: false,
            pause: FIRST_PAUSE,
            not_before: None,
        }
    }

    /// For a server that has answered a moment ago: also the first connection is waited for.
    #[must_use]
    pub fn known(mut self) -> Self {
        self.was_open = true;
        self
    }

    /// The same, from a moment on.
    #[must_use]
    pub(crate) fn known_after(mut self, pause: Duration) -> Self {
        self.not_before = Some(Instant::now() + pause);
        self.known()
    }

    /// The next thing to know; `None` after the end. An error ends the watch: the first connection failed, or the
    /// server refused. May be dropped and called again without losing a message.
    pub async fn next(&mut self) -> Option<Result<Watched<T>, ClientError>> {
        loop {
            if self.is_over {
                return None;
            }
            let status = match &mut self.stream {
                None => match self.reopen().await {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        self.was_open = true;
                        if std::mem::take(&mut self.is_lost) {
                            return Some(Ok(Watched::Back));
                        }
                        continue;
                    }
                    Err(status) => status,
                },
                Some(stream) => match stream.message().await {
                    Ok(Some(message)) => {
                        self.pause = FIRST_PAUSE;
                        self.last = Some(message.clone());
                        return Some(Ok(Watched::Message(message)));
                    }
                    Ok(None) if (self.is_last)(self.last.as_ref()) => {
                        self.is_over = true;
                        return None;
                    }
                    Ok(None) => Status::unavailable("the server ended the stream"),
                    Err(status) => status,
                },
            };
            self.stream = None;
            let error = self.connection.explain(status);
            if !self.was_open && error.is_unavailable() && self.refused + 1 < self.connection.server_count() {
                self.refused += 1;
                continue; // another one may be there
            }
            if !error.is_unavailable() || !self.was_open {
                self.is_over = true;
                return Some(Err(error));
            }
            self.not_before = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            if !std::mem::replace(&mut self.is_lost, true) {
                return Some(Ok(Watched::Lost(error)));
            }
        }
    }

    async fn reopen(&self) -> Result<Streaming<T>, Status> {
        if let Some(not_before) = self.not_before {
            tokio::time::sleep_until(not_before.into()).await;
        }
        (self.open)(&self.connection, self.last.as_ref()).await.map(Response::into_inner)
    }
}
