//! A Sprout worker: connects to a server, runs the steps it is assigned against providers, and holds no state that matters.

pub mod driver;
pub mod drivers;
