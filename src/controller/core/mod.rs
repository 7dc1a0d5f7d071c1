//! What all controllers share. Nothing here knows a particular kind.

pub(crate) mod api_call;
pub(crate) mod conditions;
pub(crate) mod controllers;
pub(crate) mod discovery;
pub(crate) mod events;
pub(crate) mod finalizer;
pub(crate) mod kept_fields;
pub(crate) mod key;
pub(crate) mod kind;
pub(crate) mod memos;
pub(crate) mod outages;
pub(crate) mod process_hash;
pub(crate) mod reactions;
pub(crate) mod reconcile;
pub(crate) mod recoveries;
pub(crate) mod repeated_writes;
pub(crate) mod requeue;
pub(crate) mod status;
pub(crate) mod watch;
pub(crate) mod watching;
pub(crate) mod work_queue;
