//! Every file in `secrets/` holds an ExternalSecret, the contents of the vault and the namespace, and the Secret that
//! ESO makes of them, as worked out from ESO's documentation and source.
//!
//! ```yaml
//! about: what the case shows
//! vault: {name: value, other: {value: text, tags: {a: b}, enabled: false}}
//! keys: {name: {kty: RSA, ...}}          # imported as JWK
//! certificates: {name: content type}     # self-signed
//! objects: [...]                         # applied before; ConfigMaps, Secrets
//! metadata: {labels: ..., annotations: ...}
//! spec: {...}                            # of the ExternalSecret; the store and the interval are filled in
//! example: name                          # or that of examples/templates/name.yaml; with a slash of examples/name.yaml
//! expect:
//!   ready: "SecretSynced: secret synced" # or, with a leading "!", Ready False; compared up to its length
//!   secret:                              # its name is that of the file, unless spec.target.name says another
//!     data: {key: text}                  # or {base64: ...}; all keys
//!     starts: {key: text}                # how values begin that are others each time
//!     type: Opaque
//!     labels: {...}                      # all but ours
//!     annotations: {...}                 # all but ours
//!   object: {data: {...}}                # fields of the target, where spec.target.manifest names another kind
//!   absent: true                         # there is no Secret
//!   refused: text                        # the API server says so when it is applied
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use external_secrets::sandbox::{
    CertificatePermission, CertificatePolicy, KeyPermission, SecretPermission, SecretProperties,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::Scene;

/// How many cases run at once.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn every_external_secret_gives_the_secret_that_eso_makes() {
    let scene = Scene::new("expected").await;
    scene.vault.allow(&scene.application, [SecretPermission::Get, SecretPermission::List]);
    scene.vault.allow(&scene.application, KeyPermission::Get);
    scene.vault.allow(&scene.application, CertificatePermission::Get);
    scene.store().await;
    let cases = cases();
    assert!(cases.len() > 90, "the folder is complete");
    for (name, case) in &cases {
        fill_vault(&scene, name, case);
    }
    let checks = cases.iter().map(|(name, case)| check(&scene, name, case));
    let failures: Vec<String> =
        stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(|failure| async { failure }).collect().await;
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// All cases by file name.
fn cases() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/secrets");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files
        .into_iter()
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let case = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect()
}

fn fill_vault(scene: &Scene, case_name: &str, case: &Value) {
    for (name, secret) in entries(&case["vault"]) {
        let value = secret["value"].as_str().or(secret.as_str()).unwrap_or_else(|| panic!("{case_name}: {name}"));
        let tags = serde_json::from_value(secret["tags"].clone()).ok();
        let mut properties = SecretProperties { tags, ..SecretProperties::default() };
        properties.attributes.enabled = secret["enabled"].as_bool();
        scene.vault.set_secret_with(name, value, properties).unwrap();
    }
    for (name, key) in entries(&case["keys"]) {
        scene.vault.import_key(name, key).unwrap();
    }
    for (name, format) in entries(&case["certificates"]) {
        let mut policy = CertificatePolicy::self_signed(&format!("CN={name}"));
        policy.secret_props.content_type = Some(serde_json::from_value(format.clone()).unwrap());
        scene.vault.create_certificate(name, policy).unwrap();
    }
}

/// What is wrong, if anything.
async fn check(scene: &Scene, name: &str, case: &Value) -> Option<String> {
    for object in case["objects"].as_array().into_iter().flatten() {
        scene.apply(object.clone()).await;
    }
    let mut manifest = scene.manifest(name, "1h", &[]);
    manifest["spec"].as_object_mut().unwrap().remove("data");
    for (field, value) in entries(&case["metadata"]) {
        manifest["metadata"][field] = value.clone();
    }
    if let Some(example) = case["example"].as_str() {
        let example = if example.contains('/') { example.to_owned() } else { format!("templates/{example}") };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{example}.yaml"));
        let example: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for (field, value) in entries(&example["spec"]).filter(|(field, _)| *field != "secretStoreRef") {
            manifest["spec"][field] = value.clone();
        }
    }
    for (field, value) in entries(&case["spec"]) {
        manifest["spec"][field] = value.clone();
    }
    if manifest["spec"]["target"]["name"].is_null() {
        manifest["spec"]["target"]["name"] = name.into();
    }
    let target = manifest["spec"]["target"]["name"].as_str().unwrap().to_owned();
    let kind = manifest["spec"]["target"]["manifest"].clone();
    if let Err(error) = scene.try_apply(manifest).await {
        let wanted = case["expect"]["refused"].as_str();
        let is_wanted = wanted.is_some_and(|wanted| error.to_string().contains(wanted));
        return (!is_wanted).then(|| format!("{name}: the API server refuses it: {error}"));
    }
    let object = scene
        .until("ExternalSecret", name, "a condition", |object| !condition(object, "Ready")["status"].is_null())
        .await;
    let ready = condition(&object, "Ready");
    let said = format!(
        "{}{}: {}",
        if ready["status"] == "True" { "" } else { "!" },
        ready["reason"].as_str().unwrap_or_default(),
        ready["message"].as_str().unwrap_or_default()
    );
    let wanted = case["expect"]["ready"].as_str().unwrap_or("SecretSynced: secret synced");
    if !said.starts_with(wanted) {
        return Some(format!("{name}: the condition is\n  {said}\nnot\n  {wanted}"));
    }
    if let Some(expected) = case["expect"]["object"].as_object() {
        let api = scene.api_in_version(kind["apiVersion"].as_str().unwrap(), kind["kind"].as_str().unwrap());
        let object = serde_json::to_value(api.get(&target).await.unwrap()).unwrap();
        let wrong = expected.iter().find(|(field, wanted)| object[field] != **wanted);
        return wrong.map(|(field, wanted)| format!("{name}: {field} is\n  {}\nnot\n  {wanted}", object[field]));
    }
    let secret = scene.get("Secret", &target).await;
    let expected = &case["expect"]["secret"];
    match secret {
        None if case["expect"]["absent"] == true || expected.is_null() => None,
        None => Some(format!("{name}: there is no Secret")),
        Some(_) if case["expect"]["absent"] == true => Some(format!("{name}: there is a Secret")),
        Some(secret) => differences(name, expected, &secret),
    }
}

fn differences(name: &str, expected: &Value, secret: &Value) -> Option<String> {
    let mut wrong = Vec::new();
    let mut compare = |part: &str, wanted: &Value, found: Value| {
        if !wanted.is_null() && *wanted != found {
            wrong.push(format!("{name}: {part} is\n  {found}\nnot\n  {wanted}"));
        }
    };
    let data: serde_json::Map<_, _> = entries(&expected["data"])
        .map(|(key, value)| {
            let encoded = value["base64"].as_str().map(ToOwned::to_owned);
            let text = || value.as_str().unwrap_or_else(|| panic!("{name}: data.{key} is a text or has base64"));
            (key.clone(), encoded.unwrap_or_else(|| STANDARD.encode(text())).into())
        })
        .collect();
    let found = if secret["data"].is_null() { json!({}) } else { secret["data"].clone() };
    if !expected["data"].is_null() {
        compare("data", &data.into(), found);
    }
    for (key, wanted) in entries(&expected["starts"]) {
        let found = STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).unwrap();
        if !found.starts_with(wanted.as_str().unwrap().as_bytes()) {
            compare(&format!("the beginning of {key}"), wanted, String::from_utf8_lossy(&found).into());
        }
    }
    compare("type", &expected["type"], secret["type"].clone());
    compare("labels", &expected["labels"], not_ours(&secret["metadata"]["labels"]));
    compare("annotations", &expected["annotations"], not_ours(&secret["metadata"]["annotations"]));
    compare("immutable", &expected["immutable"], secret["immutable"].clone());
    compare("finalizers", &expected["finalizers"], secret["metadata"]["finalizers"].clone());
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// Labels or annotations without those that mark a Secret as ours.
fn not_ours(map: &Value) -> Value {
    entries(map)
        .filter(|(key, _)| !key.starts_with("reconcile.external-secrets.io/"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
