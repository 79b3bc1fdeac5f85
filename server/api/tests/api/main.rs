//! The API as clients meet it: real sockets, the real use cases, a real database of each kind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod audit;
mod bad_input;
mod cancel;
mod drain;
mod job;
mod join;
mod list;
mod log;
mod matrix;
mod outage;
mod pool;
mod pool_action;
mod slow;
mod support;
mod task;
mod template;
mod user;
mod visibility;
mod watch;
mod worker;
mod workflow;
