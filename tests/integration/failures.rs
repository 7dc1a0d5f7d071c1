//! Failures of the provider: the exact condition and event, and an unchanged Secret.

use std::time::Duration;

use external_secrets::sandbox::{CertificatePolicy, Fault, Role, SecretPermission};
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};

/// Syncs `example` from the secret `greeting`, so there is something to lose.
async fn synced(name: &str) -> (Scene, Value) {
    let scene = Scene::new(name).await;
    scene.set_secret("greeting", "hello");
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    let secret = scene.until_secret("example", json!({"greeting": "hello"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    (scene, secret)
}

/// How the message about a value that could not be read begins.
const LEAD: &str = "could not get secret data from provider: spec.data[0] (\"greeting\"): ";

/// Asks for a refresh and expects it to fail with exactly this message, in the condition and the event, while the
/// Secret stays unchanged.
async fn fails_with(scene: &Scene, before: &Value, message: &str) {
    scene.force_sync("example").await;
    scene.until_ready("example", "False", "SecretSyncedError", message).await;
    scene.until_event("example", &format!("Warning UpdateFailed external-secrets: {message}")).await;
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["data"], before["data"]);
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "nothing was written");
}

async fn recovers(scene: &Scene) {
    scene.force_sync("example").await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_deleted_is_named_and_the_target_retained() {
    let (scene, before) = synced("absent").await;
    scene.vault.delete_secret("greeting").unwrap();
    let message = format!(
        "{LEAD}secret \"greeting\" in vault {}: A secret with (name/id) greeting was not found in this key vault. If you recently \
         deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, \
         please see https://go.microsoft.com/fwlink/?linkid=2125182 (SecretNotFound): check the name, the prefix key/ or cert/, \
         and the vault; it may be deleted and recoverable",
        scene.vault.host()
    );
    fails_with(&scene, &before, &message).await;
    scene.vault.recover_secret("greeting").unwrap();
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_secret_is_not_taken_for_an_absent_one() {
    let (scene, before) = synced("disabled").await;
    scene.vault.enable_secret("greeting", false).unwrap();
    let message = format!(
        "{LEAD}secret \"greeting\" in vault {}: Operation get is not allowed on a disabled secret. (SecretDisabled): enable it, \
         or pin an enabled version with remoteRef.version",
        scene.vault.host()
    );
    fails_with(&scene, &before, &message).await;
    scene.vault.enable_secret("greeting", true).unwrap();
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_may_not_read_gets_a_remedy() {
    let (scene, before) = synced("denied").await;
    scene.vault.revoke(&scene.application);
    let message = format!(
        "{LEAD}secret \"greeting\" in vault {host}: The user, group or application \
         'appid={appid};oid={oid};iss=https://sts.windows.net/{tenant}/' does not have secrets get permission on key vault \
         '{name};location=westeurope'. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125287 (AccessDenied): the vault uses access policies: add one with the \
         permission get for the identity with object id {oid}; role assignments do not help",
        host = scene.vault.host(),
        appid = scene.application.client_id(),
        oid = scene.application.object_id(),
        tenant = scene.application.tenant().id(),
        name = scene.name(),
    );
    fails_with(&scene, &before, &message).await;
    scene.vault.allow(&scene.application, SecretPermission::Get);
    recovers(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_that_cannot_be_read_fails_a_search_as_a_whole_and_is_named() {
    let scene = Scene::new("unreadable-found").await;
    let (vault, application) = (&scene.vault, &scene.application);
    vault.use_roles();
    vault.assign(application, Role::Reader);
    let mut expected = serde_json::Map::new();
    for number in 0..9 {
        let name = format!("part-{number}");
        scene.set_secret(&name, "value");
        vault.assign_on_secret(application, Role::SecretsUser, &name);
        expected.insert(name, "value".into());
    }
    scene.store().await;
    let mut manifest = scene.manifest("example", "1h", &[]);
    manifest["spec"].as_object_mut().unwrap().remove("data");
    manifest["spec"]["dataFrom"] = json!([{"find": {"name": {"regexp": "^part-"}}}]);
    scene.apply(manifest).await;
    let before = scene.until_secret("example", expected.into()).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;

    // As in ESO: a Secret that lacks one of what it is to have would be worse than an old one.
    vault.create_certificate("part-of-tls", CertificatePolicy::self_signed("CN=part-of-tls")).unwrap();
    scene.force_sync("example").await;
    let object =
        scene.until_ready_starts("example", "could not get secret data from provider: spec.dataFrom[0].find: ").await;
    let ready = condition(&object, "Ready");
    let message = ready["message"].as_str().unwrap();
    assert_eq!(ready["status"], "False");
    assert!(message.contains("\"part-of-tls\"") && message.contains("takes all that matches or nothing"), "{message}");
    let after = scene.get("Secret", "example").await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "nothing was written");

    vault.assign_on_secret(application, Role::SecretsUser, "part-of-tls");
    recovers(&scene).await;
    let data = scene.secret_data("example").await.unwrap();
    assert_eq!(data.as_object().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_throttles_is_waited_for() {
    let (scene, before) = synced("throttled").await;
    let fault = scene.vault.fault(Fault::throttle(Some(1)));
    let message = format!(
        "{LEAD}secret \"greeting\" in vault {}: Request was not processed because too many requests were received. Reason: \
         VaultRequestTypeLimitReached (Throttled): the vault's limit is shared by all that use it: lengthen refreshInterval, \
         or use more vaults",
        scene.vault.host()
    );
    fails_with(&scene, &before, &message).await;
    scene.vault.lift(fault);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_down_for_a_while_costs_nothing_but_time() {
    let (scene, before) = synced("vault-down").await;
    let fault = scene.vault.fault(Fault::status(503));
    let message = format!(
        "{LEAD}secret \"greeting\" in vault {}: The service is currently unavailable. (ServiceUnavailable)",
        scene.vault.host()
    );
    fails_with(&scene, &before, &message).await;
    scene.set_secret("greeting", "after the outage");
    scene.vault.lift(fault);
    scene.until_secret("example", json!({"greeting": "after the outage"})).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entra_id_that_is_down_for_a_while_costs_nothing_but_time() {
    let (scene, before) = synced("entra-down").await;
    let fault = scene.application.fault(Fault::status(503));
    // A valid token hides the outage; a new identity of the account has none.
    scene.remake_service_account().await;
    scene.until_store_says("ValidationUnknown").await;
    let message = format!(
        "{LEAD}login.microsoftonline.com failed (HTTP 503): AADSTS90033: A transient error has occurred. Please try again."
    );
    fails_with(&scene, &before, &message).await;
    scene.application.lift(fault);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_no_federated_credential_has_is_shown() {
    let (scene, before) = synced("subject").await;
    scene.application.clear_federation();
    let issuer = scene.world.cluster.issuer_url();
    scene.application.federate(issuer, "system:serviceaccount:elsewhere:azure-key-vault");
    scene.remake_service_account().await;
    scene.until_store_says("InvalidProviderConfig").await;
    let subject = format!("system:serviceaccount:{}:azure-key-vault", scene.name());
    let message = format!(
        "could not get secret data from provider: ClusterSecretStore {:?} is not ready: unable to validate store: \
         login.microsoftonline.com refused to issue a token: AADSTS700213: No matching federated identity record found for \
         presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer \
         against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation: the \
         federated credential's subject must equal system:serviceaccount:NAMESPACE:NAME of the service account, also in upper \
         and lower case; the token has issuer {issuer:?}, subject {subject:?} and audience \"api://AzureADTokenExchange\"",
        scene.name()
    );
    fails_with(&scene, &before, &message).await;
    scene.application.federate(issuer, &subject);
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_that_is_missing_is_named() {
    let (scene, before) = synced("annotation").await;
    let annotations = json!({"azure.workload.identity/client-id": null});
    scene.merge("ServiceAccount", SERVICE_ACCOUNT, json!({"metadata": {"annotations": annotations}})).await;
    scene.until_store_says("InvalidProviderConfig").await;
    let message = format!(
        "could not get secret data from provider: ClusterSecretStore {name:?} is not ready: unable to create client: \
         ServiceAccount {SERVICE_ACCOUNT:?} in namespace {name:?} has no annotation azure.workload.identity/client-id: \
         annotate it with the client id of the application or identity that may read the vault",
        name = scene.name()
    );
    fails_with(&scene, &before, &message).await;
    scene.annotate_service_account().await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
}

/// No failure may reveal a value.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_appears_in_no_log_event_status_or_metric() {
    const CANARY: &str = "canary-3f9a1c-value";
    let scene = Scene::with_own_controller("canary").await;
    scene.set_secret("greeting", &format!("{{\"inner\": \"{CANARY}\"}}"));
    scene.set_secret("broken", &format!("{{\"inner\": {CANARY}"));
    scene.store().await;
    let controller = scene.start_controller().await;
    scene.external_secret("example", "1s", &[("whole", "greeting")]).await;
    let mut property = scene.manifest("property", "1s", &[("part", "broken")]);
    property["spec"]["data"][0]["remoteRef"]["property"] = "inner.deeper".into();
    scene.apply(property).await;
    scene.until_ready("example", "True", "SecretSynced", "secret synced").await;
    scene.until("ExternalSecret", "property", "told", |object| condition(object, "Ready")["status"].is_string()).await;
    scene.merge("Secret", "example", json!({"stringData": {"whole": "changed"}})).await;
    scene.until_refreshed_twice("example").await;
    scene.vault.revoke(&scene.application);
    scene.until("ExternalSecret", "example", "denied", |object| condition(object, "Ready")["status"] == "False").await;

    let metrics = controller.metrics().await;
    assert!(metrics.contains("externalsecret_sync_calls_total"), "{metrics}");
    assert!(!metrics.contains(CANARY));
    for name in ["example", "property", scene.name()] {
        assert!(!scene.events(name).await.join("\n").contains(CANARY));
    }
    for name in ["example", "property"] {
        assert!(!scene.get("ExternalSecret", name).await.unwrap().to_string().contains(CANARY));
    }
    controller.terminate();
    controller.ended(Duration::from_secs(30)).await;
    let log = controller.log();
    assert!(log.contains("example"), "the log speaks of the objects");
    assert!(!log.contains(CANARY));
    assert!(!log.contains(&base64_of(CANARY)));
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
