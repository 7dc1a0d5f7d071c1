//! The resources of `generators.external-secrets.io/v1alpha1`, which generate values instead of reading them from a
//! store.
//!
//! As in ESO, they have no conditions and no events. Failures are reported by the ExternalSecret that uses the
//! generator.

mod acr_access_token;
mod cluster_generator;
mod fake;
mod kind;
mod object;
mod password;
mod spec;
mod ssh_key;
mod uuid;

pub use acr_access_token::*;
pub use cluster_generator::*;
pub use fake::*;
pub use kind::*;
pub use object::*;
pub use password::*;
pub use spec::*;
pub use ssh_key::*;
pub use uuid::*;
