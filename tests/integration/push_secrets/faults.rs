//! What goes wrong on the way to a vault: nothing is written twice, and nothing goes to another place.

use azure_sandbox::{Effect, Fault, Limit, ObjectKind, SecretPermission};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rstest::rstest;
use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::{
    entry, kinds, look_again, manifest, scene, secret, served, tagged, until_failed, until_in_vault, until_synced,
    value,
};

#[rstest]
#[case::lost_answer(Fault::new(Effect::DropAfter).times(1), "lost")]
#[case::lost_request(Fault::new(Effect::DropBefore).times(1), "cut")]
#[case::throttled(Fault::throttle(Some(1)).times(2), "429")]
#[case::throttled_without_a_time(Fault::throttle(None).times(2), "429-bare")]
#[case::conflict(Fault::status(409).times(2), "409")]
#[case::failed(Fault::status(500).times(2), "500")]
#[case::unavailable(Fault::status(503).times(2), "503")]
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_goes_wrong_makes_one_version(#[case] fault: Fault, #[case] name: &str) {
    let scene = scene(&format!("push-f-{name}")).await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let id = scene.vault.fault(fault.on("SetSecret"));
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    assert!(scene.vault.met(id) >= 1);
    assert_eq!((value(&scene, "a").as_deref(), scene.vault.versions(ObjectKind::Secret, "a")), (Some("1"), 1));
    look_again(&scene, "example").await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "a"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_whose_answers_are_lost_make_one_version() {
    let scene = kinds::scene("push-f-imports").await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = format!("{}{}", key.serialize_pem(), kinds::certificate(&key));
    secret(&scene, "source", json!({"key": key.serialize_pem(), "pem": pem})).await;
    for operation in ["ImportKey", "ImportCertificate"] {
        scene.vault.fault(Fault::new(Effect::DropAfter).on(operation).times(1));
    }
    let data = json!([entry("key", "key/lost"), entry("pem", "cert/web")]);
    scene.apply(manifest(&scene, "example", "source", data)).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    let versions = |kind, name| scene.vault.versions(kind, name);
    assert_eq!((versions(ObjectKind::Key, "lost"), versions(ObjectKind::Certificate, "web")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_a_recovery_and_a_change_of_tags_whose_answers_are_lost_are_made_once() {
    let scene = scene("push-f-others").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    for operation in ["RecoverDeletedSecret", "UpdateSecret", "DeleteSecret"] {
        scene.vault.fault(Fault::new(Effect::DropAfter).on(operation).times(1));
    }
    scene.vault.set_secret_with("a", "1", tagged(&[("managed-by", super::OURS)])).unwrap();
    scene.vault.delete(ObjectKind::Secret, "a").unwrap();
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    object["spec"]["data"][0]["metadata"] = json!({
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
        "spec": {"tags": {"team": "a"}},
    });
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    let there = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!((&there["tags"]["team"], scene.vault.versions(ObjectKind::Secret, "a")), (&json!("a"), 1));
    assert_eq!((served(&scene, "RecoverDeletedSecret"), served(&scene, "UpdateSecret")), (1, 1));
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    // The one PUT told that it was deleted.
    assert_eq!((value(&scene, "a"), served(&scene, "DeleteSecret"), served(&scene, "SetSecret")), (None, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_redirected_goes_nowhere_else() {
    let scene = scene("push-f-redirect").await;
    let elsewhere = scene.world.sandbox.vault(&format!("{}-x", scene.name())).unwrap();
    elsewhere.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    let target = format!("{}/secrets/a?api-version=7.4", elsewhere.url().trim_end_matches('/'));
    let fault = scene.vault.fault(Fault::new(Effect::Redirect(target)).on("SetSecret"));
    secret(&scene, "source", json!({"a": "s3cret-canary"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_failed(&scene, "example", "answered with a redirect (HTTP 307), which is not followed").await;
    assert_eq!(elsewhere.counters().operation("SetSecret"), 0);
    assert_eq!((value(&scene, "a"), elsewhere.object(ObjectKind::Secret, "a")), (None, None));
    scene.vault.lift(fault);
    // What waits for a change is looked at again where a person asks for it.
    scene.merge("PushSecret", "example", json!({"metadata": {"annotations": {"force-sync": "now"}}})).await;
    until_synced(&scene, "example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_while_no_tokens_are_given_is_written_when_they_are() {
    let scene = Scene::new("push-f-entra").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    let fault = scene.application.fault(Fault::status(503));
    scene.store().await;
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_failed(&scene, "example", "set secret failed").await;
    assert_eq!(served(&scene, "SetSecret"), 0);
    scene.application.lift(fault);
    until_synced(&scene, "example").await;
    assert_eq!((value(&scene, "a").as_deref(), served(&scene, "SetSecret")), (Some("1"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_nothing_is_written_and_the_right_is_noticed() {
    let scene = scene("push-f-right").await;
    scene.vault.revoke_all().allow(&scene.application, SecretPermission::Get);
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_failed(&scene, "example", "permissions get and set").await;
    let rights = [SecretPermission::Get, SecretPermission::Set];
    scene.vault.allow(&scene.application, rights);
    until_synced(&scene, "example").await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "a"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_stay_in_the_budget_of_the_vault_while_reads_are_served() {
    let scene = scene("push-f-budget").await;
    scene.set_secret("read", "me");
    // Our budget is four fifths of what Key Vault takes; beyond that the vault refuses.
    scene.vault.set_limit_of_writes(Some(Limit { served: 300, retry_after: None }));
    let keys: serde_json::Map<String, Value> = (0..300).map(|key| (format!("k{key}"), json!("v"))).collect();
    secret(&scene, "source", Value::Object(keys)).await;
    let mut object = manifest(&scene, "example", "source", json!([]));
    object["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    scene.apply(object).await;
    until_in_vault("the first writes", || served(&scene, "SetSecret") > 20).await;
    scene.external_secret("reader", "1h", &[("value", "read")]).await;
    scene.until_secret("reader", json!({"value": "me"})).await;
    assert!(served(&scene, "SetSecret") < 300, "the read did not wait for the writes");
    until_synced(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), scene.vault.counters().throttled), (300, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_writes_is_what_the_operator_sets() {
    let scene = Scene::with_own_controller("push-f-flag").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set]);
    scene.vault.set_limit_of_writes(Some(Limit { served: 50, retry_after: None }));
    scene.store().await;
    let keys: serde_json::Map<String, Value> = (0..60).map(|key| (format!("k{key}"), json!("v"))).collect();
    secret(&scene, "source", Value::Object(keys)).await;
    let mut object = manifest(&scene, "example", "source", json!([]));
    object["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    scene.apply(object).await;
    let _controller = scene.start_controller_with(&["--azure-vault-writes=25"]).await;
    until_synced(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), scene.vault.counters().throttled), (60, 0), "nothing was refused");
}
