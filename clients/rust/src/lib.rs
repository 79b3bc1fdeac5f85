//! A client of Sprout's public API: one connection with its deadlines and its token, errors that programs can match
//! on, and watches that survive restarts of the server.
//!
//! ```no_run
//! # async fn example() -> Result<(), sprout_client::ClientError> {
//! use sprout_client::{Connection, Settings, proto::pool::ListPoolsRequest};
//!
//! let connection = Connection::open(Settings::new("http://127.0.0.1:7600"))?;
//! let pools = connection.pools().list_pools(ListPoolsRequest::default()).await;
//! let pools = pools.map_err(|status| connection.explain(status))?.into_inner().pools;
//! # Ok(()) }
//! ```

mod connection;
mod error;
mod failover;
mod retry;
mod watch;

pub use connection::{Authorized, Bearer, Connection, DEFAULT_SERVER, Settings};
pub use error::{ClientError, FieldViolation, Refusal};
pub use failover::Failover;
pub use retry::retry;
pub use sprout_proto as proto;
pub use tonic::Code;
pub use watch::{Watch, Watched};
