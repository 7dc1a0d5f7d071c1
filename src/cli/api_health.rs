//! Flags for the connection to the Kubernetes API.

use std::time::Duration;

use clap::Args;

use crate::api::GoDuration;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::metrics::Metrics;

/// Twice the longest interval between an API server's bookmarks.
const DEFAULT: Duration = Duration::from_mins(2);

/// Flags of the connection to the Kubernetes API.
#[derive(Args, Debug)]
#[command(next_help_heading = "Kubernetes API")]
pub(super) struct ApiHealthArguments {
    /// Restart a watch that has been silent for this long; after twice as long the process is not ready. An API server
    /// sends bookmarks about every minute
    #[arg(long, default_value = "2m0s")]
    watch_silence: GoDuration,
}

impl ApiHealthArguments {
    /// Monitors the connection.
    pub(super) fn watched(&self, metrics: &Metrics) -> ApiHealth {
        ApiHealth::new(metrics.api_server().clone(), self.watch_silence.positive().unwrap_or(DEFAULT))
    }
}
