//! The HTTP endpoints for Kubernetes' probes and for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// Why an endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address is not one.
    #[error(
        "--{flag}={address:?} is no address; write it as \":8080\" or \"127.0.0.1:8080\", or \"0\" to switch it off"
    )]
    Address {
        /// The flag.
        flag: &'static str,
        /// Its value.
        address: String,
    },
    /// The address cannot be listened on.
    #[error("--{flag}={address}: cannot listen: {source}")]
    Listen {
        /// The flag.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether the process does its work: set once all watches have delivered their first list.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that the process does its work, or stands by for the replica that does.
    pub fn set_ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Says that it does not do its work yet.
    pub fn set_starting(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves `/healthz` and `/readyz` on `address` until `stop`.
///
/// # Errors
/// When the address cannot be used.
pub async fn serve_probes(address: &str, readiness: Readiness, stop: CancellationToken) -> Result<(), HealthError> {
    let ready = move || async move {
        if readiness.is_ready() {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the watches have not delivered their first list yet\n")
        }
    };
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    serve("live-addr", address, router, stop).await
}

/// Serves `/metrics` on `address` until `stop`.
///
/// # Errors
/// When the address cannot be used.
pub async fn serve_metrics(address: &str, metrics: Metrics, stop: CancellationToken) -> Result<(), HealthError> {
    let render = move || async move {
        let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (headers, metrics.render()).into_response()
    };
    serve("metrics-addr", address, Router::new().route("/metrics", get(render)), stop).await
}

async fn serve(flag: &'static str, address: &str, router: Router, stop: CancellationToken) -> Result<(), HealthError> {
    let Some(address) = parse(flag, address)? else { return Ok(()) };
    let listener = TcpListener::bind(address).await.map_err(|source| HealthError::Listen { flag, address, source })?;
    tracing::info!(flag, address = %listener.local_addr().unwrap_or(address), "listening");
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, flag, "an HTTP endpoint ended");
        }
    });
    Ok(())
}

/// Go's form of a listen address: `:8080` means all interfaces; `0` and the empty text mean none.
fn parse(flag: &'static str, address: &str) -> Result<Option<SocketAddr>, HealthError> {
    if address.is_empty() || address == "0" {
        return Ok(None);
    }
    let full =
        if address.starts_with(':') { format!("[::]{address}") } else { address.replacen("localhost", "127.0.0.1", 1) };
    full.parse().map(Some).map_err(|_| HealthError::Address { flag, address: address.to_owned() })
}
