//! The controllers: they watch the custom resources, and carry out what [`crate::sync`] decides.

pub mod cluster_external_secret;
pub mod cluster_reader;
pub mod core;
pub mod external_secret;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kinds;
pub mod namespaces;
pub mod options;
pub mod run;
pub mod secret_store;
pub mod store_access;
