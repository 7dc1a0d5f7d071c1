//! The result of a reconcile that did not fail.

use jiff::Timestamp;

use crate::sync::plan::{Plan, Statement};
use crate::sync::refresh::{self, Due, TokenLife};
use crate::sync::target::Owner;

/// The result of a reconcile that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It belongs to another controller.
    NotOurs,
    /// It is being deleted, and nothing is left to do.
    Deleted,
    /// A store that it uses was created only just now.
    Waiting,
    /// Nothing is due before this time.
    Unchanged(Due),
    /// It was deleted or recreated during the pass, and nothing was written since.
    Replaced,
    /// The target matches the provider.
    Synced(Synced),
}

/// The result of a sync.
#[derive(Clone, Debug)]
pub(crate) struct Synced {
    /// What is reported.
    pub(crate) statement: Statement,
    /// Whether the target exists and has the values.
    pub(crate) leaves_target: bool,
    /// The token in the target that expires first, if a generator put one there.
    pub(crate) token: Option<TokenLife>,
    /// Until when that token is valid if it is not renewed.
    pub(crate) ends: Option<Timestamp>,
}

impl Synced {
    /// The result of carrying out a plan for `owner`.
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
                "{message}; a generated token in it is valid until {until} and is not renewed, since that requires refreshPolicy Periodic and a refreshInterval"
            ),
        }
    }
}
