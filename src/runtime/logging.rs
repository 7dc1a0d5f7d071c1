//! Logs on standard error, one line an event.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

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

/// Writes a field of an event in text: control characters as escapes, since a name or a message of a manifest must neither begin
/// a line nor move the cursor of who reads it. JSON escapes by itself.
fn write_field(
    writer: &mut Writer<'_>,
    field: &tracing::field::Field,
    value: &dyn std::fmt::Debug,
) -> std::fmt::Result {
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

/// Starts logging. The level is that of this program; libraries log from `warn` up, since some of
/// them print requests at lower levels. `RUST_LOG` overrides both. A second call does nothing.
pub fn init(level: Level, format: Format) {
    let default = format!("warn,external_secrets={}", level.directive());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
        Format::Text => {
            let builder = builder.with_target(false).with_ansi(std::io::stderr().is_terminal());
            builder.fmt_fields(debug_fn(write_field).delimited(" ")).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
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
