//! Measures Sprout on this machine: real processes, real sockets, durable commits. Prints tables; judges nothing.
#![allow(clippy::print_stdout)] // a program whose output is its result

mod checkout;
mod installation;
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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().scenario {
        Scenario::Checkout(arguments) => checkout::run(&arguments).await,
    }
}
