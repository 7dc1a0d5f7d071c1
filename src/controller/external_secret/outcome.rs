//! How a reconcile ended that did not fail.

use crate::sync::plan::{Plan, Statement};
use crate::sync::refresh::Due;
use crate::sync::target::Owner;

/// How a reconcile ended that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It belongs to another controller.
    NotOurs,
    /// It is being deleted, and nothing is left to do.
    Deleted,
    /// A store that it uses was just made.
    Waiting,
    /// Nothing is due before this.
    Unchanged(Due),
    /// It was deleted, or made anew, while it was worked on. Nothing was written since.
    Replaced,
    /// The Secret is as the provider says.
    Synced(Synced),
}

/// What a sync has come to.
#[derive(Clone, Debug)]
pub(crate) struct Synced {
    /// What is said of it.
    pub(crate) statement: Statement,
    /// Whether the target is there, with the values.
    pub(crate) leaves_target: bool,
}

impl Synced {
    /// By a plan for `owner` that was carried out.
    #[must_use]
    pub(crate) fn by(plan: &Plan, owner: Owner<'_>) -> Self {
        Self { statement: plan.statement(owner), leaves_target: plan.leaves_target() }
    }
}
