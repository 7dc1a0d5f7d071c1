//! What is kept of an ExternalSecret that a ClusterExternalSecret controls, to see whether somebody has changed it.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use crate::api::{FIELD_MANAGER, is_ours};

/// The kind of its controller.
pub const PARENT_KIND: &str = "ClusterExternalSecret";

/// What is kept, in addition, of an ExternalSecret that a ClusterExternalSecret controls.
#[derive(Clone, Debug, Default)]
pub struct Child {
    /// The keys of the labels that the ClusterExternalSecret controller, ESO's or this one, last wrote.
    pub labels: BTreeSet<String>,
    /// The same for annotations.
    pub annotations: BTreeSet<String>,
}

impl Child {
    /// Reads it from metadata with `managedFields`; `None` if no ClusterExternalSecret controls the object.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Option<Self> {
        controlling_cluster_external_secret(meta)?;
        let mut child = Self::default();
        for entry in meta.managed_fields.iter().flatten() {
            let is_ours =
                entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Update");
            let Some(fields) = entry.fields_v1.as_ref().filter(|_| is_ours).map(|fields| &fields.0["f:metadata"])
            else {
                continue;
            };
            child.labels.extend(keys(fields["f:labels"].as_object()));
            child.annotations.extend(keys(fields["f:annotations"].as_object()));
        }
        Some(child)
    }
}

/// The keys of a map in `managedFields`.
fn keys(fields: Option<&Map<String, Value>>) -> impl Iterator<Item = String> {
    fields.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
}

/// The name of the ClusterExternalSecret that controls an object with this metadata, according to the object. Compares
/// its group and kind but not its version, because clusters moved from v1beta1 to v1.
#[must_use]
pub fn controlling_cluster_external_secret(meta: &ObjectMeta) -> Option<&str> {
    let mut controllers = meta.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true));
    let controller = controllers.next()?;
    let is_one = controller.kind == PARENT_KIND && is_ours(&controller.api_version);
    is_one.then_some(controller.name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::v1::ExternalSecret;

    fn object(owner: &Value) -> ExternalSecret {
        let managed = |manager: &str, key: &str| {
            json!({"manager": manager, "operation": "Update", "time": "9999-12-31T23:59:59Z",
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}, format!("f:{key}"): {}}}}})
        };
        serde_json::from_value(json!({
            "metadata": {"name": "db", "ownerReferences": [owner],
                "managedFields": [7, managed("external-secrets", "ours"), managed("kubectl", "theirs")]},
            "spec": {"refreshInterval": "1h", "later": {"field": 1}},
        }))
        .unwrap()
    }

    #[test]
    fn of_a_child_the_keys_are_kept_that_were_written() {
        for version in ["external-secrets.io/v1", "external-secrets.io/v1beta1"] {
            let owner = json!({"apiVersion": version, "kind": "ClusterExternalSecret", "name": "db", "uid": "u", "controller": true});
            let object = object(&owner);
            assert_eq!(controlling_cluster_external_secret(&object.metadata), Some("db"));
            let spec: Value = serde_json::from_str(object.spec.text().unwrap()).unwrap();
            assert_eq!(spec["later"]["field"], 1, "a field that this program does not know");
            assert_eq!(object.child.unwrap().labels, BTreeSet::from(["ours".to_owned()]));
        }
    }

    #[test]
    fn nothing_more_is_kept_of_what_no_cluster_external_secret_controls() {
        for owner in [
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "u"}),
            json!({"apiVersion": "example.com/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "u", "controller": true}),
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "db", "uid": "u", "controller": true}),
        ] {
            assert!(object(&owner).child.is_none(), "{owner}");
        }
    }
}
