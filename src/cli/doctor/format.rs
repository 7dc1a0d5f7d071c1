//! How the result of the checks is printed.

use clap::{Args, ValueEnum};

use crate::cli::person::printing::{Format, Output};

/// How the result of the checks is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct ReportOutput {
    /// Output format
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    pub(super) format: ReportFormat,
}

/// How the result of the checks is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    Text,
    /// One line per group, and one for each check that did not pass
    Short,
    /// As JSON
    Json,
    /// As YAML
    Yaml,
}

impl ReportOutput {
    /// As of a command that has no short form.
    pub(super) const fn output(self) -> Output {
        let format = match self.format {
            ReportFormat::Json => Format::Json,
            ReportFormat::Yaml => Format::Yaml,
            ReportFormat::Text | ReportFormat::Short => Format::Text,
        };
        Output { format }
    }
}
