//! Which ClusterPushSecret controls a PushSecret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::is_ours;

/// The kind of its controller.
pub(super) const CLUSTER_PUSH_SECRET: &str = "ClusterPushSecret";

/// The UID of the ClusterPushSecret that controls an object, according to its owner references. The name is not enough: another
/// ClusterPushSecret may have had it.
#[must_use]
pub fn controlling_cluster_push_secret(meta: &ObjectMeta) -> Option<&str> {
    let mut controllers = meta.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true));
    let controller = controllers.next()?;
    let is_one = controller.kind == CLUSTER_PUSH_SECRET && is_ours(&controller.api_version);
    is_one.then_some(controller.uid.as_str())
}
