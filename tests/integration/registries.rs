//! Container registry tokens, from the generator to the pulled image.

use std::time::Duration;

use external_secrets::sandbox::{Effect, Fault, Network, Registry, RegistryRole, SecretPermission};
use reqwest::{Certificate, Proxy};
use serde_json::{Value, json};

use test_stage::cluster_access::{condition, decoded};
use test_stage::scene::{SERVICE_ACCOUNT, Scene};

const API_VERSION: &str = "generators.external-secrets.io/v1alpha1";
const FAILED: &str = "could not get secret data from provider";

/// A registry with one image, named after the scene.
fn registry(scene: &Scene) -> Registry {
    let registry = scene.world.sandbox.registry(&scene.name().replace('-', "x")).unwrap();
    registry.add_image("app", "1");
    registry
}

/// An ACRAccessToken with the identity of the scene's service account.
async fn generator(scene: &Scene, registry: &Registry, more: Value) {
    let mut spec = json!({
        "registry": registry.host(),
        "auth": {"workloadIdentity": {"serviceAccountRef": {"name": SERVICE_ACCOUNT}}},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let generator =
        json!({"apiVersion": API_VERSION, "kind": "ACRAccessToken", "metadata": {"name": "acr"}, "spec": spec});
    scene.apply(generator).await;
}

fn manifest(name: &str, interval: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name},
        "spec": {
            "refreshInterval": interval,
            "target": {"name": name},
            "dataFrom": [{"sourceRef": {"generatorRef": {"apiVersion": API_VERSION, "kind": "ACRAccessToken", "name": "acr"}}}],
        },
    })
}

/// Requests an image's manifest as a kubelet with this user and password does.
async fn pull(scene: &Scene, registry: &Registry, user: &str, password: &str) -> (u16, Value) {
    let sandbox = &scene.world.sandbox;
    let client = reqwest::Client::builder()
        .proxy(Proxy::https(sandbox.proxy_url()).unwrap())
        .tls_certs_only([Certificate::from_pem(sandbox.ca_bundle().as_bytes()).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://{}/v2/app/manifests/1", registry.host());
    let answer = client.get(url).basic_auth(user, Some(password)).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

/// Waits until an ExternalSecret has failed with an event that contains these words.
async fn failed_with(scene: &Scene, name: &str, words: &[&str]) {
    scene.until_ready_starts(name, FAILED).await;
    let start = "Warning UpdateFailed external-secrets: could not get secret data from provider: error processing spec.dataFrom[0].sourceRef.generatorRef, err: \
                 error using generator: ";
    let is_it = |event: &str| event.starts_with(start) && words.iter().all(|words| event.contains(words));
    scene.until_event_is(name, &format!("{words:?}"), is_it).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_secret_pulls_an_image_from_the_registry() {
    let scene = Scene::new("pull").await;
    let registry = registry(&scene).assign(&scene.application, RegistryRole::AcrPull).refuse_resource_manager();
    generator(&scene, &registry, json!({})).await;
    let mut pull_secret = manifest("registry", "30m");
    let login = format!(
        r#"{{"auths":{{"{}":{{{{ dict "username" .username "password" .password | toJson }}}}}}}}"#,
        registry.host()
    );
    pull_secret["spec"]["target"]["template"] =
        json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": login}});
    scene.apply(pull_secret).await;
    scene.until_ready("registry", "True", "SecretSynced", "secret synced").await;
    let secret = scene.get("Secret", "registry").await.unwrap();
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let config: Value = serde_json::from_str(decoded(&secret)[".dockerconfigjson"].as_str().unwrap()).unwrap();
    let login = &config["auths"][registry.host()];
    assert_eq!(login["username"], "00000000-0000-0000-0000-000000000000");
    let password = login["password"].as_str().unwrap();
    let (status, list) = pull(&scene, &registry, login["username"].as_str().unwrap(), password).await;
    assert_eq!((status, list["manifests"].as_array().map(Vec::len)), (200, Some(2)), "{list}");
    // Only the Secret contains the token.
    let told = scene.get("ExternalSecret", "registry").await.unwrap().to_string();
    assert!(!told.contains(password) && !secret["metadata"].to_string().contains(password));
    assert!(scene.events("registry").await.iter().all(|event| !event.contains(password)));
    assert!(!std::fs::read_to_string(scene.world.log_of("shared")).unwrap().contains(password));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_repository_pulls_nothing_else() {
    let scene = Scene::new("scope").await;
    let registry = registry(&scene).decide_by_attributes();
    registry.assign_on(&scene.application, RegistryRole::RepositoryReader, "app");
    registry.add_image("other", "1");
    generator(&scene, &registry, json!({"scope": "repository:other:pull"})).await;
    scene.apply(manifest("registry", "30m")).await;
    failed_with(&scene, "registry", &["UNAUTHORIZED", registry.host()]).await;
    generator(&scene, &registry, json!({"scope": "repository:app:pull"})).await;
    scene.until_ready("registry", "True", "SecretSynced", "secret synced").await;
    let data = scene.secret_data("registry").await.unwrap();
    let (user, password) = (data["username"].as_str().unwrap(), data["password"].as_str().unwrap());
    assert_eq!(pull(&scene, &registry, user, password).await.0, 200);
    assert!(registry.counters().access_tokens >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrys_refusal_has_its_own_cause_and_ends_when_the_registry_works() {
    let scene = Scene::new("refused").await;
    let registry = registry(&scene);
    generator(&scene, &registry, json!({})).await;
    scene.apply(manifest("example", "30m")).await;
    failed_with(&scene, "example", &[registry.host(), "UNAUTHORIZED", "Container Registry Repository Reader"]).await;
    registry.assign(&scene.application, RegistryRole::AcrPull);
    scene.force_sync("example").await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    registry.set_network(Network::Firewall { client_address: "203.0.113.7".to_owned() });
    scene.force_sync("example").await;
    failed_with(&scene, "example", &[registry.host(), "DENIED", "firewall"]).await;
    let events = scene.events("example").await;
    assert!(events.iter().all(|event| !event.contains("203.0.113.7")), "{events:#?}");
    // The existing Secret stays.
    let data = scene.secret_data("example").await.unwrap();
    let (user, password) = (data["username"].as_str().unwrap(), data["password"].as_str().unwrap());
    registry.set_network(Network::Open);
    assert_eq!(pull(&scene, &registry, user, password).await.0, 200);
    scene.force_sync("example").await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_its_end_whatever_the_interval() {
    let scene = Scene::new("expiry").await;
    let registry = registry(&scene).assign(&scene.application, RegistryRole::AcrPull);
    registry.set_lifetimes(Duration::from_secs(36), Duration::from_secs(36));
    generator(&scene, &registry, json!({})).await;
    scene.apply(manifest("example", "30h")).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    let first = scene.secret_data("example").await.unwrap();
    let is_other = |secret: &Value| decoded(secret)["password"] != first["password"];
    let second = decoded(&scene.until("Secret", "example", "renewed", is_other).await);
    // The old token stays valid until the new one is in place.
    for data in [&first, &second] {
        let (user, password) = (data["username"].as_str().unwrap(), data["password"].as_str().unwrap());
        assert_eq!(pull(&scene, &registry, user, password).await.0, 200);
    }

    let mut once = manifest("once", "30h");
    once["spec"]["refreshPolicy"] = "OnChange".into();
    scene.apply(once).await;
    let says_until = |object: &Value| {
        let ready = condition(object, "Ready");
        ready["status"] == "True"
            && ready["message"].as_str().unwrap().starts_with("secret synced; a generated token in it is valid until ")
    };
    scene.until("ExternalSecret", "once", "told of the end of its token", says_until).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_external_secrets_of_one_identity_share_a_token() {
    let scene = Scene::new("many").await;
    let registry = registry(&scene).assign(&scene.application, RegistryRole::AcrPull);
    generator(&scene, &registry, json!({})).await;
    let before = scene.application.counters().exchanges;
    for number in 0..100 {
        scene.apply(manifest(&format!("example-{number}"), "30m")).await;
    }
    for number in 0..100 {
        scene.until_ready(&format!("example-{number}"), "True", "SecretSynced", "secret synced").await;
    }
    assert_eq!(scene.application.counters().exchanges - before, 1, "one token of Entra ID");
    let exchanges = registry.counters().requests["Exchange"];
    assert!(exchanges <= 5, "{exchanges} exchanges");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_overloaded_is_left_alone_and_a_lost_answer_is_asked_for_again() {
    let scene = Scene::new("slow").await;
    let registry = registry(&scene).assign(&scene.application, RegistryRole::AcrPull);
    registry.fault(Fault::new(Effect::DropAfter).on("Exchange").times(1));
    generator(&scene, &registry, json!({})).await;
    scene.apply(manifest("example", "30m")).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    assert_eq!(registry.counters().requests["Exchange"], 2);

    registry.fault(Fault::throttle(Some(5)).on("Exchange").times(1));
    // It is not Ready for five seconds only.
    let words = [registry.host(), "429"];
    tokio::join!(failed_with(&scene, "example", &words), async {
        for number in 0..5 {
            let again = json!({"metadata": {"annotations": {"force-sync": number.to_string()}}});
            scene.merge("ExternalSecret", "example", again).await;
        }
    });
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    assert_eq!(registry.counters().statuses[&429], 1, "it is not asked while it is to be left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn generator_and_store_go_together_in_one_external_secret() {
    let scene = Scene::new("together").await;
    scene.vault.allow(&scene.application, SecretPermission::Get);
    scene.set_secret("greeting", "hello");
    scene.store().await;
    let registry = registry(&scene).assign(&scene.application, RegistryRole::AcrPull);
    generator(&scene, &registry, json!({})).await;
    let mut both = scene.manifest("both", "1s", &[("greeting", "greeting")]);
    both["spec"]["dataFrom"] = manifest("both", "1s")["spec"]["dataFrom"].clone();
    scene.apply(both).await;
    scene.until_ready("both", "True", "SecretSynced", "secret synced").await;
    let data = scene.secret_data("both").await.unwrap();
    assert_eq!(data["greeting"], "hello");
    assert!(data["password"].is_string());
    scene.set_secret("greeting", "hello again");
    scene.until("Secret", "both", "refreshed", |secret| decoded(secret)["greeting"] == "hello again").await;
}
