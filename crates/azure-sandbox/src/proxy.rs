//! The proxy: accepts `CONNECT`, terminates the TLS of Azure's hosts, and passes their requests on.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::cloud::{Cloud, Site};
use super::entra;
use super::entra::imds;
use super::fault::Connect;
use super::keyvault;
use super::keyvault::vault::VaultState;
use super::message::{Connection, Dropped, empty, set_header};
use super::registry::{self, RegistryState};
use super::state::State;

/// Serves the proxy's port until `stop` is canceled; `control` handles requests for the port itself.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>, control: Router, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Otherwise, small answers would wait for the client's acknowledgement.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "the sandbox could not set TCP_NODELAY");
                }
                tokio::spawn(front(stream, Arc::clone(&state), control.clone(), stop.clone()));
            }
            Err(error) => {
                // Most likely out of file descriptors, so other connections must close first.
                tracing::warn!(%error, "the sandbox could not accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection to the proxy itself.
async fn front(stream: TcpStream, state: Arc<State>, control: Router, stop: CancellationToken) {
    let stopped = stop.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (state, control, stop) = (Arc::clone(&state), control.clone(), stop.clone());
        async move {
            if request.method() == Method::CONNECT {
                return Ok(connect(request, &state, &stop));
            }
            let to = request.uri().authority().map(|authority| authority.host().to_owned());
            if request.uri().path() == imds::PATH && to.as_deref().is_none_or(|host| host == imds::ADDRESS) {
                return imds::answer(&state, &request).await.ok_or(Dropped);
            }
            if to.is_some() {
                // A plain request through the proxy to some other host.
                return Ok(bad_gateway("dns_error"));
            }
            Ok(control.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        () = stopped.cancelled() => {}
        served = serving => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection to the sandbox's proxy ended");
            }
        }
    }
}

/// Opens a tunnel to one of Azure's hosts, or reports why not.
fn connect(mut request: Request<Incoming>, state: &Arc<State>, stop: &CancellationToken) -> Response<Body> {
    let Some(authority) = request.uri().authority() else { return empty(StatusCode::BAD_REQUEST) };
    if authority.port_u16() != Some(443) {
        return bad_gateway("destination_ip_prohibited");
    }
    let target = match Target::find(authority.host(), state) {
        Ok(target) => target,
        Err(cause) => return bad_gateway(cause),
    };
    let config = match state.authority.server_config(&target.certificate) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the sandbox could not issue a certificate");
            return bad_gateway("proxy_internal_error");
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let closing = target.closing.child_token();
    tokio::spawn(tunnel(upgrade, config, Arc::clone(state), target.host, closing, stop.clone()));
    empty(StatusCode::OK)
}

/// 502, with a cause as defined in RFC 9209.
fn bad_gateway(cause: &str) -> Response<Body> {
    let mut response = empty(StatusCode::BAD_GATEWAY);
    set_header(&mut response, "proxy-status", &format!("sandbox; error={cause}"));
    response
}

/// The service at the end of a tunnel.
#[derive(Clone)]
enum Host {
    Entra(Arc<Cloud>),
    Vault(Arc<VaultState>),
    Registry(Arc<RegistryState>),
}

/// Where a tunnel leads.
struct Target {
    host: Host,
    /// The name on the certificate.
    certificate: String,
    /// Canceled when the tunnel must end.
    closing: CancellationToken,
}

impl Target {
    /// The target of a host name, or why it cannot be reached.
    fn find(host: &str, state: &State) -> Result<Self, &'static str> {
        let now = state.clock.now();
        let (target, connect) = match state.clouds.site(host).ok_or("dns_error")? {
            Site::Entra(cloud) => {
                let certificate = host.to_ascii_lowercase();
                let closing = state.entra_connections();
                (Self { host: Host::Entra(cloud), certificate, closing }, state.entra_faults.on_connect(now))
            }
            Site::Vault { host } => {
                let vault = state.find_vault(&host).ok_or("dns_error")?;
                let connect = vault.faults.on_connect(now);
                (Self { closing: vault.connections(), host: Host::Vault(vault), certificate: host }, connect)
            }
            Site::Registry { host } => {
                let registry = state.find_registry(&host).ok_or("dns_error")?;
                let connect = registry.faults.on_connect(now);
                (Self { closing: registry.connections(), host: Host::Registry(registry), certificate: host }, connect)
            }
        };
        match connect {
            Connect::Open => Ok(target),
            Connect::WrongCertificate => Ok(Self { certificate: "wrong.name.invalid".to_owned(), ..target }),
            Connect::HostNotFound => Err("dns_error"),
            Connect::Refused => Err("connection_refused"),
        }
    }
}

async fn tunnel(
    upgrade: OnUpgrade,
    config: Arc<ServerConfig>,
    state: Arc<State>,
    host: Host,
    closing: CancellationToken,
    stop: CancellationToken,
) {
    let serving = async {
        let upgraded = upgrade.await?;
        let stream = TlsAcceptor::from(config).accept(TokioIo::new(upgraded)).await?;
        if let Host::Vault(vault) = &host {
            vault.counters.record(|counters| counters.connections += 1);
        }
        requests(stream, state, host, Connection::new(closing.clone())).await
    };
    let served: Result<(), Box<dyn std::error::Error + Send + Sync>> = tokio::select! {
        // When the tunnel must end, no further request is served.
        biased;
        () = closing.cancelled() => Ok(()),
        () = stop.cancelled() => Ok(()),
        served = serving => served,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a tunnel through the sandbox ended");
    }
}

/// Serves the requests in a tunnel.
async fn requests(
    stream: TlsStream<TokioIo<Upgraded>>,
    state: Arc<State>,
    host: Host,
    connection: Connection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(move |request: Request<Incoming>| {
        let (state, host, connection) = (Arc::clone(&state), host.clone(), connection.clone());
        async move {
            match &host {
                Host::Entra(cloud) => entra::answer(&state, cloud, request, &connection).await,
                Host::Vault(vault) => keyvault::answer(&state, vault, request, &connection).await,
                Host::Registry(registry) => registry::answer(&state, registry, request, &connection).await,
            }
        }
    });
    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
}
