//! The table.

use std::fmt;
use std::time::Duration;

use crate::controller::CommandLine;
use crate::error::Error;
use crate::rows::Row;

/// A figure, next to ESO's and the target.
pub(crate) struct Figure {
    what: String,
    measured: String,
    beside: Beside,
}

/// What a figure is compared with: ESO 2.9.0 as shipped, ESO with 50 workers and without its client's rate limits, and
/// this project's goal. Empty where there is none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside {
    pub(crate) shipped: &'static str,
    pub(crate) tuned: &'static str,
    pub(crate) target: &'static str,
}

impl Figure {
    pub(crate) fn seconds(what: impl Into<String>, time: Duration, beside: Beside) -> Self {
        Self { what: what.into(), measured: format!("{:.2} s", time.as_secs_f64()), beside }
    }

    pub(crate) fn memory(what: impl Into<String>, bytes: u64, beside: Beside) -> Self {
        Self { what: what.into(), measured: format!("{:.1} MiB", to_f64(bytes) / 1_048_576.0), beside }
    }

    /// In MB, the usual unit for files.
    pub(crate) fn size(what: impl Into<String>, bytes: u64, beside: Beside) -> Self {
        Self { what: what.into(), measured: format!("{:.1} MB", to_f64(bytes) / 1e6), beside }
    }

    pub(crate) fn count(what: impl Into<String>, count: u64, beside: Beside) -> Self {
        Self { what: what.into(), measured: count.to_string(), beside }
    }

    /// Several figures in one.
    pub(crate) fn text(what: impl Into<String>, measured: String, beside: Beside) -> Self {
        Self { what: what.into(), measured, beside }
    }

    pub(crate) fn ratio(what: impl Into<String>, part: Duration, whole: Duration, beside: Beside) -> Self {
        Self { what: what.into(), measured: format!("{:.2}", part.as_secs_f64() / whole.as_secs_f64()), beside }
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

/// All figures.
pub(crate) struct Report {
    machine: String,
    command: String,
    lines: Vec<String>,
    rows: Vec<String>,
}

impl Report {
    pub(crate) fn new(command: &CommandLine) -> Self {
        let name = command.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { machine: machine(), command: name, lines: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: &Row, figures: Vec<Figure>) {
        self.describe(row);
        for Figure { what, measured, beside } in figures {
            eprintln!("bench: {}: {what}: {measured} (target {})", row.name, beside.target);
            let Beside { shipped, tuned, target } = beside;
            self.lines.push(format!("| {} | {what} | {shipped} | {tuned} | {target} | **{measured}** |", row.name));
        }
    }

    fn describe(&mut self, row: &Row) {
        self.rows.push(format!("- `{}`: {}", row.name, row.about));
    }

    pub(crate) fn add_failure(&mut self, row: &Row, error: &Error) {
        self.describe(row);
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        self.lines.push(format!("| {} | could not be measured: {first} | | | | |", row.name));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n")?;
        writeln!(f, "Made by `make bench`; {}. Program: `{}`.\n", self.machine, self.command)?;
        writeln!(
            f,
            "The API server, etcd, the emulated Azure and the watches that measure share the machine with the controller. \
             The vault answers after 20 ms, the token endpoint after 50 ms. ESO's figures were measured once, on 2 cores \
             in the same way; other machines give other figures, so compare ratios. \"floor\" is what the API server \
             alone needs for the same writes, sent by 32 plain HTTP/2 workers in the same run.\n"
        )?;
        writeln!(
            f,
            "| row | what | ESO 2.9.0 as shipped | ESO 2.9.0, 50 workers, no client limits | target | measured |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "\nThe rows:\n")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']).to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = memory
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release: Vec<_> = kernel.split('.').take(2).collect();
    format!("{cores} cores ({model}), {} GiB of memory, Linux {}", kibibytes / 1_048_576, release.join("."))
}
