//! The services that scripts/bench.sh has started for this run, told through the environment.

use std::env;

use crate::usage::Watched;

/// PostgreSQL and Redis, as far as they are there.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    /// URL of the PostgreSQL server.
    pub(crate) postgres: Option<String>,
    pub(crate) postgres_process: Option<Watched>,
    /// URL of the Redis server.
    pub(crate) redis: Option<String>,
    pub(crate) redis_process: Option<Watched>,
}

impl Services {
    /// Reads `SPROUT_TEST_POSTGRES`, `SPROUT_TEST_REDIS`, and the process ids in `SPROUT_BENCH_POSTGRES_PID` and `SPROUT_BENCH_REDIS_PID`.
    pub(crate) fn from_environment() -> Self {
        let text = |name| env::var(name).ok();
        let process = |name: &str, variable| {
            let pid = text(variable)?.parse().ok()?;
            Some(Watched { name: name.to_owned(), pid, with_children: name == "PostgreSQL" })
        };
        Self {
            postgres: text("SPROUT_TEST_POSTGRES"),
            postgres_process: process("PostgreSQL", "SPROUT_BENCH_POSTGRES_PID"),
            redis: text("SPROUT_TEST_REDIS"),
            redis_process: process("Redis", "SPROUT_BENCH_REDIS_PID"),
        }
    }
}
