//! What to do with the target Secret.

use k8s_openapi::api::core::v1::Secret;

use super::target::{self, Owner};
use super::{SecretData, hash};
use crate::api::{ANNOTATION_DATA_HASH, LABEL_MANAGED, LABEL_MANAGED_VALUE};

/// What to do with the target Secret. `Debug` prints no values.
pub enum Plan {
    /// It is not there: create it.
    Create(Box<TargetSecret>),
    /// It is there and differs: replace it, at the version that was read.
    Update(Box<TargetSecret>),
    /// It is as it should be.
    Unchanged,
}

/// Why a target Secret may not be written. Only a change of a manifest or of the Secret can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another ExternalSecret owns it.
    #[error(
        "Secret {secret:?} belongs to ExternalSecret {owner:?}; give spec.target.name another name, or delete that ExternalSecret"
    )]
    OwnedByExternalSecret {
        /// The Secret.
        secret: String,
        /// The other ExternalSecret.
        owner: String,
    },
    /// An object of another kind controls it.
    #[error("Secret {secret:?} is controlled by {kind} {owner:?}; give spec.target.name another name")]
    OwnedByOther {
        /// The Secret.
        secret: String,
        /// The kind of its controller.
        kind: String,
        /// The name of its controller.
        owner: String,
    },
    /// It is immutable and its data would change.
    #[error("Secret {secret:?} is immutable, so its new values cannot be written; delete it, and it is made again")]
    Immutable {
        /// The Secret.
        secret: String,
    },
    /// A key cannot be a key of a Secret.
    #[error(
        "{key:?} cannot be a key of a Secret: keys have letters, digits, '-', '_' and '.', and at most 253 characters"
    )]
    InvalidKey {
        /// The key.
        key: String,
    },
}

/// A Secret that is about to be written; its values are overwritten when it is dropped.
pub struct TargetSecret(Secret);

impl TargetSecret {
    /// Takes charge of a Secret that was read.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The object.
    #[must_use]
    pub fn object(&self) -> &Secret {
        &self.0
    }
}

impl Drop for TargetSecret {
    fn drop(&mut self) {
        target::wipe(&mut self.0);
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "Create",
            Self::Update(_) => "Update",
            Self::Unchanged => "Unchanged",
        })
    }
}

/// Works out what to do so that the target of `owner` holds exactly `data`.
///
/// # Errors
/// [`Refusal`], where the Secret that is there may not be written.
pub fn build(owner: Owner<'_>, data: &SecretData, existing: Option<&Secret>) -> Result<Plan, Refusal> {
    if let Some(key) = data.keys().find(|key| !is_valid_key(key)) {
        return Err(Refusal::InvalidKey { key: key.clone() });
    }
    let Some(existing) = existing else {
        return Ok(Plan::Create(Box::new(TargetSecret(target::desired(owner, data, None)))));
    };
    may_own(owner, existing)?;
    let desired = TargetSecret(target::desired(owner, data, Some(existing)));
    if target::is_as_desired(existing, &desired.0) {
        return Ok(Plan::Unchanged);
    }
    if existing.immutable == Some(true)
        && existing.data.clone().unwrap_or_default() != desired.0.data.clone().unwrap_or_default()
    {
        return Err(Refusal::Immutable { secret: owner.target_name().to_owned() });
    }
    Ok(Plan::Update(Box::new(desired)))
}

/// Whether `owner` may become, or is, the controller of `existing`. Like ESO it goes by the name, not
/// by the UID: an ExternalSecret that was made anew takes its Secret over.
fn may_own(owner: Owner<'_>, existing: &Secret) -> Result<(), Refusal> {
    let controller = existing.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    let secret = || owner.target_name().to_owned();
    match controller {
        None => Ok(()),
        Some(other) if target::is_external_secret(other) && other.name == owner.name() => Ok(()),
        Some(other) if target::is_external_secret(other) => {
            Err(Refusal::OwnedByExternalSecret { secret: secret(), owner: other.name.clone() })
        }
        Some(other) => {
            Err(Refusal::OwnedByOther { secret: secret(), kind: other.kind.clone(), owner: other.name.clone() })
        }
    }
}

/// Whether a Secret still has the content that was last written, as its hash says.
#[must_use]
pub fn is_intact(secret: &Secret) -> bool {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
    let label = secret.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_MANAGED));
    let hash = secret.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_DATA_HASH));
    label.is_some_and(|value| value == LABEL_MANAGED_VALUE) && hash.is_some_and(|hash| *hash == hash::data_hash(data))
}

/// Kubernetes' rule for keys of Secrets and ConfigMaps.
fn is_valid_key(key: &str) -> bool {
    (1..=253).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && key != "."
        && key != ".."
        && !key.starts_with("..")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
    use serde_json::{Value, json};

    use super::*;
    use crate::api::ServedVersion;
    use crate::api::v1::ExternalSecretSpec;

    /// The hash of `{"greeting": "hello"}`, as ESO writes it.
    const HELLO: &str = "89b6a5958372a4b88b1ae0a0e5879350753e980c643a9445bc59081f";
    /// The hash of `default/example`, as ESO writes it.
    const EXAMPLE: &str = "5b1224068cc3cca5aa3071e518838346f821fe1761229559d4959980";

    fn meta() -> ObjectMeta {
        ObjectMeta {
            name: Some("example".into()),
            namespace: Some("default".into()),
            uid: Some("es-uid".into()),
            labels: Some([("team".into(), "a".into())].into()),
            annotations: Some([("note".into(), "x".into())].into()),
            ..ObjectMeta::default()
        }
    }

    fn hello() -> SecretData {
        [("greeting".to_owned(), Arc::new(b"hello".to_vec().into()))].into()
    }

    fn plan(meta: &ObjectMeta, data: &SecretData, existing: Option<&Secret>) -> Result<Plan, Refusal> {
        let spec = ExternalSecretSpec::default();
        build(Owner { meta, spec: &spec, version: ServedVersion::V1 }, data, existing)
    }

    fn written(plan: Plan) -> Value {
        match plan {
            Plan::Create(secret) | Plan::Update(secret) => serde_json::to_value(secret.object()).unwrap(),
            Plan::Unchanged => panic!("nothing is written"),
        }
    }

    /// A Secret as ESO 2.9.0 leaves it in the cluster.
    fn written_by_eso() -> Secret {
        let fields = json!({
            "f:data": {".": {}, "f:greeting": {}},
            "f:metadata": {
                "f:labels": {"f:team": {}, "f:old": {}, "f:reconcile.external-secrets.io/managed": {},
                             "f:reconcile.external-secrets.io/created-by": {}},
                "f:annotations": {"f:note": {}, "f:force-sync": {}, "f:reconcile.external-secrets.io/data-hash": {}},
            },
        });
        let managed = ManagedFieldsEntry {
            manager: Some("externalsecrets.external-secrets.io/example".into()),
            operation: Some("Update".into()),
            fields_v1: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        };
        serde_json::from_value::<Secret>(json!({
            "metadata": {
                "name": "example", "namespace": "default", "uid": "s-uid", "resourceVersion": "7",
                "labels": {"team": "a", "reconcile.external-secrets.io/managed": "true",
                           "reconcile.external-secrets.io/created-by": EXAMPLE, "others": "label"},
                "annotations": {"note": "x", "force-sync": "1", "reconcile.external-secrets.io/data-hash": HELLO},
                "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "example",
                                     "uid": "es-uid", "controller": true, "blockOwnerDeletion": true}],
            },
            "data": {"greeting": "aGVsbG8="},
            "type": "Opaque",
        }))
        .map(|mut secret| {
            secret.metadata.managed_fields = Some(vec![managed]);
            secret
        })
        .unwrap()
    }

    #[test]
    fn a_new_secret_carries_the_marks_of_eso() {
        let secret = written(plan(&meta(), &hello(), None).unwrap());
        assert_eq!(
            secret,
            json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {
                    "name": "example", "namespace": "default",
                    "labels": {"team": "a", "reconcile.external-secrets.io/managed": "true",
                               "reconcile.external-secrets.io/created-by": EXAMPLE},
                    "annotations": {"note": "x", "reconcile.external-secrets.io/data-hash": HELLO},
                    "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                                         "name": "example", "uid": "es-uid", "controller": true,
                                         "blockOwnerDeletion": true}],
                },
                "data": {"greeting": "aGVsbG8="},
            })
        );
    }

    #[test]
    fn a_secret_that_eso_wrote_is_taken_over_without_a_write() {
        assert!(matches!(plan(&meta(), &hello(), Some(&written_by_eso())), Ok(Plan::Unchanged)));
    }

    #[test]
    fn what_eso_wrote_and_nobody_wants_any_more_goes_and_what_others_wrote_stays() {
        let mut existing = written_by_eso();
        existing.metadata.labels.as_mut().unwrap().insert("old".into(), "1".into());
        existing.data.as_mut().unwrap().insert("removed".into(), k8s_openapi::ByteString(b"x".to_vec()));
        let secret = written(plan(&meta(), &hello(), Some(&existing)).unwrap());
        assert_eq!(secret["data"], json!({"greeting": "aGVsbG8="}));
        assert_eq!(secret["metadata"]["labels"]["old"], Value::Null);
        assert_eq!(secret["metadata"]["labels"]["others"], "label");
        assert_eq!(secret["metadata"]["annotations"]["force-sync"], Value::Null);
        assert_eq!(secret["metadata"]["resourceVersion"], "7", "so that another writer's change is not overwritten");
    }

    #[test]
    fn annotations_that_speak_of_the_external_secret_are_not_copied() {
        let mut meta = meta();
        let annotations = meta.annotations.as_mut().unwrap();
        annotations.insert("kubectl.kubernetes.io/last-applied-configuration".into(), "{}".into());
        annotations.insert("force-sync".into(), "2".into());
        assert!(matches!(plan(&meta, &hello(), Some(&written_by_eso())), Ok(Plan::Unchanged)));
    }

    #[test]
    fn a_secret_of_nobody_is_adopted_and_its_data_replaced() {
        let existing = Secret {
            metadata: ObjectMeta { resource_version: Some("1".into()), ..ObjectMeta::default() },
            data: Some([("mine".into(), k8s_openapi::ByteString(b"x".to_vec()))].into()),
            type_: Some("kubernetes.io/tls".into()),
            ..Secret::default()
        };
        let secret = written(plan(&meta(), &hello(), Some(&existing)).unwrap());
        assert_eq!(secret["data"], json!({"greeting": "aGVsbG8="}));
        assert_eq!(secret["type"], "kubernetes.io/tls", "a type cannot be changed");
        assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], "es-uid");
    }

    fn owned_by(kind: &str, name: &str) -> Secret {
        let mut secret = written_by_eso();
        let api_version = if kind == "ExternalSecret" { "external-secrets.io/v1beta1" } else { "apps/v1" };
        secret.metadata.owner_references = Some(vec![OwnerReference {
            api_version: api_version.into(),
            kind: kind.into(),
            name: name.into(),
            uid: "other".into(),
            controller: Some(true),
            block_owner_deletion: None,
        }]);
        secret
    }

    #[test]
    fn a_secret_of_someone_else_is_refused() {
        assert_eq!(
            plan(&meta(), &hello(), Some(&owned_by("ExternalSecret", "other"))).err(),
            Some(Refusal::OwnedByExternalSecret { secret: "example".into(), owner: "other".into() })
        );
        assert_eq!(
            plan(&meta(), &hello(), Some(&owned_by("Deployment", "example"))).err(),
            Some(Refusal::OwnedByOther {
                secret: "example".into(),
                kind: "Deployment".into(),
                owner: "example".into()
            })
        );
    }

    #[test]
    fn an_external_secret_that_was_made_anew_takes_its_secret_over() {
        let secret = written(plan(&meta(), &hello(), Some(&owned_by("ExternalSecret", "example"))).unwrap());
        assert_eq!(secret["metadata"]["ownerReferences"].as_array().map(Vec::len), Some(1));
        assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], "es-uid");
    }

    #[test]
    fn an_immutable_secret_is_left_alone_unless_only_its_metadata_changes() {
        let mut existing = written_by_eso();
        existing.immutable = Some(true);
        assert!(matches!(plan(&meta(), &hello(), Some(&existing)), Ok(Plan::Unchanged)));
        existing.data = Some([("greeting".into(), k8s_openapi::ByteString(b"other".to_vec()))].into());
        assert_eq!(
            plan(&meta(), &hello(), Some(&existing)).err(),
            Some(Refusal::Immutable { secret: "example".into() })
        );
    }

    #[test]
    fn a_key_that_cannot_be_a_key_is_named() {
        for key in ["a/b", "", ".", "..", "..x", &"k".repeat(254), "ä"] {
            let data = [(key.to_owned(), Arc::new(Vec::new().into()))].into();
            assert_eq!(plan(&meta(), &data, None).err(), Some(Refusal::InvalidKey { key: key.to_owned() }));
        }
    }

    #[test]
    fn a_secret_is_intact_as_long_as_its_hash_fits() {
        let mut secret = written_by_eso();
        assert!(is_intact(&secret));
        secret.data.as_mut().unwrap().insert("greeting".into(), k8s_openapi::ByteString(b"Hello".to_vec()));
        assert!(!is_intact(&secret));
        let mut secret = written_by_eso();
        secret.metadata.labels = None;
        assert!(!is_intact(&secret));
    }

    #[test]
    fn a_plan_does_not_print_values() {
        assert_eq!(format!("{:?}", plan(&meta(), &hello(), None).unwrap()), "Create");
    }
}
