//! Why a store cannot be used.

use super::key::StoreKey;
use crate::controller::core::api_call::ApiError;
use crate::provider::ProviderError;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not there.
    #[error("{0} does not exist{place}; create it, or correct spec.secretStoreRef", place = place(.0))]
    NotFound(StoreKey),
    /// It was never validated.
    #[error("{0} was not validated yet; see its conditions and the controller's log")]
    NotValidated(StoreKey),
    /// It is not Ready.
    #[error("{store} is not ready: {message}")]
    NotReady {
        /// The store.
        store: StoreKey,
        /// Its condition's words.
        message: String,
    },
    /// Its conditions leave the namespace out.
    #[error(
        "{store} may not be used from namespace {namespace:?}: none of its spec.conditions matches; ask its owner to add the namespace"
    )]
    NamespaceExcluded {
        /// The store.
        store: StoreKey,
        /// The namespace.
        namespace: String,
    },
    /// No client can be made for it.
    #[error("{store}: {error}")]
    Client {
        /// The store.
        store: StoreKey,
        /// Why.
        error: Box<ProviderError>,
    },
    /// It, or the namespace that its conditions ask for, could not be read.
    #[error("the API server could not read {kind} {name:?}: {}", .error.reason())]
    Unreadable {
        /// The object's kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why not.
        error: ApiError,
    },
}

fn place(store: &StoreKey) -> String {
    if store.object.namespace.is_empty() {
        String::new()
    } else {
        format!(" in namespace {:?}", store.object.namespace)
    }
}
