//! The product as real processes over real sockets. One binary, because each would link the whole client anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it is skipped"
)]

mod catalogue;
mod checkout;
mod crash;
mod crash_operations;
mod failure;
mod gateway;
mod join;
mod main_job;
mod operations;
mod preparation;
mod preparation_sim;
mod replicas;
mod walkthrough;
