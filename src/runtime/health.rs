//! The HTTP endpoints for Kubernetes' probes and for Prometheus. A dedicated thread serves them, so that they answer
//! whatever else the process computes.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use super::authorization::{self, Gatekeeper};
use super::logging::LogLevel;
use super::metrics::Metrics;
use super::tls;

/// Why an endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum HealthError {
    /// The address is invalid.
    #[error(
        "--{flag}={address:?} is not an address; write it as \":8080\" or \"127.0.0.1:8080\", or \"0\" to turn it off"
    )]
    Address { flag: &'static str, address: String },
    /// Their thread cannot be started.
    #[error("the endpoints cannot be served: {0}")]
    Thread(std::io::Error),
    /// Nothing can listen on the address.
    #[error("--{flag}={address}: cannot listen: {source}")]
    Listen { flag: &'static str, address: SocketAddr, source: std::io::Error },
}

/// Something that the process needs to do its work.
pub trait Check: Send + Sync {
    /// Checks it; the error is a sentence.
    ///
    /// # Errors
    /// The sentence.
    fn check(&self) -> Result<(), String>;
}

/// Whether the process is ready, or why not yet.
#[derive(Clone)]
pub struct Readiness {
    state: Arc<RwLock<Result<(), Cow<'static, str>>>>,
    /// Set when it will never be ready again.
    ends: Arc<OnceLock<&'static str>>,
    check: Option<Arc<dyn Check>>,
}

impl Default for Readiness {
    fn default() -> Self {
        let state = Err("the watches have not delivered their first list yet".into());
        Self { state: Arc::new(RwLock::new(state)), ends: Arc::default(), check: None }
    }
}

impl Readiness {
    /// Ready only while `check` succeeds, too.
    #[must_use]
    pub fn while_well(check: impl Check + 'static) -> Self {
        Self { check: Some(Arc::new(check)), ..Self::default() }
    }

    /// Reports that the process is ready, or stands by for the leader.
    pub fn set_ready(&self) {
        self.set(Ok(()));
    }

    /// Reports that it is not ready, and why.
    pub fn set_not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        self.set(Err(reason.into()));
    }

    /// Marks that the process is ending: it is no longer ready, whatever is reported later.
    pub fn end(&self) {
        let _ = self.ends.set("the process is stopping; no new requests should be sent to it");
    }

    fn set(&self, state: Result<(), Cow<'static, str>>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn answer(&self) -> (StatusCode, String) {
        if let Some(reason) = self.ends.get() {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"));
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner).clone();
        let state = state.map_err(Cow::into_owned);
        match state.and_then(|()| self.check.as_ref().map_or(Ok(()), |check| check.check())) {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
    }
}

/// How often the runtime reports that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long it may be silent before it counts as stuck.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// When the process's runtime last ran.
#[derive(Clone)]
struct Heartbeat(Arc<RwLock<Instant>>);

impl Heartbeat {
    /// Starts the heartbeat of the calling runtime.
    fn start() -> Self {
        let heartbeat = Self(Arc::new(RwLock::new(Instant::now())));
        let beats = heartbeat.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                *beats.0.write().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            }
        });
        heartbeat
    }

    fn answer(&self) -> (StatusCode, String) {
        let silence = self.0.read().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silence < LONGEST_SILENCE {
            return (StatusCode::OK, "ok\n".to_owned());
        }
        let seconds = silence.as_secs();
        (StatusCode::SERVICE_UNAVAILABLE, format!("the process has made no progress for {seconds} s\n"))
    }
}

/// The thread that serves endpoints.
#[derive(Clone, Debug)]
pub struct Endpoints(Handle);

impl Endpoints {
    /// Starts the thread, which ends with the process.
    ///
    /// # Errors
    /// [`HealthError::Thread`]
    pub fn start() -> Result<Self, HealthError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(HealthError::Thread)?;
        let handle = runtime.handle().clone();
        let serve = move || runtime.block_on(std::future::pending::<()>());
        std::thread::Builder::new().name("endpoints".to_owned()).spawn(serve).map_err(HealthError::Thread)?;
        Ok(Self(handle))
    }

    /// Serves `/healthz` and `/readyz` on the address of a flag until `stop`. `/healthz` reports on the calling runtime.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn serve_probes(
        &self,
        flag: &'static str,
        address: &str,
        readiness: Readiness,
        stop: CancellationToken,
    ) -> Result<(), HealthError> {
        let heartbeat = Heartbeat::start();
        let alive = move || async move { heartbeat.answer() };
        let ready = move || async move { readiness.answer() };
        self.serve(flag, address, Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)), stop)
    }

    /// Serves `/metrics` on `address` until `stop`.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn serve_metrics(
        &self,
        address: &str,
        Operated { metrics, log }: Operated,
        protection: Protection,
        stop: CancellationToken,
    ) -> Result<(), HealthError> {
        const FLAG: &str = "metrics-addr";
        let render = move || async move {
            let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (headers, metrics.render()).into_response()
        };
        let router = Router::new().route("/metrics", get(render));
        let (config, gatekeeper) = match protection {
            Protection::None => return self.serve(FLAG, address, router, stop),
            Protection::Tls(config, gatekeeper) => (config, gatekeeper),
        };
        let Some(listener) = self.listen(FLAG, address)? else { return Ok(()) };
        let router = match gatekeeper {
            Some(gatekeeper) => {
                router.merge(log_level(log)).layer(middleware::from_fn_with_state(gatekeeper, authorization::required))
            }
            None => router,
        };
        self.0.spawn(tls::serve(listener, config, router, tls::Limits::default(), stop));
        Ok(())
    }

    fn serve(
        &self,
        flag: &'static str,
        address: &str,
        router: Router,
        stop: CancellationToken,
    ) -> Result<(), HealthError> {
        let Some(listener) = self.listen(flag, address)? else { return Ok(()) };
        self.0.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, flag, "an HTTP endpoint has stopped");
            }
        });
        Ok(())
    }

    fn listen(&self, flag: &'static str, address: &str) -> Result<Option<TcpListener>, HealthError> {
        let _served_there = self.0.enter();
        listen(flag, address)
    }
}

/// What is served alongside `/metrics`, under the same protection.
pub struct Operated {
    /// The metrics.
    pub metrics: Metrics,
    /// Served at `/loglevel` to callers whose token allows it, and to nobody if no token is required.
    pub log: LogLevel,
}

/// Who may read the metrics, and whether they are encrypted.
#[derive(Default)]
pub enum Protection {
    /// Anybody, in plain text.
    #[default]
    None,
    /// Over TLS; with a gatekeeper, only to bearers of a token that allows it.
    Tls(Arc<ServerConfig>, Option<Gatekeeper>),
}

/// Returns and changes the log level.
fn log_level(log: LogLevel) -> Router {
    let shown = log.clone();
    let show = move || async move { format!("{}\n", shown.current()) };
    let change = move |body: String| async move {
        match log.set_by_name(body.trim()) {
            Ok(level) => (StatusCode::OK, format!("{level}\n")),
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    };
    Router::new().route("/loglevel", get(show).put(change)).layer(DefaultBodyLimit::max(64))
}

/// Listens on the address of a flag; `None` if it is turned off. The calling runtime serves it.
///
/// # Errors
/// If the address cannot be used.
pub fn listen(flag: &'static str, address: &str) -> Result<Option<TcpListener>, HealthError> {
    let Some(address) = parse(flag, address)? else { return Ok(None) };
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let listener = bound.map_err(|source| HealthError::Listen { flag, address, source })?;
    tracing::info!(flag, address = %listener.local_addr().unwrap_or(address), "listening");
    Ok(Some(listener))
}

/// Parses a listen address in Go's form: `:8080` means all interfaces; `0` and the empty text mean none.
fn parse(flag: &'static str, address: &str) -> Result<Option<SocketAddr>, HealthError> {
    if address.is_empty() || address == "0" {
        return Ok(None);
    }
    let full =
        if address.starts_with(':') { format!("[::]{address}") } else { address.replacen("localhost", "127.0.0.1", 1) };
    full.parse().map(Some).map_err(|_| HealthError::Address { flag, address: address.to_owned() })
}
