//! The simulated provider as a process: its protocol, its files, and HTTP in place of its instances.

mod appliances;
mod convert;
mod cut;
mod driver;
mod files;
mod keeper;
mod steering;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use sprout_conf::Secret;
use sprout_proto::{provider::driver_service_server::DriverServiceServer, sim::sim_service_server::SimServiceServer};
use tokio::{
    net::{TcpListener, UnixListener},
    time::timeout,
};
use tokio_stream::{
    Stream, StreamExt as _,
    wrappers::{TcpListenerStream, UnixListenerStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Server, server::Connected},
};

use self::{cut::Cuttable, driver::Driver, keeper::Keeper, steering::Steering};
use crate::core::Config;

/// Calls that wait at once on one connection; a worker has only one.
const CALLS: u32 = 100_000;
/// How long calls may go on when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// What to serve, and where.
#[derive(Debug)]
pub struct Options {
    /// `IP:PORT` or `unix:///path`.
    pub listen: String,
    /// Directory of the state; made if it is not there.
    pub state: PathBuf,
    /// The provider.
    pub config: Config,
    /// Callers must name it; empty: anyone may call.
    pub token: Secret,
}

/// Why the simulator cannot go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each message says it
pub enum Error {
    #[error("{listen} cannot be listened on: {source}; use another --listen")]
    Listen { listen: String, source: io::Error },
    #[error("`{0}` is no place to listen on; write 127.0.0.1:7700 or unix:///path")]
    Place(String),
    #[error("port {port} for the instances cannot be listened on: {source}; set another `appliance_port`")]
    Appliances { port: u16, source: io::Error },
    #[error("{} cannot be used: {source}; see that it may be written, and that there is room", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is in use by another simulator; end it, or use another --state", .0.display())]
    InUse(PathBuf),
    #[error("{}:{line} is damaged: {source}; remove the directory to begin anew", path.display())]
    Damaged { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("the configuration is wrong: {0}")]
    Config(String),
    #[error("serving ended: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// A simulator that listens.
#[derive(Debug)]
pub struct Simulator {
    keeper: Arc<Keeper>,
    listener: Listener,
    appliances: appliances::Appliances,
    token: Secret,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Simulator {
    /// Restores the state and listens.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let Options { listen, state, config, token } = options;
        config.check().map_err(Error::Config)?;
        let port = config.appliance_port;
        let appliances = appliances::Appliances::listen(port).map_err(|source| Error::Appliances { port, source })?;
        let keeper = Arc::new(Keeper::open(&state, config, appliances.port())?);
        let listener = Listener::new(&listen).await?;
        Ok(Self { keeper, listener, appliances, token })
    }

    /// Where it listens, unless that is a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        }
    }

    /// The port its instances answer on.
    pub fn appliance_port(&self) -> u16 {
        self.appliances.port()
    }

    /// Serves until `leave`, or until the state cannot be kept.
    pub async fn serve(self, leave: CancellationToken) -> Result<(), Error> {
        let Self { keeper, listener, appliances, token } = self;
        tokio::select! {
            served = serve(Arc::clone(&keeper), listener, token, leave) => served,
            () = appliances.serve(Arc::clone(&keeper)) => Ok(()),
            failed = keeper.failed() => Err(failed),
        }
    }
}

impl Listener {
    async fn new(place: &str) -> Result<Self, Error> {
        let failed = |source| Error::Listen { listen: place.to_owned(), source };
        if let Some(path) = place.strip_prefix("unix://") {
            // A process that was killed leaves its socket behind; one that lives would hold the lock on the state.
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            return UnixListener::bind(path).map(Self::Unix).map_err(failed);
        }
        let address: SocketAddr = place.parse().map_err(|_| Error::Place(place.to_owned()))?;
        TcpListener::bind(address).await.map(Self::Tcp).map_err(failed)
    }
}

async fn serve(keeper: Arc<Keeper>, listener: Listener, token: Secret, leave: CancellationToken) -> Result<(), Error> {
    match listener {
        Listener::Tcp(listener) => {
            let incoming = TcpListenerStream::new(listener).map(|stream| {
                let stream = stream?;
                stream.set_nodelay(true)?;
                Ok(Cuttable::new(stream))
            });
            serve_on(incoming, keeper, token, leave).await
        }
        Listener::Unix(listener) => {
            let incoming = UnixListenerStream::new(listener).map(|stream| stream.map(Cuttable::new));
            serve_on(incoming, keeper, token, leave).await
        }
    }
}

async fn serve_on<S>(
    incoming: impl Stream<Item = io::Result<Cuttable<S>>>,
    keeper: Arc<Keeper>,
    token: Secret,
    leave: CancellationToken,
) -> Result<(), Error>
where
    Cuttable<S>: tokio::io::AsyncRead + tokio::io::AsyncWrite + Connected + Unpin + Send + 'static,
{
    let gate = Gate(token);
    let driver = DriverServiceServer::new(Driver::new(Arc::clone(&keeper)));
    let steering = SimServiceServer::new(Steering::new(keeper));
    let serving = Server::builder()
        .max_concurrent_streams(CALLS)
        .add_service(InterceptedService::new(driver, gate.clone()))
        .add_service(InterceptedService::new(steering, gate))
        .serve_with_incoming_shutdown(incoming, leave.clone().cancelled_owned());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = leave.cancelled() => {}
    }
    // Calls that are never to be answered would hold it up.
    timeout(FAREWELL, serving).await.unwrap_or(Ok(())).map_err(Error::Serve)
}

/// Lets in who has the token.
#[derive(Clone)]
struct Gate(Secret);

impl Interceptor for Gate {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let wanted = self.0.expose();
        let told = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if wanted.is_empty() || told.and_then(|told| told.strip_prefix("Bearer ")) == Some(wanted) {
            return Ok(request);
        }
        Err(Status::unauthenticated("the token is missing or wrong; set the provider's `token` to the simulator's"))
    }
}
