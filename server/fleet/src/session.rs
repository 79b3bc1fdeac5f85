//! One session of one worker: what it says is taken down, what is for it is sent.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use sprout_app::{
    TaskKey,
    ports::{LogOf, WorkerHello},
};
use sprout_domain::{Reason, WorkerId};
use sprout_proto::worker::{
    Ack, Done, Hello, Log, Progress, SessionRequest, SessionResponse, TaskRef, Welcome,
    session_request::Message as Said, session_response::Message as Say,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{Fleet, Running, Session, convert, crash_point};

/// The worker says something at least this often.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// A session in which nothing was said for this long is over. The worker's tasks are lost at the same time, by the database's clock.
const SILENCE: Duration = Duration::from_secs(10);
/// Messages waiting to be sent to one worker; a worker that reads slower is given nothing more.
const OUTGOING: usize = 256;
/// Waits between tries to write down a result while the database is away; the worker repeats it after a reconnect anyway.
const RETRY: Duration = Duration::from_millis(500);

impl Fleet {
    /// Runs a session until either side ends it. `worker` is who the token says it is.
    pub async fn session<S>(
        self: &Arc<Self>,
        worker: WorkerId,
        mut incoming: S,
    ) -> Result<impl Stream<Item = Result<SessionResponse, Status>> + Send + use<S>, Status>
    where
        S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin + 'static,
    {
        let hello = first_message(&worker, &mut incoming).await?;
        let id = self.open(&worker, hello).await?;
        let (id, receiver) = id;
        let fleet = self.clone();
        tokio::spawn(async move { fleet.listen(worker, id, incoming).await });
        Ok(ReceiverStream::new(receiver))
    }

    async fn open(
        &self,
        worker: &WorkerId,
        hello: Hello,
    ) -> Result<(String, mpsc::Receiver<Result<SessionResponse, Status>>), Status> {
        let id = format!("{:016x}", rand::random::<u64>());
        let running: Vec<_> = hello.running.iter().map(convert::key).collect();
        let known = WorkerHello {
            id: worker.clone(),
            version: hello.version,
            drivers: hello.provider_types,
            slots: hello.slots.clamp(1, 10_000),
        };
        let tasks = self.app.worker_connected(&known, &id, &running).await.map_err(|error| unavailable(&error))?;
        let (outgoing, receiver) = mpsc::channel(OUTGOING);
        let welcome = Welcome {
            heartbeat_interval: Some(convert::duration(HEARTBEAT)),
            server_version: self.version.clone(),
            revoked: tasks.revoked.into_iter().map(convert::task_ref).collect(),
            ..Welcome::default()
        };
        // The channel is new and empty: this cannot fail.
        let _ = outgoing.try_send(Ok(SessionResponse { message: Some(Say::Welcome(welcome)) }));
        tracing::info!(%worker, session = id, version = known.version, drivers = ?known.drivers, kept = tasks.kept.len(), "worker connected");
        let session = Session {
            id: id.clone(),
            drivers: known.drivers,
            slots: known.slots as usize,
            running: tasks.kept.iter().map(Running::of).collect(),
            outgoing,
        };
        if let Some(older) = self.sessions().insert(worker.clone(), session) {
            let _ = older
                .outgoing
                .try_send(Err(Status::failed_precondition("a newer session of this worker id replaced this one")));
        }
        self.room.notify_one();
        Ok((id, receiver))
    }

    async fn listen<S>(self: Arc<Self>, worker: WorkerId, id: String, mut incoming: S)
    where
        S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin,
    {
        let mut heard = tokio::time::interval(HEARTBEAT);
        let mut statuses = HashMap::new();
        // By when something must be said, and whether something was since it was last noted that the worker lives: only what the worker says
        // proves that.
        let (mut silent_at, mut spoke) = (Instant::now() + SILENCE, true);
        let why = loop {
            let said = tokio::select! {
                said = timeout_at(silent_at, incoming.next()) => said,
                _ = heard.tick() => {
                    if !self.note(&worker, &id, &mut statuses, std::mem::take(&mut spoke)).await {
                        break "a newer session replaced it".to_owned();
                    }
                    continue;
                }
            };
            (silent_at, spoke) = (Instant::now() + SILENCE, true);
            match said {
                Err(_) => break "it was silent for too long".to_owned(),
                Ok(None) => break "it left".to_owned(),
                Ok(Some(Err(status))) => break format!("the stream broke: {}", status.message()),
                Ok(Some(Ok(request))) => match request.message {
                    Some(Said::Hello(_)) => break "it said Hello twice".to_owned(),
                    Some(Said::Heartbeat(_) | Said::Leaving(_)) | None => {}
                    Some(Said::Progress(progress)) => self.progress(&worker, progress, &mut statuses),
                    Some(Said::Log(line)) => self.log(&worker, line).await,
                    Some(Said::Done(done)) => self.done(&worker, done),
                },
            }
        };
        tracing::info!(%worker, session = id, why, "worker session ended");
        self.end(&worker, &id);
        if let Err(error) = self.app.worker_disconnected(&worker, &id).await {
            tracing::warn!(%worker, %error, "could not note that a worker left");
        }
    }

    /// Writes down that the worker lives, if it `spoke`, and what its steps do just now; `false` if this session is no longer the worker's.
    async fn note(&self, worker: &WorkerId, id: &str, statuses: &mut HashMap<TaskKey, String>, spoke: bool) -> bool {
        if self.sessions().get(worker).is_none_or(|session| session.id != id) {
            return false;
        }
        // What a step said before it ended must not cover what it ended with.
        let running = |(task, line)| Some((self.running(worker, task)?.appliance()?, line));
        let lines: Vec<_> = statuses.drain().filter_map(running).collect();
        let noted = async {
            if spoke {
                self.app.workers_heard(&[(worker.clone(), id.to_owned())]).await?;
            }
            if lines.is_empty() { Ok(()) } else { self.app.report_progress(&lines).await }
        };
        if let Err(error) = noted.await {
            tracing::warn!(%worker, %error, "could not note that a worker lives");
        }
        true
    }

    fn progress(&self, worker: &WorkerId, progress: Progress, statuses: &mut HashMap<TaskKey, String>) {
        let task = progress.task.as_ref().map(convert::key);
        if let Some(task) = task.filter(|task| self.running(worker, *task).is_some()) {
            let status: String = progress.status.chars().filter(|c| !c.is_control()).take(500).collect();
            statuses.insert(task, status);
        }
    }

    async fn log(&self, worker: &WorkerId, log: Log) {
        let Some(task) = &log.task else { return };
        let Some(running) = self.running(worker, convert::key(task)) else { return };
        let line = convert::log_line(&log, running.step, worker);
        self.app.log(&running.log(), vec![line]).await;
    }

    fn running(&self, worker: &WorkerId, key: TaskKey) -> Option<Running> {
        self.sessions().get(worker)?.running.get(&key).cloned()
    }

    /// Results are written down side by side: the order between tasks does not matter, and each is for one task.
    fn done(self: &Arc<Self>, worker: &WorkerId, done: Done) {
        let (fleet, worker) = (self.clone(), worker.clone());
        tokio::spawn(async move { fleet.finish(&worker, done).await });
    }

    async fn finish(&self, worker: &WorkerId, done: Done) {
        let Some(task) = done.task else { return };
        let key = convert::key(&task);
        let outcome = convert::outcome(done.result);
        let of = self.running(worker, key);
        crash_point(&format!("server.{}.before", of.as_ref().map_or("unknown", |r| r.step.as_str())));
        let accepted = loop {
            match self.app.finish_task(worker, key, outcome.clone()).await {
                Ok(accepted) => break accepted,
                Err(error) if error.reason == Reason::DatabaseUnavailable => {
                    tracing::warn!(%worker, task = %key.id, %error, "a result could not be written down yet");
                    // Not a wait for something we could be told of: the database is away, or two transactions collided.
                    tokio::time::sleep(RETRY.mul_f64(rand::random_range(0.2..1.0))).await;
                }
                Err(error) => {
                    // A defect, or something the database had never said before. Nothing is acknowledged that was not committed.
                    tracing::error!(%worker, task = %key.id, %error, "a result could not be written down; trying again");
                    tokio::time::sleep(RETRY * 20).await;
                }
            }
            if self.sessions().get(worker).is_none() {
                return; // the worker repeats it when it is back
            }
        };
        crash_point(&format!("server.{}.after", of.as_ref().map_or("unknown", |r| r.step.as_str())));
        if let Some(running) = &of {
            self.log_outcome(running, worker, key, &outcome, accepted).await;
        }
        let ack = SessionResponse { message: Some(Say::Ack(Ack { task: Some(TaskRef { ..task }) })) };
        let outgoing = self.sessions().get_mut(worker).map(|session| {
            session.running.remove(&key);
            session.outgoing.clone()
        });
        if let Some(outgoing) = outgoing {
            let _ = outgoing.send(Ok(ack)).await; // a session that ended meanwhile: the worker repeats the result
        }
        self.room.notify_one();
    }

    async fn log_outcome(
        &self,
        running: &Running,
        worker: &WorkerId,
        key: TaskKey,
        outcome: &sprout_app::Outcome,
        accepted: bool,
    ) {
        let says = match (accepted, outcome) {
            (false, _) => "ended, but it had been given to someone else".to_owned(),
            (true, Ok(_)) => "done".to_owned(),
            (true, Err(error)) => format!("failed: {}", error.message),
        };
        let line = convert::server_line(running.step, key.id, worker, &says);
        self.app.log(&running.log(), vec![line]).await;
    }

    /// Tells a subject's log that a step was given out.
    pub(crate) async fn log_assigned(
        &self,
        of: &LogOf,
        step: sprout_domain::workflow::StepKind,
        key: TaskKey,
        worker: &WorkerId,
    ) {
        self.app.log(of, vec![convert::server_line(step, key.id, worker, "given to the worker")]).await;
    }
}

async fn first_message<S>(worker: &WorkerId, incoming: &mut S) -> Result<Hello, Status>
where
    S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin,
{
    let first =
        timeout(SILENCE, incoming.next()).await.map_err(|_| Status::deadline_exceeded("no Hello within 10 seconds"))?;
    let Some(Said::Hello(hello)) = first.transpose()?.and_then(|request| request.message) else {
        return Err(Status::failed_precondition("a session begins with Hello"));
    };
    if hello.worker_id != worker.0 {
        let message = format!(
            "the token belongs to worker {worker}, not to {}; start the worker with --id {worker}",
            hello.worker_id
        );
        return Err(Status::permission_denied(message));
    }
    Ok(hello)
}

fn unavailable(error: &sprout_domain::Error) -> Status {
    tracing::warn!(%error, "a worker could not be registered");
    Status::unavailable(error.message.clone())
}
