use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use rstest::rstest;
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
    planned(meta, &json!({}), data, None, existing)
}

/// The plan for a spec with this `target`.
fn planned(
    meta: &ObjectMeta,
    target: &Value,
    data: &SecretData,
    rendered: Option<&Rendered>,
    existing: Option<&Secret>,
) -> Result<Plan, Refusal> {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({"target": target})).unwrap();
    build(Owner::new(meta, &spec, ServedVersion::V1), data, rendered, existing)
}

/// What is reported about a plan for a Secret.
fn said(plan: &Plan) -> Statement {
    let spec = ExternalSecretSpec::default();
    plan.statement(Owner::new(&meta(), &spec, ServedVersion::V1))
}

/// The Secret's name, as refusals show it.
fn example() -> TargetName {
    TargetName { kind: "Secret".into(), name: "example".into() }
}

fn written(plan: Plan) -> Value {
    match plan {
        Plan::Create(secret) | Plan::Update(secret) => serde_json::to_value(secret.object()).unwrap(),
        Plan::CreateObject(object) | Plan::UpdateObject(object) => serde_json::to_value(object.object()).unwrap(),
        other => panic!("nothing is written: {other:?}"),
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
    annotations
        .insert("argocd.argoproj.io/tracking-id".into(), "app:external-secrets.io/ExternalSecret:team/db".into());
    annotations.insert("argocd.argoproj.io/installation-id".into(), "here".into());
    assert!(matches!(plan(&meta, &hello(), Some(&written_by_eso())), Ok(Plan::Unchanged)));
}

#[test]
fn a_secret_of_nobody_is_adopted_and_its_data_replaced() {
    let existing = Secret {
        metadata: ObjectMeta { resource_version: Some("1".into()), ..ObjectMeta::default() },
        data: Some([("mine".into(), k8s_openapi::ByteString(b"x".to_vec()))].into()),
        type_: Some("example.com/certificate".into()),
        ..Secret::default()
    };
    let secret = written(plan(&meta(), &hello(), Some(&existing)).unwrap());
    assert_eq!(secret["data"], json!({"greeting": "aGVsbG8="}));
    assert_eq!(secret["type"], "example.com/certificate", "a type cannot be changed");
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
        Some(Refusal::OwnedByExternalSecret { target: example(), owner: "other".into() })
    );
    assert_eq!(
        plan(&meta(), &hello(), Some(&owned_by("Deployment", "example"))).err(),
        Some(Refusal::OwnedByOther { target: example(), kind: "Deployment".into(), owner: "example".into() })
    );
}

#[test]
fn a_recreated_external_secret_takes_its_secret_over() {
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
    assert_eq!(plan(&meta(), &hello(), Some(&existing)).err(), Some(Refusal::Immutable { target: example() }));
}

#[test]
fn a_key_that_cannot_be_a_key_is_named() {
    for key in ["a/b", "", ".", "..", "..x", &"k".repeat(254), "ä"] {
        let data = [(key.to_owned(), Arc::new(Vec::new().into()))].into();
        assert_eq!(
            plan(&meta(), &data, None).err(),
            Some(Refusal::InvalidKey { kind: "Secret".into(), key: key.to_owned() })
        );
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

const NOTHING: SecretData = SecretData::new();

/// The parts of a written Secret that show its owner and its data.
fn essence(secret: &Value) -> Value {
    let meta = &secret["metadata"];
    json!({
        "data": secret["data"],
        "owners": meta["ownerReferences"].as_array().map_or(0, Vec::len),
        "owner label": meta["labels"][LABEL_OWNER].is_string(),
        "managed": meta["labels"][LABEL_MANAGED],
    })
}

#[rstest]
#[case("Owner", 1)]
#[case("Orphan", 0)]
#[case("CreateOrMerge", 0)]
fn what_is_not_there_is_created_and_owned_as_the_policy_says(#[case] policy: &str, #[case] owners: usize) {
    let plan = planned(&meta(), &json!({"creationPolicy": policy}), &hello(), None, None).unwrap();
    assert!(matches!(plan, Plan::Create(_)) && plan.leaves_target());
    assert_eq!(
        essence(&written(plan)),
        json!({"data": {"greeting": "aGVsbG8="}, "owners": owners, "owner label": owners == 1, "managed": "true"})
    );
}

#[test]
fn a_policy_that_merges_waits_for_the_secret_and_none_writes_nothing() {
    let plan = planned(&meta(), &json!({"creationPolicy": "Merge"}), &hello(), None, None).unwrap();
    assert_eq!(
        said(&plan),
        Statement {
            reason: "SecretMissing",
            message: "secret will not be created due to CreationPolicy=Merge",
            event: None
        }
    );
    assert!(!plan.leaves_target());
    for existing in [None, Some(written_by_eso())] {
        let plan = planned(&meta(), &json!({"creationPolicy": "None"}), &hello(), None, existing.as_ref()).unwrap();
        assert!(matches!(plan, Plan::NotWritten), "{plan:?}");
        assert_eq!((said(&plan).reason, said(&plan).message), ("SecretSynced", "secret synced"));
    }
}

/// Somebody else's Secret, into which ESO merged the keys `greeting` and `old`.
fn merged_by_eso() -> Secret {
    let mut secret = written_by_eso();
    secret.metadata.owner_references = None;
    secret.metadata.labels.as_mut().unwrap().remove(LABEL_OWNER);
    let text = |text: &str| k8s_openapi::ByteString(text.as_bytes().to_vec());
    secret.data =
        Some([("greeting".into(), text("hello")), ("old".into(), text("x")), ("theirs".into(), text("theirs"))].into());
    let fields = secret.metadata.managed_fields.as_mut().unwrap()[0].fields_v1.as_mut().unwrap();
    fields.0["f:data"] = json!({".": {}, "f:greeting": {}, "f:old": {}});
    secret
}

#[rstest]
#[case("Merge")]
#[case("CreateOrMerge")]
fn merging_replaces_our_keys_and_keeps_those_of_others(#[case] policy: &str) {
    let plan = planned(&meta(), &json!({"creationPolicy": policy}), &hello(), None, Some(&merged_by_eso())).unwrap();
    let secret = written(plan);
    assert_eq!(secret["data"], json!({"greeting": "aGVsbG8=", "theirs": "dGhlaXJz"}));
    assert_eq!(secret["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(secret["metadata"]["resourceVersion"], "7");
}

#[rstest]
#[case("Merge")]
#[case("CreateOrMerge")]
fn what_eso_merged_is_taken_over_without_a_write(#[case] policy: &str) {
    let mut existing = merged_by_eso();
    existing.data.as_mut().unwrap().remove("old");
    let data = existing.data.as_ref().unwrap().iter();
    let hash = hash::data_hash(data.map(|(key, value)| (key.as_str(), value.0.as_slice())));
    existing.metadata.annotations.as_mut().unwrap().insert(ANNOTATION_DATA_HASH.into(), hash);
    let plan = planned(&meta(), &json!({"creationPolicy": policy}), &hello(), None, Some(&existing)).unwrap();
    assert!(matches!(plan, Plan::Unchanged), "{plan:?}");
    assert_eq!(target_state(CreationPolicy::Merge, Some(&existing)), TargetState::Intact);
}

#[rstest]
#[case("Orphan", json!({"greeting": "aGVsbG8="}))]
#[case("Merge", json!({"greeting": "aGVsbG8=", "mine": "eA=="}))]
fn another_policy_than_owner_gives_the_secret_up(#[case] policy: &str, #[case] data: Value) {
    let mut existing = written_by_eso();
    existing.data.as_mut().unwrap().insert("mine".into(), k8s_openapi::ByteString(b"x".to_vec()));
    let others: OwnerReference =
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c"})).unwrap();
    existing.metadata.owner_references.as_mut().unwrap().push(others);
    let plan = planned(&meta(), &json!({"creationPolicy": policy}), &hello(), None, Some(&existing)).unwrap();
    let expected = json!({"data": data, "owners": 1, "owner label": false, "managed": "true"});
    assert_eq!(essence(&written(plan)), expected);
}

#[rstest]
#[case("Orphan")]
#[case("Merge")]
#[case("CreateOrMerge")]
fn without_ownership_a_controller_of_another_kind_is_no_obstacle_but_another_external_secret_is(#[case] policy: &str) {
    let target = json!({"creationPolicy": policy});
    let of_other = planned(&meta(), &target, &hello(), None, Some(&owned_by("ExternalSecret", "other")));
    assert!(matches!(of_other, Err(Refusal::OwnedByExternalSecret { .. })), "{of_other:?}");
    let of_deployment = planned(&meta(), &target, &hello(), None, Some(&owned_by("Deployment", "d"))).unwrap();
    assert_eq!(essence(&written(of_deployment))["owners"], 1);
}

#[test]
fn with_retain_a_secret_whose_values_are_gone_stays() {
    for existing in [None, Some(written_by_eso())] {
        let plan = planned(&meta(), &json!({"deletionPolicy": "Retain"}), &NOTHING, None, existing.as_ref()).unwrap();
        assert!(matches!(plan, Plan::Retained), "{plan:?}");
        let statement = said(&plan);
        assert_eq!(
            (statement.reason, statement.message, statement.event),
            ("SecretSynced", "secret retained due to DeletionPolicy=Retain", None)
        );
    }
}

#[test]
fn with_delete_a_secret_whose_values_are_gone_goes_at_the_version_that_was_read() {
    let target = json!({"deletionPolicy": "Delete"});
    let plan = planned(&meta(), &target, &NOTHING, None, Some(&written_by_eso())).unwrap();
    let Plan::Delete(deletion) = &plan else { panic!("{plan:?}") };
    let expected = Deletion { name: "example".into(), uid: Some("s-uid".into()), resource_version: Some("7".into()) };
    assert_eq!(*deletion, expected);
    assert_eq!(said(&plan).reason, "SecretDeleted");
    assert_eq!(said(&plan).event, Some(("Deleted", "secret deleted due to DeletionPolicy=Delete".into())));
    let plan = planned(&meta(), &target, &NOTHING, None, None).unwrap();
    assert!(matches!(plan, Plan::Deleted), "{plan:?}");
    assert_eq!((said(&plan).reason, said(&plan).event), ("SecretDeleted", None));
}

#[test]
fn with_delete_a_secret_with_values_stays() {
    let target = json!({"deletionPolicy": "Delete"});
    assert!(matches!(planned(&meta(), &target, &hello(), None, Some(&written_by_eso())), Ok(Plan::Unchanged)));
}

#[test]
fn a_secret_that_is_not_owned_is_not_deleted() {
    let target = json!({"deletionPolicy": "Delete"});
    let mut of_nobody = written_by_eso();
    of_nobody.metadata.owner_references = None;
    let refused = |target: &Value, existing: &Secret| planned(&meta(), target, &NOTHING, None, Some(existing)).err();
    assert_eq!(refused(&target, &of_nobody), Some(Refusal::NotOwned { target: example() }));
    assert!(matches!(refused(&target, &owned_by("Deployment", "d")), Some(Refusal::OwnedByOther { .. })));
    assert!(matches!(
        refused(&target, &owned_by("ExternalSecret", "other")),
        Some(Refusal::OwnedByExternalSecret { .. })
    ));
    let orphan = json!({"deletionPolicy": "Delete", "creationPolicy": "Orphan"});
    assert_eq!(refused(&orphan, &written_by_eso()), Some(Refusal::DeletionByPolicy { target: example() }));
}

#[rstest]
#[case("Owner", json!({}))]
#[case("Merge", json!({"theirs": "dGhlaXJz"}))]
fn with_merge_the_keys_whose_values_are_gone_go(#[case] policy: &str, #[case] data: Value) {
    let target = json!({"deletionPolicy": "Merge", "creationPolicy": policy});
    let plan = planned(&meta(), &target, &NOTHING, None, Some(&merged_by_eso())).unwrap();
    assert_eq!(written(plan)["data"], data);
}

#[test]
fn an_immutable_target_is_created_so_and_its_data_left_alone_afterwards() {
    let target = json!({"immutable": true});
    let created = written(planned(&meta(), &target, &hello(), None, None).unwrap());
    assert_eq!(created["immutable"], true);
    let mut existing = written_by_eso();
    existing.immutable = Some(true);
    let other = [("greeting".to_owned(), Arc::new(b"other".to_vec().into()))].into();
    assert!(matches!(planned(&meta(), &target, &other, None, Some(&existing)), Ok(Plan::Unchanged)));
    existing.immutable = None;
    let frozen = written(planned(&meta(), &target, &other, None, Some(&existing)).unwrap());
    assert_eq!((&frozen["immutable"], &frozen["data"]), (&json!(true), &json!({"greeting": "aGVsbG8="})));
}

fn rendered() -> Rendered {
    Rendered {
        data: [("made".to_owned(), Arc::new(b"hello".to_vec().into()))].into(),
        edits: Vec::new(),
        labels: [("made".to_owned(), "label".to_owned())].into(),
        annotations: [("made".to_owned(), "annotation".to_owned())].into(),
        finalizers: vec!["example.com/a".to_owned()],
        type_: Some("example.com/certificate".to_owned()),
        is_volatile: false,
    }
}

#[test]
fn a_template_replaces_what_is_copied_from_the_external_secret() {
    let secret = written(planned(&meta(), &json!({}), &hello(), Some(&rendered()), None).unwrap());
    assert_eq!(secret["data"], json!({"made": "aGVsbG8="}));
    assert_eq!(secret["type"], "example.com/certificate");
    assert_eq!(secret["metadata"]["finalizers"], json!(["example.com/a"]));
    let keys = |map: &Value| map.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&secret["metadata"]["labels"]), ["made", LABEL_OWNER, LABEL_MANAGED]);
    assert_eq!(keys(&secret["metadata"]["annotations"]), ["made", ANNOTATION_DATA_HASH]);
}

#[test]
fn finalizers_are_added_once_and_never_to_what_is_being_deleted() {
    let mut existing = written_by_eso();
    existing.type_ = Some("example.com/certificate".into());
    existing.metadata.finalizers = Some(vec!["example.com/b".into()]);
    let finalizers = |existing: &Secret| {
        let plan = planned(&meta(), &json!({}), &hello(), Some(&rendered()), Some(existing)).unwrap();
        written(plan)["metadata"]["finalizers"].clone()
    };
    assert_eq!(finalizers(&existing), json!(["example.com/b", "example.com/a"]));
    existing.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(finalizers(&existing), json!(["example.com/b"]));
}

#[test]
fn another_type_than_the_secret_has_is_refused_with_both_named() {
    let refusal = planned(&meta(), &json!({}), &hello(), Some(&rendered()), Some(&written_by_eso())).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "Secret \"example\" has the type \"Opaque\", which cannot be changed to \"example.com/certificate\"; delete it to have it recreated, or correct spec.target.template.type"
    );
}

#[test]
fn missing_keys_of_a_type_are_reported_before_the_api_server_refuses_them() {
    let tls = Rendered { type_: Some("kubernetes.io/tls".to_owned()), ..rendered() };
    let mut existing = written_by_eso();
    existing.type_ = tls.type_.clone();
    for existing in [None, Some(&existing)] {
        let refusal = planned(&meta(), &json!({}), &hello(), Some(&tls), existing).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Secret \"example\" would be of the type \"kubernetes.io/tls\", which needs the keys \"tls.crt\" and \"tls.key\"; correct spec.target.template, or the value that it is made of"
        );
    }
}

#[test]
fn only_secrets_of_an_earlier_name_that_are_ours_are_stale() {
    let with = |change: &dyn Fn(&mut ObjectMeta)| {
        let mut meta = written_by_eso().metadata;
        meta.name = Some("earlier".into());
        change(&mut meta);
        meta
    };
    let spec: ExternalSecretSpec = serde_json::from_value(json!({})).unwrap();
    let meta = meta();
    let owner = Owner::new(&meta, &spec, ServedVersion::V1);
    let stale_names = |candidates: &[ObjectMeta]| {
        stale(owner, candidates).into_iter().map(|deletion| deletion.name).collect::<Vec<_>>()
    };
    assert_eq!(stale_names(&[with(&|_| {})]), ["earlier"]);
    assert!(stale_names(&[with(&|meta| meta.name = Some("example".into()))]).is_empty(), "the target itself");
    assert!(stale_names(&[with(&|meta| meta.owner_references = None)]).is_empty(), "given up");
    assert!(stale_names(&[with(&|meta| meta.labels = None)]).is_empty(), "without the label");
    assert!(stale_names(&[with(&|meta| meta.namespace = Some("other".into()))]).is_empty(), "of another namespace");
    let orphan: ExternalSecretSpec = serde_json::from_value(json!({"target": {"creationPolicy": "Orphan"}})).unwrap();
    assert_eq!(stale(Owner { spec: &orphan, ..owner }, &[with(&|_| {})]), []);
}

#[rstest]
#[case(CreationPolicy::Owner, TargetState::Changed, TargetState::Changed)]
#[case(CreationPolicy::CreateOrMerge, TargetState::Changed, TargetState::Changed)]
#[case(CreationPolicy::Merge, TargetState::Intact, TargetState::Changed)]
#[case(CreationPolicy::Orphan, TargetState::Intact, TargetState::Intact)]
#[case(CreationPolicy::None, TargetState::Intact, TargetState::Intact)]
fn what_someone_deleted_or_changed_is_put_right_as_the_policy_says(
    #[case] policy: CreationPolicy,
    #[case] deleted: TargetState,
    #[case] changed: TargetState,
) {
    let mut secret = written_by_eso();
    assert_eq!(target_state(policy, Some(&secret)), TargetState::Intact);
    secret.data = None;
    assert_eq!((target_state(policy, None), target_state(policy, Some(&secret))), (deleted, changed));
}

#[rstest]
#[case("kubernetes.io/service-account-token")]
#[case("bootstrap.kubernetes.io/token")]
fn a_secret_of_the_clusters_own_is_neither_written_nor_deleted(#[case] type_: &str) {
    let secret = Secret {
        type_: Some(type_.to_owned()),
        metadata: ObjectMeta { name: Some("example".to_owned()), ..ObjectMeta::default() },
        ..Secret::default()
    };
    let expected = Refusal::OfTheSystem { target: example(), type_: type_.to_owned() };
    for policy in ["Owner", "Orphan", "Merge", "CreateOrMerge"] {
        let refused = planned(&meta(), &json!({"creationPolicy": policy}), &hello(), None, Some(&secret));
        assert_eq!(refused.unwrap_err(), expected, "{policy}");
    }
    let gone = planned(&meta(), &json!({"deletionPolicy": "Delete"}), &SecretData::new(), None, Some(&secret));
    assert_eq!(gone.unwrap_err(), expected);
}
