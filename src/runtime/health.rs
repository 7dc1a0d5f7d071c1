//! The HTTP endpoints for Kubernetes' probes and for Prometheus.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::authorization::{self, Gatekeeper};
use super::metrics::Metrics;
use super::tls;

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

/// Whether the process does its work, or why not yet.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<RwLock<Result<(), Cow<'static, str>>>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Err("the watches have not delivered their first list yet".into()))))
    }
}

impl Readiness {
    /// Says that the process does its work, or stands by for the replica that does.
    pub fn set_ready(&self) {
        self.set(Ok(()));
    }

    /// Says that it does not do its work, and why.
    pub fn set_not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        self.set(Err(reason.into()));
    }

    fn set(&self, state: Result<(), Cow<'static, str>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn answer(&self) -> (StatusCode, String) {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
    }
}

/// Serves `/healthz` and `/readyz` on the address of a flag until `stop`.
///
/// # Errors
/// When the address cannot be used.
pub async fn serve_probes(
    flag: &'static str,
    address: &str,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), HealthError> {
    let ready = move || async move { readiness.answer() };
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    serve(flag, address, router, stop).await
}

/// Who may read the metrics, and how they travel.
#[derive(Default)]
pub enum Protection {
    /// Anybody, in plain text.
    #[default]
    None,
    /// Over TLS; with a gatekeeper, only who shows a token of somebody that may.
    Tls(Arc<ServerConfig>, Option<Gatekeeper>),
}

/// Serves `/metrics` on `address` until `stop`.
///
/// # Errors
/// When the address cannot be used.
pub async fn serve_metrics(
    address: &str,
    metrics: Metrics,
    protection: Protection,
    stop: CancellationToken,
) -> Result<(), HealthError> {
    const FLAG: &str = "metrics-addr";
    let render = move || async move {
        let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (headers, metrics.render()).into_response()
    };
    let router = Router::new().route("/metrics", get(render));
    match protection {
        Protection::None => serve(FLAG, address, router, stop).await,
        Protection::Tls(config, gatekeeper) => {
            let Some(listener) = listen(FLAG, address).await? else { return Ok(()) };
            let router = match gatekeeper {
                Some(gatekeeper) => router.layer(middleware::from_fn_with_state(gatekeeper, authorization::required)),
                None => router,
            };
            tokio::spawn(tls::serve(listener, config, router, tls::Limits::default(), stop));
            Ok(())
        }
    }
}

async fn serve(flag: &'static str, address: &str, router: Router, stop: CancellationToken) -> Result<(), HealthError> {
    let Some(listener) = listen(flag, address).await? else { return Ok(()) };
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, flag, "an HTTP endpoint ended");
        }
    });
    Ok(())
}

/// Listens on the address of a flag; `None` where it is switched off.
///
/// # Errors
/// When the address cannot be used.
pub async fn listen(flag: &'static str, address: &str) -> Result<Option<TcpListener>, HealthError> {
    let Some(address) = parse(flag, address)? else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| HealthError::Listen { flag, address, source })?;
    tracing::info!(flag, address = %listener.local_addr().unwrap_or(address), "listening");
    Ok(Some(listener))
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
