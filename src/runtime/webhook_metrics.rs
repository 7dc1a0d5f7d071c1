//! The metrics of a webhook, under controller-runtime's names.

use std::time::{Duration, Instant};

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use super::metrics::Metrics;

/// Upper bounds in seconds: the API server waits at most 30 s.
const LATENCY: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics of a webhook.
#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGaugeVec,
    certificate_expiry: IntGaugeVec,
}

/// A request that is being answered.
#[must_use]
pub struct InFlight<'a> {
    metrics: &'a WebhookMetrics,
    path: &'a str,
    began: Instant,
}

impl WebhookMetrics {
    /// Adds them to the program's metrics.
    ///
    /// # Errors
    /// If they were added before.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let registrar = metrics.registrar();
        Ok(Self {
            requests: registrar.counters(
                "controller_runtime_webhook_requests_total",
                "Requests of the webhook, by its path and the HTTP status",
                &["webhook", "code"],
            )?,
            latency: registrar.histograms(
                "controller_runtime_webhook_latency_seconds",
                "How long requests of the webhook took",
                &["webhook"],
                LATENCY,
            )?,
            in_flight: registrar.int_gauges(
                "controller_runtime_webhook_requests_in_flight",
                "Requests of the webhook that are being answered",
                &["webhook"],
            )?,
            certificate_expiry: registrar.int_gauges(
                "external_secrets_webhook_certificate_expiry_timestamp_seconds",
                "When the webhook's serving certificate expires, in seconds since 1970",
                &[],
            )?,
        })
    }

    /// Records when the certificate expires, in seconds since 1970.
    pub fn certificate_expires(&self, at: i64) {
        self.certificate_expiry.with_label_values::<&str>(&[]).set(at);
    }

    /// Counts a request to a path of the webhook as in progress, for as long as the returned value lives.
    pub fn begin<'a>(&'a self, path: &'a str) -> InFlight<'a> {
        self.in_flight.with_label_values(&[path]).inc();
        InFlight { metrics: self, path, began: Instant::now() }
    }

    fn answered(&self, path: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[path, &status.to_string()]).inc();
        self.latency.with_label_values(&[path]).observe(took.as_secs_f64());
    }
}

impl InFlight<'_> {
    /// Counts an answer with this HTTP status.
    pub fn answered(self, status: u16) {
        self.metrics.answered(self.path, status, self.began.elapsed());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.with_label_values(&[self.path]).dec();
    }
}
