//! What can go wrong at any provider.

use std::time::Duration;

/// What went wrong, for a person and for the controller.
///
/// The text stays equal between two failures of one cause: no request ids, times or counters, so
/// that a status is not rewritten at every retry. It never holds a secret's value.
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
}

/// The kinds of failures that the controller tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The provider said for certain that the value is not there. Only this may delete, and only by
    /// `deletionPolicy`.
    Absent,
    /// It is there, and switched off.
    Disabled,
    /// The identity may not read it.
    Denied,
    /// The identity got no token; a person must change something.
    Unauthenticated,
    /// The provider could not be reached or failed; it may mend itself.
    Unreachable,
    /// The provider asked to slow down.
    Throttled,
    /// The value was read, and has not what the reference names in it: no such property, or it is
    /// no JSON. A later version of the value may have it.
    PropertyMissing,
    /// The reference cannot be right, whatever the provider holds: a bad name or version.
    InvalidReference,
    /// The store's configuration cannot be right.
    InvalidStore,
    /// What the manifest asks for is not supported.
    Unsupported,
}

/// Whether trying again without a change of any manifest can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may mend itself, or be mended at the provider: try again with backoff.
    Backoff,
    /// Only a change of the manifest can help: wait for it.
    OnChange,
}

impl Class {
    /// Whether trying again can help.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::Absent
            | Self::Disabled
            | Self::Denied
            | Self::Unauthenticated
            | Self::Unreachable
            | Self::Throttled
            | Self::PropertyMissing => Retry::Backoff,
            Self::InvalidReference | Self::InvalidStore | Self::Unsupported => Retry::OnChange,
        }
    }
}
