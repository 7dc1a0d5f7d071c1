//! `docs`: the pages of the documentation that are made from the program.

mod conditions;
mod flags;
mod metrics;

use std::io::Write;

use clap::{Args, ValueEnum};

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

pub(super) fn execute(arguments: &DocsArguments) -> Result<(), Error> {
    let page = match arguments.page {
        Page::Metrics => metrics::page()?,
        Page::Conditions => conditions::page(),
        Page::Flags => flags::page(),
    };
    std::io::stdout().write_all(page.as_bytes()).map_err(Error::Output)
}

/// What stands at the head of each page.
fn head(title: &str, page: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `external-secrets docs {page}`; change the program, then run `make generate`. -->\n\n"
    )
}

/// A table in Markdown.
fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    let mut table = line(heads.map(str::to_owned));
    table.extend([format!("|{}\n", "---|".repeat(N))]);
    table.extend(rows.into_iter().map(line));
    table.push('\n');
    table
}

/// As code, or nothing for nothing.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
