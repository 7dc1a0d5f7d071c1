//! What all controllers have in common. It knows no kind of objects.

pub mod api_call;
pub mod conditions;
pub mod controllers;
pub mod discovery;
pub mod events;
pub mod finalizer;
pub mod key;
pub mod kind;
pub mod memos;
pub mod outages;
pub mod reconcile;
pub mod recoveries;
pub mod requeue;
pub mod status;
pub mod watch;
pub mod watching;
pub mod work_queue;
