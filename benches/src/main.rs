//! Measures Sprout on this machine: real processes, real sockets, durable commits. Prints a table, writes JSON, judges by the goals.
#![allow(clippy::print_stdout)] // a program whose output is its result

mod installation;
mod load;
mod machine;
mod process;
mod puppet;
mod report;
mod samples;
mod scenario;
mod seed;
mod services;
mod sim;
mod usage;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::{machine::Machine, report::Report, scenario::NotHere, services::Services};

/// Measures Sprout on this machine. scripts/bench.sh starts what this needs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Scenarios, separated by commas; none: the usual ones
    #[arg(value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Directory for the table and the JSON
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// Document to put the table into, in place of the one there
    #[arg(long)]
    document: Option<PathBuf>,
    /// Print the scenarios and end
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let names = || scenario::ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    if arguments.list {
        println!("{}", names());
        return Ok(());
    }
    let wanted: Vec<_> = arguments.scenarios.iter().filter(|name| !name.is_empty()).collect();
    for name in &wanted {
        let known = scenario::ALL.iter().any(|scenario| scenario.name == *name);
        ensure!(known, "there is no scenario {name:?}; there are: {}", names());
    }
    let (services, machine) = (Services::from_environment(), Machine::look()?);
    let mut report = Report::default();
    println!("{machine}\n\n{}", report::HEAD.join("\n"));
    let mut failed = Vec::new();
    for scenario in scenario::ALL {
        let chosen = if wanted.is_empty() { scenario.usual } else { wanted.iter().any(|name| *name == scenario.name) };
        if !chosen {
            continue;
        }
        if let Err(error) = (scenario.run)(&services, &mut report).await {
            if !error.is::<NotHere>() {
                failed.push(scenario.name);
            }
            report.leave_out(scenario.name, format!("{error:#}"));
        }
    }
    let name = if wanted.is_empty() { "all".to_owned() } else { arguments.scenarios.join("-") };
    report.write(&arguments.output, &name, &machine)?;
    if let Some(document) = &arguments.document {
        report.put_into(document, &machine)?;
    }
    ensure!(failed.is_empty(), "these scenarios failed: {}", failed.join(", "));
    Ok(())
}
