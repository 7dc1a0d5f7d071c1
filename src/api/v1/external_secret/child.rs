//! Which ClusterExternalSecret controls an ExternalSecret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::is_ours;

/// The kind of its controller.
pub const PARENT_KIND: &str = "ClusterExternalSecret";

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
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

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
            assert_eq!(object.written.unwrap().labels, BTreeSet::from(["ours".to_owned()]));
        }
    }

    #[test]
    fn nothing_more_is_kept_of_what_no_cluster_external_secret_controls() {
        for owner in [
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "u"}),
            json!({"apiVersion": "example.com/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "u", "controller": true}),
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "db", "uid": "u", "controller": true}),
        ] {
            assert!(object(&owner).written.is_none(), "{owner}");
        }
    }
}
