//! The table of docs/push-secrets.md: what is found, what is done about it, and with how many requests.

use std::time::Duration;

use azure_sandbox::{CertificatePolicy, ObjectKind};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

use super::{
    OURS, entry, kinds, look_again, manifest, scene, secret, served, tagged, until_failed, until_in_vault, until_ready,
    until_synced, value,
};

/// The requests that are counted, besides the reads of the object.
const OPERATIONS: [&str; 6] =
    ["SetSecret", "UpdateSecret", "DeleteSecret", "GetDeletedSecret", "RecoverDeletedSecret", "GetSecretVersions"];

/// How often each was served, by the letters G, P, U, D, g, r, v. Reads count only for the object itself: a store also reads, to find out
/// whether it can.
fn counts(scene: &Scene, name: &str) -> [u64; 7] {
    let [set, update, delete, get_deleted, recover, versions] = OPERATIONS.map(|operation| served(scene, operation));
    [scene.reads_of(name), set, update, delete, get_deleted, recover, versions]
}

/// What was served since, for example `GP`.
fn since(scene: &Scene, name: &str, before: [u64; 7]) -> String {
    let letters = ["G", "P", "U", "D", "g", "r", "v"];
    let now = counts(scene, name);
    (0..7).map(|at| letters[at].repeat(usize::try_from(now[at] - before[at]).unwrap())).collect()
}

/// Prepares the object of a name in the vault.
type Arrange = fn(&Scene, &str);

fn nothing(_: &Scene, _: &str) {}

fn equal(scene: &Scene, name: &str) {
    let properties = azure_sandbox::SecretProperties {
        content_type: Some("text/plain".to_owned()),
        ..tagged(&[("managed-by", OURS), ("team", "a")])
    };
    scene.vault.set_secret_with(name, "wanted", properties).unwrap();
}

fn other_tags(scene: &Scene, name: &str) {
    let properties = azure_sandbox::SecretProperties {
        content_type: Some("text/plain".to_owned()),
        ..tagged(&[("managed-by", OURS), ("theirs", "x")])
    };
    scene.vault.set_secret_with(name, "wanted", properties).unwrap();
}

fn other_content_type(scene: &Scene, name: &str) {
    scene.vault.set_secret_with(name, "wanted", tagged(&[("managed-by", OURS), ("team", "a")])).unwrap();
}

fn other_value(scene: &Scene, name: &str) {
    scene.vault.set_secret_with(name, "other", tagged(&[("managed-by", OURS)])).unwrap();
}

fn foreign(scene: &Scene, name: &str) {
    scene.vault.set_secret(name, "theirs").unwrap();
}

fn of_certificate(scene: &Scene, name: &str) {
    scene.vault.create_certificate(name, CertificatePolicy::self_signed("CN=example.com")).unwrap();
}

fn deleted(scene: &Scene, name: &str) {
    other_value(scene, name);
    scene.vault.delete_secret(name).unwrap();
}

fn deleted_foreign(scene: &Scene, name: &str) {
    foreign(scene, name);
    scene.vault.delete_secret(name).unwrap();
}

fn disabled(scene: &Scene, name: &str) {
    other_value(scene, name);
    scene.vault.enable_secret(name, false).unwrap();
}

fn disabled_foreign(scene: &Scene, name: &str) {
    foreign(scene, name);
    scene.vault.enable_secret(name, false).unwrap();
}

/// A PushSecret of one value, with a tag and a content type.
fn pushed(scene: &Scene, name: &str, policy: &str) -> Value {
    let mut with_metadata = entry("a", name);
    with_metadata["metadata"] = json!({
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
        "spec": {"contentType": "text/plain", "tags": {"team": "a"}},
    });
    let mut object = manifest(scene, name, "source", json!([with_metadata]));
    object["spec"]["updatePolicy"] = policy.into();
    object
}

/// What comes of a push.
enum Comes {
    /// It is synced, and the object has the value that is wanted.
    Written,
    /// It is synced, and the object is as it was.
    Left,
    /// It has failed with these words, and the object is as it was.
    Refused(&'static str),
}

/// A row: its name, how the vault is arranged, and for each policy what comes of it and the requests.
type Row = (&'static str, Arrange, [(Comes, &'static str); 2]);

const FOREIGN: Comes = Comes::Refused("not managed by external-secrets");

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_the_table_is_as_it_says_with_as_many_requests() {
    use Comes::{Left, Refused, Written};
    let scene = scene("push-table").await;
    secret(&scene, "source", json!({"a": "wanted"})).await;
    let deleted_words = "it is deleted, recoverable, and was not managed by external-secrets";
    let rows: [Row; 10] = [
        ("absent", nothing, [(Written, "GP"), (Written, "GP")]),
        ("equal", equal, [(Written, "G"), (Left, "G")]),
        ("tags", other_tags, [(Written, "GU"), (Left, "G")]),
        ("content-type", other_content_type, [(Written, "GU"), (Left, "G")]),
        ("value", other_value, [(Written, "GP"), (Left, "G")]),
        ("foreign", foreign, [(FOREIGN, "G"), (Left, "G")]),
        ("certificate", of_certificate, [(Refused("it is a part of a certificate"), "G"), (Left, "G")]),
        // Only a write tells that the name is taken; then it is as above.
        ("deleted", deleted, [(Written, "GGPPgr"), (Written, "GGGPPPggr")]),
        ("deleted-foreign", deleted_foreign, [(Refused(deleted_words), "GPg"), (Refused(deleted_words), "GPg")]),
        ("disabled", disabled, [(Refused("it is disabled"), "G"), (Left, "G")]),
    ];
    for (row, arrange, outcomes) in rows {
        for (policy, (comes, requests)) in ["Replace", "IfNotExists"].into_iter().zip(outcomes) {
            let name = format!("{row}-{}", policy.to_lowercase());
            arrange(&scene, &name);
            let (before, was) = (counts(&scene, &name), scene.vault.object(ObjectKind::Secret, &name));
            scene.apply(pushed(&scene, &name, policy)).await;
            match comes {
                Written => {
                    until_synced(&scene, &name).await;
                    let object = scene.vault.object(ObjectKind::Secret, &name).unwrap();
                    let is = (&object["value"], &object["contentType"], &object["tags"]["team"]);
                    assert_eq!(is, (&json!("wanted"), &json!("text/plain"), &json!("a")), "{name}");
                }
                Left => {
                    let synced = until_synced(&scene, &name).await;
                    let ready = condition(&synced, "Ready");
                    let message = ready["message"].as_str().unwrap();
                    assert!(message.contains("Existing secrets in providers unchanged"), "{name}: {message}");
                    assert_eq!(scene.vault.object(ObjectKind::Secret, &name), was, "{name}");
                }
                Refused(words) => {
                    until_failed(&scene, &name, words).await;
                    assert_eq!(scene.vault.object(ObjectKind::Secret, &name), was, "{name}");
                }
            }
            assert_eq!(since(&scene, &name, before), requests, "{name}");
            scene.delete("PushSecret", &name).await;
        }
    }
    assert_eq!(served(&scene, "PurgeDeletedSecret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_cleanup_is_as_it_says_with_as_many_requests() {
    let scene = scene("push-cleanups").await;
    secret(&scene, "source", json!({"a": "wanted"})).await;
    let gone = |scene: &Scene, name: &str| scene.vault.delete_secret(name).unwrap();
    let purged = |scene: &Scene, name: &str| {
        scene.vault.delete_secret(name).unwrap();
        scene.vault.purge_secret(name).unwrap();
    };
    // What is done to the object after it was written, whether it stays, and the requests.
    let certified = |scene: &Scene, name: &str| {
        scene.vault.delete_secret(name).unwrap();
        scene.vault.purge_secret(name).unwrap();
        of_certificate(scene, name);
    };
    let rows: [(&str, Arrange, bool, &str); 11] = [
        ("absent", purged, false, "G"),
        ("equal", nothing, false, "GD"),
        ("value", other_value, false, "GD"),
        ("foreign", foreign, true, "G"),
        ("deleted", gone, false, "G"),
        ("disabled", |scene, name| scene.vault.enable_secret(name, false).unwrap(), false, "GDv"),
        ("disabled-foreign", disabled_foreign, true, "Gv"),
        ("other-tags", other_tags, false, "GD"),
        ("content-type", other_content_type, false, "GD"),
        ("certificate", certified, true, "G"),
        ("deleted-foreign", deleted_foreign, false, "G"),
    ];
    for (name, alter, stays, requests) in rows {
        let mut object = pushed(&scene, name, "Replace");
        object["spec"]["deletionPolicy"] = "Delete".into();
        scene.apply(object).await;
        until_synced(&scene, name).await;
        // The vault's times have whole seconds, by which the newest version is told.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        alter(&scene, name);
        let before = counts(&scene, name);
        scene.delete("PushSecret", name).await;
        scene.until_gone("PushSecret", name).await;
        assert_eq!(since(&scene, name, before), requests, "{name}");
        let is_there = scene.vault.versions(ObjectKind::Secret, name) > 0
            && scene.vault.deleted_object(ObjectKind::Secret, name).is_none();
        assert_eq!(is_there, stays, "{name}");
    }
    assert_eq!(served(&scene, "PurgeDeletedSecret"), 0, "the test purges, and nobody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_deleted_or_recovered_is_waited_for() {
    let scene = scene("push-busy").await;
    scene.vault.set_transition(Duration::from_secs(4));
    other_value(&scene, "busy");
    scene.vault.delete_secret("busy").unwrap();
    secret(&scene, "source", json!({"a": "wanted"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "busy")]))).await;
    until_failed(&scene, "example", "it is being deleted or recovered").await;
    until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "busy").as_deref(), Some("wanted"));
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "busy"), 2);
    // A look every three seconds or more: two while it is deleted, two while it is recovered, and what comes of each.
    let [reads, set, .., recovers, _] = counts(&scene, "busy");
    assert!(reads <= 10 && set <= 10, "no busy wait: {reads} reads, {set} writes");
    assert_eq!(recovers, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recovered_for_a_push_secret_that_is_deleted_meanwhile_goes_with_it() {
    let scene = scene("push-recovering").await;
    other_value(&scene, "back");
    scene.vault.delete_secret("back").unwrap();
    scene.vault.set_transition(Duration::from_secs(4));
    secret(&scene, "source", json!({"a": "wanted"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "back")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    until_in_vault("the recovery", || served(&scene, "RecoverDeletedSecret") == 1).await;
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    until_in_vault("the deletion", || scene.vault.deleted_object(ObjectKind::Secret, "back").is_some()).await;
    assert_eq!((value(&scene, "back"), served(&scene, "PurgeDeletedSecret")), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_denies_or_fails_keeps_what_is_to_be_deleted_on_record() {
    use azure_sandbox::Fault;
    let scene = scene("push-keeps").await;
    secret(&scene, "source", json!({"a": "wanted"})).await;
    for (name, status, operation) in
        [("denied", 403, "DeleteSecret"), ("failed", 500, "DeleteSecret"), ("unread", 403, "GetSecret")]
    {
        let mut object = manifest(&scene, name, "source", json!([entry("a", name)]));
        object["spec"]["deletionPolicy"] = "Delete".into();
        scene.apply(object).await;
        until_synced(&scene, name).await;
        let fault = scene.vault.fault(Fault::status(status).on(operation).of(name));
        scene.delete("PushSecret", name).await;
        let kept = until_failed(&scene, name, "Failed to Delete Secrets from Provider").await;
        assert_eq!(kept["metadata"]["finalizers"], json!(["pushsecret.externalsecrets.io/finalizer"]), "{name}");
        assert!(kept["status"]["syncedPushSecrets"].to_string().contains(name), "{kept}");
        assert_eq!(value(&scene, name).as_deref(), Some("wanted"), "{name}");
        scene.vault.lift(fault);
        // What waits for a change is looked at again where a person asks for it.
        scene.merge("PushSecret", name, json!({"metadata": {"annotations": {"force-sync": "now"}}})).await;
        scene.until_gone("PushSecret", name).await;
        assert_eq!(value(&scene, name), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_the_table_holds_for_keys_with_as_many_requests() {
    let scene = kinds::scene("push-table-keys").await;
    let key = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    secret(&scene, "source", json!({"a": key(), "other": key()})).await;
    let operations = ["ImportKey", "UpdateKey", "DeleteKey", "GetDeletedKey", "RecoverDeletedKey"];
    let look = || operations.map(|operation| served(&scene, operation));
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "key/mine")]));
    object["spec"]["deletionPolicy"] = "Delete".into();
    let before = look();
    let since = |before: [u64; 5]| -> [u64; 5] {
        let now = look();
        std::array::from_fn(|at| now[at] - before[at])
    };
    scene.apply(object.clone()).await;
    until_synced(&scene, "example").await;
    assert_eq!(since(before), [1, 0, 0, 0, 0], "absent: an import");
    look_again(&scene, "example").await;
    assert_eq!(since(before), [1, 0, 0, 0, 0], "equal: nothing");
    object["spec"]["data"][0]["metadata"] = json!({
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata",
        "spec": {"tags": {"team": "a"}},
    });
    scene.apply(object.clone()).await;
    until_synced(&scene, "example").await;
    assert_eq!(since(before), [1, 1, 0, 0, 0], "other tags: a change of properties");
    object["spec"]["data"][0]["match"]["secretKey"] = "other".into();
    scene.apply(object.clone()).await;
    until_synced(&scene, "example").await;
    assert_eq!(since(before), [2, 1, 0, 0, 0], "another key: a version");
    scene.vault.delete(ObjectKind::Key, "mine").unwrap();
    look_again(&scene, "example").await;
    // Only an import tells that the name is taken by a deleted key.
    assert_eq!(since(before), [3, 1, 0, 1, 1], "deleted: it is recovered, and has the value");
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!(since(before), [3, 1, 1, 1, 1], "cleanup: a deletion");
    assert_eq!(served(&scene, "PurgeDeletedKey"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_denies_fails_or_throttles_is_written_once_it_lets_and_not_twice() {
    use azure_sandbox::{Effect, Fault};
    let scene = scene("push-faults").await;
    secret(&scene, "source", json!({"a": "wanted"})).await;
    let operations = ["GetSecret", "SetSecret"];
    let faults = [
        ("503", Fault::status(503).times(2)),
        ("500", Fault::status(500).times(1)),
        ("429", Fault::throttle(None).times(2)),
        ("429-later", Fault::throttle(Some(1)).times(1)),
        ("cut", Fault::new(Effect::DropBefore).times(1)),
        ("lost", Fault::new(Effect::DropAfter).times(1)),
        ("redirected", Fault::new(Effect::Redirect("https://elsewhere.example/secrets/x".to_owned())).times(1)),
    ];
    for operation in operations {
        for (fault, effect) in &faults {
            let name = format!("at-{}-{fault}", operation.to_lowercase());
            let id = scene.vault.fault(effect.clone().on(operation).of(&name));
            scene.apply(manifest(&scene, &name, "source", json!([entry("a", &name)]))).await;
            until_ready(&scene, &name, "True", "Synced").await;
            scene.vault.lift(id);
            assert_eq!(value(&scene, &name).as_deref(), Some("wanted"), "{name}");
            assert_eq!(scene.vault.versions(ObjectKind::Secret, &name), 1, "{name}");
        }
    }
}
