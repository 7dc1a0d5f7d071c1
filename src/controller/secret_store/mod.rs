//! The controllers of SecretStores and ClusterSecretStores. They validate each store by using it, and report in its
//! conditions what a person must change.

pub(crate) mod context;
pub(crate) mod finding;
mod fingerprint;
pub(crate) mod reconcile;
pub(crate) mod state;
pub(crate) mod watched;
pub(crate) mod watches;

use super::core::kind::Kind;
use crate::api::v1::StoreKind;

#[must_use]
pub(crate) const fn kind(of: StoreKind) -> Kind {
    let (controller, component) = match of {
        StoreKind::SecretStore => ("secretstore", "secret-store"),
        StoreKind::ClusterSecretStore => ("clustersecretstore", "cluster-secret-store"),
    };
    Kind { name: of.name(), plural: of.plural(), controller, component }
}
