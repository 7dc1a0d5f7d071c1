//! The PushSecret of one namespace: its desired state, and whether it has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::api::crd;
use crate::api::v1alpha1::cluster_push_secret::{PushSecretMetadata, controlling_cluster_push_secret};
use crate::api::v1alpha1::{API_VERSION, ClusterPushSecret, ClusterPushSecretSpec, PushSecret};

/// The desired state of each PushSecret of a ClusterPushSecret.
pub(super) struct Wanted {
    /// Its name.
    pub(super) name: String,
    spec: Value,
    metadata: PushSecretMetadata,
    owner: Value,
    uid: String,
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
            uid: meta.uid.clone().unwrap_or_default(),
            owner: json!({
                "apiVersion": API_VERSION,
                "kind": ClusterPushSecret::KIND,
                "name": own,
                "uid": meta.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }),
        }
    }

    /// A hash of the desired state.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let PushSecretMetadata { annotations, labels } = &self.metadata;
        (&self.name, self.spec.to_string(), annotations, labels, &self.uid).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether this ClusterPushSecret owns a PushSecret. The name does not tell: somebody else's may have the same.
    pub(super) fn owns(&self, meta: &ObjectMeta) -> bool {
        controlling_cluster_push_secret(meta) == Some(self.uid.as_str())
    }

    /// Whether a PushSecret has the desired state. Others may add labels and annotations.
    pub(super) fn is_met_by(&self, object: &PushSecret) -> bool {
        self.has_metadata(&object.metadata)
            && object
                .spec
                .text()
                .is_some_and(|text| serde_json::from_str::<Value>(text).is_ok_and(|spec| spec == self.spec))
    }

    /// Whether it has the desired labels and annotations.
    pub(super) fn has_metadata(&self, meta: &ObjectMeta) -> bool {
        let PushSecretMetadata { annotations, labels } = &self.metadata;
        let has = |all: Option<&std::collections::BTreeMap<String, String>>, name: &String, value: &String| {
            all.is_some_and(|all| all.get(name) == Some(value))
        };
        labels.iter().all(|(name, value)| has(meta.labels.as_ref(), name, value))
            && annotations.iter().all(|(name, value)| has(meta.annotations.as_ref(), name, value))
    }

    /// The object to create.
    pub(super) fn object(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": PushSecret::KIND,
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": self.metadata.labels,
                "annotations": self.metadata.annotations,
                "ownerReferences": [self.owner],
            },
            "spec": self.spec,
        })
    }

    /// Changes an existing object: replaces its spec, and sets the desired labels and annotations.
    pub(super) fn change(&self, object: &mut DynamicObject) {
        object.metadata.labels.get_or_insert_default().extend(self.metadata.labels.clone());
        object.metadata.annotations.get_or_insert_default().extend(self.metadata.annotations.clone());
        object.data["spec"] = self.spec.clone();
    }
}
