//! HTTP over TLS, with limits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A server's limits for its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Concurrent connections; others wait to be accepted.
    pub connections: usize,
    /// How long a client may take for its TLS handshake.
    pub handshake: Duration,
    /// How long a client may take until the head of its next request is complete. Longer than the 90 s after which an
    /// API server closes a connection that it does not use: of a request that meets a closing connection it cannot know
    /// whether it was answered, so it refuses the write.
    pub idle: Duration,
    /// How long requests may take after the server is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            grace: Duration::from_secs(5),
        }
    }
}

/// How long to wait if no connection can be accepted, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` over TLS until `stop`, then lets requests finish.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let Some((Ok(slot), accepted)) = stop.run_until_cancelled(accepted).await else { break };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, Arc::clone(&tls), router.clone(), limits, stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, finished).await.is_err() {
        tracing::warn!("stopping although some requests are still in progress");
    }
}

async fn connection(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(limits.handshake, TlsAcceptor::from(tls).accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        // Port scans, and clients that trust another authority, are not worth a log line.
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100);
    let builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}
