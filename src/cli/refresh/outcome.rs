//! The result of a refresh.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::person::names::Named;

/// The result for each object.
pub(super) type Outcomes = BTreeMap<Named, Outcome>;

/// The result of a refresh.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) result: Result,
    /// Whether the Secret changed, if that is known.
    pub(super) secret_changed: Option<bool>,
    /// How long it took.
    pub(super) took: Option<Duration>,
    pub(super) message: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Result {
    /// It was requested, and nobody waited for the result.
    Asked,
    Refreshed,
    Failed,
    Timeout,
    Skipped,
}

impl Result {
    /// For programs to read.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Refreshed => "refreshed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        }
    }
}

impl Outcome {
    fn new(result: Result, message: impl Into<String>) -> Self {
        Self { result, secret_changed: None, took: None, message: message.into() }
    }

    pub(super) fn asked() -> Self {
        Self::new(Result::Asked, "")
    }

    /// It was requested, and for this reason nobody can tell how it ends.
    pub(super) fn not_told(why: &str) -> Self {
        Self::new(Result::Asked, why)
    }

    pub(super) fn refreshed() -> Self {
        Self::new(Result::Refreshed, "")
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Result::Failed, message)
    }

    pub(super) fn in_vain(message: impl Into<String>) -> Self {
        Self::new(Result::Timeout, message)
    }

    pub(super) fn skipped(message: impl Into<String>) -> Self {
        Self::new(Result::Skipped, message)
    }

    /// The same with its duration.
    pub(super) fn after(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.result == Result::Failed
    }

    pub(super) fn is_in_vain(&self) -> bool {
        self.result == Result::Timeout
    }
}
