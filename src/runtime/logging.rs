//! Logs to standard error, one line per event, at a level that can be changed while the process runs.

use std::fmt;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::Metadata;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line, as in ESO.
    #[default]
    Json,
    /// For people.
    Text,
}

/// The levels of ESO's `--loglevel`. Those above `error` have no counterpart here and mean `error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
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
    const fn directive(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error | Self::DPanic | Self::Panic | Self::Fatal => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.directive())
    }
}

/// Why the level was not changed.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    /// There is no such level.
    #[error("{0:?} is not a level; send debug, info, warn or error")]
    Unknown(String),
    /// The log is not the one that was started.
    #[error("the level cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

/// The level of the log. Cheap to clone.
#[derive(Clone)]
pub struct LogLevel(Arc<Inner>);

struct Inner {
    filter: reload::Handle<EnvFilter, Registry>,
    /// That of the flag.
    initial: Level,
    current: Mutex<Level>,
}

impl LogLevel {
    /// The current level.
    #[must_use]
    pub fn current(&self) -> Level {
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes it to the level with this name.
    ///
    /// # Errors
    /// [`LevelError`], and the level does not change.
    pub fn set_by_name(&self, name: &str) -> Result<Level, LevelError> {
        let level = Level::from_str(name, false).map_err(|_| LevelError::Unknown(name.to_owned()))?;
        self.set(level)?;
        Ok(level)
    }

    fn set(&self, level: Level) -> Result<(), LevelError> {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == level {
            return Ok(());
        }
        self.0.filter.reload(filter(level))?;
        let before = std::mem::replace(&mut *current, level);
        tracing::warn!(from = %before, to = %level, "the log level was changed");
        Ok(())
    }

    /// Changes the level on signals until `stop`: SIGUSR1 to `debug`, SIGUSR2 back to that of the flag.
    ///
    /// # Errors
    /// If the signals cannot be received.
    pub fn follow_signals(&self, stop: &CancellationToken) -> std::io::Result<()> {
        for (kind, level) in
            [(SignalKind::user_defined1(), Level::Debug), (SignalKind::user_defined2(), self.0.initial)]
        {
            tokio::spawn(follow(signal(kind)?, level, self.clone(), stop.clone()));
        }
        Ok(())
    }
}

async fn follow(mut signal: Signal, level: Level, log: LogLevel, stop: CancellationToken) {
    while stop.run_until_cancelled(signal.recv()).await.flatten().is_some() {
        if let Err(error) = log.set(level) {
            tracing::error!(%error, "the log level cannot be changed by signals");
        }
    }
}

/// The level applies to this program. Libraries log from `warn` up, because some of them print requests at lower
/// levels.
fn filter(level: Level) -> EnvFilter {
    EnvFilter::new(format!("warn,external_secrets={level}"))
}

/// Libraries that never log, whatever the level. They log the API server's responses in full, or errors that quote
/// them, and a response may be a Secret. Their callers log what matters.
const SILENT: [&str; 2] = ["kube_client::client", "kube_runtime::watcher"];

/// Whether something may be logged at all. Spans are for traces: log lines name their object themselves.
fn is_heard(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && !SILENT.contains(&metadata.target())
}

/// Writes a field of an event as text, with control characters escaped: a name or message from a manifest must neither
/// begin a line nor move the cursor. JSON escapes by itself.
fn write_field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    for character in format!("{value:?}").chars() {
        if character.is_control() {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

/// Starts logging, and traces if they are configured. `RUST_LOG` overrides the initial level. A second call has no
/// effect.
pub fn init(level: Level, format: Format) -> LogLevel {
    let named = std::env::var("RUST_LOG").ok().filter(|named| !named.is_empty());
    let named = named.and_then(|named| EnvFilter::builder().parse(named).ok());
    let at_start = named.unwrap_or_else(|| filter(level));
    let (filter, handle) = reload::Layer::new(at_start);
    let filter = filter.and(filter_fn(is_heard));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
        Format::Text => {
            let lines = lines.with_target(false).with_ansi(std::io::stderr().is_terminal());
            lines.fmt_fields(debug_fn(write_field).delimited(" ")).with_filter(filter).boxed()
        }
    };
    let subscriber = tracing_subscriber::registry().with(lines);
    #[cfg(feature = "otlp")]
    let (traces, no_traces) = match super::traces::layer() {
        Ok(traces) => (traces, None),
        Err(error) => (None, Some(error)),
    };
    #[cfg(feature = "otlp")]
    let subscriber = subscriber.with(traces);
    if subscriber.try_init().is_err() {
        tracing::debug!("logging was already started");
    }
    #[cfg(feature = "otlp")]
    if let Some(error) = no_traces {
        tracing::error!(%error, "traces are not available");
    }
    LogLevel(Arc::new(Inner { filter: handle, initial: level, current: Mutex::new(level) }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_library_that_logs_answers_is_not_heard_at_any_level() {
        let memory = Memory::default();
        let writer = memory.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let lines = lines.with_filter(EnvFilter::new("trace").and(filter_fn(is_heard)));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(target: "kube_client::client", "canary");
            tracing::trace!(target: "kube_runtime::watcher", "canary");
            tracing::warn!(target: "kube_client::client::auth", "heard");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("heard") && !text.contains("canary"), "{text}");
    }

    #[test]
    fn a_line_of_the_log_in_text_stays_one_line() {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let error = "no\nINFO all is well\u{1b}[2J";
            tracing::warn!(%error, number = 1, "could not be synced");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with("could not be synced error=no\\nINFO all is well\\u{1b}[2J number=1\n"), "{text:?}");
    }
}
