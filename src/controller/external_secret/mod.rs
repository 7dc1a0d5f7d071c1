//! The ExternalSecret controller.

pub mod apply;
pub mod cluster_view;
pub mod context;
pub mod destination;
pub mod error;
pub mod failure;
pub mod index;
pub mod memo;
pub mod planning;
pub mod reconcile;
pub(super) mod refused;
pub mod report;
pub mod state;
pub mod subject;
pub mod target_kinds;
pub mod templates;
mod unchanged;
pub mod values;
pub(super) mod watches;

pub use error::{Error, SpecFault};
pub use memo::{Memo, ObjectVersion};
pub use reconcile::{CONTROLLER, Outcome, Synced, check, fingerprint, is_out_of_patience, panicked, reconcile};
pub use subject::Subject;
