//! A Sprout worker: connects to a server, runs the steps it is assigned against providers, and holds no state that matters.
//!
//! [`run`] is all there is to it, for the binary of this crate and for the all-in-one `sprout` alike: [`Options`] go in, and
//! it ends when it was told to [`Leave`], or when the server does not want it.

pub mod config;
mod crash;
pub mod driver;
pub mod drivers;
mod executor;
pub mod leave;
mod outbox;
mod probe;
mod registry;
mod session;
mod steps;
#[cfg(test)]
mod testing;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use sprout_conf::Secret;
use tokio::sync::watch;

use self::{executor::Executor, outbox::Outbox};
pub use self::{leave::Leave, registry::Drivers, session::Error};

/// What a worker needs to know.
#[derive(Debug)]
pub struct Options {
    /// URL of the server: `http://` (on this machine, or in a network you trust) or `https://`.
    pub server: String,
    /// File with the certificates (PEM) that sign the server's, instead of those the system trusts.
    pub ca: Option<PathBuf>,
    /// Id of this worker: unique, and the same after a restart.
    pub id: String,
    /// Proves that this worker may join.
    pub token: Secret,
    /// Labels, for placement.
    pub labels: HashMap<String, String>,
    /// Steps to run at once.
    pub slots: u32,
    /// The providers it can serve.
    pub drivers: Drivers,
}

/// Serves until `leave` says otherwise: steps run while the connection comes and goes. Returns when the worker left as asked.
///
/// # Errors
/// If the server refuses this worker, or the options cannot be used.
pub async fn run(options: Options, leave: watch::Receiver<Leave>) -> Result<(), Error> {
    let outbox = Arc::new(Outbox::default());
    let session = session::Options::new(&options);
    let executor = Executor::new(options.drivers, Arc::clone(&outbox));
    session::serve(session, executor, outbox, leave).await
}
