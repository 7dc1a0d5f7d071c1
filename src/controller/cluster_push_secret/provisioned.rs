//! What has come of a pass over a ClusterPushSecret.

use std::collections::{BTreeMap, BTreeSet};

/// What has come of a pass.
#[derive(Default)]
pub(super) struct Provisioned {
    /// The name of the PushSecrets; none where the spec cannot be worked on.
    pub(super) name: Option<String>,
    /// The namespaces that have theirs.
    pub(super) namespaces: BTreeSet<String>,
    /// Those that have not, and why.
    pub(super) failed: BTreeMap<String, String>,
    /// Why the spec cannot be worked on.
    pub(super) fault: Option<String>,
    /// Those whose PushSecret has not pushed.
    pub(super) not_ready: Vec<String>,
    pub(super) is_outage: bool,
}
