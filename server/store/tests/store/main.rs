//! The store against real databases, each test on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing there has failed")]

mod appliances;
mod cancel;
mod catalogue;
mod claims;
mod events;
mod grants;
mod jobs;
mod leases;
mod legacy;
mod opening;
mod outage;
mod parents;
mod pools;
mod quotas;
mod room;
mod transactions;
mod turns;
mod user_groups;
mod users;
mod workers;
mod workflows;
mod world;
