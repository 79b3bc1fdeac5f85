//! A Sprout worker: connects to a server, runs the steps it is assigned against providers, and holds no state that matters.
//!
//! [`run`] is all there is to it, for the binary of this crate and for the all-in-one `sprout` alike: [`Options`] go in, and
//! it ends when it was told to [`Leave`], or when the server does not want it. [`run_over`] is the same over other connections than
//! the network's.

pub mod config;
mod crash;
pub mod driver;
pub mod drivers;
mod executor;
pub mod identity;
mod lease;
pub mod leave;
pub mod link;
mod outbox;
mod probe;
mod registry;
mod session;
mod ssh;
mod steps;
#[cfg(test)]
mod testing;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use sprout_proto::{
    task::Lane,
    worker::{Hello, LaneSlots},
};
use tokio::{select, sync::watch};

use self::{
    identity::Holder,
    link::Connector,
    session::{Parts, Remote},
};
pub use self::{identity::Identity, leave::Leave, registry::Drivers, session::Error};

/// What a worker needs to know.
#[derive(Debug)]
pub struct Options {
    /// URLs of the servers, all of one installation: `http://` (on this machine, or in a network you trust) or `https://`. One is
    /// used, the others when that is lost.
    pub servers: Vec<String>,
    /// File with the certificates (PEM) that sign the servers', instead of those the system trusts.
    pub ca: Option<PathBuf>,
    /// Id of this worker: unique, and the same after a restart.
    pub id: String,
    /// Proves who this worker is.
    pub identity: Identity,
    /// Labels, for placement.
    pub labels: HashMap<String, String>,
    /// Steps to run at once, without those that delete appliances.
    pub slots: u32,
    /// Steps that delete appliances to run at once: what hangs elsewhere must not keep them waiting.
    pub kill_slots: u32,
    /// The providers it can serve.
    pub drivers: Drivers,
}

/// Serves until `leave` says otherwise: steps run while the connection comes and goes. Returns when the worker left as asked.
///
/// # Errors
/// If a server refuses this worker, or the options cannot be used.
pub async fn run(mut options: Options, leave: watch::Receiver<Leave>) -> Result<(), Error> {
    let holder = Arc::new(Holder::open(&options.id, std::mem::take(&mut options.identity))?);
    let remote = |server: &String| Remote::new(server, options.ca.as_deref(), Arc::clone(&holder));
    let remotes: Vec<_> = options.servers.iter().map(remote).collect::<Result<_, _>>()?;
    let servers = remotes.iter().map(|server| Box::new(server.clone()) as Box<dyn Connector>).collect();
    select! {
        ended = run_over(options, servers, leave) => ended,
        never = session::keep_certified(&holder, &remotes) => match never {},
    }
}

/// The same over these connections, instead of those to `options.servers`; who it is, they prove. All that it does is decided by what it is told, tokio's clock,
/// and `fastrand`: with those under control it can be repeated exactly.
///
/// # Errors
/// If a server refuses this worker.
pub async fn run_over(
    options: Options,
    servers: Vec<Box<dyn Connector>>,
    leave: watch::Receiver<Leave>,
) -> Result<(), Error> {
    let hello = Hello {
        worker_id: options.id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: options.labels,
        provider_types: options.drivers.types().to_vec(),
        slots: options.slots,
        lane_slots: vec![LaneSlots { lane: Lane::Kill.into(), slots: options.kill_slots }],
        leaving: false,
        running: Vec::new(),
    };
    let parts = Parts::new(options.drivers);
    session::serve(hello, &servers, &parts, leave).await
}
