//! One session of one worker: what it says is taken down, what is for it is sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use sprout_app::{
    LEASE, TaskKey,
    ports::{Topic, WorkerHello},
};
use sprout_domain::{Error, Reason, Result, WorkerId, worker::Slots, workflow::Lane};
use sprout_proto::{
    task as task_pb,
    worker::{
        Done, Hello, Log, Progress, Revoke, SessionRequest, SessionResponse, TaskRef, Welcome,
        session_request::Message as Says, session_response::Message as Say,
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{Fleet, Running, Said, Session, convert, finish::Reported, refusal, watch::replaced};

/// The worker says something at least this often.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Messages waiting to be sent to one worker. One that reads slower is given less; when there are as many, its session is ended.
const OUTGOING: usize = 8192;
/// Of these, kept for answers.
pub(crate) const ANSWERS: usize = OUTGOING / 2;
/// Assignments that are not the worker's and that it is told so of, in one session; a worker that names more is not told.
const REFUSED: usize = 1000;

/// What is sent to a worker.
type Answers = mpsc::Receiver<Result<SessionResponse, Status>>;

impl Fleet {
    /// Runs a session until either side ends it. `worker` is who the token says it is.
    pub async fn session<S>(
        self: &Arc<Self>,
        worker: WorkerId,
        incoming: S,
    ) -> Result<impl Stream<Item = Result<SessionResponse, Status>> + Send + use<S>, Status>
    where
        S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin + 'static,
    {
        let begun = self.begin(worker.clone(), incoming).await;
        if let Err(refused) = &begun {
            tracing::warn!(%worker, code = ?refused.code(), why = refused.message(), "a session of a worker is refused");
        }
        begun.map(ReceiverStream::new)
    }

    async fn begin<S>(self: &Arc<Self>, worker: WorkerId, mut incoming: S) -> Result<Answers, Status>
    where
        S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin + 'static,
    {
        let hello = first_message(&worker, &mut incoming).await?;
        let (opened, answers) = oneshot::channel();
        let fleet = self.clone();
        // In a task of its own: a worker that leaves just now must not leave behind a session that the database has and nobody listens to.
        tokio::spawn(async move {
            match fleet.open(&worker, hello).await {
                Ok((id, answers, ended)) => {
                    drop(opened.send(Ok(answers)));
                    fleet.listen(worker, id, incoming, ended).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
        let answers = answers.await.unwrap_or_else(|_| Err(Error::internal("a session was not opened")));
        answers.map_err(refusal::status)
    }

    async fn open(&self, worker: &WorkerId, hello: Hello) -> Result<(String, Answers, oneshot::Receiver<()>)> {
        let id = format!("{:016x}", fastrand::u64(..));
        let running: Vec<_> = hello.running.iter().map(convert::key).collect();
        let known = read_hello(worker, hello)?;
        let tasks = self.app.worker_connected(&known, &id, &running).await?;
        let (outgoing, answers) = mpsc::channel(OUTGOING);
        let (open, ended) = oneshot::channel();
        tracing::info!(%worker, session = id, version = known.version, drivers = ?known.drivers, kept = tasks.kept.len(), "worker connected");
        let session = Session {
            id: id.clone(),
            drivers: known.drivers,
            slots: known.slots,
            drained: tasks.drained,
            leaving: known.leaving,
            running: tasks.kept.iter().map(Running::of).collect(),
            refused: tasks.revoked.iter().copied().collect(),
            said: Said::default(),
            outgoing,
            _open: open,
        };
        // The channel is new and empty: this cannot fail.
        session.tell(Say::Welcome(Welcome {
            heartbeat_interval: Some(convert::duration(HEARTBEAT)),
            server_version: self.version.clone(),
            revoked: tasks.revoked.into_iter().map(convert::task_ref).collect(),
            lease: Some(convert::duration(LEASE)),
            drained: tasks.drained,
        }));
        if let Some(older) = self.sessions().insert(worker.clone(), session) {
            let _ = older.outgoing.try_send(Err(refusal::status(replaced()))); // who does not read does not learn why
        }
        // What was cancelled while nobody could tell the worker is told now.
        self.app.bus().publish(&[Topic::Cancels]);
        self.room.notify_one();
        Ok((id, answers, ended))
    }

    async fn listen<S>(self: Arc<Self>, worker: WorkerId, id: String, mut incoming: S, mut ended: oneshot::Receiver<()>)
    where
        S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin,
    {
        // By when something must be said. A session in which nothing was is over, and the worker's tasks are lost at the same time, by the
        // database's clock: only what the worker says proves that it lives.
        let mut silent_at = Instant::now() + LEASE;
        let (why, word) = loop {
            let said = tokio::select! {
                biased;
                _ = &mut ended => break ("it was ended".to_owned(), None),
                said = timeout_at(silent_at, incoming.next()) => said,
            };
            silent_at = Instant::now() + LEASE;
            match said {
                Err(_) => break ("it was silent for too long".to_owned(), None),
                Ok(None) => break ("it left".to_owned(), None),
                Ok(Some(Err(status))) => {
                    break (format!("the stream broke: {}", status.message()), refusal::of_broken_stream(&status));
                }
                Ok(Some(Ok(SessionRequest { message: Some(Says::Hello(_)) }))) => {
                    break (
                        "it said Hello twice".to_owned(),
                        Some(refusal::status(out_of_order("a session has one Hello"))),
                    );
                }
                Ok(Some(Ok(request))) => self.hear(&worker, &id, request).await,
            }
        };
        tracing::info!(%worker, session = id, why, "worker session ended");
        if let Some(word) = word
            && let Some(open) = self.sessions().get(&worker).filter(|open| open.id == id)
        {
            let _ = open.outgoing.try_send(Err(word)); // who does not read does not learn why
        }
        self.end(&worker, &id, None);
        if let Err(error) = self.app.worker_disconnected(&worker, &id).await {
            tracing::warn!(%worker, %error, "could not note that a worker left");
        }
    }

    async fn hear(&self, worker: &WorkerId, id: &str, request: SessionRequest) {
        self.within(worker, id, |open| open.said.at = Some(Instant::now()));
        match request.message {
            // A Hello ends the session; messages of later releases are not understood, and prove that the worker lives.
            Some(Says::Hello(_)) | None => {}
            Some(Says::Heartbeat(beat)) => {
                self.within(worker, id, |open| open.said.beat = Some(beat.number));
            }
            Some(Says::Leaving(_)) => self.leave(worker, id).await,
            Some(Says::Progress(progress)) => self.progress(worker, id, progress),
            Some(Says::Log(line)) => self.log(worker, id, line).await,
            Some(Says::Done(done)) => self.done(worker, id, done),
        }
    }

    async fn leave(&self, worker: &WorkerId, id: &str) {
        self.within(worker, id, |open| open.leaving = true);
        if let Err(error) = self.app.worker_leaving(worker, id).await {
            tracing::warn!(%worker, %error, "could not note that a worker is leaving; it is given nothing all the same");
        }
    }

    fn progress(&self, worker: &WorkerId, id: &str, progress: Progress) {
        let Some(key) = self.own(worker, id, progress.task.as_ref(), |_| ()).map(|(key, ())| key) else { return };
        let status: String = progress.status.chars().filter(|c| !c.is_control()).take(500).collect();
        self.within(worker, id, |open| open.said.progress.insert(key, status));
    }

    async fn log(&self, worker: &WorkerId, id: &str, log: Log) {
        let Some((_, running)) = self.own(worker, id, log.task.as_ref(), |running| running.clone()) else { return };
        if let Some(of) = running.log() {
            self.log_of_worker(of, convert::log_line(&log, running.step, worker)).await;
        }
    }

    fn done(&self, worker: &WorkerId, id: &str, done: Done) {
        let begin = |running: &mut Running| {
            let first = !std::mem::replace(&mut running.finishing, true);
            first.then(|| running.clone())
        };
        // Said twice, it is on its way already.
        if let Some((key, Some(running))) = self.own(worker, id, done.task.as_ref(), begin) {
            let outcome = convert::outcome(done.result);
            self.results.add(Reported { worker: worker.clone(), key, running, outcome });
        }
    }

    /// Looks at the task that a message is about. If this session was not given it, the worker is told so, once.
    fn own<T>(
        &self,
        worker: &WorkerId,
        id: &str,
        task: Option<&TaskRef>,
        look: impl FnOnce(&mut Running) -> T,
    ) -> Option<(TaskKey, T)> {
        let key = convert::key(task?);
        self.within(worker, id, |open| {
            if let Some(running) = open.running.get_mut(&key) {
                return Some((key, look(running)));
            }
            if open.refused.len() < REFUSED && open.refused.insert(key) {
                tracing::warn!(%worker, session = id, task = %key.id, epoch = key.epoch, "the worker speaks of a task that is not its");
                open.tell(Say::Revoke(Revoke { task: Some(convert::task_ref(key)) }));
            }
            None
        })?
    }

    /// Does something with the session, if it is still open.
    fn within<T>(&self, worker: &WorkerId, id: &str, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.sessions().get_mut(worker).filter(|open| open.id == id).map(change)
    }
}

async fn first_message<S>(worker: &WorkerId, incoming: &mut S) -> Result<Hello, Status>
where
    S: Stream<Item = Result<SessionRequest, Status>> + Send + Unpin,
{
    let late = |_| Status::deadline_exceeded(format!("no Hello within {} seconds", LEASE.as_secs()));
    let first = timeout(LEASE, incoming.next()).await.map_err(late)?;
    let first = first.transpose().map_err(|broken| refusal::of_broken_stream(&broken).unwrap_or(broken))?;
    let Some(Says::Hello(hello)) = first.and_then(|request| request.message) else {
        return Err(refusal::status(out_of_order("a session begins with Hello")));
    };
    if hello.worker_id != worker.0 {
        let id: String = hello.worker_id.chars().take(64).collect();
        let message = format!("the token belongs to worker {worker}, not to {id}; start the worker with --id {worker}");
        return Err(refusal::status(Error::new(Reason::NotAllowed, message)));
    }
    Ok(hello)
}

fn out_of_order(sentence: &str) -> Error {
    Error::new(Reason::OutOfOrder, format!("{sentence}; is the worker of a compatible version?"))
}

fn read_hello(worker: &WorkerId, hello: Hello) -> Result<WorkerHello> {
    let mut lanes: BTreeMap<Lane, u32> = BTreeMap::new();
    for own in &hello.lane_slots {
        let lane = match own.lane() {
            task_pb::Lane::Unspecified => {
                return Err(Error::invalid("lane_slots", "room of a lane's own names a lane that this server knows"));
            }
            task_pb::Lane::Grant => Lane::Grant,
            task_pb::Lane::Kill => Lane::Kill,
            task_pb::Lane::Provision => Lane::Provision,
            task_pb::Lane::Operate => Lane::Operate,
            task_pb::Lane::Prepare => Lane::Prepare,
            task_pb::Lane::Maintain => Lane::Maintain,
        };
        if lanes.insert(lane, own.slots).is_some() {
            return Err(Error::invalid("lane_slots", "a lane has room of its own once; name each lane once"));
        }
    }
    let known = WorkerHello {
        id: worker.clone(),
        version: hello.version,
        drivers: hello.provider_types,
        slots: Slots { shared: hello.slots, lanes },
        labels: hello.labels.into_iter().collect(),
        leaving: hello.leaving,
    };
    known.check()?;
    Ok(known)
}
