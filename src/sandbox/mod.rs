//! An emulator of Entra ID and Azure Key Vault, for tests and for trying things out without a cloud.
//!
//! It is a peer, not a mock: it speaks TLS under Azure's real host names with a certificate authority of
//! its own, checks federated tokens as Entra ID does (signature, issuer, subject, audience, times), issues
//! signed access tokens which its vaults check, and answers with Azure's status codes and error bodies.
//! Microsoft's own SDKs work against it unchanged.
//!
//! It is reached as an HTTPS proxy that ends the TLS of those hosts itself, so that manifests carry real
//! vault URLs and a client needs no more than three variables: see [`Sandbox::environment`].
//!
//! ```no_run
//! # use external_secrets::sandbox::{Config, IssuerKeys, Sandbox, SecretPermission};
//! # async fn example(cluster_key_pem: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::start(Config::default()).await?;
//! sandbox.set_issuer("https://kubernetes.default.svc", IssuerKeys::from_pem(cluster_key_pem)?);
//! let application = sandbox
//!     .default_tenant()
//!     .application("0a1b2c3d-0000-0000-0000-000000000001")
//!     .federate("https://kubernetes.default.svc", "system:serviceaccount:team-a:reader");
//! let vault = sandbox.vault("team-a-kv")?.allow(&application, SecretPermission::Get);
//! let version = vault.set_secret("db-password", "correct horse battery staple")?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a client sees of names that do not exist
//! A `CONNECT` to a vault that was not made here, or to a host that is no part of Azure, is answered `502`
//! with `Proxy-Status: sandbox; error=dns_error` (RFC 9209). A client behind a proxy resolves no names
//! itself and reports that the tunnel failed. A test that needs the client's own resolver to fail puts the
//! host into the client's `NO_PROXY`.

#![allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "the handles' methods change the sandbox and return something to go on with, not to be kept"
)]

mod authority;
mod clock;
mod cloud;
pub mod cluster;
mod counters;
mod entra;
mod fault;
mod http;
mod ids;
mod keyvault;
mod limiter;
mod proxy;
mod service_account;
mod state;
pub mod supervisor;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use clock::{Clock, ClockOffset};
pub use cloud::Cloud;
pub use counters::{EntraCounters, VaultCounters};
pub use entra::directory::{Application, TOKEN_EXCHANGE_AUDIENCE, Tenant};
pub use entra::issuer::IssuerKeys;
pub use fault::{Effect, Fault, FaultId};
pub use keyvault::access::{Network, Role, SecretPermission};
pub use keyvault::errors::KeyVaultError;
pub use keyvault::object::AttributeChanges;
pub use keyvault::secrets::SecretProperties;
pub use keyvault::vault::Vault;
pub use limiter::Limit;
pub use service_account::{ServiceAccountIssuer, ServiceAccountToken};

use state::State;

/// The tenant to which vaults belong that were not given another.
pub const DEFAULT_TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// How a sandbox is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port of the proxy on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where `ca.pem` is written; `None`: to a folder that is removed with the sandbox.
    pub folder: Option<PathBuf>,
    /// The id of the tenant to which vaults belong that were not given another.
    pub tenant: String,
    /// Clouds beside those that Microsoft runs.
    pub clouds: Vec<Cloud>,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self { port: 0, folder: None, tenant: DEFAULT_TENANT.to_owned(), clouds: Vec::new(), clock: Clock::system() }
    }
}

/// Why a sandbox could not be started or told something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The port is taken, most likely.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// The CA's certificate could not be written.
    #[error("the sandbox cannot write its CA certificate to {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate or key could not be made.
    #[error("the sandbox cannot make a certificate or key: {0}")]
    Certificate(rcgen::Error),
    /// A certificate could not be used.
    #[error("the sandbox cannot use its certificate: {0}")]
    Tls(rustls::Error),
    /// An access token could not be signed.
    #[error("the sandbox cannot sign access tokens: {0}")]
    Token(jsonwebtoken::errors::Error),
    /// The keys of an issuer cannot be used.
    #[error(
        "the issuer's public keys cannot be used: {0}; give an RSA or P-256 public key in PEM, or a JSON web key set"
    )]
    IssuerKey(String),
    /// The host belongs to no cloud.
    #[error(
        "{host} is no vault's host in any cloud of this sandbox; give a vault's name, or add the cloud to the sandbox's configuration"
    )]
    NoVaultHost {
        /// The host.
        host: String,
    },
}

/// A running emulator. Cheap to clone; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct Sandbox(Arc<Running>);

struct Running {
    state: Arc<State>,
    address: SocketAddr,
    ca_bundle: PathBuf,
    _folder: Option<TempDir>,
    _stop: DropGuard,
}

impl Sandbox {
    /// Starts an emulator on the runtime of the caller, which must outlive it.
    ///
    /// # Errors
    /// [`SandboxError`] where the port is taken or the folder cannot be written.
    pub async fn start(config: Config) -> Result<Self, SandboxError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
            .await
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        let (listener, address) = listener.map_err(|source| SandboxError::Listen { port: config.port, source })?;
        let state = Arc::new(State::new(config.clock, config.clouds, &config.tenant)?);
        state.tenant(state.clouds.public(), &config.tenant);

        let folder = match config.folder {
            Some(path) => Folder::Given(path),
            None => Folder::Temporary(
                TempDir::new().map_err(|source| SandboxError::Write { path: std::env::temp_dir(), source })?,
            ),
        };
        let ca_bundle = folder.path().join("ca.pem");
        std::fs::create_dir_all(folder.path())
            .and_then(|()| std::fs::write(&ca_bundle, state.authority.certificate_pem()))
            .map_err(|source| SandboxError::Write { path: ca_bundle.clone(), source })?;

        let stop = CancellationToken::new();
        tokio::spawn(proxy::serve(listener, Arc::clone(&state), stop.clone()));
        let folder = match folder {
            Folder::Given(_) => None,
            Folder::Temporary(folder) => Some(folder),
        };
        Ok(Self(Arc::new(Running { state, address, ca_bundle, _folder: folder, _stop: stop.drop_guard() })))
    }

    /// The proxy's URL, such as `http://127.0.0.1:34567`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// The file with the certificate that clients must trust.
    #[must_use]
    pub fn ca_bundle_path(&self) -> &Path {
        &self.0.ca_bundle
    }

    /// The certificate that clients must trust, in PEM.
    #[must_use]
    pub fn ca_bundle(&self) -> &str {
        self.0.state.authority.certificate_pem()
    }

    /// The variables that lead a client here: `HTTPS_PROXY`, `NO_PROXY` (the machine itself),
    /// `SSL_CERT_FILE`, and for Python's requests `REQUESTS_CA_BUNDLE`.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let bundle = self.0.ca_bundle.display().to_string();
        [
            ("HTTPS_PROXY", self.proxy_url()),
            ("NO_PROXY", "127.0.0.1,localhost,::1".to_owned()),
            ("SSL_CERT_FILE", bundle.clone()),
            ("REQUESTS_CA_BUNDLE", bundle),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Says with what keys an external identity provider signs. Entra ID would read them from the issuer's
    /// metadata; an issuer that was not set here counts as one whose metadata cannot be read.
    pub fn set_issuer(&self, issuer: &str, keys: IssuerKeys) {
        self.0.state.set_issuer(issuer, keys);
    }

    /// Forgets an issuer's keys; whether there were any.
    pub fn remove_issuer(&self, issuer: &str) -> bool {
        self.0.state.remove_issuer(issuer)
    }

    /// The tenant to which vaults belong that were not given another.
    #[must_use]
    pub fn default_tenant(&self) -> Tenant {
        self.tenant(self.0.state.default_tenant())
    }

    /// The tenant of this id in the public cloud; made where there is none yet.
    #[must_use]
    pub fn tenant(&self, id: &str) -> Tenant {
        Tenant(self.0.state.tenant(self.0.state.clouds.public(), id))
    }

    /// The tenant of this id in the cloud whose Entra ID has this host; made where there is none yet.
    /// `None` where no cloud has this host.
    #[must_use]
    pub fn tenant_at(&self, login_host: &str, id: &str) -> Option<Tenant> {
        let cloud = self.0.state.clouds.of_login_host(login_host)?;
        Some(Tenant(self.0.state.tenant(cloud, id)))
    }

    /// The vault of this name in the public cloud, or of this host in any cloud; made where there is none
    /// yet. A new vault belongs to the default tenant, uses access policies and allows nobody anything.
    ///
    /// # Errors
    /// [`SandboxError::NoVaultHost`] where the host belongs to no cloud.
    pub fn vault(&self, name: &str) -> Result<Vault, SandboxError> {
        let state = &self.0.state;
        let host = state.vault_host(name);
        let cloud = state.clouds.of_vault(&host).ok_or_else(|| SandboxError::NoVaultHost { host: host.clone() })?;
        Ok(Vault(state.vault(&host, cloud)))
    }

    /// All tenants.
    #[must_use]
    pub fn tenants(&self) -> Vec<Tenant> {
        self.0.state.tenants().into_iter().map(Tenant).collect()
    }

    /// All vaults.
    #[must_use]
    pub fn vaults(&self) -> Vec<Vault> {
        self.0.state.vaults().into_iter().map(Vault).collect()
    }

    /// Removes a vault with all that is in it; whether there was one.
    pub fn remove_vault(&self, name: &str) -> bool {
        self.0.state.remove_vault(&self.0.state.vault_host(name))
    }

    /// Starts a fault of the connections to Entra ID, for all tenants of all clouds: a wrong certificate,
    /// host not found, connection refused. For other faults see [`Tenant::fault`].
    pub fn entra_fault(&self, fault: Fault) -> FaultId {
        let id = self.0.state.entra_faults.add(fault, self.0.state.clock.now());
        self.0.state.close_entra_connections();
        id
    }

    /// Ends a fault of the connections to Entra ID; whether there was one.
    pub fn lift_entra_fault(&self, fault: FaultId) -> bool {
        self.0.state.entra_faults.lift(fault)
    }
}

enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
