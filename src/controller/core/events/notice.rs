//! The content of an event.

use k8s_openapi::api::core::v1::ObjectReference;

/// Whether an event needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    Normal,
    Warning,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The controller that reports it, as `kubectl describe` shows it.
    pub(crate) component: &'static str,
    pub(crate) severity: Severity,
    /// One word, for programs.
    pub(crate) reason: &'static str,
    /// A sentence, for people.
    pub(crate) note: String,
    pub(crate) object: ObjectReference,
}
