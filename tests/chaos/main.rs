//! Breaks everything that 200 ExternalSecrets and 100 PushSecrets depend on, one fault after another, and checks that no
//! Secret is ever deleted, blanked or written needlessly, that everything matches the vault after each fault, and the vault
//! what is pushed, that no log shows a secret, and that no process exceeds its memory bound. See docs/chaos.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test says with a panic that it failed, a test binary exports nothing, and this one prints a table"
)]

mod arena;
mod chance;
mod deployment;
mod faults;
mod ledger;
mod memory;
mod pushes;
mod report;
mod trial;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use test_stage::leaks::Leaks;

use arena::Arena;
use faults::Fault;
use report::Report;

/// How many faults run, and how long they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of them, each long enough to hurt.
    Full,
    /// Some of them, briefly.
    Short,
}

/// Breaks everything that ExternalSecrets depend on; prints a table of the results.
#[derive(Parser)]
struct Arguments {
    /// Only faults whose name contains one of these
    filter: Vec<String>,
    /// All faults, for minutes each; the default is a short form for every change
    #[arg(long)]
    full: bool,
    /// The seed of an earlier run, to repeat its random moments
    #[arg(long)]
    seed: Option<u64>,
    /// Also writes the table to this file, replacing the one there
    #[arg(long)]
    output: Option<PathBuf>,
    /// Lists the faults
    #[arg(long)]
    list: bool,
    /// Options of cargo's own test harness, which cargo passes to every test program
    #[command(flatten)]
    ignored: HarnessArguments,
}

/// Ignored here.
#[derive(clap::Args)]
struct HarnessArguments {
    #[arg(long, alias = "no-capture", hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

impl Arguments {
    fn form(&self) -> Form {
        if self.full { Form::Full } else { Form::Short }
    }

    /// The selected faults; in the short form without a filter, those that belong to it.
    fn faults(&self) -> Vec<Fault> {
        let is_named = |fault: &Fault| self.filter.iter().any(|part| fault.name.contains(part.as_str()));
        let is_asked_for = |fault: &Fault| match (self.filter.is_empty(), self.form()) {
            (false, _) => is_named(fault),
            (true, Form::Full) => true,
            (true, Form::Short) => fault.short.is_some(),
        };
        faults::all().into_iter().filter(is_asked_for).collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let faults = arguments.faults();
    if arguments.list || faults.is_empty() {
        for fault in &faults {
            println!("{}: {}", fault.name, fault.about);
        }
        return ExitCode::SUCCESS;
    }
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("chaos: seed {seed}: --seed={seed} gives its random moments again");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(&faults, seed, arguments.form()));
    println!("\n{report}");
    if let Some(file) = &arguments.output {
        write(file, &report);
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(faults: &[Fault], seed: u64, form: Form) -> Report {
    let arena = Arena::start().await;
    let mut leaks = Leaks::of(arena.ledger.canary());
    let mut report = Report { seed, form, rows: Vec::new(), wrong: Vec::new() };
    println!("chaos: {} ExternalSecrets equal the vault, and it {} PushSecrets", ledger::COUNT, pushes::COUNT);
    for (round, fault) in (1..).zip(faults) {
        let row = trial::undergo(&arena, &mut leaks, fault, seed, form, round).await;
        let recovery = row.recovery.map_or("did not recover".to_owned(), |time| format!("recovered after {time:.1?}"));
        println!("chaos: {}: {recovery}{}", row.fault, if row.wrong.is_empty() { "" } else { ", but not well" });
        row.wrong.iter().for_each(|wrong| println!("chaos:   {wrong}"));
        report.rows.push(row);
    }
    let leaking = arena.shown().await.iter().filter(|object| leaks.is_in(object.to_string().as_bytes())).count();
    if leaking > 0 {
        report.wrong.push(format!("{leaking} events or statuses show a secret value or a token"));
    }
    if !report.is_good() {
        arena.scene.world.cluster.keep_logs();
        println!("chaos: the logs are in {}", arena.scene.world.cluster.directory().display());
    }
    report
}

/// The table follows this line in the file.
const MARK: &str = "<!-- the table: make chaos ARGS=\"--output docs/chaos.md\" -->\n";

fn write(file: &std::path::Path, report: &Report) {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let text = before.split_once(MARK).map_or(before.as_str(), |(text, _)| text);
    std::fs::write(file, format!("{text}{MARK}\n{report}")).unwrap();
}
