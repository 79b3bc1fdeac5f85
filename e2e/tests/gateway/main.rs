//! The web gateway in front of real servers: sessions, grpc-web, the JSON API, and what goes wrong on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says why it was skipped"
)]

mod browser;
mod front;
mod json_api;
mod proxy;
mod session;
mod world;
