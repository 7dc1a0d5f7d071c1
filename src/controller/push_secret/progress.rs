//! The progress of a pass over a PushSecret.

use super::marks::Mark;
use super::state::Changes;
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::PushGenerated;

/// The progress of a pass.
pub(super) struct Progress {
    /// The stored status, with what was recorded before the writes.
    pub(super) written: PushSecretStatus,
    /// The changes of what it depends on that this pass has seen.
    pub(super) changes: Changes,
    /// The sources of its objects, once they are known.
    pub(super) mark: Option<Mark>,
    /// What the status will record about generated values once everything is written.
    pub(super) generated: Option<PushGenerated>,
}
