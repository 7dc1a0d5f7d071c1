//! Names of stores.

use std::fmt;

use crate::api::v1::StoreKind;
use crate::controller::core::key::ObjectKey;

/// The kind, namespace and name of a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StoreKey {
    pub(crate) kind: StoreKind,
    /// Its name and its namespace, which is empty for a ClusterSecretStore.
    pub(crate) object: ObjectKey,
}

impl StoreKey {
    /// The store that a reference in `namespace` names.
    #[must_use]
    pub(crate) fn referenced(kind: StoreKind, namespace: &str, name: &str) -> Self {
        let namespace = match kind {
            StoreKind::SecretStore => namespace,
            StoreKind::ClusterSecretStore => "",
        };
        Self { kind, object: ObjectKey::new(namespace, name) }
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.object.name)
    }
}
