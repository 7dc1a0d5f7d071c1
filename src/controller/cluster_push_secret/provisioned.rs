//! The outcome of a pass over a ClusterPushSecret.

use std::collections::{BTreeMap, BTreeSet};

/// The outcome of a pass.
#[derive(Default)]
pub(super) struct Provisioned {
    /// The name of the PushSecrets; `None` if the spec is invalid.
    pub(super) name: Option<String>,
    /// The namespaces that have their PushSecret.
    pub(super) namespaces: BTreeSet<String>,
    /// The namespaces that do not, and why.
    pub(super) failed: BTreeMap<String, String>,
    /// What is wrong with the spec.
    pub(super) fault: Option<String>,
    /// The namespaces whose PushSecret is not Ready.
    pub(super) not_ready: Vec<String>,
    pub(super) is_outage: bool,
}
