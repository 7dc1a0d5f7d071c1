//! Why a store cannot be used.

use super::key::StoreKey;
use crate::controller::core::api_call::ApiError;
use crate::provider::ProviderError;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It does not exist.
    #[error("{0} does not exist{place}; create it, or correct spec.secretStoreRef", place = place(.0))]
    NotFound(StoreKey),
    /// It was never validated.
    #[error("{0} has not been validated yet; see its conditions and the controller's log")]
    NotValidated(StoreKey),
    /// It is not Ready.
    #[error("{store} is not ready: {message}")]
    NotReady {
        store: StoreKey,
        /// The message of its condition.
        message: String,
    },
    /// None of its conditions matches the namespace.
    #[error(
        "{store} may not be used from namespace {namespace:?}: none of its spec.conditions matches; ask its owner to add the namespace"
    )]
    NamespaceExcluded { store: StoreKey, namespace: String },
    /// No client can be created for it.
    #[error("{store}: {error}")]
    Client { store: StoreKey, error: Box<ProviderError> },
    /// The store, or the namespace that its conditions refer to, could not be read.
    #[error("the API server could not read {kind} {name:?}: {}", .error.reason())]
    Unreadable { kind: &'static str, name: String, error: ApiError },
}

fn place(store: &StoreKey) -> String {
    if store.object.namespace.is_empty() {
        String::new()
    } else {
        format!(" in namespace {:?}", store.object.namespace)
    }
}
