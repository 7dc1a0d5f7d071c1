//! What goes wrong with workload identity, one mistake at a time: the store's condition names the remedy, and the
//! remedy works.

use rstest::rstest;
use serde_json::{Value, json};
use test_stage::cluster_access::condition;
use test_stage::scene::{SERVICE_ACCOUNT, Scene};

/// A mistake: how to make it and how to fix it.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    SubjectOfAnotherNamespace,
    IssuerWithAnotherSlash,
    AudienceOfTheirOwn,
    NoFederatedCredential,
    ClientIdOfAnother,
    NoClientId,
    NoTenant,
    TenantThatIsNone,
}

impl Mistake {
    fn federate(self, scene: &Scene) {
        let (issuer, subject) = (scene.world.cluster.issuer_url(), subject(scene));
        let other_slash = issuer.strip_suffix('/').map_or_else(|| format!("{issuer}/"), ToOwned::to_owned);
        let application = scene.application.clear_federation();
        match self {
            Self::SubjectOfAnotherNamespace => {
                application.federate(issuer, &format!("system:serviceaccount:elsewhere:{SERVICE_ACCOUNT}"))
            }
            Self::IssuerWithAnotherSlash => application.federate(&other_slash, &subject),
            Self::AudienceOfTheirOwn => application.federate_for(issuer, &subject, "api://ours"),
            Self::NoFederatedCredential => application,
            _ => application.federate(issuer, &subject),
        };
    }

    /// The annotations of the service account.
    fn annotations(self, scene: &Scene) -> Value {
        let (client_id, tenant) = (scene.application.client_id(), scene.application.tenant());
        let (client, tenant) = match self {
            Self::ClientIdOfAnother => (json!(scene.application.object_id()), json!(tenant.id())),
            Self::NoClientId => (Value::Null, json!(tenant.id())),
            Self::NoTenant => (json!(client_id), Value::Null),
            Self::TenantThatIsNone => (json!(client_id), json!("99999999-0000-4000-8000-000000000000")),
            _ => (json!(client_id), json!(tenant.id())),
        };
        json!({"azure.workload.identity/client-id": client, "azure.workload.identity/tenant-id": tenant})
    }

    /// What the condition must say, including the presented token if Entra ID refused it.
    fn words(self, scene: &Scene) -> Vec<String> {
        let issuer = format!("issuer {:?}", scene.world.cluster.issuer_url());
        let subject = format!("subject {:?}", subject(scene));
        let audience = "audience \"api://AzureADTokenExchange\"".to_owned();
        let client_id = scene.application.client_id();
        let account = format!("ServiceAccount {SERVICE_ACCOUNT:?} in namespace {:?}", scene.name());
        match self {
            Self::SubjectOfAnotherNamespace => {
                vec!["the federated credential's subject must equal system:serviceaccount:".into(), subject]
            }
            Self::IssuerWithAnotherSlash => {
                vec!["the cluster's OIDC issuer URL, also in its trailing slash".into(), issuer]
            }
            Self::AudienceOfTheirOwn => vec!["serviceAccountRef.audiences".into(), audience],
            Self::NoFederatedCredential => {
                vec![
                    format!("create a federated credential on the application or identity {client_id}"),
                    issuer,
                    subject,
                    audience,
                ]
            }
            Self::ClientIdOfAnother => vec!["the application's client id, not its object id".into()],
            Self::NoClientId => {
                vec![
                    account,
                    "annotation azure.workload.identity/client-id".into(),
                    "annotate it with the client id".into(),
                ]
            }
            Self::NoTenant => {
                vec![
                    "azurekv.tenantId".into(),
                    account,
                    "azure.workload.identity/tenant-id".into(),
                    "set one of the two".into(),
                ]
            }
            Self::TenantThatIsNone => vec!["check tenantId 99999999-0000-4000-8000-000000000000".into()],
        }
    }
}

fn subject(scene: &Scene) -> String {
    format!("system:serviceaccount:{}:{SERVICE_ACCOUNT}", scene.name())
}

async fn annotate(scene: &Scene, annotations: Value) {
    scene.merge("ServiceAccount", SERVICE_ACCOUNT, json!({"metadata": {"annotations": annotations}})).await;
}

async fn until_store_is(scene: &Scene, status: &str) -> Value {
    let is = |store: &Value| condition(store, "Ready")["status"] == status;
    scene.until("SecretStore", "mine", &format!("Ready={status}"), is).await
}

#[rstest]
#[case(Mistake::SubjectOfAnotherNamespace)]
#[case(Mistake::IssuerWithAnotherSlash)]
#[case(Mistake::AudienceOfTheirOwn)]
#[case(Mistake::NoFederatedCredential)]
#[case(Mistake::ClientIdOfAnother)]
#[case(Mistake::NoClientId)]
#[case(Mistake::NoTenant)]
#[case(Mistake::TenantThatIsNone)]
#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_named_with_its_remedy_and_what_follows_it_works(#[case] mistake: Mistake) {
    let scene = Scene::new("identity").await;
    scene.set_secret("greeting", "hello");
    mistake.federate(&scene);
    annotate(&scene, mistake.annotations(&scene)).await;
    scene.apply(scene.store_manifest("SecretStore", "mine")).await;
    scene.apply(scene.manifest_for("SecretStore", "mine", "example", "1h", &[("greeting", "greeting")])).await;
    let words = mistake.words(&scene);
    let is_named = |store: &Value| {
        let ready = condition(store, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        ready["status"] == "False" && words.iter().all(|words| message.contains(words.as_str()))
    };
    let store = scene.until("SecretStore", "mine", &format!("{words:?}"), is_named).await;
    let message = condition(&store, "Ready")["message"].as_str().unwrap().to_owned();
    assert_eq!(condition(&store, "Authenticated")["status"], "False");
    let waiting = format!("could not get secret data from provider: SecretStore \"mine\" is not ready: {message}");
    scene.until_ready("example", "False", "SecretSyncedError", &waiting).await;

    scene.application.clear_federation().federate(scene.world.cluster.issuer_url(), &subject(&scene));
    scene.annotate_service_account().await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
    until_store_is(&scene, "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_alone_may_set_the_tenant() {
    let scene = Scene::new("identity-tenant").await;
    scene.set_secret("greeting", "hello");
    annotate(&scene, Mistake::NoTenant.annotations(&scene)).await;
    let mut store = scene.store_manifest("SecretStore", "mine");
    store["spec"]["provider"]["azurekv"]["tenantId"] = scene.application.tenant().id().into();
    scene.apply(store).await;
    scene.apply(scene.manifest_for("SecretStore", "mine", "example", "1h", &[("greeting", "greeting")])).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_credentials_own_audience_is_requested_if_the_store_names_it() {
    let scene = Scene::new("identity-audience").await;
    scene.set_secret("greeting", "hello");
    Mistake::AudienceOfTheirOwn.federate(&scene);
    let mut store = scene.store_manifest("SecretStore", "mine");
    store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["audiences"] = json!(["api://ours"]);
    scene.apply(store).await;
    scene.apply(scene.manifest_for("SecretStore", "mine", "example", "1h", &[("greeting", "greeting")])).await;
    scene.until_secret("example", json!({"greeting": "hello"})).await;
}
