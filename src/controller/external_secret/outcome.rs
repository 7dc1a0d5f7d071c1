//! How a reconcile ended that did not fail.

use jiff::Timestamp;

use crate::sync::plan::{Plan, Statement};
use crate::sync::refresh::{self, Due, TokenLife};
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
    /// Of the token in the target that ends first, if a generator put one there.
    pub(crate) token: Option<TokenLife>,
    /// Until when that is good, where it is not got anew before.
    pub(crate) ends: Option<Timestamp>,
}

impl Synced {
    /// By a plan for `owner` that was carried out.
    #[must_use]
    pub(crate) fn by(plan: &Plan, owner: Owner<'_>) -> Self {
        Self { statement: plan.statement(owner), leaves_target: plan.leaves_target(), token: None, ends: None }
    }

    /// The same with a token in the target.
    #[must_use]
    pub(crate) fn with_token(self, token: Option<TokenLife>, owner: Owner<'_>) -> Self {
        let ends = token.map(|token| token.until).filter(|_| !refresh::renews_tokens(owner.spec));
        Self { token, ends, ..self }
    }

    /// The message of the condition `Ready`.
    #[must_use]
    pub(crate) fn message(&self) -> String {
        let message = self.statement.message;
        match self.ends {
            None => message.to_owned(),
            Some(until) => format!(
                "{message}; a generated token in it is good until {until} and is not renewed, since that takes refreshPolicy Periodic and a refreshInterval"
            ),
        }
    }
}
