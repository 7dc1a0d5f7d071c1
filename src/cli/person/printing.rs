//! How commands print: text for people, or one document for programs.

use std::io::{IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Error;
use crate::cli::harmless;

/// How a command prints.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct Output {
    /// Output format
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(in crate::cli) format: Format,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people
    Text,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
}

/// How a list is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct ListOutput {
    /// Output format
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ListFormat::Text, value_name = "FORMAT")]
    pub(in crate::cli) format: ListFormat,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// For people
    Text,
    /// With more columns, none of which is cut
    Wide,
    /// Kinds and names alone, as kubectl takes them
    Name,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
}

impl ListOutput {
    /// Whether a document for programs is printed.
    pub(in crate::cli) const fn is_document(self) -> bool {
        matches!(self.format, ListFormat::Json | ListFormat::Yaml)
    }

    /// As of a command that prints no list; `text` is what it prints for people.
    pub(in crate::cli) const fn output(self) -> Output {
        let format = match self.format {
            ListFormat::Json => Format::Json,
            ListFormat::Yaml => Format::Yaml,
            ListFormat::Text | ListFormat::Wide | ListFormat::Name => Format::Text,
        };
        Output { format }
    }
}

impl Output {
    /// Prints an answer.
    pub(in crate::cli) fn print(
        self,
        text: impl FnOnce() -> String,
        document: impl FnOnce() -> Value,
    ) -> Result<(), Error> {
        let document = || harmless::document(document());
        let printed = match self.format {
            Format::Text => harmless::lines(&text()),
            Format::Json => format!("{:#}\n", document()),
            Format::Yaml => yaml(&document())?,
        };
        let mut out = std::io::stdout();
        out.write_all(printed.as_bytes())?;
        Ok(out.flush()?)
    }
}

fn yaml(document: &Value) -> Result<String, Error> {
    let mut text = String::new();
    serde_saphyr::to_fmt_writer(&mut text, document)?;
    Ok(text)
}

/// The width of the terminal according to `COLUMNS`; `None` if the output is not a terminal.
pub(in crate::cli) fn terminal_width() -> Option<usize> {
    let is_terminal = std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.filter(|_| is_terminal)
}

/// Where a page of the documentation is: its address if `Cargo.toml` says where the repository is, else its path in the sources.
pub(in crate::cli) fn page(path: &str) -> String {
    match env!("CARGO_PKG_REPOSITORY") {
        "" => path.to_owned(),
        repository => format!("{repository}/blob/v{}/{path}", env!("CARGO_PKG_VERSION")),
    }
}

/// Prints a note to standard error.
#[allow(clippy::print_stderr, reason = "said to whoever runs the command")]
pub(in crate::cli) fn note(text: &str) {
    eprintln!("{}", harmless::lines(text));
}

/// A duration in the largest unit that fits: `4m`.
pub(in crate::cli) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The time since then: `4m ago`.
pub(in crate::cli) fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.duration_since(then)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_the_unit_that_fits() {
        let told = |seconds| span(SignedDuration::from_secs(seconds));
        assert_eq!([told(0), told(119), told(120), told(7_200), told(90 * 86_400)], ["0s", "119s", "2m", "2h", "90d"]);
    }
}
