//! Logs on standard error, one line an event.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, as ESO logs.
    #[default]
    Json,
    /// For people.
    Text,
}

/// The levels of ESO's `--loglevel`. Those above `error` have no counterpart here and mean `error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lowercase")]
pub enum Level {
    /// Every decision.
    Debug,
    /// What changed.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
    /// As `error`.
    DPanic,
    /// As `error`.
    Panic,
    /// As `error`.
    Fatal,
}

impl Level {
    fn directive(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error | Self::DPanic | Self::Panic | Self::Fatal => "error",
        }
    }
}

/// Starts logging. The level is that of this program; libraries log from `warn` up, since some of
/// them print requests at lower levels. `RUST_LOG` overrides both. A second call does nothing.
pub fn init(level: Level, format: Format) {
    let default = format!("warn,external_secrets={}", level.directive());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
        Format::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
