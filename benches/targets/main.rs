//! Measures a controller against a real API server and an emulated Azure, row by row, and prints the figures next to
//! those of the External Secrets Operator (ESO) 2.9.0.
//!
//! The vault answers after 20 ms and the token endpoint after 50 ms. Each row has its own cluster, so no row sees what
//! another left behind. Times come from watches. No figure makes this program fail.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints a table and its progress")]

mod controller;
mod error;
mod floor;
mod observer;
mod report;
mod rows;
mod stage;

use std::path::PathBuf;

use clap::Parser;

use controller::CommandLine;
use error::Error;
use report::Report;

/// Measures a controller and prints a table.
#[derive(Parser)]
struct Arguments {
    /// The command line of the controller; its environment names the cluster, the proxy and the CA
    #[arg(long, default_value = "target/release/external-secrets --metrics-addr=0 --live-addr=0")]
    controller: String,
    /// Only rows whose name contains this; repeatable
    #[arg(long)]
    row: Vec<String>,
    /// Also writes the table to this file
    #[arg(long)]
    output: Option<PathBuf>,
    /// Lists the rows
    #[arg(long)]
    list: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let rows: Vec<_> = rows::all()
        .into_iter()
        .filter(|row| arguments.row.is_empty() || arguments.row.iter().any(|part| row.name.contains(part.as_str())))
        .collect();
    if arguments.list {
        for row in &rows {
            println!("{:<24} {}", row.name, row.about);
        }
        return Ok(());
    }
    let command = CommandLine::parse(&arguments.controller)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(measure(&command, rows));
    println!("{report}");
    if let Some(file) = arguments.output {
        std::fs::write(file, report.to_string())?;
    }
    Ok(())
}

/// Measures the rows one after another. The table shows a row that failed, and the next one runs.
async fn measure(command: &CommandLine, rows: Vec<rows::Row>) -> Report {
    let mut report = Report::new(command);
    for row in rows {
        eprintln!("bench: {}: {}", row.name, row.about);
        match (row.measure)(command).await {
            Ok(figures) => report.add(&row, figures),
            Err(error) => {
                eprintln!("bench: {}: {error}", row.name);
                report.add_failure(&row, &error);
            }
        }
    }
    report
}
