//! Metrics of requests to the Kubernetes API: their number, as client-go counts them, and their duration.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};

use super::registrar::Registrar;

/// Upper bounds in seconds.
const CALL: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics of requests to the Kubernetes API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiServerMetrics {
    requests: IntCounterVec,
    time: HistogramVec,
    unreadable: IntCounterVec,
}

impl ApiServerMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: registrar.counters(
                "rest_client_requests_total",
                "Requests to the Kubernetes API by HTTP status, or <error> if there was no answer",
                &["code", "method", "host"],
            )?,
            time: registrar.histograms(
                "external_secrets_api_server_request_duration_seconds",
                "How long the Kubernetes API took to answer; of a watch, until it began",
                &["method"],
                CALL,
            )?,
            unreadable: registrar.counters(
                "external_secrets_unreadable_objects_total",
                "Unreadable objects that a watch skipped, by its name; the log names each once",
                &["watch"],
            )?,
        })
    }

    /// Counts an object that a watch skipped.
    pub fn passed_over(&self, watch: &str) {
        self.unreadable.with_label_values(&[watch]).inc();
    }

    /// Counts a request that was answered with a status, or not at all.
    pub(super) fn answered(&self, method: &str, host: &str, status: Option<u16>, took: Duration) {
        let code = status.map_or_else(|| "<error>".to_owned(), |status| status.to_string());
        self.requests.with_label_values(&[&*code, method, host]).inc();
        self.time.with_label_values(&[method]).observe(took.as_secs_f64());
    }
}
