//! What the operator sets by flags.

use std::time::Duration;

use crate::template::Delimiters;

/// Settings of the controllers.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The only namespace to work in; all if not given.
    pub(crate) namespace: Option<String>,
    /// Stores of another class are left alone, and so are the ExternalSecrets that use them.
    pub(crate) controller_class: String,
    /// How many ExternalSecrets are worked on at once.
    pub(crate) concurrency: u16,
    /// How often a store is validated that does not say itself.
    pub(crate) store_requeue_interval: Duration,
    /// Whether an ExternalSecret waits for its store to be Ready.
    pub(crate) flood_gate: FloodGate,
    /// What begins and ends an action in templates.
    pub(crate) template_delimiters: Delimiters,
    /// Whether objects that are no Secrets are written.
    pub(crate) generic_targets: GenericTargets,
    /// Whether SecretStores are validated here, and ExternalSecrets that use them synced.
    pub(crate) secret_stores: Switch,
    /// Whether ClusterSecretStores are validated here, and ExternalSecrets that use them synced.
    pub(crate) cluster_secret_stores: Switch,
    /// Whether the ExternalSecrets of ClusterExternalSecrets are made; never where the controller works in one namespace alone.
    pub(crate) cluster_external_secrets: Switch,
}

/// Whether an ExternalSecret waits for its store to be Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloodGate {
    /// It waits.
    Closed,
    /// It tries whatever the store's condition says.
    Open,
    /// It waits for one that was found not to be Ready, and tries one that was never validated: where the controller
    /// would validate it first.
    OpenToUnvalidated,
}

/// Whether objects that are no Secrets are written (`target.manifest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenericTargets {
    /// They are, as far as the controller's rights allow.
    Allowed,
    /// They are not.
    Refused,
}

/// Whether a kind of object is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// It is.
    On,
    /// It is left alone.
    Off,
}

impl Switch {
    /// As a flag says.
    #[must_use]
    pub(crate) const fn of_flag(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

impl GenericTargets {
    /// As a flag says.
    #[must_use]
    pub(crate) const fn of_flag(are_allowed: bool) -> Self {
        if are_allowed { Self::Allowed } else { Self::Refused }
    }
}
