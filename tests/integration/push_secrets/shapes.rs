//! What can be pushed: whole Secrets, sets of keys, properties, templates, selected Secrets.

use azure_sandbox::{Effect, Fault, Governance, ObjectKind};
use serde_json::{Value, json};

use super::{entry, look_again, manifest, scene, secret, served, until_failed, until_synced, value};

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_keys_are_matched_renamed_and_bundled() {
    let scene = scene("push-sets").await;
    secret(&scene, "source", json!({"DB_USER": "u", "DB_PASS": "p", "OTHER": "o"})).await;
    let store = json!({"name": scene.name(), "kind": scene.store_kind()});
    let mut object = manifest(&scene, "example", "source", json!([entry("DB_PASS", "the-password")]));
    object["spec"]["dataTo"] = json!([
        {
            "storeRef": store, "match": {"regexp": "^DB_"},
            "rewrite": [{"regexp": {"source": "_", "target": "-"}}, {"transform": {"template": "app-{{ .value | lower }}"}}],
        },
        {"storeRef": store, "match": {"regexp": "^DB_"}, "remoteKey": "bundle"},
    ]);
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "app-db-user").as_deref(), Some("u"));
    assert_eq!(value(&scene, "app-db-pass"), None, "a key that data names is its own affair");
    assert_eq!(value(&scene, "the-password").as_deref(), Some("p"));
    assert_eq!(value(&scene, "bundle").as_deref(), Some(r#"{"DB_PASS":"p","DB_USER":"u"}"#));
    let writes = served(&scene, "SetSecret");
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "SetSecret"), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_properties_of_one_name_become_one_object_and_one_alone_does_not_count() {
    let scene = scene("push-properties").await;
    secret(&scene, "source", json!({"user": "u", "pass": "p<&>"})).await;
    let property = |key: &str, remote: &str, property: &str| {
        let mut entry = entry(key, remote);
        entry["match"]["remoteRef"]["property"] = property.into();
        entry
    };
    let data = json!([
        property("user", "login", "user"),
        property("pass", "login", "password"),
        property("user", "alone", "x")
    ]);
    scene.apply(manifest(&scene, "example", "source", data)).await;
    let synced = until_synced(&scene, "example").await;
    assert_eq!(value(&scene, "login").as_deref(), Some(r#"{"password":"p<&>","user":"u"}"#));
    assert_eq!(value(&scene, "alone").as_deref(), Some("u"));
    let record = &synced["status"]["syncedPushSecrets"][format!("{}/{}", scene.store_kind(), scene.name())];
    assert!(record["login/user"].is_object() && record["login/password"].is_object(), "{record}");
    look_again(&scene, "example").await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "login"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_laid_over_each_selected_secret() {
    let scene = scene("push-template").await;
    for (name, value) in [("one", "1"), ("two", "2")] {
        let source = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"push": "yes"}},
            "stringData": {name: value},
        });
        scene.apply(source).await;
    }
    secret(&scene, "not-selected", json!({"three": "3"})).await;
    let mut object = manifest(&scene, "example", "one", json!([]));
    object["spec"]["selector"] = json!({"secret": {"selector": {"matchLabels": {"push": "yes"}}}});
    object["spec"]["dataTo"] = json!([{"storeRef": {"name": scene.name(), "kind": scene.store_kind()}}]);
    object["spec"]["template"] = json!({"data": {"both": "{{ index . \"one\" }}"}});
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    assert_eq!((value(&scene, "one").as_deref(), value(&scene, "two").as_deref()), (Some("1"), Some("2")));
    assert_eq!(value(&scene, "three"), None);
    scene.until_event_has("example", "what comes later is for the same object").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vault_cannot_take_is_told_with_the_remedy() {
    let scene = scene("push-refused").await;
    let large = "x".repeat(25 * 1024 + 1);
    secret(&scene, "source", json!({"large": large, "a": "1"})).await;
    scene.apply(manifest(&scene, "large", "source", json!([entry("large", "large")]))).await;
    until_failed(&scene, "large", "25600 bytes").await;
    for (name, key, words) in [
        ("slash", "/a", "unknown kind"),
        ("underscore", "a_b", "letters, digits and dashes"),
        ("up", "../keys/a", "unknown kind"),
        ("escaped", "a%2fb", "letters, digits and dashes"),
    ] {
        scene.apply(manifest(&scene, name, "source", json!([entry("a", key)]))).await;
        until_failed(&scene, name, words).await;
    }
    scene.apply(manifest(&scene, "missing", "source", json!([entry("nothing", "a")]))).await;
    until_failed(&scene, "missing", "set secret failed: secret key nothing does not exist").await;
    scene.vault.govern(Governance { content_type: true, expires: false });
    scene.apply(manifest(&scene, "governed", "source", json!([entry("a", "a")]))).await;
    until_failed(&scene, "governed", "set what it asks for in metadata.spec").await;
    assert_eq!(scene.vault.object(ObjectKind::Secret, "a"), None::<Value>);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_cluster_are_not_pushed() {
    let scene = scene("push-token").await;
    let token = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "azure-key-vault"}},
        "stringData": {"extra": "x"},
    });
    scene.apply(token).await;
    scene.apply(manifest(&scene, "example", "token", json!([entry("extra", "a")]))).await;
    until_failed(&scene, "example", "--push-token-secrets").await;
    secret(&scene, "plain", json!({"a": "1"})).await;
    let mut through_template = manifest(&scene, "template", "plain", json!([entry("a", "b")]));
    through_template["spec"]["template"] =
        json!({"templateFrom": [{"secret": {"name": "token", "items": [{"key": "extra", "templateAs": "Values"}]}}]});
    scene.apply(through_template).await;
    until_failed(&scene, "template", "--push-token-secrets").await;
    assert_eq!(served(&scene, "SetSecret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_makes_another_value_each_time_makes_one_version() {
    let scene = scene("push-random").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("random", "random")]));
    object["spec"]["template"] = json!({"data": {"random": "{{ randAlphaNum 16 }}"}});
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    let made = value(&scene, "random").unwrap();
    for _ in 0..3 {
        look_again(&scene, "example").await;
    }
    assert_eq!((value(&scene, "random").unwrap(), scene.vault.versions(ObjectKind::Secret, "random")), (made, 1));
    // What somebody else has put there is not what was made.
    scene.vault.set_secret_with("random", "tampered", super::tagged(&[("managed-by", super::OURS)])).unwrap();
    look_again(&scene, "example").await;
    assert_ne!(value(&scene, "random").as_deref(), Some("tampered"));
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "random"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_created_as_it_is_written() {
    let scene = scene("push-spelling").await;
    secret(&scene, "source", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "DB-Password")]))).await;
    until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Secret, "DB-Password").unwrap();
    assert!(object["id"].as_str().unwrap().contains("/secrets/DB-Password/"), "{object}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vault_repeats_of_a_request_is_told_nowhere() {
    let scene = scene("push-repeats").await;
    scene.vault.fault(Fault::new(Effect::Repeat).on("SetSecret"));
    secret(&scene, "source", json!({"a": "s3cret-canary"})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("a", "a")]))).await;
    let failed = until_failed(&scene, "example", "its words are left out").await;
    let told = [failed.to_string(), scene.events("example").await.join("\n")];
    assert!(told.iter().all(|text| !text.contains("canary")), "{told:?}");
    let log = std::fs::read_to_string(scene.world.log_of("shared")).unwrap_or_default();
    assert!(!log.contains("s3cret-canary"));
}
