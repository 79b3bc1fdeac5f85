//! The network between workers and servers: connections that take their time, stall, break, and end with whoever is at either end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream::BoxStream};
use sprout_fleet::Fleet;
use sprout_proto::worker::{Hello, SessionRequest, session_request::Message};
use sprout_worker::link::Link;
use tokio::{
    select,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::world::{Life, World};

/// Messages on their way.
const ROOM: usize = 64;
/// Both ends notice a connection that lets nothing through after this long.
const NOTICED: Duration = Duration::from_secs(9);

/// All servers that can be reached, and all connections.
#[derive(Default)]
pub(crate) struct Network {
    servers: Mutex<BTreeMap<String, (Life, Arc<Fleet>)>>,
    wires: Mutex<Vec<Wire>>,
}

/// One connection.
#[derive(Clone)]
struct Wire {
    cut: CancellationToken,
    stalled: CancellationToken,
    ends: [Life; 2],
}

impl Wire {
    /// Ends when nothing can come through any more.
    async fn broken(&self) {
        let [one, other] = &self.ends;
        select! {
            biased;
            () = self.cut.cancelled() => {}
            () = one.over() => {}
            () = other.over() => {}
        }
    }
}

impl Network {
    /// A server can be reached.
    pub(crate) fn join(&self, life: Life, fleet: Arc<Fleet>) {
        self.servers().insert(life.name().to_owned(), (life, fleet));
    }

    /// Cuts some connection, or lets nothing through it any more, which is noticed later.
    pub(crate) fn disturb(&self, world: &World) {
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        wires.retain(|wire| !wire.cut.is_cancelled() && !wire.ends.iter().any(Life::is_over));
        let Some(wire) = world.choose(&wires) else { return };
        let stalls = world.once_in(3);
        let [worker, server] = wire.ends.each_ref().map(Life::name);
        world.note("network", format_args!("{worker} to {server} {}", if stalls { "stalls" } else { "is cut" }));
        if stalls {
            wire.stalled.cancel();
            tokio::spawn(async move {
                sleep(NOTICED).await;
                wire.cut.cancel();
            });
        } else {
            wire.cut.cancel();
        }
    }

    /// Opens a session of a worker with some server.
    pub(crate) async fn connect(&self, world: &Arc<World>, worker: &Life, hello: Hello) -> Result<Link, Status> {
        sleep(world.some_time(1..20)).await;
        worker.goes_on().await;
        let alive: Vec<_> = self.servers().values().filter(|(life, _)| !life.is_over()).cloned().collect();
        let Some((server, fleet)) = world.choose(&alive) else {
            return Err(Status::unavailable("no server can be reached"));
        };
        let wire = Wire {
            cut: CancellationToken::new(),
            stalled: CancellationToken::new(),
            ends: [worker.clone(), server.clone()],
        };
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).push(wire.clone());
        world.note("network", format_args!("{} connects to {}", worker.name(), server.name()));
        let (up, from_worker) = mpsc::channel(ROOM);
        let (down, to_worker) = mpsc::channel(ROOM);
        let (says, said) = mpsc::channel(ROOM);
        let first = futures::stream::iter([SessionRequest { message: Some(Message::Hello(hello)) }]);
        tokio::spawn(carry(world.clone(), wire.clone(), first.chain(ReceiverStream::new(said)).map(Ok).boxed(), up));
        let session = fleet.session(worker.name().into(), ReceiverStream::new(from_worker));
        let answered = select! {
            biased;
            () = wire.broken() => Err(Status::unavailable("the connection broke")),
            answered = timeout(NOTICED, session) => {
                answered.unwrap_or_else(|_| Err(Status::unavailable("the server does not answer")))
            }
        };
        let answers = answered.inspect_err(|_| wire.cut.cancel())?;
        tokio::spawn(carry(world.clone(), wire, answers.boxed(), down));
        Ok(Link { says, hears: ReceiverStream::new(to_worker).boxed() })
    }

    fn servers(&self) -> MutexGuard<'_, BTreeMap<String, (Life, Arc<Fleet>)>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries what one side says to the other, until either ends or the connection breaks, which the receiver is told.
async fn carry<T: Send + 'static>(
    world: Arc<World>,
    wire: Wire,
    mut from: BoxStream<'static, Result<T, Status>>,
    to: mpsc::Sender<Result<T, Status>>,
) {
    let flow = async {
        while let Some(said) = from.next().await {
            sleep(world.some_time(0..3)).await;
            if wire.stalled.is_cancelled() {
                std::future::pending::<()>().await;
            }
            for end in &wire.ends {
                end.goes_on().await;
            }
            if to.send(said).await.is_err() {
                break;
            }
        }
    };
    select! {
        biased;
        () = wire.broken() => {
            // Nobody listens any more, or it is too full to be told: it ends there too then.
            let _ = to.try_send(Err(Status::unavailable("the connection broke")));
        }
        () = flow => {}
    }
}
