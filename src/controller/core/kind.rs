//! A kind of objects that is worked on.

/// What a kind is called, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As in manifests, for example `ExternalSecret`.
    pub(crate) name: &'static str,
    /// As in the API server's paths, for example `externalsecrets`.
    pub(crate) plural: &'static str,
    /// The name of its controller in metrics and logs, as controller-runtime makes it: `externalsecret`.
    pub(crate) controller: &'static str,
    /// The component that its events are from, as `kubectl describe` shows it.
    pub(crate) component: &'static str,
}
