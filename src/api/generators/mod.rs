//! The resources of `generators.external-secrets.io/v1alpha1`: what makes values instead of reading them from a store.
//!
//! They have no status worth the name, no conditions and no events, as in ESO: what goes wrong is said by the
//! ExternalSecret that uses one.

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
