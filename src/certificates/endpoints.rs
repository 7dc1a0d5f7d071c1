//! Checks whether the webhook serves: its endpoints are ready, and present a certificate that the API server trusts.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};
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
/// The most endpoints that are asked.
const MOST: usize = 5;
/// The name of the Service's port for the webhook, in our chart and in ESO's. There may be another port for metrics.
const PORT: &str = "webhook";

/// Why the webhook does not serve.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotServing {
    /// The Service has no known endpoints.
    #[error("the Service {0} has no EndpointSlice yet")]
    NoSlice(String),
    /// No Pod is ready.
    #[error("the Service {0} has no ready endpoint")]
    NoEndpoint(String),
    /// The API server would not trust it.
    #[error("the webhook at {address} presents a certificate that does not verify with the injected bundle: {reason}")]
    Untrusted { address: String, reason: String },
}

/// How many of the endpoints are known to present a trusted certificate, including those that are terminating: they are
/// still called until every kube-proxy knows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// All.
    ByAll,
    /// Not all: some could not be asked.
    BySome,
}

/// Checks the endpoints of a Service, as ESO does, and the certificates that they present, as the API server will.
///
/// An endpoint that cannot be reached from here proves nothing, because a network policy may admit only the API server.
///
/// # Errors
/// The API server's, if it cannot be asked.
pub(super) async fn check(
    client: &Client,
    (service, namespace): (&str, &str),
    name: &str,
    bundle: &[u8],
) -> Result<Result<Shown, NotServing>, kube::Error> {
    let api: Objects<EndpointSlice> = Objects::namespaced(client.clone(), namespace, &());
    let slices = api.list(&ListParams::default().labels(&format!("kubernetes.io/service-name={service}"))).await?;
    let service = format!("{namespace}/{service}");
    if slices.is_empty() {
        return Ok(Err(NotServing::NoSlice(service)));
    }
    let mut addresses: Vec<_> = slices.iter().flat_map(called_addresses).collect();
    // Those that stay first.
    addresses.sort_by_key(|address| address.state == State::Terminating);
    if !addresses.iter().any(|address| address.state == State::Ready) {
        return Ok(Err(NotServing::NoEndpoint(service)));
    }
    let mut shown = if addresses.len() > MOST { Shown::BySome } else { Shown::ByAll };
    for Address { host, port, state } in addresses.into_iter().take(MOST) {
        let answer = match port {
            Some(port) => shows_trusted_certificate(&host, port, name, bundle).await,
            None => Answer::None,
        };
        match (answer, state) {
            (Answer::Trusted, _) => {}
            (Answer::None, _) | (Answer::Untrusted(_), State::Terminating) => shown = Shown::BySome,
            (Answer::Untrusted(reason), State::Ready) => {
                let address = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
                return Ok(Err(NotServing::Untrusted { address, reason }));
            }
        }
    }
    Ok(Ok(shown))
}

/// The answer of an endpoint.
enum Answer {
    /// A trusted certificate.
    Trusted,
    /// An untrusted certificate, and why.
    Untrusted(String),
    /// No answer, as far as can be seen from here.
    None,
}

/// An address at which the API server may call the webhook.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: Option<u16>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Terminating,
}

/// The addresses of a slice that are called, with the webhook's port or, if no port has its name, with the first. The
/// ports of a slice have no order.
fn called_addresses(slice: &EndpointSlice) -> Vec<Address> {
    let ports = || slice.ports.iter().flatten();
    let port = ports().find(|port| port.name.as_deref() == Some(PORT)).or_else(|| ports().next());
    let port = port.and_then(|port| u16::try_from(port.port?).ok());
    let state = |conditions: &EndpointConditions| match conditions {
        EndpointConditions { terminating: Some(true), .. } => Some(State::Terminating),
        EndpointConditions { ready: Some(true), .. } => Some(State::Ready),
        _ => None,
    };
    let states = slice.endpoints.iter().filter_map(|endpoint| Some((endpoint, state(endpoint.conditions.as_ref()?)?)));
    let addresses = states.flat_map(|(endpoint, state)| {
        endpoint.addresses.iter().map(move |host| Address { host: host.clone(), port, state })
    });
    addresses.collect()
}

async fn shows_trusted_certificate(host: &str, port: u16, name: &str, bundle: &[u8]) -> Answer {
    let (config, server) = match (trusting(bundle), ServerName::try_from(name.to_owned())) {
        (Ok(config), Ok(server)) => (config, server),
        (Err(error), _) => return Answer::Untrusted(error.to_string()),
        (_, Err(error)) => return Answer::Untrusted(error.to_string()),
    };
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await?;
        TlsConnector::from(Arc::new(config)).connect(server, stream).await
    };
    match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(Ok(_)) => Answer::Trusted,
        Ok(Err(error)) => match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(reason) => Answer::Untrusted(reason.to_string()),
            None => Answer::None,
        },
        Err(_) => Answer::None,
    }
}

/// A TLS client that trusts only the authorities of a bundle.
fn trusting(bundle: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle).flatten() {
        let _ = roots.add(root);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn addresses(ports: &serde_json::Value) -> Vec<(String, Option<u16>)> {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4", "metadata": {}, "ports": ports,
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
            ],
        }))
        .unwrap();
        called_addresses(&slice).into_iter().map(|address| (address.host, address.port)).collect()
    }

    #[test]
    fn an_endpoint_that_is_terminating_is_asked_and_one_that_is_starting_is_not() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4", "metadata": {}, "ports": [{"port": 10250}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": false, "serving": true, "terminating": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": false, "terminating": false}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": true, "serving": true, "terminating": false}},
            ],
        }))
        .unwrap();
        let address = |host: &str, state| Address { host: host.to_owned(), port: Some(10250), state };
        let expected = [address("10.0.0.1", State::Terminating), address("10.0.0.3", State::Ready)];
        assert_eq!(called_addresses(&slice), expected);
    }

    #[test]
    fn the_webhook_is_asked_at_its_own_port_and_not_at_that_of_its_metrics() {
        let (metrics, webhook) = (json!({"name": "metrics", "port": 8080}), json!({"name": "webhook", "port": 10250}));
        let expected = vec![("10.0.0.1".to_owned(), Some(10250))];
        assert_eq!(addresses(&json!([metrics, webhook])), expected);
        assert_eq!(addresses(&json!([webhook, metrics])), expected);
    }

    #[test]
    fn where_no_port_has_its_name_the_webhook_is_asked_at_the_first() {
        assert_eq!(addresses(&json!([{"port": 9443}])), [("10.0.0.1".to_owned(), Some(9443))]);
        assert_eq!(addresses(&json!([])), [("10.0.0.1".to_owned(), None)]);
    }
}
