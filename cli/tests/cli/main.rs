//! sproutctl as people run it, against a server with canned answers.
//! One binary, because each would link the whole client anew.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says why it is skipped")]

mod account;
mod appliance;
mod audit;
mod catalogue;
mod checkout;
mod config;
mod exit;
mod fleet;
mod help;
mod job;
mod output;
mod pool;
mod shepherd;
mod support;
