//! The PushSecret of one namespace: its desired state, and whether it has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{DynamicObject, TypeMeta};
use serde_json::{Value, json};

use crate::api::v1alpha1::controlling_cluster_push_secret;
use crate::api::v1alpha1::{API_VERSION, ClusterPushSecret, ClusterPushSecretSpec, PushSecret};
use crate::api::{ChildMetadata, WrittenMetadata, crd};

/// What was last written to a PushSecret, and what the API server made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastWrite {
    /// A hash of the desired state.
    desired: u64,
    /// A hash of the labels and annotations that resulted, without those of others.
    metadata: u64,
    /// A hash of the UID: another object of the same name may have the same generation.
    uid: u64,
    /// The generation that resulted.
    generation: Option<i64>,
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The desired state of each PushSecret of a ClusterPushSecret.
pub(super) struct Wanted {
    /// Its name.
    pub(super) name: String,
    spec: Value,
    metadata: ChildMetadata,
    owner: OwnerReference,
}

impl Wanted {
    pub(super) fn of(parent: &ClusterPushSecret, spec: &ClusterPushSecretSpec) -> Self {
        static SCHEMA: LazyLock<JSONSchemaProps> = LazyLock::new(crd::push_secret_schema);
        let meta = &parent.metadata;
        let own = meta.name.clone().unwrap_or_default();
        let mut wrapped = json!({ "spec": spec.push_secret_spec });
        crd::fill_defaults(&mut wrapped, &SCHEMA);
        Self {
            name: spec.push_secret_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| own.clone()),
            spec: wrapped["spec"].take(),
            metadata: spec.push_secret_metadata.clone().unwrap_or_default(),
            owner: OwnerReference {
                api_version: API_VERSION.to_owned(),
                kind: ClusterPushSecret::KIND.to_owned(),
                name: own,
                uid: meta.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            },
        }
    }

    /// What to remember of a write and of the API server's answer. Admission webhooks may add labels, which count as
    /// written by whoever wrote the object; the API server may add defaults and drop fields.
    pub(super) fn last_write(&self, stored: &ObjectMeta) -> LastWrite {
        self.outcome(stored, &WrittenMetadata::of(stored))
    }

    /// Whether a PushSecret is as the last write left it, and nothing else is desired since.
    pub(super) fn is_repeated_by(&self, object: &PushSecret, last: LastWrite) -> bool {
        object.written.as_deref().is_some_and(|written| self.outcome(&object.metadata, written) == last)
    }

    fn outcome(&self, meta: &ObjectMeta, written: &WrittenMetadata) -> LastWrite {
        let ChildMetadata { annotations, labels } = &self.metadata;
        let found = self.metadata.found_in(meta, written);
        LastWrite {
            desired: hash(&(&self.name, self.spec.to_string(), annotations, labels, &self.owner.uid)),
            metadata: hash(&(found.annotations, found.labels)),
            uid: hash(&meta.uid),
            generation: meta.generation,
        }
    }

    /// Whether this ClusterPushSecret owns a PushSecret. The name does not tell: somebody else's may have the same.
    pub(super) fn owns(&self, meta: &ObjectMeta) -> bool {
        controlling_cluster_push_secret(meta) == Some(self.owner.uid.as_str())
    }

    /// Whether a PushSecret has the desired state, and no former label or annotation. Others may add their own.
    pub(super) fn is_met_by(&self, object: &PushSecret) -> bool {
        let has_spec = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|spec| spec == self.spec);
        object.written.as_deref().is_some_and(|written| self.metadata.is_met_by(&object.metadata, written))
            && object.spec.text().is_some_and(has_spec)
    }

    /// The object to create.
    pub(super) fn object(&self, namespace: &str) -> DynamicObject {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(namespace.to_owned()),
            labels: Some(self.metadata.labels.clone()),
            annotations: Some(self.metadata.annotations.clone()),
            owner_references: Some(vec![self.owner.clone()]),
            ..ObjectMeta::default()
        };
        let types = TypeMeta { api_version: API_VERSION.to_owned(), kind: PushSecret::KIND.to_owned() };
        DynamicObject { types: Some(types), metadata, data: json!({ "spec": self.spec }) }
    }

    /// Changes an existing object: replaces its spec, sets the desired labels and annotations, and removes former ones.
    pub(super) fn change(&self, object: &mut DynamicObject) {
        let written = WrittenMetadata::of(&object.metadata);
        self.metadata.apply(&mut object.metadata, &written);
        object.data["spec"] = self.spec.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(labels: &Value) -> Wanted {
        let parent: ClusterPushSecret = serde_json::from_value(json!({
            "metadata": {"name": "keys", "uid": "u"},
            "spec": {
                "pushSecretMetadata": {"labels": labels},
                "pushSecretSpec": {"secretStoreRefs": [{"name": "vault"}], "selector": {"secret": {"name": "keys"}}},
            },
        }))
        .unwrap();
        Wanted::of(&parent, parent.spec.get().unwrap())
    }

    /// The PushSecret as the API server stores it, with labels of which the second map was written by us.
    fn stored(wanted: &Wanted, labels: &Value, ours: &Value) -> Value {
        let mut object = serde_json::to_value(wanted.object("shop")).unwrap();
        object["metadata"]["labels"] = labels.clone();
        object["metadata"]["generation"] = 1.into();
        object["metadata"]["managedFields"] = json!([{"manager": "external-secrets", "operation": "Update",
            "fieldsV1": {"f:metadata": {"f:labels": ours}}}]);
        object
    }

    #[test]
    fn what_a_policy_of_the_cluster_adds_to_each_write_is_not_fought() {
        let wanted = self::wanted(&json!({"team": "a"}));
        let ours = json!({"f:team": {}, "f:cost": {}});
        let result = stored(&wanted, &json!({"team": "a", "cost": "1"}), &ours);
        let object: PushSecret = serde_json::from_value(result.clone()).unwrap();
        assert!(!wanted.is_met_by(&object), "the label of the policy counts as ours");
        let mut another = result.clone();
        another["metadata"]["uid"] = "another".into();
        let result: DynamicObject = serde_json::from_value(result).unwrap();
        let last = wanted.last_write(&result.metadata);
        assert!(wanted.is_repeated_by(&object, last));

        let changed = stored(&wanted, &json!({"team": "b", "cost": "1"}), &ours);
        assert!(!wanted.is_repeated_by(&serde_json::from_value(changed).unwrap(), last), "somebody changed a label");
        let theirs = stored(&wanted, &json!({"team": "a", "cost": "1", "theirs": "x"}), &ours);
        assert!(wanted.is_repeated_by(&serde_json::from_value(theirs).unwrap(), last));
        assert!(!self::wanted(&json!({"team": "c"})).is_repeated_by(&object, last), "another label is desired");
        assert!(!wanted.is_repeated_by(&serde_json::from_value(another).unwrap(), last), "it was made anew");
    }
}
