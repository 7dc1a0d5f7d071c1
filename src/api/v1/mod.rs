//! The resources of `external-secrets.io/v1`. `v1beta1` serves the same types under its older name.

pub mod cluster_external_secret;
pub mod condition;
pub mod external_secret;
mod resource;
pub mod secret_store;

pub use cluster_external_secret::{ClusterExternalSecret, ClusterExternalSecretSpec, ClusterExternalSecretStatus};
pub use condition::{Condition, ConditionStatus};
pub use external_secret::{ExternalSecret, ExternalSecretSpec, ExternalSecretStatus};
pub use secret_store::{SecretStore, SecretStoreSpec, SecretStoreStatus, StoreKind};
