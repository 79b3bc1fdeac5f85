//! The engine as a worker and a caller meet it: the use cases on a real database of each kind, driven step by step so that
//! what rarely happens at the same time does.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing there has failed")]

mod cancel;
mod catalogue_sync;
mod dispatch;
mod each_step;
mod event;
mod hold;
mod job;
mod late;
mod lease;
mod legacy;
mod machine_order;
mod operate;
mod pool;
mod pool_change;
mod preparation;
mod prove;
mod queue;
mod refresh;
mod request;
mod stats;
mod task;
mod template;
mod together;
mod trial;
mod usage;
mod warm;
mod worker;
mod workflow;
mod world;
