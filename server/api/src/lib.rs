//! The public API: tonic services over the use cases. Decodes, calls once, encodes; decides nothing but who may call what.

mod access;
mod appliance;
mod appliance_log;
mod audit;
mod auth;
mod catalogue;
mod cleanup;
mod config;
mod convert;
mod deadline;
mod drain;
mod event;
mod gate;
mod group;
mod guess;
mod job;
mod meter;
mod operate;
mod page;
mod peer;
mod pool;
mod provider;
mod routes;
mod sent;
mod shepherd;
mod stats;
mod status;
mod stay;
mod stream;
mod task;
mod task_log;
mod template;
mod usage;
mod user;
mod user_group;
mod worker;
mod workflow;

pub use self::{
    access::{Access, Effect, Row, row},
    drain::Drain,
    meter::Meter,
    peer::Forwarders,
    routes::{Api, api},
    worker::{SessionHandler, SessionRequests, SessionResponses},
};
