//! What an event says.

use k8s_openapi::api::core::v1::ObjectReference;

/// Whether an event needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    /// It does not.
    Normal,
    /// It does.
    Warning,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Who says so: a controller, as `kubectl describe` shows it.
    pub(crate) component: &'static str,
    /// Whether it needs attention.
    pub(crate) severity: Severity,
    /// One word for machines.
    pub(crate) reason: &'static str,
    /// A sentence for people.
    pub(crate) note: String,
    /// The object.
    pub(crate) object: ObjectReference,
}
