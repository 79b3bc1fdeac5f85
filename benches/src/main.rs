//! Measures Sprout on this machine: real processes, real sockets, durable commits. Prints tables; judges nothing.
#![allow(clippy::print_stdout)] // a program whose output is its result

mod checkout;
mod idle;
mod installation;
mod ready;
mod table;

use clap::Parser;

/// Measures Sprout on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    /// A warm checkout through gRPC, next to one bare commit of the same database.
    Checkout(checkout::Arguments),
    /// Request → ready on containers, next to what the engine itself needs for it.
    Ready(ready::Arguments),
    /// Processor time and memory of the all-in-one with nothing to do.
    Idle(idle::Arguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().scenario {
        Scenario::Checkout(arguments) => checkout::run(&arguments).await,
        Scenario::Ready(arguments) => ready::run(&arguments).await,
        Scenario::Idle(arguments) => idle::run(&arguments).await,
    }
}
