//! The server put together: configuration in, ports wired to what implements them, served until it is told to stop. The binary
//! `sprout-server` and the all-in-one `sprout` are both this.

mod builds;
mod catalogue;
pub mod command;
pub mod config_command;
mod error;
pub mod import;
mod metrics;
mod reload;
pub mod report;
mod service;
mod settings;
mod signal;
mod wiring;

pub use self::{
    error::Error,
    service::{Options, Server},
    settings::{Settings, start_log},
    signal::stop_signal,
};
