//! How values are read. [`Provider`] creates a [`SecretsClient`] for a store; the controllers know nothing else about a
//! provider.

pub mod all_causes;
pub mod azure;
pub mod causes;
pub mod error;
mod extract;
pub(crate) mod fair_map;
pub mod fake;
pub use gjson_path as gjson;
pub mod metrics;
pub mod read_budget;
pub mod registry;
pub mod shares;
pub mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::api::generators::AcrAccessTokenSpec;
use crate::api::v1::external_secret::{Find, RemoteRef};
use crate::api::v1::secret_store::{SecretStoreSpec, StoreKind};
use crate::budget::Budget;

pub use error::{Class, ProviderError, Recovery};
pub use metrics::ProviderMetrics;
pub use read_budget::{ReadBudget, ValueMemory};
pub use registry::Providers;
pub use write::Writer;

/// In a [`SecretMap`]: the properties of one value, or all matching values.
pub use crate::secret::{SecretMap, SecretValue};

/// A store as a provider sees it.
#[derive(Clone, Copy, Debug)]
pub struct StoreView<'a> {
    /// The kind; a namespaced store never reads another namespace.
    pub kind: StoreKind,
    /// The store's own namespace; `None` for a ClusterSecretStore.
    pub namespace: Option<&'a str>,
    /// The store's name.
    pub name: &'a str,
    /// What it describes.
    pub spec: &'a SecretStoreSpec,
}

/// On whose behalf a store is used.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// An ExternalSecret.
    ExternalSecret {
        /// Its namespace, in which references without a namespace are resolved.
        namespace: &'a str,
        /// What it may compute during this sync, with all of its stores.
        budget: &'a Arc<Budget>,
    },
    /// A PushSecret.
    PushSecret {
        /// Its namespace, in which references without a namespace are resolved.
        namespace: &'a str,
    },
    /// The store's own validation. References of a ClusterSecretStore without a namespace cannot be
    /// resolved then.
    StoreValidation,
}

impl Caller<'_> {
    /// What may be computed on its behalf.
    fn budget(self) -> Arc<Budget> {
        match self {
            Self::ExternalSecret { budget, .. } => Arc::clone(budget),
            Self::PushSecret { .. } | Self::StoreValidation => Arc::default(),
        }
    }
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// An answer that another caller got within the last seconds is acceptable.
    Shared,
    /// For a person's request (`force-sync`) or a validation: an answer to a request sent before this read began is not
    /// acceptable. Identical reads that start later may still share the answer.
    Forced,
    /// The same for a read that began earlier and failed: an answer to a request sent at or after this time is
    /// acceptable.
    Since(Instant),
}

/// Which callers go first when a provider limits requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Somebody is waiting: there is no target yet, or a refresh was requested.
    First,
    /// A periodic refresh, or a push.
    Refresh,
    /// A deletion.
    CleanUp,
}

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// How old the answer may be.
    pub freshness: Freshness,
    /// The priority.
    pub priority: Priority,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Fetched<T> {
    /// The value or values.
    pub value: T,
    /// Lets a later refresh ask whether a read is needed; `None` if that can never be known.
    pub mark: Option<ReadMark>,
    /// When the first of the values expires, in seconds since 1970, if the provider says so. An expired value is read
    /// like any other.
    pub expires: Option<i64>,
}

impl<T> Fetched<T> {
    /// For a provider that returns only the value.
    #[must_use]
    pub const fn plain(value: T) -> Self {
        Self { value, mark: None, expires: None }
    }
}

/// The earlier of two times, either of which may be unknown.
#[must_use]
pub fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// When a value was read and how new it was, kept by the caller between refreshes. Contains nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadMark {
    /// The object at the provider.
    pub object: ObjectMark,
    /// When the object was last changed, in seconds since 1970 by the provider's clock.
    pub updated: i64,
    /// When it was read, by the same clock.
    pub read: i64,
}

/// An object at a provider, identified by a hash of its URL with a key of this process. A mark is kept for each entry
/// of each ExternalSecret, and the URL would take ten times the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectMark(u64);

impl ObjectMark {
    /// From the object's URL, in the provider's own spelling.
    #[must_use]
    pub fn of(url: &str) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.hash_one(url))
    }
}

/// Whether a read is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Nothing has changed since: the values would be the same.
    None,
    /// Something has changed, or it is unknown.
    Possible,
}

/// Creates clients for the stores of one kind of provider.
#[async_trait]
pub trait Provider: Send + Sync {
    /// A client for `store`. Cheap when called again for the same store and caller: credentials,
    /// tokens and connections are kept.
    async fn client(&self, store: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn SecretsClient>, ProviderError>;

    /// What writes to `store`. As cheap as [`Provider::client`].
    async fn writer(&self, store: StoreView<'_>, caller: Caller<'_>) -> Result<Arc<dyn Writer>, ProviderError>;
}

/// Reads values with one identity from one vault.
#[async_trait]
pub trait SecretsClient: Send + Sync {
    /// The value that `reference` names: a version or the current one, all of it or a property.
    async fn get_secret(
        &self,
        reference: &RemoteRef,
        options: ReadOptions,
    ) -> Result<Fetched<SecretValue>, ProviderError>;

    /// All properties of the value that `reference` names (`dataFrom.extract`).
    async fn get_secret_map(
        &self,
        reference: &RemoteRef,
        options: ReadOptions,
    ) -> Result<Fetched<SecretMap>, ProviderError>;

    /// All matching values (`dataFrom.find`), by their names at the provider. No match is not an error. Values are
    /// charged to `budget` as they arrive, and reading stops when it is used up.
    async fn find(
        &self,
        find: &Find,
        options: ReadOptions,
        budget: &ReadBudget,
    ) -> Result<Fetched<SecretMap>, ProviderError>;

    /// Whether anything that was read earlier may have changed. Never fails: if finding out is not cheap, it may have.
    async fn changes(&self, since: &[ReadMark]) -> Changes {
        let _ = since;
        Changes::Possible
    }

    /// Finds out whether the store can be used by trying it.
    async fn validate(&self) -> Validation;
}

/// A generator of tokens for a container registry, as a provider sees it.
#[derive(Clone, Copy, Debug)]
pub struct RegistryView<'a> {
    /// Whether it is cluster-scoped, and so written by an administrator.
    pub is_of_cluster: bool,
    /// The namespace of the ExternalSecret, in which its references are resolved.
    pub namespace: &'a str,
    /// Its spec.
    pub spec: &'a AcrAccessTokenSpec,
}

/// A token for pulling images.
#[derive(Clone, Debug)]
pub struct RegistryToken {
    /// The user name; the same for all tokens.
    pub user: &'static str,
    /// The token, which is the password of the user.
    pub token: SecretValue,
    /// When it was issued.
    pub made: Timestamp,
    /// When it expires, if it says so.
    pub until: Option<Timestamp>,
}

/// Issues tokens for container registries.
#[async_trait]
pub trait Registries: Send + Sync {
    /// A token for `view`. Equal concurrent requests share one.
    async fn token(&self, view: RegistryView<'_>, freshness: Freshness) -> Result<Arc<RegistryToken>, ProviderError>;
}

/// What validating a store found.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Whether the store can be used.
    pub verdict: Verdict,
    /// The identity got a token.
    pub authenticated: Check,
    /// The vault answered.
    pub reachable: Check,
    /// The vault allowed the identity to read.
    pub authorized: Check,
}

/// Whether a store can be used.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It can.
    Valid,
    /// Somebody must change something first.
    Invalid(ProviderError),
    /// An outage prevents the answer; the store stays usable.
    Unknown(ProviderError),
}

/// One of a store's extra conditions.
#[derive(Clone, Debug)]
pub enum Check {
    /// It is true.
    Passed,
    /// It is false, for this reason.
    Failed(ProviderError),
    /// It is unknown, for this reason (a sentence).
    Unknown(String),
}

/// What a provider reads from the cluster.
#[async_trait]
pub trait ClusterReader: Send + Sync {
    /// A service account; `None` if it does not exist.
    async fn service_account(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccount>, ClusterReadError>;

    /// A token of a service account (TokenRequest) for the given audiences.
    async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<SecretString, ClusterReadError>;

    /// A credential in a key of a Secret.
    async fn secret_key(&self, namespace: &str, name: &str, key: &str) -> Result<CredentialValue, ClusterReadError>;
}

/// What a provider needs of a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its UID: a recreated account is a different identity.
    pub uid: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A credential, and the version of the Secret that it was read from.
#[derive(Clone, Debug)]
pub struct CredentialValue {
    /// The value.
    pub value: SecretValue,
    /// The Secret's UID.
    pub uid: String,
    /// The Secret's resourceVersion.
    pub resource_version: String,
}

/// On whose behalf the cluster is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The controller, with the rights of its service account.
    Controller,
    /// A person, or a pipeline, with a kubeconfig.
    Person,
}

impl Asker {
    const fn remedy(self) -> &'static str {
        match self {
            Self::Controller => "grant it in the controller's ClusterRole",
            Self::Person => "ask for a ClusterRole that allows it",
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "the controller",
            Self::Person => "you",
        })
    }
}

/// Why something could not be read from the cluster. Messages name the object.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum ClusterReadError {
    /// The object, or the key in it, does not exist.
    #[error("{object} does not exist")]
    NotFound {
        /// For example `Secret "credentials" in namespace "team-a"`.
        object: String,
    },
    /// The caller may not read it.
    #[error("{asker} may not {verb} {object}; {}", .asker.remedy())]
    Forbidden {
        /// The caller.
        asker: Asker,
        /// The operation, for example `get` or `create a token for`.
        verb: &'static str,
        object: String,
    },
    /// The API server did not answer as expected.
    #[error("the API server could not be asked for {object}: {reason}")]
    Unavailable {
        object: String,
        /// What happened.
        reason: String,
    },
}
