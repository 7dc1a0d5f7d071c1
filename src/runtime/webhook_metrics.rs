//! The metrics of a webhook, as controller-runtime names them.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

use super::metrics::Metrics;

/// The metrics of a webhook.
#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    requests: IntCounterVec,
    latency: HistogramVec,
}

impl WebhookMetrics {
    /// Adds them to the program's metrics.
    ///
    /// # Errors
    /// When they were added before.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let requests =
            Opts::new("controller_runtime_webhook_requests_total", "Requests of the webhook, by HTTP status");
        let latency = HistogramOpts::new("controller_runtime_webhook_latency_seconds", "How long requests took");
        let made = Self {
            requests: IntCounterVec::new(requests, &["webhook", "code"])?,
            latency: HistogramVec::new(latency, &["webhook"])?,
        };
        metrics.registry().register(Box::new(made.requests.clone()))?;
        metrics.registry().register(Box::new(made.latency.clone()))?;
        Ok(made)
    }

    /// Counts a request of a path that was answered with an HTTP status.
    pub fn answered(&self, path: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[path, &status.to_string()]).inc();
        self.latency.with_label_values(&[path]).observe(took.as_secs_f64());
    }
}
