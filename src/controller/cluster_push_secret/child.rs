//! The PushSecret of one namespace: its desired state, and whether it has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{DynamicObject, TypeMeta};
use serde_json::{Value, json};

use crate::api::v1alpha1::cluster_push_secret::controlling_cluster_push_secret;
use crate::api::v1alpha1::{API_VERSION, ClusterPushSecret, ClusterPushSecretSpec, PushSecret};
use crate::api::{ChildMetadata, crd};

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

    /// A hash of the desired state.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let ChildMetadata { annotations, labels } = &self.metadata;
        (&self.name, self.spec.to_string(), annotations, labels, &self.owner.uid).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether this ClusterPushSecret owns a PushSecret. The name does not tell: somebody else's may have the same.
    pub(super) fn owns(&self, meta: &ObjectMeta) -> bool {
        controlling_cluster_push_secret(meta) == Some(self.owner.uid.as_str())
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
        let ChildMetadata { annotations, labels } = &self.metadata;
        let has = |all: Option<&std::collections::BTreeMap<String, String>>, name: &String, value: &String| {
            all.is_some_and(|all| all.get(name) == Some(value))
        };
        labels.iter().all(|(name, value)| has(meta.labels.as_ref(), name, value))
            && annotations.iter().all(|(name, value)| has(meta.annotations.as_ref(), name, value))
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

    /// Changes an existing object: replaces its spec, and sets the desired labels and annotations.
    pub(super) fn change(&self, object: &mut DynamicObject) {
        object.metadata.labels.get_or_insert_default().extend(self.metadata.labels.clone());
        object.metadata.annotations.get_or_insert_default().extend(self.metadata.annotations.clone());
        object.data["spec"] = self.spec.clone();
    }
}
