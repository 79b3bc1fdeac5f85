//! A client of Sprout's public API: appliances for as long as a program needs them ([`Checkout`]), one connection with its
//! deadlines and its token ([`Connection`]), errors that programs can match on ([`ClientError`], [`Reason`]), and watches
//! that survive restarts of the server ([`Watch`]).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sprout_client::{Checkout, Connection, Reason, Settings, proto::pool::RequestPoolRequest};
//!
//! let settings = Settings { token: Some("spt_…".to_owned().into()), ..Settings::new("https://sprout.example:7600") };
//! let connection = Connection::open(settings)?;
//! let request = RequestPoolRequest { group: "downstream-511z".into(), count: 1, ..Default::default() };
//! let mut checkout = match Checkout::request(&connection, request).await {
//!     Err(error) if error.kind() == Some(Reason::QuotaExceeded) => return Err("too many appliances already".into()),
//!     requested => requested?,
//! };
//! checkout.ready(|_| ()).await?;
//! println!("{}", checkout.appliances()[0].url);
//! checkout.release().await?;
//! # Ok(()) }
//! ```
//!
//! Every other call is there as in the protos, with [`Connection::explain`] for its errors:
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
//!
//! More is in `examples/`: what is run there is what a test runs against a real server.

mod checkout;
mod connection;
mod error;
mod failover;
pub mod pool;
mod reason;
mod retry;
mod watch;

pub use checkout::{Checkout, Lease};
pub use connection::{Authorized, Bearer, Connection, DEFAULT_SERVER, Settings};
pub use error::{ClientError, FieldViolation, Refusal};
pub use failover::Failover;
pub use reason::Reason;
pub use retry::retry;
pub use sprout_proto as proto;
pub use tonic::Code;
pub use watch::{Watch, Watched};
