//! The webhook, which the API server asks before it stores one of our resources (`admission`), and when it needs one in
//! another version (`conversion`).
//!
//! It uses the same checks as the controllers ([`crate::validate`]) and needs no client: its answers depend only on the
//! object.

mod admission;
mod conversion;
#[cfg(any(test, fuzzing))]
#[allow(unreachable_pub, reason = "the fuzz targets call it")]
pub mod fuzzing;
mod server;

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::runtime::health::Readiness;
use crate::runtime::tls::{Certificate, CertificateFiles};
use crate::runtime::webhook_metrics::WebhookMetrics;

pub(crate) use admission::Checks;
pub(crate) use server::{draining, router};

/// Watches the serving certificate until `stop`: the process is ready while it is valid for `dns_name`, and logs a
/// warning every `check_interval` if it expires within `lookahead`. A new certificate is served without a restart.
pub(crate) async fn watch_certificate(watch: CertificateWatch, readiness: Readiness, stop: CancellationToken) {
    let mut next_word = tokio::time::Instant::now();
    loop {
        let now = Timestamp::now();
        let (valid, later) = match watch.files.read() {
            Ok(certificate) => {
                if let Some(at) = certificate.expires() {
                    watch.metrics.certificate_expires(at);
                }
                let later = now.saturating_add(watch.lookahead_of(&certificate)).unwrap_or(Timestamp::MAX);
                (certificate.check(&watch.dns_name, now), certificate.check(&watch.dns_name, later))
            }
            Err(error) => (Err(error), Ok(())),
        };
        match &valid {
            Ok(()) => readiness.set_ready(),
            Err(error) => readiness.set_not_ready(error.to_string()),
        }
        if next_word <= tokio::time::Instant::now() {
            next_word += watch.check_interval.max(PAUSE);
            match (valid, later) {
                (Err(error), _) => tracing::error!(%error, "not ready: the serving certificate is not valid"),
                (Ok(()), Err(error)) => {
                    tracing::warn!(%error, "the serving certificate will not be valid for long; it should have been renewed");
                }
                (Ok(()), Ok(())) => tracing::debug!("the serving certificate is valid"),
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

/// How often the files are checked.
const PAUSE: Duration = Duration::from_secs(1);

/// Which certificate to watch, and how.
#[derive(Clone, Debug)]
pub(crate) struct CertificateWatch {
    pub(crate) files: CertificateFiles,
    /// The name under which the API server calls the webhook.
    pub(crate) dns_name: String,
    /// How often to log a warning that it expires soon.
    pub(crate) check_interval: Duration,
    /// For how long it should be valid; for a short-lived certificate, at most a quarter of its lifetime.
    pub(crate) lookahead: Duration,
    /// Reports when it expires.
    pub(crate) metrics: WebhookMetrics,
}

/// The fraction of its lifetime that is left when a certificate should have been renewed; cert-manager renews with a
/// third left.
const LAST_PART: u32 = 4;

impl CertificateWatch {
    fn lookahead_of(&self, certificate: &Certificate) -> Duration {
        certificate.lifetime().map_or(self.lookahead, |lifetime| self.lookahead.min(lifetime / LAST_PART))
    }
}
