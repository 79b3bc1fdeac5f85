//! The database behind the ports of the use cases: PostgreSQL for many replicas, one SQLite file for one.
//!
//! Statements are written out, once for both databases where they agree; what differs (locks, lists of ids, moments) is in [`tx`].
//! States in conditions are literals, not parameters, or the partial indexes could not serve them.

mod account;
mod appliance;
mod audit;
mod catalogue_sync;
mod claim;
mod convert;
mod entities;
mod error;
mod event;
mod files;
mod grant;
mod job;
mod join;
mod late;
mod lease;
mod legacy;
mod machine;
mod member;
mod open;
mod operate;
mod pool;
mod postgres;
mod preparation;
mod provider;
mod pulse;
mod queue;
mod quota;
mod room;
mod shepherd;
mod simulation;
mod stats;
mod task;
mod task_list;
mod template;
#[cfg(test)]
mod tests;
mod timeline;
mod trial;
mod tx;
mod usage;
mod user;
mod user_group;
mod worker;
mod workflow;

pub use legacy::read_legacy;
pub use open::{Load, MigrationReport, SeaStore, StoreOptions, migrate, pending};
pub use simulation::{Moment, Simulation};
