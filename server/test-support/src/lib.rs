//! What tests of several crates share, so that each tests against the real thing: databases first.

pub mod database;
mod schema;
pub mod trackerbot;
