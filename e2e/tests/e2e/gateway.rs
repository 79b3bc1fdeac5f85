//! The web gateway in front of real servers: sessions, grpc-web, the JSON API, and what goes wrong on the way.

mod browser;
mod front;
mod json_api;
mod proxy;
mod session;
mod world;
