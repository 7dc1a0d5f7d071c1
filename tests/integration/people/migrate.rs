//! `external-secrets migrate`, with a cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use external_secrets::sandbox::Config;
use serde_json::{Value, json};
use test_stage::scene::Scene;
use test_stage::world::{World, our_crds};

use super::VALUE;
use super::run::Command;

const NAME: &str = "externalsecrets.external-secrets.io";

/// Our CRD of ExternalSecrets, as one that stores a version.
fn storing(version: &str) -> Value {
    let mut definition = our_crds().into_iter().find(|definition| definition["metadata"]["name"] == NAME).unwrap();
    for one in definition["spec"]["versions"].as_array_mut().unwrap() {
        one["storage"] = (one["name"] == version).into();
    }
    definition
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_an_old_version_are_stored_in_the_new_one_which_the_old_can_then_leave() {
    let world = World::empty(Config::default()).await;
    let scene = Scene::on(world, "migrate-stored").await;
    let established = |definition: &Value| {
        let conditions = definition["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
    };
    scene.apply(storing("v1beta1")).await;
    scene.until("CustomResourceDefinition", NAME, "established", established).await;
    scene.external_secret("one", "1h", &[("a", "a")]).await;
    let before = scene.get("ExternalSecret", "one").await.unwrap();
    scene.apply(storing("v1")).await;
    let both = |definition: &Value| definition["status"]["storedVersions"] == json!(["v1beta1", "v1"]);
    scene.until("CustomResourceDefinition", NAME, "with both versions stored", both).await;

    let run = async |arguments: &[&str]| {
        Command::of(&scene).run(&[&["migrate", "stored-versions"], arguments].concat()).await
    };
    let dry = run(&["--dry-run"]).await;
    assert_eq!(dry.code, 2, "{}", dry.errors);
    assert!(dry.text.contains(&format!("{NAME}: 1 objects may be stored as one of v1beta1, v1\n")), "{}", dry.text);
    let refused = run(&["--as", "nobody"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.text.contains("cannot get resource"), "{}", refused.text);

    let document: Value = serde_json::from_str(&run(&["-o", "json"]).await.text).unwrap();
    assert_eq!(document["version"], 1);
    let of_kind = |one: &&Value| one["name"] == NAME;
    assert_eq!(document["definitions"].as_array().unwrap().iter().find(of_kind).unwrap()["result"], "migrated");
    let definition = scene.get("CustomResourceDefinition", NAME).await.unwrap();
    assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
    let after = scene.get("ExternalSecret", "one").await.unwrap();
    assert_ne!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "it was written");
    assert_eq!(
        (&after["spec"], &after["metadata"]["generation"]),
        (&before["spec"], &before["metadata"]["generation"])
    );
    let again = run(&[]).await;
    assert_eq!(again.code, 0, "{}", again.errors);
    assert!(again.text.contains(&format!("{NAME}: all is stored as v1\n")), "{}", again.text);

    // Now a chart may leave the old version out.
    let mut without = storing("v1");
    without["spec"]["versions"].as_array_mut().unwrap().retain(|version| version["name"] == "v1");
    scene.apply(without).await;
}

/// A CRD of another tool that takes anything.
fn foreign(group: &str, version: &str, kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_akv2k8s_is_taken_over_without_a_changed_byte() {
    let world = World::start().await;
    let scene = Scene::on(world, "migrate-akv2k8s").await;
    let store = format!("css/{}", scene.name());
    scene.set_secret("password", VALUE);
    scene.set_secret("login", "user:p4ssw0rd-of-the-scene");
    scene.set_secret("settings", r#"{"host":"db","port":"5432"}"#);
    scene.store().await;
    scene.apply(foreign("spv.no", "v2beta1", "AzureKeyVaultSecret", "azurekeyvaultsecrets")).await;
    scene
        .until("CustomResourceDefinition", "azurekeyvaultsecrets.spv.no", "established", |definition| {
            let conditions = definition["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
        })
        .await;
    let old = |name: &str, object: Value, secret: Value| {
        json!({"apiVersion": "spv.no/v2beta1", "kind": "AzureKeyVaultSecret", "metadata": {"name": name},
            "spec": {"vault": {"name": "shop", "object": object}, "output": {"secret": secret}}})
    };
    scene
        .apply(old("db", json!({"name": "password", "type": "secret"}), json!({"name": "db", "dataKey": "password"})))
        .await;
    let basic = json!({"name": "login", "type": "kubernetes.io/basic-auth"});
    scene.apply(old("login", json!({"name": "login", "type": "secret"}), basic)).await;
    let many = json!({"name": "settings", "type": "multi-key-value-secret", "contentType": "application/x-json"});
    scene.apply(old("settings", many, json!({"name": "settings"}))).await;
    let secret = |name: &str, type_: &str, data: &[(&str, &str)]| {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into())).collect();
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_, "data": data})
    };
    scene.apply(secret("db", "Opaque", &[("password", VALUE)])).await;
    let login = [("username", "user"), ("password", "p4ssw0rd-of-the-scene")];
    scene.apply(secret("login", "kubernetes.io/basic-auth", &login)).await;
    scene.apply(secret("settings", "Opaque", &[("host", "db"), ("port", "5432")])).await;

    let run = async || {
        let run = Command::of(&scene).run(&["migrate", "akv2k8s", "--store", &store, "--check"]).await;
        run.tells_none_of(&[VALUE, "p4ssw0rd-of-the-scene"]);
        run
    };
    let equal = run().await;
    assert_eq!(equal.code, 0, "{}", equal.errors);
    for name in ["db", "login", "settings"] {
        let line = format!("check: Secret {}/{name}: no byte changes\n", scene.name());
        assert!(equal.errors.contains(&line), "{}", equal.errors);
    }

    // The vault has another value by now.
    scene.set_secret("password", "another");
    let other = run().await;
    assert_eq!(other.code, 2, "{}", other.errors);
    assert!(other.errors.contains("/db: changes: password (other bytes)\n"), "{}", other.errors);
    scene.set_secret("password", VALUE);

    // What was printed works.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.yaml");
    std::fs::write(&path, &equal.text).unwrap();
    scene.kubectl(&["apply", "-f", path.to_str().unwrap()]);
    for name in ["db", "login", "settings"] {
        scene.until_ready(name, "True", "SecretSynced", "secret synced").await;
    }
    let data = scene.secret_data("login").await.unwrap();
    assert_eq!(data, json!({"username": "user", "password": "p4ssw0rd-of-the-scene"}));

    let nobody = Command::of(&scene).run(&["migrate", "akv2k8s", "--as", "nobody"]).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.errors.contains("cannot list resource \"azurekeyvaultsecrets\""), "{}", nobody.errors);
    let none = Command::of(&scene).run(&["migrate", "secret-provider-class"]).await;
    assert_eq!((none.code, none.text.as_str()), (0, ""), "{}", none.errors);
}
