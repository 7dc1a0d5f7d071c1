//! How far a pass over a PushSecret has come.

use super::marks::Mark;
use super::state::Changes;
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::PushGenerated;

/// How far a pass has come.
pub(super) struct Progress {
    /// The status that is stored: what is recorded before anything is written is in it.
    pub(super) written: PushSecretStatus,
    /// How many changes of what it depends on this pass takes into account.
    pub(super) changes: Changes,
    /// What its objects are made from, once that is known.
    pub(super) mark: Option<Mark>,
    /// What is recorded of the values of a generator once all is as it is wanted.
    pub(super) generated: Option<PushGenerated>,
}
