//! Failures of any provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

/// What went wrong, for people and for the controller.
///
/// The text is the same for two failures with the same cause: it contains no request IDs, times or counters, so that a
/// status is not rewritten at every retry. It never contains a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}{}", if hint.is_some() { ": " } else { "" }, hint.as_deref().unwrap_or_default())]
pub struct ProviderError {
    /// What the controller does about it.
    pub class: Class,
    /// One word for metrics and logs, such as `SecretNotFound` or `AADSTS70021`.
    pub cause: &'static str,
    /// What happened, with the provider's own words and code.
    pub message: String,
    /// What to change.
    pub hint: Option<String>,
    /// How long the provider asked to wait, already capped.
    pub retry_after: Option<Duration>,
    /// If the provider keeps trying by itself: reports when reading again is worthwhile.
    pub recovery: Option<Recovery>,
}

impl ProviderError {
    /// A failure of this class and cause, without a hint.
    #[must_use]
    pub fn new(class: Class, cause: &'static str, message: impl Into<String>) -> Self {
        Self { class, cause, message: message.into(), hint: None, retry_after: None, recovery: None }
    }

    /// The same, and what to change.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Reports when a retry of a failed read is worthwhile. The provider keeps trying while this is held, so it is held
/// until the next read of the same value has begun.
///
/// Two of them are always equal, because they are not part of what went wrong.
#[derive(Clone)]
pub struct Recovery(Arc<dyn Recover>);

/// Something that may recover by itself.
pub trait Recover: Send + Sync {
    /// Waits until it has recovered, or until nobody can tell any more.
    fn recovered(&self) -> BoxFuture<'static, ()>;
}

impl Recovery {
    /// Reports when `source` has recovered.
    pub fn new(source: impl Recover + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Waits until a retry is worthwhile. It may fail again.
    pub async fn recovered(&self) {
        self.0.recovered().await;
    }
}

impl PartialEq for Recovery {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Recovery {}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recovery")
    }
}

/// The kinds of failures that the controller distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The provider stated that the value does not exist. Only this may cause a deletion, and only under
    /// `deletionPolicy`.
    Absent,
    /// It exists, and is disabled.
    Disabled,
    /// It is deleted, and its name cannot be used until it is recovered or purged.
    SoftDeleted,
    /// It is being deleted or recovered.
    Busy,
    /// The identity may not read it.
    Denied,
    /// The identity could not get a token; somebody must change something.
    Unauthenticated,
    /// The provider could not be reached or failed; it may recover by itself.
    Unreachable,
    /// The provider asked to slow down.
    Throttled,
    /// The value was read but lacks what the reference names: it has no such property, or is not JSON. A later version
    /// of the value may have it.
    PropertyMissing,
    /// The reference is invalid whatever the provider holds: a bad name or version.
    InvalidReference,
    /// The store's configuration is invalid.
    InvalidStore,
    /// The generator's configuration is invalid.
    InvalidGenerator,
    /// What the manifest asks for is not supported.
    Unsupported,
    /// It exceeds what one ExternalSecret may read.
    OverBudget,
}

/// Whether a retry can help without a change of any manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may recover by itself, or be fixed at the provider: retry with backoff.
    Backoff,
    /// Only a change of the manifest can help: wait for it.
    OnChange,
}

impl Class {
    /// Whether a retry can help.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::Absent
            | Self::Disabled
            | Self::SoftDeleted
            | Self::Busy
            | Self::Denied
            | Self::Unauthenticated
            | Self::Unreachable
            | Self::Throttled
            | Self::PropertyMissing
            | Self::OverBudget => Retry::Backoff,
            Self::InvalidReference | Self::InvalidStore | Self::InvalidGenerator | Self::Unsupported => Retry::OnChange,
        }
    }
}
