//! What an event says.

use k8s_openapi::api::core::v1::ObjectReference;

/// Whether an event needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It does not.
    Normal,
    /// It does.
    Warning,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Who says so: a controller, as `kubectl describe` shows it.
    pub component: &'static str,
    /// Whether it needs attention.
    pub severity: Severity,
    /// One word for machines.
    pub reason: &'static str,
    /// A sentence for people.
    pub note: String,
    /// The object.
    pub object: ObjectReference,
}
