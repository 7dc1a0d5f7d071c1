//! Two PushSecrets of one object.

use azure_sandbox::{ObjectKind, SecretPermission};
use serde_json::{Value, json};
use test_stage::scene::Scene;

use super::{entry, manifest, scene, secret, served, until_failed, until_synced, value};

#[tokio::test(flavor = "multi_thread")]
async fn the_older_of_two_pushes_and_the_younger_takes_over_when_it_goes() {
    let scene = scene("push-conflict").await;
    secret(&scene, "one", json!({"a": "1"})).await;
    secret(&scene, "two", json!({"a": "2"})).await;
    let mut older = manifest(&scene, "older", "one", json!([entry("a", "shared")]));
    older["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(older).await;
    until_synced(&scene, "older").await;
    // Kubernetes' times have whole seconds.
    let second = std::time::Duration::from_millis(1100);
    tokio::time::sleep(second).await;
    scene.apply(manifest(&scene, "younger", "two", json!([entry("a", "Shared")]))).await;
    until_failed(&scene, "younger", "PushSecret \"older\", which is older, writes another value").await;
    assert_eq!(value(&scene, "shared").as_deref(), Some("1"));
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "shared"), 1);

    scene.delete("PushSecret", "older").await;
    scene.until_gone("PushSecret", "older").await;
    until_synced(&scene, "younger").await;
    assert_eq!(value(&scene, "shared").as_deref(), Some("2"), "it was not deleted: another wants it");
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "shared"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_values_of_two_are_no_conflict() {
    let scene = scene("push-equal").await;
    secret(&scene, "one", json!({"a": "same"})).await;
    for name in ["first", "second"] {
        scene.apply(manifest(&scene, name, "one", json!([entry("a", "shared")]))).await;
        until_synced(&scene, name).await;
    }
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "shared"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_lets_no_younger_one_write_over_an_older() {
    let scene = Scene::with_own_controller("push-restarts").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::Set, SecretPermission::List]);
    scene.store().await;
    secret(&scene, "one", json!({"a": "same"})).await;
    secret(&scene, "two", json!({"a": "same"})).await;
    let second = std::time::Duration::from_millis(1100);
    {
        let _controller = scene.start_controller().await;
        scene.apply(manifest(&scene, "z-older", "one", json!([entry("a", "shared")]))).await;
        until_synced(&scene, "z-older").await;
        tokio::time::sleep(second).await;
        scene.apply(manifest(&scene, "a-younger", "two", json!([entry("a", "shared")]))).await;
        until_synced(&scene, "a-younger").await;
        secret(&scene, "two", json!({"a": "other"})).await;
        until_failed(&scene, "a-younger", "PushSecret \"z-older\", which is older").await;
    }
    for start in ["first", "second", "third"] {
        let _controller = scene.start_controller().await;
        let note = json!({"metadata": {"annotations": {"force-sync": start}}});
        for name in ["a-younger", "z-older"] {
            scene.merge("PushSecret", name, note.clone()).await;
        }
        for name in ["a-younger", "z-older"] {
            let is_handled = |object: &Value| object["status"]["lastHandledRefresh"] == start;
            scene.until("PushSecret", name, "handled", is_handled).await;
        }
        until_failed(&scene, "a-younger", "PushSecret \"z-older\", which is older").await;
        assert_eq!(scene.vault.versions(ObjectKind::Secret, "shared"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_right_on_the_vault_keeps_nobody_from_an_object() {
    let scene = scene("push-bogus").await;
    secret(&scene, "source", json!({"a": "wanted"})).await;
    secret(&scene, "bogus", json!({"a": "bogus"})).await;
    // An identity of somebody's own, without any right on this vault, and a PushSecret that came first.
    let client_id = "00000000-0000-4000-8000-b09050000001";
    scene.world.sandbox.default_tenant().application(client_id).add_client_secret("theirs", None);
    secret(&scene, "credentials", json!({"id": client_id, "secret": "theirs"})).await;
    let mut store = scene.store_manifest("SecretStore", "bogus");
    store["spec"]["provider"]["azurekv"] = json!({
        "authType": "ServicePrincipal", "vaultUrl": scene.vault.url(),
        "tenantId": scene.application.tenant().id(),
        "authSecretRef": {
            "clientId": {"name": "credentials", "key": "id"},
            "clientSecret": {"name": "credentials", "key": "secret"},
        },
    });
    scene.apply(store).await;
    let mut bogus = manifest(&scene, "bogus", "bogus", json!([entry("a", "victim")]));
    bogus["spec"]["secretStoreRefs"] = json!([{"name": "bogus", "kind": "SecretStore"}]);
    bogus["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(bogus).await;
    until_failed(&scene, "bogus", "set secret failed").await;
    let mut victim = manifest(&scene, "victim", "source", json!([entry("a", "victim")]));
    victim["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(victim).await;
    until_synced(&scene, "victim").await;
    assert_eq!(value(&scene, "victim").as_deref(), Some("wanted"));
    scene.delete("PushSecret", "victim").await;
    scene.until_gone("PushSecret", "victim").await;
    assert_eq!((value(&scene, "victim"), served(&scene, "SetSecret")), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_wrote_one_object_and_go_together_leave_nothing_behind() {
    let scene = scene("push-together").await;
    secret(&scene, "one", json!({"a": "same"})).await;
    for name in ["first", "second"] {
        let mut object = manifest(&scene, name, "one", json!([entry("a", "shared")]));
        object["spec"]["deletionPolicy"] = "Delete".into();
        scene.apply(object).await;
        until_synced(&scene, name).await;
    }
    for name in ["first", "second"] {
        scene.delete("PushSecret", name).await;
    }
    for name in ["first", "second"] {
        scene.until_gone("PushSecret", name).await;
    }
    assert_eq!((value(&scene, "shared"), served(&scene, "DeleteSecret")), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_spell_one_vault_in_different_ways_lead_to_one_vault() {
    let scene = scene("push-spelled").await;
    secret(&scene, "one", json!({"a": "1"})).await;
    secret(&scene, "two", json!({"a": "2"})).await;
    let mut store = scene.store_manifest("SecretStore", "spelled");
    let url = scene.vault.url();
    let host = url.trim_start_matches("https://").trim_end_matches('/');
    store["spec"]["provider"]["azurekv"]["vaultUrl"] = format!("https://{}:443/", host.to_uppercase()).into();
    scene.apply(store).await;
    let mut older = manifest(&scene, "older", "one", json!([entry("a", "shared")]));
    older["spec"]["deletionPolicy"] = "Delete".into();
    scene.apply(older).await;
    until_synced(&scene, "older").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let mut younger = manifest(&scene, "younger", "two", json!([entry("a", "secret/SHARED")]));
    younger["spec"]["secretStoreRefs"] = json!([{"name": "spelled", "kind": "SecretStore"}]);
    scene.apply(younger).await;
    until_failed(&scene, "younger", "PushSecret \"older\", which is older, writes another value").await;
    assert_eq!(scene.vault.versions(ObjectKind::Secret, "shared"), 1);
    scene.delete("PushSecret", "older").await;
    until_synced(&scene, "younger").await;
    assert_eq!(value(&scene, "shared").as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_secret_that_is_renamed_hands_its_objects_on_in_whatever_order_that_comes() {
    let scene = scene("push-renamed").await;
    secret(&scene, "one", json!({"a": "1"})).await;
    let example = |name: &str| {
        let mut object = manifest(&scene, name, "one", json!([entry("a", "kept")]));
        object["spec"]["deletionPolicy"] = "Delete".into();
        object
    };
    scene.apply(example("first")).await;
    until_synced(&scene, "first").await;
    // As kubectl and Helm do: the new one, and at once the old one goes.
    scene.apply(example("second")).await;
    scene.delete("PushSecret", "first").await;
    scene.until_gone("PushSecret", "first").await;
    until_synced(&scene, "second").await;
    assert_eq!((value(&scene, "kept").as_deref(), scene.vault.versions(ObjectKind::Secret, "kept")), (Some("1"), 1));
    // The other way round.
    scene.delete("PushSecret", "second").await;
    scene.apply(example("third")).await;
    scene.until_gone("PushSecret", "second").await;
    until_synced(&scene, "third").await;
    assert_eq!((value(&scene, "kept").as_deref(), scene.vault.versions(ObjectKind::Secret, "kept")), (Some("1"), 1));
    assert_eq!(served(&scene, "PurgeDeletedSecret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_at_once_agree_on_the_newest_value_and_come_to_rest() {
    let scene = Scene::with_own_controller("push-two").await;
    let all = [SecretPermission::Get, SecretPermission::Set, SecretPermission::Delete, SecretPermission::Recover];
    scene.vault.allow(&scene.application, all);
    scene.store().await;
    let _one = scene.start_controller().await;
    let name = format!("{}-other", scene.name());
    let _other = scene.world.start_controller(&name, &scene.arguments()).await;
    let names: Vec<_> = (0..5).map(|index| format!("example-{index}")).collect();
    for name in &names {
        secret(&scene, name, json!({"a": "0"})).await;
        let mut object = manifest(&scene, name, name, json!([entry("a", name)]));
        object["spec"]["deletionPolicy"] = "Delete".into();
        scene.apply(object).await;
    }
    for name in &names {
        until_synced(&scene, name).await;
        secret(&scene, name, json!({"a": "1"})).await;
    }
    let is_newest = || names.iter().all(|name| value(&scene, name).as_deref() == Some("1"));
    super::until_in_vault("the newest values", is_newest).await;
    let versions = || names.iter().map(|name| scene.vault.versions(ObjectKind::Secret, name)).collect::<Vec<_>>();
    for name in &names {
        super::look_again(&scene, name).await;
    }
    let before = versions();
    assert!(before.iter().all(|versions| *versions <= 4), "each wrote each value once at most: {before:?}");
    for name in &names {
        super::look_again(&scene, name).await;
    }
    assert_eq!(versions(), before, "nobody writes without a difference");
    for name in &names {
        scene.delete("PushSecret", name).await;
        scene.until_gone("PushSecret", name).await;
        assert_eq!(value(&scene, name), None);
    }
}
