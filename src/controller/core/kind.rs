//! A kind of object with a controller.

/// The names of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As in manifests, for example `ExternalSecret`.
    pub(crate) name: &'static str,
    /// As in the API server's paths, for example `externalsecrets`.
    pub(crate) plural: &'static str,
    /// Its controller's name in metrics and logs, derived as controller-runtime does it: `externalsecret`.
    pub(crate) controller: &'static str,
    /// The component that publishes its events, as `kubectl describe` shows it.
    pub(crate) component: &'static str,
}
