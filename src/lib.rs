//! Brings Azure Key Vault secrets into Kubernetes Secrets, with the custom resources of the
//! External Secrets Operator (ESO).
//!
//! Read the modules in this order:
//!
//! - [`api`]: the custom resources, as types.
//! - [`sync`]: the pure decisions: whether a refresh is due, what the target should be.
//! - [`re2`]: Go's regular expressions, which ExternalSecrets and templates use.
//! - [`template`]: Go's `text/template`, which ExternalSecrets use.
//! - [`answers`]: reads the Kubernetes API's answers, whatever they contain.
//! - [`secret`]: secret values in memory.
//! - [`budget`]: limits on what one ExternalSecret may compute.
//! - [`generator`]: makes values: passwords, UUIDs, keys for SSH.
//! - [`provider`]: how values are read; [`provider::azure`] is Key Vault.
//! - [`push`]: what a push finds at a provider, and what it does about it.
//! - [`controller`]: watches the custom resources and carries the decisions out.
//! - [`validate`]: static checks of the custom resources.
//! - `webhook` (feature `processes`): answers the API server before it stores or converts a custom resource.
//! - `certificates` (feature `processes`): the webhook's certificates, and the API server's trust in them.
//! - [`runtime`]: logging, metrics, health, shutdown.
//! - [`cli`]: the program's subcommands.
//! - `sandbox` (feature `sandbox`): an emulator of Entra ID and Key Vault, and a cluster to try it on.

#![forbid(unsafe_code)]
// The commands use parts of what the processes use as a whole.
#![cfg_attr(not(feature = "processes"), allow(dead_code, unreachable_pub))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[macro_use]
mod listed;

pub mod api;
pub mod budget;
#[cfg(feature = "processes")]
mod certificates;
pub mod cli;
pub mod controller;
pub mod generator;
pub mod provider;
pub mod push;
pub mod runtime;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod secret;
pub mod sync;
pub mod validate;
#[cfg(all(feature = "processes", not(fuzzing)))]
mod webhook;
#[cfg(all(feature = "processes", fuzzing))]
pub mod webhook;

pub use go_regexp as re2;
pub use go_template as template;
pub use kube_answers as answers;
