//! The controllers: they watch the custom resources, and carry out what [`crate::sync`] decides.

pub mod cluster_reader;
pub mod cluster_view;
pub mod conditions;
pub mod context;
pub mod discovery;
pub mod events;
pub mod external_secret;
pub mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod index;
pub mod key;
pub mod memos;
pub mod observe;
pub mod options;
pub mod outcome;
pub mod recoveries;
pub mod requeue;
pub mod run;
pub mod secret_store;
pub mod state;
pub mod store_finding;
pub mod target_kinds;
pub mod watch;
mod watches;
pub mod work_queue;
