//! The README shows the figures of docs/benchmarks.md unchanged.

use std::fmt::Write as _;

use crate::{read, repository, with_section};

/// A figure's name in the README, and its row in the benchmarks.
const FIGURES: [(&str, &str, &str); 11] = [
    ("1,000 new ExternalSecrets: time until all are synced", "first-1000", "time"),
    ("- token exchanges", "first-1000", "token exchanges"),
    ("- CPU time", "first-1000", "CPU time"),
    ("- peak memory", "first-1000", "peak memory"),
    ("1,000 that read the same secret: reads from the vault", "shared-1000", "GETs"),
    ("1,000 refreshed every 30 s: CPU time per minute", "refresh-30s", "CPU time a minute"),
    ("- token exchanges per minute", "refresh-30s", "token exchanges a minute"),
    ("A vault that throttles: requests that it refuses", "throttled", "refused (429)"),
    (
        "A vault that is down as the controller starts: all synced after its return",
        "start-503",
        "all Ready after the return",
    ),
    ("The same with Entra ID", "start-entra", "all Ready after the return"),
    ("Size of the program", "size", "program size"),
];

/// The cells of a row of the benchmarks.
fn cells(benchmarks: &str, row: &str, what: &str) -> Vec<String> {
    let start = format!("| {row} | {what} |");
    let line = benchmarks.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("docs/benchmarks.md has no row {start}"));
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn table() -> String {
    let benchmarks = read("docs/benchmarks.md");
    let mut table = String::from(
        "| | ESO 2.9.0 as shipped | ESO 2.9.0, 50 workers, no client limits | external-secrets |\n|---|--:|--:|--:|\n",
    );
    for (name, row, what) in FIGURES {
        let cells = cells(&benchmarks, row, what);
        let [_, _, shipped, tuned, _, measured] = &cells[..] else { panic!("{row}: {cells:?}") };
        let or_dash = |cell: &str| if cell.is_empty() { "-".to_owned() } else { cell.to_owned() };
        writeln!(table, "| {name} | {} | {} | {measured} |", or_dash(shipped), or_dash(tuned)).unwrap();
    }
    table
}

#[test]
fn the_readme_shows_the_figures_that_were_measured() {
    let readme = read("README.md");
    let fresh = with_section(&readme, "figures", &format!("{}\n", table().trim_end()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository("README.md"), &fresh).unwrap();
        return;
    }
    assert!(readme == fresh, "README.md is not fresh: run `make generate` and commit the result");
}
