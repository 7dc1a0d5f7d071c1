//! Settings that the operator of the controller makes with flags.

use std::time::Duration;

use crate::template::Delimiters;

/// Settings of the controllers.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The only namespace to work in; all namespaces if absent.
    pub(crate) namespace: Option<String>,
    /// Stores with another class, and the ExternalSecrets that use them, are ignored.
    pub(crate) controller_class: String,
    /// How many objects of each kind are reconciled concurrently.
    pub(crate) concurrency: u16,
    /// Validation interval for stores that set no `refreshInterval`.
    pub(crate) store_requeue_interval: Duration,
    /// Whether an ExternalSecret waits for its store to be Ready.
    pub(crate) flood_gate: FloodGate,
    /// The delimiters of actions in templates.
    pub(crate) template_delimiters: Delimiters,
    /// Whether targets other than Secrets are written.
    pub(crate) generic_targets: GenericTargets,
    /// Whether SecretStores are validated, and ExternalSecrets that use them are synced.
    pub(crate) secret_stores: Switch,
    /// Whether ClusterSecretStores are validated, and ExternalSecrets that use them are synced.
    pub(crate) cluster_secret_stores: Switch,
    /// Whether ClusterExternalSecrets are reconciled. Off if the controller works in a single namespace.
    pub(crate) cluster_external_secrets: Switch,
    /// Whether PushSecrets are pushed.
    pub(crate) push_secrets: Switch,
    /// Whether the PushSecrets of ClusterPushSecrets are made; never where the controller works in one namespace alone, or pushes none.
    pub(crate) cluster_push_secrets: Switch,
    /// Whether Secrets that are credentials of the cluster itself may be pushed.
    pub(crate) push_token_secrets: Switch,
    /// How long there must be nothing to push before what was pushed is deleted: a Secret that is made anew is gone for a moment.
    pub(crate) push_grace: Duration,
}

/// Whether an ExternalSecret waits for its store to be Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloodGate {
    Closed,
    /// It does not wait, whatever the store's condition says.
    Open,
    /// It waits for a store that was found not to be Ready, but not for one that was never validated, which the
    /// controller would validate first. `plan` uses this.
    OpenToUnvalidated,
}

/// Whether targets other than Secrets (`target.manifest`) are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenericTargets {
    /// They are, as far as the controller has the rights.
    Allowed,
    Refused,
}

/// Whether a kind is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    /// Objects of the kind are ignored.
    Off,
}

impl Switch {
    /// From the value of a flag.
    #[must_use]
    pub(crate) const fn of_flag(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

impl GenericTargets {
    /// From the value of a flag.
    #[must_use]
    pub(crate) const fn of_flag(are_allowed: bool) -> Self {
        if are_allowed { Self::Allowed } else { Self::Refused }
    }
}
