//! An emulator of Entra ID, Azure Key Vault and Azure Container Registry, for tests and for trying things without a
//! cloud.
//!
//! It is a peer, not a mock. It speaks TLS under Azure's real host names with its own certificate authority, checks
//! federated tokens as Entra ID does (signature, issuer, subject, audience, times), issues signed access tokens, which
//! its vaults verify, and answers with Azure's status codes and error bodies. Microsoft's own SDKs work with it
//! unchanged.
//!
//! Clients reach it as an HTTPS proxy that terminates the TLS of those hosts, so that manifests contain real vault URLs
//! and a client needs only three variables: see [`Sandbox::environment`].
//!
//! ```no_run
//! # use azure_sandbox::{Config, IssuerKeys, Sandbox, SecretPermission};
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
//! People and scripts control a running sandbox over HTTP: see [`control`].
//!
//! # Names that do not exist
//! A `CONNECT` to a vault that was not created here, or to a host that is not part of Azure, is answered with `502` and
//! `Proxy-Status: sandbox; error=dns_error` (RFC 9209). A client behind a proxy does not resolve names itself, and
//! reports that the tunnel failed. A test that needs the client's own resolver to fail adds the host to the client's
//! `NO_PROXY`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "the handles' methods change the sandbox and return something to go on with, not to be kept"
)]

mod authority;
mod clock;
mod cloud;
pub mod control;
mod counters;
mod entra;
mod fault;
mod ids;
mod keyvault;
mod limiter;
mod message;
mod proxy;
mod registry;
mod service_account;
mod state;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use clock::{Clock, ClockOffset};
pub use cloud::Cloud;
pub use counters::{EntraCounters, RegistryCounters, VaultCounters};
pub use entra::directory::{Application, TOKEN_EXCHANGE_AUDIENCE, Tenant};
pub use entra::imds::Machine;
pub use entra::issuer::IssuerKeys;
pub use fault::{Effect, Fault, FaultId};
pub use keyvault::access::{CertificatePermission, Grant, KeyPermission, Network, Permission, Role, SecretPermission};
pub use keyvault::errors::KeyVaultError;
pub use keyvault::jwk::KeyKind;
pub use keyvault::material::CertificateFormat;
pub use keyvault::object::{AttributeChanges, ObjectKind, ObjectProperties};
pub use keyvault::policy::{AlternativeNames, CertificatePolicy, IssuerPolicy, KeyPolicy, SecretPolicy, X509Policy};
pub use keyvault::secrets::SecretProperties;
pub use keyvault::vault::{Governance, Vault};
pub use limiter::Limit;
pub use registry::Registry;
pub use registry::access::RegistryRole;
pub use service_account::{ServiceAccountIssuer, ServiceAccountToken};

use control::{Control, Document};
use state::State;

/// The default tenant of vaults.
pub const DEFAULT_TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// The configuration of a sandbox.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port of the proxy on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where to write `ca.pem`; `None` means a folder that is removed with the sandbox.
    pub folder: Option<PathBuf>,
    /// The ID of the default tenant of vaults.
    pub tenant: String,
    /// Clouds in addition to Microsoft's.
    pub clouds: Vec<Cloud>,
    /// The source of time.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self { port: 0, folder: None, tenant: DEFAULT_TENANT.to_owned(), clouds: Vec::new(), clock: Clock::system() }
    }
}

/// Why a sandbox could not be started or configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The port is probably taken.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The requested port.
        port: u16,
        /// The system's error.
        source: std::io::Error,
    },
    /// The CA's certificate could not be written.
    #[error("the sandbox cannot write its CA certificate to {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// No thread could be started.
    #[error("the sandbox cannot start its thread: {0}")]
    Thread(std::io::Error),
    /// A document lacks something.
    #[error("{0}")]
    Document(String),
    /// The file with the document cannot be read.
    #[error("the sandbox cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A vault refused.
    #[error("the vault refuses: {0}")]
    Vault(#[from] KeyVaultError),
    /// The host cannot be a container registry's.
    #[error("{host} is no container registry's host; give a registry's name, or a host below azurecr.io")]
    NoRegistryHost {
        /// The host.
        host: String,
    },
    /// A certificate or key could not be generated.
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
    /// A client certificate cannot be used.
    #[error("the client certificate cannot be used: {0}; give a certificate in PEM whose key is RSA or P-256")]
    ClientCertificate(String),
    /// The host belongs to no cloud.
    #[error(
        "{host} is not a vault's host in any cloud of this sandbox; give a vault's name, or add the cloud to the sandbox's configuration"
    )]
    NoVaultHost {
        /// The host.
        host: String,
    },
}

/// The options for running a sandbox in the foreground.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The sandbox's configuration.
    pub config: Config,
    /// A file with a [`Document`] in JSON or YAML to apply at the start.
    pub document: Option<PathBuf>,
}

/// Runs a sandbox until `stopped` completes. `ready` is called when it listens, to tell the person how to reach it.
///
/// # Errors
/// [`SandboxError`] if it cannot start, or the document cannot be applied.
pub async fn run(
    options: RunOptions,
    ready: impl FnOnce(&Sandbox),
    stopped: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let document = options.document.as_deref().map(Document::read).transpose()?;
    let sandbox = Sandbox::start(options.config).await?;
    if let Some(document) = document {
        sandbox.apply(&document)?;
    }
    ready(&sandbox);
    stopped.await;
    Ok(())
}

/// A running emulator. Cheap to clone; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct Sandbox(Arc<Running>);

struct Running {
    control: Control,
    _folder: Folder,
    _stop: DropGuard,
}

impl Sandbox {
    /// Starts an emulator on the caller's runtime, which must outlive it.
    ///
    /// # Errors
    /// [`SandboxError`] if the port is taken or the folder cannot be written.
    pub async fn start(config: Config) -> Result<Self, SandboxError> {
        Self::start_until(config, CancellationToken::new()).await
    }

    /// Starts an emulator on its own thread, so that tests with separate runtimes can share it. Waits until it listens.
    ///
    /// # Errors
    /// As [`Sandbox::start`]; also if no thread can be started.
    pub fn start_in_background(config: Config) -> Result<Self, SandboxError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return sender.send(Err(SandboxError::Thread(error))).unwrap_or_default(),
            };
            let stop = CancellationToken::new();
            let started = runtime.block_on(Self::start_until(config, stop.clone()));
            if sender.send(started).is_ok() {
                runtime.block_on(stop.cancelled());
            }
        };
        std::thread::Builder::new().name("sandbox".to_owned()).spawn(serve).map_err(SandboxError::Thread)?;
        let ended = |_| SandboxError::Thread(std::io::Error::other("the thread ended before it listened"));
        receiver.recv().map_err(ended)?
    }

    async fn start_until(config: Config, stop: CancellationToken) -> Result<Self, SandboxError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
            .await
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        let (listener, address) = listener.map_err(|source| SandboxError::Listen { port: config.port, source })?;
        let state = Arc::new(State::new(config.clock, config.clouds, &config.tenant)?);
        state.tenant(state.clouds.public(), &config.tenant);

        let folder = Folder::new(config.folder)?;
        let ca_bundle = folder.path().join("ca.pem");
        std::fs::create_dir_all(folder.path())
            .and_then(|()| std::fs::write(&ca_bundle, state.authority.certificate_pem()))
            .map_err(|source| SandboxError::Write { path: ca_bundle.clone(), source })?;

        let control = Control { state: Arc::clone(&state), proxy_url: format!("http://{address}"), ca_bundle };
        tokio::spawn(proxy::serve(listener, state, control::router(control.clone()), stop.clone()));
        Ok(Self(Arc::new(Running { control, _folder: folder, _stop: stop.drop_guard() })))
    }

    /// The proxy's URL, such as `http://127.0.0.1:34567`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        self.0.control.proxy_url.clone()
    }

    /// The file with the certificate that clients must trust.
    #[must_use]
    pub fn ca_bundle_path(&self) -> &Path {
        &self.0.control.ca_bundle
    }

    /// The certificate that clients must trust, in PEM.
    #[must_use]
    pub fn ca_bundle(&self) -> &str {
        self.0.control.state.authority.certificate_pem()
    }

    /// The variables that direct a client here: `HTTPS_PROXY`, `NO_PROXY` (the machine itself), `SSL_CERT_FILE` and,
    /// for Python's requests, `REQUESTS_CA_BUNDLE`.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.0.control.environment()
    }

    /// Creates and changes what a document names.
    ///
    /// # Errors
    /// [`SandboxError`], if the document is invalid.
    pub fn apply(&self, document: &Document) -> Result<(), SandboxError> {
        document.apply(&self.0.control.state)
    }

    /// Sets the keys with which an external identity provider signs. Entra ID would read them from the issuer's
    /// metadata; the metadata of an issuer that was not set here counts as unreadable.
    pub fn set_issuer(&self, issuer: &str, keys: IssuerKeys) {
        self.0.control.state.set_issuer(issuer, keys);
    }

    /// Forgets an issuer's keys. Returns whether there were any.
    pub fn remove_issuer(&self, issuer: &str) -> bool {
        self.0.control.state.remove_issuer(issuer)
    }

    /// The default tenant of vaults.
    #[must_use]
    pub fn default_tenant(&self) -> Tenant {
        self.tenant(self.0.control.state.default_tenant())
    }

    /// The tenant with this ID in the public cloud, created if it does not exist.
    #[must_use]
    pub fn tenant(&self, id: &str) -> Tenant {
        Tenant(self.0.control.state.tenant(self.0.control.state.clouds.public(), id))
    }

    /// The tenant with this ID in the cloud whose Entra ID has this host, created if it does not exist; `None` if no
    /// cloud has this host.
    #[must_use]
    pub fn tenant_at(&self, login_host: &str, id: &str) -> Option<Tenant> {
        let cloud = self.0.control.state.clouds.of_login_host(login_host)?;
        Some(Tenant(self.0.control.state.tenant(cloud, id)))
    }

    /// The machine on which clients run. Its metadata service (IMDS) issues tokens for managed identities.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.0.control.state.machine()
    }

    /// The vault with this name in the public cloud, or with this host in any cloud, created if it does not exist. A
    /// new vault belongs to the default tenant, uses access policies, and allows nobody anything.
    ///
    /// # Errors
    /// [`SandboxError::NoVaultHost`] if the host belongs to no cloud.
    pub fn vault(&self, name: &str) -> Result<Vault, SandboxError> {
        self.0.control.state.vault_named(name)
    }

    /// The container registry with this name in the public cloud, or with this host, created if it does not exist. A
    /// new registry belongs to the default tenant and authorizes by roles, of which it has none.
    ///
    /// # Errors
    /// [`SandboxError::NoRegistryHost`] if the host cannot be a registry's.
    pub fn registry(&self, name: &str) -> Result<Registry, SandboxError> {
        self.0.control.state.registry_named(name)
    }

    /// All tenants.
    #[must_use]
    pub fn tenants(&self) -> Vec<Tenant> {
        self.0.control.state.tenants().into_iter().map(Tenant).collect()
    }

    /// All vaults.
    #[must_use]
    pub fn vaults(&self) -> Vec<Vault> {
        self.0.control.state.vaults().into_iter().map(Vault).collect()
    }

    /// Removes a vault with all of its content. Returns whether it existed.
    pub fn remove_vault(&self, name: &str) -> bool {
        self.0.control.state.remove_vault(&self.0.control.state.vault_host(name))
    }

    /// Starts a fault of connections to Entra ID, for all tenants of all clouds: a wrong certificate, host not found,
    /// connection refused. For other faults see [`Tenant::fault`].
    pub fn entra_fault(&self, fault: Fault) -> FaultId {
        self.0.control.state.entra_fault(fault)
    }

    /// Ends a fault of connections to Entra ID. Returns whether it existed.
    pub fn lift_entra_fault(&self, fault: FaultId) -> bool {
        self.0.control.state.entra_faults.lift(fault)
    }
}

/// The location of the CA's certificate.
enum Folder {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(given: Option<PathBuf>) -> Result<Self, SandboxError> {
        given.map_or_else(
            || {
                TempDir::new()
                    .map(Self::Temporary)
                    .map_err(|source| SandboxError::Write { path: std::env::temp_dir(), source })
            },
            |path| Ok(Self::Given(path)),
        )
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
