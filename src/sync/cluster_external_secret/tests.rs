use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::status::{self, Facts, Fault};
use super::step::{Outcome, Propagation, readiness};
use super::*;
use crate::api::ServedVersion;
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretStatus, ConditionStatus, ExternalSecret};

fn cluster_external_secret(more: &Value) -> ClusterExternalSecret {
    let mut object = json!({
        "metadata": {"name": "db", "uid": "owner", "generation": 1},
        "spec": {
            "externalSecretSpec": {"secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
                "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}]},
            "externalSecretMetadata": {"labels": {"team": "data"}, "annotations": {"note": "x"}},
        },
    });
    merge(&mut object, more);
    serde_json::from_value(object).unwrap()
}

fn merge(object: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        match object.get_mut(key) {
            Some(field) if field.is_object() && value.is_object() => merge(field, value),
            Some(_) if value.is_null() => drop(object.as_object_mut().unwrap().remove(key)),
            _ => object[key] = value.clone(),
        }
    }
}

fn wanted(more: &Value) -> Wanted {
    let object = cluster_external_secret(more);
    Wanted::of(&object.metadata, object.spec.get().unwrap(), ServedVersion::V1)
}

/// An ExternalSecret as it is stored after it was created and then changed.
fn child(wanted: &Wanted, more: &Value) -> ExternalSecret {
    let mut stored = serde_json::to_value(wanted.created("team-a")).unwrap();
    let keys = |field: &str| {
        let keys = stored["metadata"][field].as_object().into_iter().flatten();
        keys.map(|(key, _)| (format!("f:{key}"), json!({}))).collect::<serde_json::Map<_, _>>()
    };
    let written = json!({"f:metadata": {"f:labels": keys("labels"), "f:annotations": keys("annotations")}});
    stored["metadata"]["managedFields"] =
        json!([{"manager": "external-secrets", "operation": "Update", "fieldsV1": written}]);
    stored["metadata"]["uid"] = json!("child");
    stored["metadata"]["resourceVersion"] = json!("7");
    merge(&mut stored, more);
    serde_json::from_value(stored).unwrap()
}

fn decision(wanted: &Wanted, named: Option<&ExternalSecret>, children: &[&ExternalSecret]) -> Decision {
    decide(Situation { namespace: "team-a", place: Place::Selected, wanted, named, children, last: None })
}

#[test]
fn a_namespace_without_an_external_secret_gets_one_with_the_spec_as_it_stands() {
    let wanted = wanted(&json!({"spec": {"externalSecretSpec": {"later": {"field": 1}}}}));
    let Decision { step: Step::Create(object), outcome: Outcome::Provisioned } = decision(&wanted, None, &[]) else {
        panic!("it is made")
    };
    let object = serde_json::to_value(object).unwrap();
    assert_eq!(object["spec"]["later"], json!({"field": 1}));
    assert_eq!(object["metadata"]["labels"], json!({"team": "data"}));
    let owner = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "owner",
        "controller": true, "blockOwnerDeletion": true}]);
    assert_eq!(object["metadata"]["ownerReferences"], owner);
}

#[rstest]
#[case::as_it_was_made(json!({}))]
#[case::defaults_of_the_api_server(json!({"spec": {"refreshInterval": "1h0m0s", "target": {"creationPolicy": "Owner", "deletionPolicy": "Retain"}}}))]
#[case::keys_of_others(json!({"metadata": {"labels": {"theirs": "1"}, "annotations": {"external-secrets.io/force-sync": "1"}}}))]
#[case::an_older_version_of_the_owner(json!({"metadata": {"ownerReferences": [{"apiVersion": "external-secrets.io/v1beta1",
    "kind": "ClusterExternalSecret", "name": "db", "uid": "owner", "controller": true, "blockOwnerDeletion": true}]}}))]
#[case::its_status(json!({"status": {"refreshTime": "2026-01-01T00:00:00Z"}}))]
fn an_external_secret_that_is_as_it_should_be_is_not_written(#[case] change: Value) {
    let wanted = wanted(&json!({}));
    let existing = child(&wanted, &change);
    let expected = Decision { step: Step::None, outcome: Outcome::Provisioned };
    assert_eq!(decision(&wanted, Some(&existing), &[&existing]), expected);
}

#[rstest]
#[case::another_store(json!({"spec": {"secretStoreRef": {"name": "mine"}}}))]
#[case::another_field(json!({"spec": {"later": 1}}))]
#[case::a_label(json!({"metadata": {"labels": {"team": "mine"}}}))]
#[case::another_owner_of_the_name(json!({"metadata": {"ownerReferences": [{"apiVersion": "external-secrets.io/v1",
    "kind": "ClusterExternalSecret", "name": "db", "uid": "forged", "controller": true, "blockOwnerDeletion": true}]}}))]
fn what_somebody_changed_is_put_back(#[case] change: Value) {
    let wanted = wanted(&json!({}));
    let existing = child(&wanted, &change);
    let Decision { step: Step::Update(object), .. } = decision(&wanted, Some(&existing), &[&existing]) else {
        panic!("it is written")
    };
    let mut stored = serde_json::to_value(object).unwrap();
    stored["metadata"]["managedFields"] = json!([]);
    let after: ExternalSecret = serde_json::from_value(stored).unwrap();
    assert!(wanted.is_met_by(&after, None));
    assert_eq!(after.metadata.resource_version.as_deref(), Some("7"), "it is written over what was seen");
}

#[test]
fn keys_that_are_no_longer_wanted_are_taken_back_and_those_of_others_stay() {
    let before = wanted(&json!({"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}}));
    let existing = child(&before, &json!({"metadata": {"labels": {"theirs": "1"}}}));
    assert!(before.is_met_by(&existing, None));
    let after = wanted(&json!({"spec": {"externalSecretMetadata": {"labels": null, "annotations": {"note": "x"}}}}));
    let Decision { step: Step::Update(object), .. } = decision(&after, Some(&existing), &[&existing]) else {
        panic!("it is written")
    };
    let object = serde_json::to_value(object).unwrap();
    assert_eq!(object["metadata"]["labels"], json!({"theirs": "1"}));
    assert_eq!(object["metadata"]["annotations"], json!({"note": "x"}), "force-sync is taken back, too");
}

#[test]
fn force_sync_is_handed_on_and_not_taken_from_the_metadata() {
    let annotation = "external-secrets.io/force-sync";
    let asked = wanted(&json!({"metadata": {"annotations": {annotation: "7", "other": "1"}}}));
    let made = asked.created("team-a").metadata.annotations.unwrap();
    assert_eq!(json!(made), json!({"note": "x", annotation: "7"}));
    let given = wanted(&json!({"spec": {"externalSecretMetadata": {"annotations": {annotation: "8"}}}}));
    assert_eq!(json!(given.created("team-a").metadata.annotations), json!({"note": "x"}));
}

#[rstest]
#[case::nobodys(json!([]))]
#[case::another_cluster_external_secret(json!([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
    "name": "other", "uid": "u", "controller": true}]))]
#[case::another_group(json!([{"apiVersion": "example.com/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "owner",
    "controller": true}]))]
#[case::no_controller(json!([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "owner"}]))]
fn an_external_secret_of_somebody_else_is_left(#[case] owners: Value) {
    let wanted = wanted(&json!({}));
    let existing = child(&wanted, &json!({"metadata": {"ownerReferences": owners}}));
    let expected = Decision { step: Step::None, outcome: Outcome::Failed(step::TAKEN.to_owned()) };
    assert_eq!(decision(&wanted, Some(&existing), &[]), expected);
}

#[test]
fn what_is_left_in_a_namespace_that_is_not_selected_goes_at_the_version_that_was_seen() {
    let wanted = wanted(&json!({}));
    let existing = child(&wanted, &json!({"metadata": {"name": "former"}}));
    let children = [&existing];
    let situation = Situation {
        namespace: "team-a",
        place: Place::NotSelected,
        wanted: &wanted,
        named: None,
        children: &children,
        last: None,
    };
    let Step::Delete(deletion, Propagation::Background) = decide(situation).step else { panic!("it is deleted") };
    assert_eq!((deletion.uid.as_deref(), deletion.resource_version.as_deref()), (Some("child"), Some("7")));
    let gone = Situation { place: Place::Gone, ..situation };
    assert_eq!(decide(gone), Decision { step: Step::None, outcome: Outcome::Absent });
}

const READY: &str = r#"{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#;
const NOT_READY: &str = r#"{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}"#;
const NOT_YET: &str = r#"{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}}"#;

#[rstest]
#[case::not_yet("{}", false)]
#[case::of_an_earlier_spec(NOT_YET, false)]
#[case::ready(READY, true)]
#[case::failed(NOT_READY, true)]
fn the_former_one_goes_when_the_one_of_the_new_name_is_ready_or_has_failed(#[case] change: &str, #[case] goes: bool) {
    let before = wanted(&json!({}));
    let former = child(&before, &json!({}));
    let after = wanted(&json!({"spec": {"externalSecretName": "new"}}));
    assert!(matches!(decision(&after, None, &[&former]).step, Step::Create(_)), "the new one is made first");
    let named = child(&after, &serde_json::from_str(change).unwrap());
    let step = decision(&after, Some(&named), &[&former, &named]).step;
    assert_eq!(matches!(step, Step::Delete(_, Propagation::Background)), goes, "{step:?}");
}

#[test]
fn one_target_under_two_names_is_never_without_its_secret() {
    let target = json!({"externalSecretSpec": {"target": {"name": "db"}}});
    let former = child(&wanted(&json!({"spec": target})), &json!({}));
    let after =
        wanted(&json!({"spec": {"externalSecretSpec": {"target": {"name": "db"}}, "externalSecretName": "new"}}));
    let step = decision(&after, None, &[&former]).step;
    assert!(matches!(&step, Step::Delete(deletion, Propagation::Orphan) if deletion.name == "db"), "{step:?}");

    let finalizer = "externalsecrets.external-secrets.io/externalsecret-cleanup";
    let held = child(
        &wanted(&json!({"spec": target})),
        &json!({"metadata": {"finalizers": [finalizer, "example.com/other"]}}),
    );
    let Step::Release(object) = decision(&after, None, &[&held]).step else { panic!("it is released first") };
    assert_eq!(object.metadata.finalizers.unwrap(), ["example.com/other"]);

    let going = child(
        &wanted(&json!({"spec": target})),
        &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["orphan"]}}),
    );
    assert_eq!(decision(&after, None, &[&going]).step, Step::None, "its target is not free yet");
}

#[test]
fn what_the_api_server_made_of_the_last_write_needs_no_other() {
    let wanted = wanted(&json!({"spec": {"externalSecretSpec": {"later": 1}}}));
    let stored = child(&wanted, &json!({"spec": {"later": null}}));
    assert!(!wanted.is_met_by(&stored, None));
    assert!(wanted.is_met_by(&stored, wanted.last_write(&stored).as_ref()));
}

#[test]
fn what_an_admission_webhook_adds_is_not_taken_away_again_and_again() {
    let wanted = wanted(&json!({}));
    let fields = json!([{"manager": "external-secrets", "operation": "Update", "fieldsV1": {"f:metadata": {
        "f:labels": {"f:team": {}, "f:cost-center": {}}, "f:annotations": {"f:note": {}}}}}]);
    let label = |value: &str| json!({"metadata": {"labels": {"cost-center": value}, "managedFields": fields}});
    let stored = child(&wanted, &label("7"));
    assert!(!wanted.is_met_by(&stored, None), "it may be one that is no longer wanted");
    let last = wanted.last_write(&stored);
    assert!(wanted.is_met_by(&stored, last.as_ref()));
    assert!(!wanted.is_met_by(&child(&wanted, &label("8")), last.as_ref()), "somebody has changed it since");
    let more = self::wanted(&json!({"spec": {"externalSecretMetadata": {"labels": {"more": "x"}}}}));
    assert!(!more.is_met_by(&stored, last.as_ref()));
}

#[test]
fn a_former_one_that_a_finalizer_holds_is_reported() {
    let target = json!({"externalSecretSpec": {"target": {"name": "app"}}});
    let after =
        wanted(&json!({"spec": {"externalSecretName": "new", "externalSecretSpec": target["externalSecretSpec"]}}));
    let held = |finalizer: &str| {
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [finalizer]}});
        decision(&after, None, &[&child(&wanted(&json!({"spec": target})), &going)]).outcome
    };
    let Outcome::Failed(reason) = held("example.com/held") else { panic!("there is no ExternalSecret") };
    assert!(reason.contains("\"db\", is being deleted"), "{reason}");
    assert_eq!(held("orphan"), Outcome::Provisioned, "the garbage collector is at work");
}

fn facts<'a>(outcomes: &'a BTreeMap<String, Outcome>, fault: Option<&'a Fault>) -> Facts<'a> {
    Facts {
        generation: Some(1),
        refresh: Some("asked".to_owned()),
        name: Some("db"),
        outcomes,
        fault,
        is_pending: false,
        not_ready: &[],
        children: outcomes.len(),
        now: "2026-01-01T00:00:00.5Z".parse().unwrap(),
    }
}

fn failed(count: usize) -> BTreeMap<String, Outcome> {
    let failed = (0..count)
        .map(|n| (format!("team-{n:04}"), Outcome::Failed("external secret already exists in namespace".into())));
    failed.chain([("a".to_owned(), Outcome::Provisioned), ("b".to_owned(), Outcome::Absent)]).collect()
}

fn last(status: &ClusterExternalSecretStatus) -> (String, ConditionStatus, String) {
    let condition = status.conditions.last().unwrap();
    (condition.type_.clone(), condition.status, condition.message.clone().unwrap_or_default())
}

#[test]
fn ready_is_the_last_condition_and_begins_with_the_words_of_eso() {
    let none = ClusterExternalSecretStatus::default();
    let status = status::status(&facts(&failed(0), None), &none);
    assert_eq!(last(&status), ("Ready".into(), ConditionStatus::True, String::new()));
    assert_eq!(status.provisioned_namespaces, ["a"]);
    let status = status::status(&facts(&failed(2), None), &none);
    let taken = "external secret already exists in namespace";
    let message = format!("one or more namespaces failed: 2 of 3: team-0000 ({taken}), team-0001 ({taken})");
    assert_eq!(last(&status), ("Ready".into(), ConditionStatus::False, message));
    assert_eq!(status.failed_namespaces[1].namespace, "team-0001");
}

#[test]
fn however_many_namespaces_fail_the_status_is_bounded() {
    let long = "x\u{1b}[31m\n".repeat(1000);
    let mut outcomes = failed(3000);
    for outcome in outcomes.values_mut().filter(|outcome| matches!(outcome, Outcome::Failed(_))) {
        *outcome = Outcome::Failed(long.clone());
    }
    let status = status::status(&facts(&outcomes, None), &ClusterExternalSecretStatus::default());
    assert_eq!(status.failed_namespaces.len(), 1000);
    let reason = status.failed_namespaces[0].reason.as_deref().unwrap();
    assert!(reason.len() <= 256 && !reason.contains(['\n', '\u{1b}']), "{reason}");
    let (_, _, message) = last(&status);
    assert!(message.len() <= 1024 && message.contains("3000 of 3001"), "{message}");
}

#[test]
fn while_namespaces_are_worked_on_ready_stays_as_it_was() {
    let outcomes = failed(0);
    let before = status::status(&facts(&outcomes, None), &ClusterExternalSecretStatus::default());
    let pending = Facts { is_pending: true, generation: Some(2), ..facts(&outcomes, None) };
    let now = status::status(&pending, &before);
    assert_eq!(now.conditions.last(), before.conditions.last());
    let asked_again = Facts { refresh: Some("again".to_owned()), ..pending.clone() };
    assert_eq!(status::status(&asked_again, &before).last_handled_refresh.as_deref(), Some("asked"));
    let done = Facts { is_pending: false, ..asked_again };
    assert_eq!(status::status(&done, &before).last_handled_refresh.as_deref(), Some("again"));
    let fresh = status::status(&pending, &ClusterExternalSecretStatus::default());
    assert_eq!(fresh.conditions, []);
    let unseen =
        status::status(&Facts { children: 0, ..facts(&outcomes, None) }, &ClusterExternalSecretStatus::default());
    assert_eq!(unseen.conditions.len(), 1, "of ExternalSecrets that the watch does not show yet nothing is said");
    let failing = failed(1);
    let failing = Facts { is_pending: true, ..facts(&failing, None) };
    assert_eq!(last(&status::status(&failing, &before)).1, ConditionStatus::False, "a failure is told at once");
}

#[test]
fn a_spec_that_cannot_be_reconciled_is_reported_once() {
    let outcomes = failed(0);
    let fault = Fault::Field("spec.externalSecretSpec: neither data nor dataFrom is given".into());
    let status = status::status(&facts(&outcomes, Some(&fault)), &ClusterExternalSecretStatus::default());
    let message = "one or more namespaces failed: spec.externalSecretSpec: neither data nor dataFrom is given";
    assert_eq!(last(&status), ("Ready".into(), ConditionStatus::False, message.into()));
    assert_eq!(status.provisioned_namespaces, ["a"], "what is there stays");
    let fault = Fault::Selector("failed to convert label selector spec.namespaceSelectors[0]: x".into());
    let status = status::status(&facts(&outcomes, Some(&fault)), &ClusterExternalSecretStatus::default());
    assert_eq!(status.failed_namespaces[0].namespace, "unknown");
    assert_eq!(last(&status).1, ConditionStatus::False);
}

#[test]
fn a_status_that_eso_wrote_is_no_reason_to_write_the_same() {
    let outcomes = failed(0);
    let wanted = status::status(&facts(&outcomes, None), &ClusterExternalSecretStatus::default());
    let mut stored = wanted.clone();
    for condition in &mut stored.conditions {
        (condition.reason, condition.observed_generation, condition.last_transition_time) = (None, None, None);
    }
    assert!(!status::differs(&stored, &wanted));
    stored.conditions.insert(0, stored.conditions[0].clone());
    stored.conditions[0].type_ = "NotReady".into();
    assert!(status::differs(&stored, &wanted), "conditions of an older ESO go");
    assert_eq!(status::outcomes(&wanted).len(), 1);
}

#[test]
fn external_secrets_that_are_not_ready_are_counted_before_ready() {
    let outcomes = failed(0);
    let not_ready: Vec<_> = (0..7).map(|n| format!("team-{n}")).collect();
    let facts = Facts { not_ready: &not_ready, children: 9, ..facts(&outcomes, None) };
    let status = status::status(&facts, &ClusterExternalSecretStatus::default());
    let condition = &status.conditions[0];
    assert_eq!((condition.type_.as_str(), condition.status), ("ExternalSecretsReady", ConditionStatus::False));
    let message = "not all ExternalSecrets are ready: 7 of 9: team-0, team-1, team-2, team-3, team-4 and 2 more";
    assert_eq!(condition.message.as_deref(), Some(message));
    assert_eq!(last(&status).1, ConditionStatus::True, "Ready says nothing of them");
}

#[test]
fn what_an_external_secret_says_of_an_earlier_spec_does_not_count() {
    let wanted = wanted(&json!({}));
    assert_eq!(readiness(&child(&wanted, &serde_json::from_str(NOT_YET).unwrap())), None);
    assert_eq!(readiness(&child(&wanted, &serde_json::from_str(READY).unwrap())), Some(true));
}
