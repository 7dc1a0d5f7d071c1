//! What all controllers have in common. It knows no kind of objects.

pub mod conditions;
pub mod discovery;
pub mod events;
pub mod key;
pub mod memos;
pub mod observe;
pub mod recoveries;
pub mod requeue;
pub mod watch;
pub mod work_queue;
