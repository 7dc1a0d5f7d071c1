//! The controllers of SecretStores and ClusterSecretStores.

pub mod finding;
pub mod reconcile;

pub use reconcile::*;
