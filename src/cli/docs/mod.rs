//! `docs`: the pages of the documentation that the program generates.

mod conditions;
mod flags;
mod markdown;
mod metrics;

use std::io::Write;

use clap::{Args, Command, ValueEnum};

/// Why a page could not be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("the page cannot be printed: {0}")]
    Output(#[source] std::io::Error),
}

/// Which page is printed.
#[derive(Args, Debug)]
pub(super) struct DocsArguments {
    /// The page
    #[arg(value_enum)]
    page: Page,
}

/// The pages that are made from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Page {
    /// docs/metrics.md: the metrics
    Metrics,
    /// docs/conditions.md: conditions, events and causes
    Conditions,
    /// docs/flags.md: subcommands, flags and the environment
    Flags,
}

pub(super) fn execute(arguments: &DocsArguments, program: Command) -> Result<(), Error> {
    let page = match arguments.page {
        Page::Metrics => metrics::page()?,
        Page::Conditions => conditions::page(),
        Page::Flags => flags::page(program),
    };
    std::io::stdout().write_all(page.as_bytes()).map_err(Error::Output)
}
