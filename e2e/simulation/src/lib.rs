//! Whole installations in one thread, in simulated time: real servers, workers and steps over a real database, between a network, a bus, people
//! and providers that are simulated and misbehave by chance. All chance comes from one number, so whatever is found can be looked at again.
//!
//! While the database works, simulated time stands still and no task runs ([`sprout_store::Simulation`]); whenever nothing can run, time jumps
//! to the next moment at which something is due. Hours pass in milliseconds, the same way each time.

mod bus;
mod check;
mod client;
mod database;
mod driver;
mod gate;
mod network;
mod provider;
mod run;
mod server;
mod storm;
mod worker;
mod world;

pub use self::{
    database::Database,
    gate::Side,
    provider::Mishap,
    run::{Plan, Report, run},
};
pub use sprout_test_support::database::Kind;
pub use sprout_worker::driver::Reason;
