//! The operator's settings for all vaults.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// Key Vault's documented limit on GETs of secrets and of most kinds of keys, per vault and [`WINDOW`]:
/// <https://learn.microsoft.com/azure/key-vault/general/service-limits>. The limit for larger keys is lower, which the
/// gate learns.
const DOCUMENTED_LIMIT: u32 = 4000;

/// The same on new versions of secrets together with imports of keys and certificates.
const DOCUMENTED_LIMIT_OF_WRITES: u32 = 300;
/// The time over which Key Vault counts requests.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// How many requests may be sent to one vault within 10 s, by kind of object. Everybody who uses the vault shares Key
/// Vault's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// For secrets and lists of them.
    pub secrets: u32,
    /// For keys.
    pub keys: u32,
    /// For certificates.
    pub certificates: u32,
    /// For new versions of secrets, and imports of keys and certificates, together.
    pub writes: u32,
}

impl Default for Budgets {
    /// 80% of the documented limit.
    fn default() -> Self {
        const BUDGET: u32 = DOCUMENTED_LIMIT / 5 * 4;
        Self { secrets: BUDGET, keys: BUDGET, certificates: BUDGET, writes: DOCUMENTED_LIMIT_OF_WRITES / 5 * 4 }
    }
}

/// Whose identity reads vaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActsAs {
    /// That of each store.
    #[default]
    Store,
    /// That of the person who runs the program: a service principal from the environment, or else the account that is
    /// logged in with a tool.
    Caller,
}

/// Which stores may use the identity of the controller's own pod or machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnIdentity {
    /// Only ClusterSecretStores, which the cluster's administrators write.
    #[default]
    ClusterSecretStores,
    /// SecretStores as well: for a controller that serves a single tenant, and as in ESO.
    AllStores,
}

/// The operator's settings for all vaults, from flags and environment.
#[derive(Clone, Debug)]
pub struct Options {
    /// The limit of concurrent requests to one vault.
    pub concurrency: usize,
    /// How many requests may be sent to one vault within 10 s. The default is 80% of Key Vault's limit.
    pub budgets: Budgets,
    /// How long an answer is kept for identical reads; if zero, only concurrent reads share.
    pub coalesce: Duration,
    /// How long reads wait for a vault that asked to slow down or is failing, before they fail, too.
    pub patience: Duration,
    /// How long a request may take, including its answer.
    pub request_timeout: Duration,
    /// PEM certificates to trust in addition to the system's root certificates (which `SSL_CERT_FILE` replaces).
    pub ca_bundle: Option<Vec<u8>>,
    /// Hosts (`login.example.com`) or suffixes (`.vault.example.com`) to which a namespaced SecretStore with
    /// `customCloudConfig` may send tokens that are valid beyond its namespace: those for `serviceAccountRef.audiences`
    /// and, where [`Self::own_identity`] allows them, those of the pod's own or a managed identity. A store of any kind
    /// needs them to send the caller's own tokens. They may have a port, and need not be public domains.
    pub extra_hosts: Vec<String>,
    /// Which stores may use the identity of the controller's own pod or machine.
    pub own_identity: OwnIdentity,
    /// Whether to detect changes by listing the vault if that costs no more than reading.
    pub change_detection: bool,
    /// Whether the validation of a store reads a secret from the vault. Otherwise it only acquires a token.
    pub probe: bool,
    /// A proxy for vaults and authorities, instead of the one that `HTTPS_PROXY` and `NO_PROXY` specify.
    pub https_proxy: Option<String>,
    /// A plain HTTP proxy for the machine's identity endpoint. It is for tests: in production that endpoint is never
    /// reached through a proxy.
    pub machine_identity_proxy: Option<String>,
    /// Whose identity reads vaults.
    pub acts_as: ActsAs,
    /// What names this cluster in the tags of the objects that it writes; `None` leaves that tag out.
    pub push_owner: Option<String>,
    /// The identity of the process: the pod's own, or the caller's.
    pub environment: Environment,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 32,
            budgets: Budgets::default(),
            coalesce: Duration::from_secs(2),
            patience: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            ca_bundle: None,
            extra_hosts: Vec::new(),
            own_identity: OwnIdentity::default(),
            change_detection: true,
            probe: true,
            https_proxy: None,
            machine_identity_proxy: None,
            acts_as: ActsAs::default(),
            push_owner: None,
            environment: Environment::default(),
        }
    }
}

/// The variables that the workload identity webhook injects into a pod,
/// <https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html>, and those that
/// Azure's tools read for a service principal. Empty ones count as absent, and a trailing line break is not part of a
/// value.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `AZURE_CLIENT_ID`
    pub client_id: Option<String>,
    /// `AZURE_TENANT_ID`; also the last resort for a `serviceAccountRef` without a tenant.
    pub tenant_id: Option<String>,
    /// `AZURE_FEDERATED_TOKEN_FILE`
    pub token_file: Option<PathBuf>,
    /// `AZURE_AUTHORITY_HOST`; for the identity of the process only.
    pub authority_host: Option<String>,
    /// `AZURE_CLIENT_SECRET`; for the caller's identity only.
    pub client_secret: Option<SecretString>,
    /// `AZURE_CLIENT_CERTIFICATE_PATH`; for the caller's identity only.
    pub certificate_file: Option<PathBuf>,
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The variables that `lookup` finds.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name| {
            let value = lookup(name)?;
            let value = value.trim_end_matches(['\r', '\n']);
            (!value.is_empty()).then(|| value.to_owned())
        };
        Self {
            client_id: lookup("AZURE_CLIENT_ID"),
            tenant_id: lookup("AZURE_TENANT_ID"),
            token_file: lookup("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
            authority_host: lookup("AZURE_AUTHORITY_HOST"),
            client_secret: lookup("AZURE_CLIENT_SECRET").map(SecretString::from),
            certificate_file: lookup("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from),
        }
    }
}
