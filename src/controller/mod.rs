//! The controllers: they watch the custom resources and carry out what [`crate::sync`] decides.

pub(crate) mod child_objects;
pub(crate) mod cluster_external_secret;
pub(crate) mod cluster_push_secret;
pub(crate) mod cluster_reader;
pub(crate) mod core;
pub(crate) mod external_secret;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub(crate) mod generators;
#[cfg(feature = "processes")]
mod kinds;
pub(crate) mod namespaces;
pub(crate) mod options;
pub(crate) mod push_secret;
#[cfg(feature = "processes")]
pub(crate) mod run;
pub(crate) mod secret_store;
pub(crate) mod store_access;
pub(crate) mod template_engines;
