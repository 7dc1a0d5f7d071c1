//! The pure part of a sync: no async, no client, no clock of its own.
//!
//! [`refresh`] decides whether values must be read again, [`minting`] whether values of generators are kept. [`data`]
//! turns what was read into the data of the target Secret, and [`plan`] decides what the Secret must become. The
//! controller executes a [`plan::Plan`]; `plan` and `render` print it.

pub mod cluster_external_secret;
pub mod data;
pub mod failed_namespaces;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hash;
pub mod last_write;
pub mod managed_fields;
pub mod minting;
pub mod object;
pub mod one_line;
pub mod plan;
pub mod push;
pub mod refresh;
pub mod rendered;
pub mod target;
pub mod template;
pub mod windows;

pub use crate::secret::SecretValue;

/// The values of a target Secret by key.
pub type SecretData = crate::secret::SecretMap;
