//! The logging flags, shared by all three processes.

use clap::Args;

use crate::runtime::logging::{self, LogLevel};

/// Flags of logging.
#[derive(Args, Debug)]
#[command(next_help_heading = "Logging")]
pub(super) struct LoggingArguments {
    /// Log level; SIGUSR1 changes it to debug while the process runs, SIGUSR2 back
    #[arg(long, value_enum, default_value_t)]
    loglevel: logging::Level,
    /// Log format
    #[arg(long, value_enum, default_value_t)]
    log_format: logging::Format,
    /// Accepted without effect, for compatibility with ESO: times in the log are RFC 3339
    #[arg(long)]
    zap_time_encoding: Option<String>,
}

impl LoggingArguments {
    /// Starts logging.
    pub(super) fn start(&self) -> LogLevel {
        let log = logging::init(self.loglevel, self.log_format);
        if self.zap_time_encoding.is_some() {
            tracing::debug!(flag = "--zap-time-encoding", "this flag is accepted for compatibility and has no effect");
        }
        log
    }
}
