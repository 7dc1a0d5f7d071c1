//! Why a PushSecret could not be pushed. The text begins with ESO's words, if it has any, followed by the cause and the remedy.

use crate::api::parsed::InvalidField;
use crate::controller::core::api_call::ApiError;
use crate::controller::core::key::ObjectKey;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::store_access::error::Error as StoreError;
use crate::controller::store_access::key::StoreKey;
use crate::provider::error::Retry;
use crate::provider::{ProviderError, Recovery};
use crate::push::Refusal;
use crate::runtime::panics::Panicked;
use crate::sync::push::ExpandError;
use crate::sync::template::RenderError;

/// How many further failures a text names.
const NAMED: usize = 5;

/// Why a PushSecret could not be pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The object does not fit the schema. Another version of the CRD admitted it.
    #[error("the PushSecret is invalid: {0}")]
    InvalidSpec(InvalidField),
    /// Fields contradict each other, or ask for something unsupported.
    #[error("the PushSecret is invalid: {0}")]
    Rejected(String),
    /// The Secret does not exist, or cannot be read.
    #[error("could not get source secret: {0}")]
    Source(String),
    /// The API server could not read the Secret.
    #[error("could not get source secret: the API server could not read {name:?}: {}", .error.reason())]
    SourceUnreadable {
        /// What was read.
        name: String,
        /// The reason.
        error: ApiError,
    },
    /// The generator failed.
    #[error("could not get source secret: {0}")]
    Generator(#[from] GeneratorError),
    /// The template failed.
    #[error("could not apply template: {0}")]
    Template(#[from] RenderError),
    /// A store of `dataTo` is not in `secretStoreRefs`.
    #[error("{0}")]
    DataToStore(String),
    /// A store cannot be used.
    #[error("could not get {store}, {error}")]
    Store {
        /// The store.
        store: StoreKey,
        /// The reason.
        error: Box<StoreError>,
    },
    /// A reference to a store has neither a name nor a selector.
    #[error("refStore Name must be provided; set name or labelSelector in each of spec.secretStoreRefs")]
    StoreUnnamed,
    /// There is no store to push to.
    #[error(
        "no store can be used: spec.secretStoreRefs finds none that is of this controller's class and not being deleted; create one, or correct the names and labels"
    )]
    NoStore,
    /// The entries for a store cannot be determined.
    #[error("set secret failed: {error}")]
    Expand {
        /// The reason.
        error: ExpandError,
    },
    /// Objects could not be written.
    #[error("set secret failed: {0}")]
    Entries(Failures),
    /// Objects that are no longer desired could not be deleted.
    #[error(
        "Failed to Delete Secrets from Provider: {0}; with spec.deletionPolicy None the objects are left where they are"
    )]
    CleanUp(Failures),
    /// The same, after the Secret was deleted.
    #[error(
        "failed to cleanup provider secrets: {0}; with spec.deletionPolicy None the objects are left where they are"
    )]
    SourceCleanUp(Failures),
    /// The intent to write could not be recorded.
    #[error("could not update status: {}", .0.reason())]
    Intent(ApiError),
    /// The PushSecret was deleted meanwhile, so nothing is written.
    #[error("the PushSecret was deleted meanwhile")]
    Gone,
    /// A finalizer could not be added or removed.
    #[error("the finalizer could not be changed: {}", .0.reason())]
    Finalizer(ApiError),
    /// A bug in this program.
    #[error("{0}")]
    Panicked(Panicked),
}

/// The failures of single objects: the first in full, then the others by name.
#[derive(Debug)]
pub(crate) struct Failures {
    /// In the order of stores and objects. At least one.
    pub(crate) all: Vec<ObjectFailure>,
}

impl std::fmt::Display for Failures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((first, others)) = self.all.split_first() else { return Ok(()) };
        write!(f, "{first}")?;
        if others.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = others.iter().take(NAMED).map(|other| format!("{:?}", other.remote_key)).collect();
        write!(f, "; also failed: {}", named.join(", "))?;
        if others.len() > NAMED { write!(f, " and {} more", others.len() - NAMED) } else { Ok(()) }
    }
}

/// Why one object could not be written or deleted.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem}", lead(.store, .remote_key, .secret_key, *.deed, .problem))]
pub(crate) struct ObjectFailure {
    /// The store.
    pub(crate) store: StoreKey,
    /// The remote key.
    pub(crate) remote_key: String,
    /// The key of the Secret; empty if there is none.
    pub(crate) secret_key: String,
    /// The attempted action.
    pub(crate) deed: Deed,
    /// The reason.
    pub(crate) problem: Problem,
}

/// The attempted action on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A write.
    Write,
    /// A deletion.
    Delete,
}

fn lead(store: &StoreKey, remote_key: &str, secret_key: &str, deed: Deed, problem: &Problem) -> String {
    let store = &store.object.name;
    match (problem, deed) {
        (Problem::Store(_), _) => format!("could not get secrets client for store {store}: "),
        (Problem::Expand(_), _) => String::new(),
        (_, Deed::Write) => {
            format!("could not write remote ref {secret_key} to target secretstore {store}: {remote_key:?}: ")
        }
        (_, Deed::Delete) => format!("could not delete remote ref {remote_key:?} in secretstore {store}: "),
    }
}

/// Why the action on one object failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The store cannot be used.
    #[error("{0}")]
    Store(StoreError),
    /// There is nothing to write.
    #[error("{0}")]
    Expand(ExpandError),
    /// The provider failed, or refused.
    #[error("{0}")]
    Provider(ProviderError),
    /// Somebody else owns the object, or has disabled it.
    #[error("{}", refused(*.0))]
    Refused(Refusal),
    /// An older PushSecret of the namespace wants something else.
    #[error(
        "PushSecret {0:?}, which is older, writes another value to the same object; give one of the two another remoteKey"
    )]
    Conflict(String),
    /// The same, of another namespace, which is not named.
    #[error(
        "an older PushSecret of another namespace writes another value to the same object; use another remoteKey, or a vault of your own"
    )]
    ConflictElsewhere,
    /// It is not yet known what others want of the object.
    #[error("another PushSecret has written this object before and was not looked at yet; it is tried again")]
    NotYetKnown,
    /// It is being deleted or recovered.
    #[error("it is being deleted or recovered; it is looked at again after some seconds")]
    Busy,
    /// It was recovered a moment ago.
    #[error("it was deleted and is being recovered; it is written after that")]
    Recovering,
}

/// ESO's words and the remedy.
fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Foreign => {
            "not managed by external-secrets: list the remote key in the annotation external-secrets.io/adopt-remote-keys (a ClusterSecretStore must allow that by its annotation external-secrets.io/allow-adoption: \"true\"), or tag the object: az keyvault secret set-attributes --tags managed-by=external-secrets, with its other tags"
        }
        Refusal::OfAnotherCluster => {
            "it is managed by the external-secrets of another cluster; use another remoteKey, or remove its tag external-secrets-cluster"
        }
        Refusal::PartOfCertificate => {
            "it is a part of a certificate of this name: push to cert/NAME, or use another remoteKey"
        }
        Refusal::DeletedForeign => {
            "it is deleted, recoverable, and was not managed by external-secrets: recover it with az keyvault secret recover, or have a person purge it"
        }
        Refusal::Disabled => "it is disabled: enable it, or use another remoteKey",
    }
}

impl Problem {
    /// The name of the PushSecret that takes precedence, if it may be disclosed.
    pub(super) fn conflict(with: &ObjectKey, own: &ObjectKey) -> Self {
        if with.namespace == own.namespace { Self::Conflict(with.name.clone()) } else { Self::ConflictElsewhere }
    }
}

impl Error {
    /// Whether the API server was unavailable or overloaded.
    pub(crate) fn is_outage_of_api_server(&self) -> bool {
        match self {
            Self::SourceUnreadable { error, .. } | Self::Intent(error) | Self::Finalizer(error) => error.is_outage(),
            Self::Generator(error) => error.is_outage_of_api_server(),
            Self::Store { error, .. } => match &**error {
                StoreError::Unreadable { error, .. } => error.is_outage(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Reports when a retry is worthwhile, if the provider knows.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        self.provider_errors().find_map(|error| error.recovery.as_ref())
    }

    /// The errors of providers.
    pub(crate) fn provider_errors(&self) -> impl Iterator<Item = &ProviderError> {
        let failures = match self {
            Self::Entries(failures) | Self::CleanUp(failures) | Self::SourceCleanUp(failures) => {
                failures.all.as_slice()
            }
            _ => &[],
        };
        let of_registry = match self {
            Self::Generator(GeneratorError::Provider(error)) => Some(error.as_ref()),
            _ => None,
        };
        let of_vaults = failures.iter().filter_map(|failure| match &failure.problem {
            Problem::Provider(error) => Some(error),
            Problem::Store(StoreError::Client { error, .. }) => Some(error.as_ref()),
            _ => None,
        });
        of_registry.into_iter().chain(of_vaults)
    }

    /// Whether everything that failed needs a change of a manifest or in Azure.
    pub(crate) fn waits_for_a_change(&self) -> bool {
        let (Self::Entries(failures) | Self::CleanUp(failures) | Self::SourceCleanUp(failures)) = self else {
            return false;
        };
        failures.all.iter().all(|failure| match &failure.problem {
            Problem::Provider(error) => error.class.retry() == Retry::OnChange,
            Problem::Store(StoreError::Client { error, .. }) => error.class.retry() == Retry::OnChange,
            // A change of the Secret wakes it.
            Problem::Expand(_) => true,
            _ => false,
        })
    }

    /// Whether everything that failed will pass within seconds.
    pub(crate) fn is_waiting(&self) -> bool {
        let (Self::Entries(failures) | Self::CleanUp(failures) | Self::SourceCleanUp(failures)) = self else {
            return false;
        };
        let waits = |problem: &Problem| matches!(problem, Problem::Busy | Problem::Recovering | Problem::NotYetKnown);
        failures.all.iter().all(|failure| waits(&failure.problem))
    }
}
