//! Calls to the API server, with a deadline and with errors that say what to do about them.

use std::fmt;
use std::time::Duration;

use crate::answers::reason;

/// How long the API server may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A failed call to the API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The API server refused, was unreachable, or sent an unreadable answer.
    #[error("{}", reason(.0))]
    Kube(#[from] kube::Error),
    /// No answer before the deadline.
    #[error("the API server did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
}

impl ApiError {
    /// The HTTP status, if the API server answered.
    #[must_use]
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }

    /// The API server's own words, without the parts that differ from one answer to the next.
    #[must_use]
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.message.clone(),
            Self::Kube(error @ (kube::Error::SerdeError(_) | kube::Error::FromUtf8(_))) => reason(error),
            Self::Kube(_) => "it cannot be reached".to_owned(),
            Self::Timeout => self.to_string(),
        }
    }

    /// Whether the API server is unreachable or overloaded, as opposed to refusing. The failure then says nothing about
    /// this request: any other would have failed, too.
    #[must_use]
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Kube(kube::Error::Api(status)) => matches!(status.code, 429 | 502 | 503 | 504),
            // The request did not arrive, or the answer did not.
            Self::Kube(kube::Error::Service(_) | kube::Error::HyperError(_)) | Self::Timeout => true,
            Self::Kube(_) => false,
        }
    }
}

/// The operation on an object at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Create,
    /// Replaces the version that was read.
    Update,
    /// Deletes the version that was read.
    Delete,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// Awaits a call, up to the deadline.
///
/// # Errors
/// [`ApiError`]
pub(crate) async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ApiError::Timeout),
    }
}

/// The listed objects; none if the API server does not serve their kind.
///
/// # Errors
/// Any other [`ApiError`]
pub(crate) fn none_if_not_served<K>(listed: Result<Vec<K>, ApiError>) -> Result<Vec<K>, ApiError> {
    match listed {
        Err(error) if error.code() == Some(404) => Ok(Vec::new()),
        listed => listed,
    }
}
