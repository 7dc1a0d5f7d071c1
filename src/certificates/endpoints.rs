//! Whether the webhook serves: its endpoints are ready, and show a certificate that the API server trusts.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::ListParams;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::answers::Objects;

/// How long an endpoint may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// More are not asked.
const MOST: usize = 5;

/// Why the webhook does not serve.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotServing {
    /// Nothing is known of the Service.
    #[error("the Service {0} has no EndpointSlice yet")]
    NoSlice(String),
    /// No Pod is ready.
    #[error("the Service {0} has no ready endpoint")]
    NoEndpoint(String),
    /// The API server would not trust it.
    #[error("the webhook at {address} shows a certificate that the injected bundle does not vouch for: {reason}")]
    Untrusted {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
}

/// Looks at the endpoints of a Service, as ESO does, and at the certificates that they show, as the API server will.
///
/// An endpoint that cannot be reached from here says nothing: a network policy may let only the API server in.
///
/// # Errors
/// The API server's, where it cannot be asked.
pub(super) async fn check(
    client: &Client,
    (service, namespace): (&str, &str),
    name: &str,
    bundle: &[u8],
) -> Result<Result<(), NotServing>, kube::Error> {
    let api: Objects<EndpointSlice> = Objects::namespaced(client.clone(), namespace, &());
    let slices = api.list(&ListParams::default().labels(&format!("kubernetes.io/service-name={service}"))).await?;
    let service = format!("{namespace}/{service}");
    if slices.is_empty() {
        return Ok(Err(NotServing::NoSlice(service)));
    }
    let addresses: Vec<_> = slices.iter().flat_map(ready_addresses).collect();
    if addresses.is_empty() {
        return Ok(Err(NotServing::NoEndpoint(service)));
    }
    for (host, port) in addresses.into_iter().take(MOST) {
        let Some(port) = port else { continue };
        if let Err(reason) = shows_trusted_certificate(&host, port, name, bundle).await {
            return Ok(Err(NotServing::Untrusted { address: format!("{host}:{port}"), reason }));
        }
    }
    Ok(Ok(()))
}

/// The addresses of a slice that are ready, with its first port.
fn ready_addresses(slice: &EndpointSlice) -> Vec<(String, Option<u16>)> {
    let port = slice.ports.iter().flatten().find_map(|port| u16::try_from(port.port?).ok());
    let ready = slice
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true)));
    ready.flat_map(|endpoint| endpoint.addresses.iter().map(move |address| (address.clone(), port))).collect()
}

/// The reason, where TLS says that the certificate is not to be trusted.
async fn shows_trusted_certificate(host: &str, port: u16, name: &str, bundle: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle).flatten() {
        let _ = roots.add(root);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await?;
        TlsConnector::from(Arc::new(config)).connect(server, stream).await
    };
    match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(Err(error)) => match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(reason) => Err(reason.to_string()),
            None => Ok(()),
        },
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}
