//! The controllers of SecretStores and ClusterSecretStores: they validate each store by really using
//! it, and say in its conditions what a person must change.

pub mod context;
pub mod finding;
mod fingerprint;
pub mod reconcile;
pub mod state;
pub mod watched;
pub mod watches;

use super::core::kind::Kind;
use crate::api::v1::StoreKind;

/// A kind of stores.
#[must_use]
pub const fn kind(of: StoreKind) -> Kind {
    let (controller, component) = match of {
        StoreKind::SecretStore => ("secretstore", "secret-store"),
        StoreKind::ClusterSecretStore => ("clustersecretstore", "cluster-secret-store"),
    };
    Kind { name: of.name(), plural: of.plural(), controller, component }
}
