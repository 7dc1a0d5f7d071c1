//! What ESO has written is taken over as it is, and what can be measured.

use azure_sandbox::{ObjectKind, SecretPermission};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::{OURS, entry, manifest, secret, served, tagged, until_failed, until_synced, value};

async fn scene(name: &str) -> Scene {
    let scene = Scene::with_own_controller(name).await;
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::List];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn what_eso_has_pushed_is_taken_over_without_a_write_to_the_vault_and_deleted_with_its_push_secret() {
    let scene = scene("push-takeover").await;
    for (name, text) in [("a", "1"), ("gone", "2")] {
        scene.vault.set_secret_with(name, text, tagged(&[("managed-by", OURS)])).unwrap();
    }
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("a", "a")]));
    object["metadata"]["finalizers"] = json!(["pushsecret.externalsecrets.io/finalizer"]);
    object["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(object).await;
    let mut of_eso = entry("a", "a");
    of_eso["conversionStrategy"] = "None".into();
    let mut former = entry("b", "gone");
    former["conversionStrategy"] = "None".into();
    let status = json!({"status": {
        "refreshTime": "2026-01-01T00:00:00Z", "syncedResourceVersion": "1-0123456789abcdef",
        "syncedPushSecrets": {format!("{}/{}", scene.store_kind(), scene.name()): {"a": of_eso, "gone": former}},
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Synced", "message": "PushSecret synced successfully",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }});
    let api = scene.api("PushSecret");
    api.patch_status("example", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let _controller = scene.start_controller().await;
    until_synced(&scene, "example").await;
    assert_eq!((served(&scene, "SetSecret"), served(&scene, "UpdateSecret")), (0, 0));
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "a"), 1);
    let synced = scene.get("PushSecret", "example").await.unwrap();
    assert_eq!(synced["metadata"]["finalizers"], json!(["pushsecret.externalsecrets.io/finalizer"]));
    scene.delete("PushSecret", "example").await;
    scene.until_gone("PushSecret", "example").await;
    assert_eq!((value(&scene, "a"), value(&scene, "gone")), (None, None), "also what ESO alone had written");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_secrets_are_measured_as_long_as_they_are_there() {
    let scene = scene("push-metrics").await;
    let controller = scene.start_controller().await;
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "good", "source", json!([entry("a", "a")]))).await;
    scene.apply(manifest(&scene, "bad", "missing", json!([entry("a", "b")]))).await;
    until_synced(&scene, "good").await;
    until_failed(&scene, "bad", "could not get source secret").await;
    let series = |name: &str, status: &str, value: u8| {
        let labels = [("condition", "Ready"), ("name", name), ("namespace", scene.name()), ("status", status)];
        let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{text}\"")).collect();
        format!("pushsecret_status_condition{{{}}} {value}", labels.join(","))
    };
    for (name, status, value) in [("good", "True", 1), ("good", "False", 0), ("bad", "True", 0), ("bad", "False", 1)] {
        controller.until_measured(&series(name, status, value)).await;
    }
    let page = controller.metrics().await;
    let of = |name: &str| format!("name=\"{name}\",namespace=\"{}\"", scene.name());
    assert!(page.contains(&of("good")) && page.contains(&of("bad")), "{page}");
    assert!(page.contains("external_secrets_pushed_objects_total{result=\"created\"} 1"), "{page}");
    for name in ["good", "bad"] {
        scene.delete("PushSecret", name).await;
        scene.until_gone("PushSecret", name).await;
    }
    let gone = async {
        loop {
            let page = controller.metrics().await;
            if !page.contains(&of("good")) && !page.contains(&of("bad")) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_mins(1), gone).await.is_ok(), "the series stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_of_a_cluster_keeps_another_cluster_from_an_object() {
    let scene = scene("push-owner").await;
    let _controller = scene.start_controller_with(&["--push-owner-tag"]).await;
    let of_another = tagged(&[("managed-by", OURS), ("external-secrets-cluster", "another")]);
    scene.vault.set_secret_with("theirs", "x", of_another).unwrap();
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    until_synced(&scene, "example").await;
    let namespace = scene.world.client().await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(namespace);
    let uid = namespaces.get("kube-system").await.unwrap().metadata.uid;
    let object = scene.vault.object(ObjectKind::Secret, "a").unwrap();
    assert_eq!(object["tags"]["external-secrets-cluster"], json!(uid));
    scene.apply(manifest(&scene, "other", "source", json!([entry("a", "theirs")]))).await;
    let failed: Value = until_failed(&scene, "other", "managed by the external-secrets of another cluster").await;
    assert_eq!((value(&scene, "theirs").as_deref(), failed["metadata"]["generation"].as_i64()), (Some("x"), Some(1)));
}
