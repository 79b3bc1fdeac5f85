//! A simulated provider: templates, instances, latencies, limits and faults, without anything real behind them.
//!
//! [`core`] is the provider itself, a state machine without I/O, clock or task; a simulation with a clock of its own drives
//! it directly. [`server`] is that machine as a process that speaks `sprout.provider.v1`, keeps its state in files, and
//! answers for its instances over HTTP.

pub mod core;
pub mod server;
