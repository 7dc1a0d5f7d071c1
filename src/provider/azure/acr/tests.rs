//! From a generator to a token. Closures play Azure and the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::super::http::Clients;
use super::super::options::{Environment, OwnIdentity};
use super::super::tests::azure::{Azure, FakeCluster, Reply, Seen};
use super::super::{AzureKeyVault, KeptHosts, Options};
use super::*;
use crate::api::generators::AcrAccessTokenSpec;
use crate::provider::Class;

const REGISTRY: &str = "team.azurecr.io";

fn registries(azure: &Arc<Azure>, cluster: &Arc<FakeCluster>, options: Options) -> Arc<ContainerRegistries> {
    let clients = Clients::through(&(Arc::clone(azure) as _));
    let kept = Arc::new(KeptHosts::new());
    AzureKeyVault::with_clients(Arc::new(options), clients, kept, Arc::clone(cluster) as _, Arc::new(())).registries()
}

fn jwt(life: i64) -> String {
    let payload = json!({"iat": 1_000_000, "exp": 1_000_000 + life, "aud": REGISTRY});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload.to_string()))
}

/// A registry that issues refresh tokens for 3 hours, and access tokens for 75 minutes.
fn gives_tokens(request: &Seen) -> Reply {
    match request.path.as_str() {
        "/oauth2/exchange" => Reply::json(&json!({ "refresh_token": jwt(10_800) })),
        "/oauth2/token" => Reply::json(&json!({ "access_token": jwt(4_500) })),
        _ => Reply::status(404),
    }
}

fn azure() -> Arc<Azure> {
    let azure = Azure::new();
    azure.on_vault(gives_tokens);
    azure
}

fn spec(auth: &Value, more: &Value) -> AcrAccessTokenSpec {
    let mut spec = json!({"registry": REGISTRY, "auth": auth});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn by_account() -> Value {
    json!({"workloadIdentity": {"serviceAccountRef": {"name": "reader"}}})
}

async fn token(
    registries: &ContainerRegistries,
    spec: &AcrAccessTokenSpec,
    is_of_cluster: bool,
) -> Result<Arc<RegistryToken>, ProviderError> {
    let view = RegistryView { is_of_cluster, namespace: "team-a", spec };
    registries.token(view, Freshness::Shared).await
}

fn life(token: &RegistryToken) -> i64 {
    token.until.unwrap().duration_since(token.made).as_secs()
}

fn scope_of(exchange: &Seen) -> String {
    let found = url::form_urlencoded::parse(exchange.body.as_bytes()).find(|(name, _)| name == "scope");
    found.unwrap().1.into_owned()
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_a_token_of_the_registrys_own_audience() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let got = token(&registries, &spec(&by_account(), &json!({"tenantId": "t"})), false).await.unwrap();
    assert_eq!((got.user, life(&got)), ("00000000-0000-0000-0000-000000000000", 10_800));
    assert_eq!(got.token.expose_secret(), jwt(10_800).as_bytes());
    assert_eq!(scope_of(&azure.to("login.microsoftonline.com")[0]), "https://containerregistry.azure.net/.default");
    let [exchange] = &*azure.to(REGISTRY) else { panic!("{:?}", azure.all()) };
    let form = "grant_type=access_token&service=team.azurecr.io&tenant=t&access_token=access-1";
    assert_eq!((exchange.path.as_str(), exchange.body.as_str()), ("/oauth2/exchange", form));
    assert_eq!(cluster.audiences(), ["api://AzureADTokenExchange"]);
}

#[tokio::test]
async fn with_a_scope_the_refresh_token_is_exchanged_for_an_access_token() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let scope = json!({"scope": "repository:app:pull"});
    let got = token(&registries, &spec(&by_account(), &scope), false).await.unwrap();
    assert_eq!(life(&got), 4_500);
    let requests = azure.to(REGISTRY);
    assert_eq!(requests[1].path, "/oauth2/token");
    assert!(requests[1].body.contains("scope=repository%3Aapp%3Apull&refresh_token=e30."), "{requests:?}");
}

#[tokio::test]
async fn where_entra_does_not_know_registries_the_token_is_that_of_resource_manager() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    azure.on_entra(|request| {
        if !request.body.contains("containerregistry") {
            return Reply::status(200);
        }
        Reply::status(400).with_json(&json!({
            "error": "invalid_resource", "error_codes": [500_011],
            "error_description": "AADSTS500011: The resource principal named https://containerregistry.azure.net was not found.",
        }))
    });
    let registries = registries(&azure, &cluster, Options::default());
    token(&registries, &spec(&by_account(), &json!({})), false).await.unwrap();
    let exchanges = azure.to("login.microsoftonline.com");
    assert_eq!(scope_of(exchanges.last().unwrap()), "https://management.azure.com/.default");
}

#[tokio::test]
async fn a_thousand_equal_requests_cost_one_token_and_one_exchange() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let spec = spec(&by_account(), &json!({}));
    for _ in 0..10 {
        let all = (0..100).map(|_| token(&registries, &spec, false));
        assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    }
    assert_eq!((azure.to("login.microsoftonline.com").len(), azure.to(REGISTRY).len()), (1, 1));
    let view = RegistryView { is_of_cluster: false, namespace: "team-a", spec: &spec };
    registries.token(view, Freshness::Forced).await.unwrap();
    assert_eq!(azure.to(REGISTRY).len(), 2, "a person asked for a new one");
}

#[rstest]
#[case("evil.example.com")]
#[case("x.azurecr.io.evil")]
#[case("evil/?.azurecr.io")]
#[case("x.azurecr.io:443")]
#[case("me@x.azurecr.io")]
#[tokio::test]
async fn for_a_foreign_host_no_token_is_asked_for(#[case] registry: &str) {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let refused = token(&registries, &spec(&by_account(), &json!({"registry": registry})), false).await.unwrap_err();
    assert_eq!(refused.class, Class::InvalidGenerator);
    assert!(azure.all().is_empty() && cluster.tokens() == 0);
}

fn pod() -> Options {
    let environment = Environment {
        client_id: Some("pod".to_owned()),
        tenant_id: Some("pods".to_owned()),
        token_file: Some(file!().into()),
        ..Environment::default()
    };
    // Any file can serve as a token.
    let root = env!("CARGO_MANIFEST_DIR");
    let token_file = environment.token_file.map(|file| std::path::Path::new(root).join(file));
    Options { environment: Environment { token_file, ..environment }, ..Options::default() }
}

#[rstest]
#[case::machine(json!({"managedIdentity": {}}))]
#[case::user_assigned(json!({"managedIdentity": {"identityId": "x"}}))]
#[case::pod(json!({"workloadIdentity": {}}))]
#[tokio::test]
async fn the_controllers_own_identity_is_for_generators_of_the_cluster(#[case] auth: Value) {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries_of = |options| registries(&azure, &cluster, options);
    let refused = token(&registries_of(pod()), &spec(&auth, &json!({})), false).await.unwrap_err();
    assert_eq!(refused.cause, "OwnIdentityForbidden");
    assert!(azure.all().is_empty() && cluster.tokens() == 0);
    assert!(token(&registries_of(pod()), &spec(&auth, &json!({})), true).await.is_ok());
    let allowed = Options { own_identity: OwnIdentity::AllStores, ..pod() };
    assert!(token(&registries_of(allowed), &spec(&auth, &json!({})), false).await.is_ok());
}

#[rstest]
#[case("0a1b", "client_id=0a1b")]
#[case("/subscriptions/s/x", "_res_id=%2Fsubscriptions%2Fs%2Fx")]
#[tokio::test]
async fn a_user_assigned_identity_is_named_by_its_client_id_or_its_resource_id(
    #[case] id: &str,
    #[case] in_query: &str,
) {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let auth = json!({"managedIdentity": {"identityId": id}});
    token(&registries, &spec(&auth, &json!({})), true).await.unwrap();
    let asked = &azure.to("169.254.169.254")[0].query;
    assert!(asked.contains(in_query), "{asked}");
}

#[tokio::test]
async fn a_service_principal_is_read_from_secrets_of_the_namespace_and_of_no_other() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    cluster.set_secret("id", "the-principal\n");
    cluster.set_secret("secret", "the-password\n");
    let registries = registries(&azure, &cluster, Options::default());
    let auth = |namespace: Value| {
        json!({"servicePrincipal": {"secretRef": {
            "clientId": {"name": "s", "key": "id"}, "clientSecret": {"name": "s", "key": "secret", "namespace": namespace},
        }}})
    };
    let of = |namespace| spec(&auth(namespace), &json!({"tenantId": "the-tenant"}));
    token(&registries, &of(Value::Null), false).await.unwrap();
    let body = &azure.to("login.microsoftonline.com")[0].body;
    assert!(body.contains("client_id=the-principal&") && body.contains("client_secret=the-password"), "{body}");
    assert!(token(&registries, &of("team-a".into()), true).await.is_ok());
    for is_of_cluster in [false, true] {
        let refused = token(&registries, &of("team-b".into()), is_of_cluster).await.unwrap_err();
        assert_eq!(refused.cause, "NamespaceForbidden");
    }
    let without_tenant = spec(&auth(Value::Null), &json!({}));
    let refused = token(&registries, &without_tenant, false).await.unwrap_err();
    assert!(refused.message.starts_with("tenantId is missing"), "{refused}");
}

#[tokio::test]
async fn a_generator_that_names_nobody_is_refused() {
    let registries = registries(&azure(), &FakeCluster::with_reader(), Options::default());
    let refused = token(&registries, &spec(&json!({}), &json!({})), false).await.unwrap_err();
    assert_eq!((refused.class, refused.message.starts_with("auth names none of")), (Class::InvalidGenerator, true));
}

#[tokio::test]
async fn a_registry_that_asks_to_slow_down_is_left_alone_for_all() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    azure.on_vault(|_| Reply::status(429).with_header("retry-after", "20"));
    let registries = registries(&azure, &cluster, Options::default());
    for scope in ["a", "b", "c"] {
        let refused = token(&registries, &spec(&by_account(), &json!({"scope": scope})), false).await.unwrap_err();
        assert_eq!((refused.class, refused.cause), (Class::Throttled, "RegistryThrottled"));
        assert!(refused.retry_after.unwrap() > Duration::from_secs(15));
    }
    assert_eq!(azure.to(REGISTRY).len(), 1);
}

#[tokio::test]
async fn a_namespace_with_very_many_scopes_leaves_the_registry_to_the_others() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    let registries = registries(&azure, &cluster, Options::default());
    let mut refused = None;
    for number in 0..100 {
        let scope = json!({"scope": format!("repository:{number}:pull")});
        if let Err(error) = token(&registries, &spec(&by_account(), &scope), false).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("a registry would slow everybody down");
    assert_eq!((refused.class, refused.cause), (Class::Throttled, "RegistryThrottled"));
    assert!(refused.retry_after.is_some_and(|wait| wait <= Duration::from_secs(1)), "{refused:?}");
    let other = spec(&json!({"managedIdentity": {}}), &json!({"scope": "repository:app:pull"}));
    let view = RegistryView { is_of_cluster: true, namespace: "team-b", spec: &other };
    assert!(registries.token(view, Freshness::Shared).await.is_ok(), "another namespace has turns of its own");
}

#[tokio::test]
async fn an_authority_that_cannot_be_reached_says_nothing_of_the_registry() {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    azure.on_entra(|request| match request.path.as_str() {
        path if path.contains("away") => Reply::refused_connection(),
        _ => Reply::status(200),
    });
    cluster.set_secret("id", "the-principal");
    cluster.set_secret("secret", "the-password");
    let keys = json!({"clientId": {"name": "s", "key": "id"}, "clientSecret": {"name": "s", "key": "secret"}});
    let auth = json!({"servicePrincipal": {"secretRef": keys}});
    let registries = registries(&azure, &cluster, Options::default());
    for scope in ["a", "b"] {
        let away = spec(&auth, &json!({"tenantId": "away", "scope": scope}));
        assert_eq!(token(&registries, &away, false).await.unwrap_err().cause, "ConnectionRefused");
    }
    assert!(token(&registries, &spec(&by_account(), &json!({})), false).await.is_ok());
}

#[rstest]
#[case::redirect(|| Reply::status(307).with_header("location", "https://evil.example/"), "Redirected")]
#[case::endless(Reply::endless, "AnswerTooLarge")]
#[case::no_json(|| Reply::status(200).with_body("<html>"), "UnexpectedAnswer")]
#[case::empty(|| Reply::json(&json!({})), "UnexpectedAnswer")]
#[tokio::test]
async fn an_invalid_answer_is_reported_and_not_followed(#[case] reply: fn() -> Reply, #[case] cause: &str) {
    let (azure, cluster) = (azure(), FakeCluster::with_reader());
    azure.on_vault(move |_| reply());
    let registries = registries(&azure, &cluster, Options::default());
    let refused = token(&registries, &spec(&by_account(), &json!({})), false).await.unwrap_err();
    assert_eq!(refused.cause, cause);
    assert!(azure.to("evil.example").is_empty());
}

#[tokio::test]
async fn problems_are_reported_with_their_fields_without_any_request() {
    let spec = spec(&json!({"managedIdentity": {}}), &json!({"registry": "x.example"}));
    let view = RegistryView { is_of_cluster: false, namespace: "team-a", spec: &spec };
    let found = problems(&view, &Options::default());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].field_and_problem().0, Some("registry"));
}
