//! The HTTP clients that all vaults and authorities share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Proxy, tls};

use super::cloud::HostsOf;
use super::kept_hosts::{IDLE_TIMEOUT, KeptHosts};
use super::lookups::FewLookups;
use super::options::Options;

/// The time for DNS, TCP and TLS together, and for a proxy if there is one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections of a host that are kept for the next wave of reads. Each costs some tens of KiB. Those of all hosts
/// that keep any, and one per request in progress, are fewer than 1024 file descriptors.
const IDLE_CONNECTIONS: usize = 4;

/// Why a client cannot be created.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum SetupError {
    /// The CA bundle is not PEM, or contains no certificate.
    #[error("the CA bundle holds no PEM certificate that can be read; give the file of the CA's certificates")]
    CaBundle(#[source] Option<reqwest::Error>),
    /// There are no root certificates, or a proxy's address is not a URL.
    #[error(
        "no HTTPS client could be made; check that the system's CA certificates (or SSL_CERT_FILE) can be read and that HTTPS_PROXY is a URL"
    )]
    Client(#[source] reqwest::Error),
    /// The address of a proxy.
    #[error("the proxy \"{address}\" is not a URL; give one such as http://proxy.example:3128")]
    Proxy {
        address: String,
        /// What is wrong with it.
        source: reqwest::Error,
    },
}

/// The HTTP clients.
pub(super) struct Clients {
    /// For vaults and authorities, through the proxy of the environment.
    pub(super) azure: Arc<dyn HttpClient>,
    /// The same for hosts that a tenant chooses: keeps no connections, and looks up few names at a time.
    of_tenants: Passing,
    /// For the machine's identity endpoint, never through that proxy.
    pub(super) machine: Arc<dyn HttpClient>,
}

impl Clients {
    /// Clients whose idle connections are those of `kept` hosts.
    pub(super) fn new(options: &Arc<Options>, kept: Arc<KeptHosts>) -> Result<Self, SetupError> {
        let keeping: Arc<dyn HttpClient> = Arc::new(azure(options)?.build().map_err(SetupError::Client)?);
        // Plain HTTP: it trusts no CA, so it need not read the system's.
        let mut machine = builder(options).no_proxy().tls_certs_only([]);
        if let Some(address) = &options.machine_identity_proxy {
            machine = machine.proxy(proxy(address, |address| Proxy::http(address))?);
        }
        let passing = |more| Passing {
            made: OnceLock::new(),
            options: Arc::clone(options),
            more,
            otherwise: Arc::clone(&keeping),
        };
        Ok(Self {
            of_tenants: passing(|client| client.dns_resolver(FewLookups::of_system())),
            azure: Arc::new(Sparing { kept, passing: passing(|client| client), keeping }),
            machine: Arc::new(machine.build().map_err(SetupError::Client)?),
        })
    }

    /// Everything through one client.
    #[cfg(test)]
    pub(super) fn through(client: &Arc<dyn HttpClient>) -> Self {
        let of_tenants = Passing {
            made: OnceLock::from(Arc::clone(client)),
            options: Arc::default(),
            more: |client| client,
            otherwise: Arc::clone(client),
        };
        Self { azure: Arc::clone(client), of_tenants, machine: Arc::clone(client) }
    }

    /// The client for the hosts of a cloud.
    pub(super) fn to(&self, hosts_of: HostsOf) -> &Arc<dyn HttpClient> {
        match hosts_of {
            HostsOf::Operator => &self.azure,
            HostsOf::Tenant => self.of_tenants.client(),
        }
    }
}

/// A client that keeps no connections, created when first needed.
#[derive(Debug)]
struct Passing {
    made: OnceLock<Arc<dyn HttpClient>>,
    options: Arc<Options>,
    /// What else sets it apart.
    more: fn(ClientBuilder) -> ClientBuilder,
    /// What is used if it cannot be created.
    otherwise: Arc<dyn HttpClient>,
}

impl Passing {
    fn client(&self) -> &Arc<dyn HttpClient> {
        self.made.get_or_init(|| {
            let client = azure(&self.options)
                .and_then(|client| (self.more)(client.pool_max_idle_per_host(0)).build().map_err(SetupError::Client));
            match client {
                Ok(client) => Arc::new(client),
                // The same could be created at the start.
                Err(error) => {
                    tracing::warn!(%error, "connections that should be closed are kept");
                    Arc::clone(&self.otherwise)
                }
            }
        })
    }
}

/// Keeps the idle connections of a few hosts, and none of the others.
#[derive(Debug)]
struct Sparing {
    kept: Arc<KeptHosts>,
    keeping: Arc<dyn HttpClient>,
    passing: Passing,
}

#[async_trait]
impl HttpClient for Sparing {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let keeps = request.url().host_str().is_some_and(|host| self.kept.contains(host));
        let client = if keeps { &self.keeping } else { self.passing.client() };
        client.execute_request(request).await
    }
}

/// What reaches vaults and authorities.
fn azure(options: &Options) -> Result<ClientBuilder, SetupError> {
    // reqwest's rustls reads the system's root certificates, or instead those that SSL_CERT_FILE names, and HTTPS_PROXY
    // and NO_PROXY.
    let mut azure = builder(options).https_only(true).tls_version_min(tls::Version::TLS_1_2);
    if let Some(bundle) = &options.ca_bundle {
        let certificates = Certificate::from_pem_bundle(bundle).map_err(|error| SetupError::CaBundle(Some(error)))?;
        if certificates.is_empty() {
            return Err(SetupError::CaBundle(None));
        }
        azure = azure.tls_certs_merge(certificates);
    }
    if let Some(address) = &options.https_proxy {
        azure = azure.no_proxy().proxy(proxy(address, |address| Proxy::https(address))?);
    }
    Ok(azure)
}

fn proxy(address: &str, scheme: fn(&str) -> reqwest::Result<Proxy>) -> Result<Proxy, SetupError> {
    scheme(address).map_err(|source| SetupError::Proxy { address: address.to_owned(), source })
}

fn builder(options: &Options) -> ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(options.request_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_certificate(Options { ca_bundle: Some(b"no PEM".to_vec()), ..Options::default() }, "CA bundle")]
    #[case::broken_certificate(
        Options {
            ca_bundle: Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()),
            ..Options::default()
        },
        "certificates"
    )]
    #[case::proxy(Options { https_proxy: Some("://".to_owned()), ..Options::default() }, "proxy \"://\"")]
    fn unusable_options_are_reported(#[case] options: Options, #[case] words: &str) {
        let Err(error) = Clients::new(&Arc::new(options), Arc::new(KeptHosts::new())) else { panic!("they were used") };
        assert!(error.to_string().contains(words), "{error}");
    }
}
