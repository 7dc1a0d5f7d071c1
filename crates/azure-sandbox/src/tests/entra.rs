use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::Value;

use super::client::{Answer, assertion_form};
use super::*;
use crate::{Fault, IssuerKeys};

fn reader() -> ServiceAccountToken {
    ServiceAccountToken::new("team-a", "reader")
}

impl World {
    async fn present(&self, token: &ServiceAccountToken) -> Answer {
        let assertion = ISSUER.sign(token).unwrap();
        self.client.exchange(self.application.tenant().id(), CLIENT_ID, &assertion).await
    }
}

#[tokio::test]
async fn a_service_account_token_is_exchanged_for_an_access_token() {
    let world = World::new().await;
    let answer = world.present(&reader()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3600);
    let claims: Value =
        jsonwebtoken::dangerous::insecure_decode_claims(answer.body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(claims["aud"], "https://vault.azure.net");
    assert_eq!(claims["appid"], CLIENT_ID);
    assert_eq!(claims["oid"], world.application.object_id());
    assert_eq!(claims["tid"], world.application.tenant().id());
    let counters = world.application.counters();
    assert_eq!((counters.exchanges, counters.issued), (1, 1));
    assert_eq!(world.application.tenant().counters().issued, 1);
}

#[tokio::test]
async fn a_cluster_that_signs_with_p256_is_trusted_too() {
    let world = World::new().await;
    let issuer = ServiceAccountIssuer::p256("https://other.example").unwrap();
    world.sandbox.set_issuer(issuer.url(), issuer.keys().unwrap());
    world.application.federate(issuer.url(), "system:serviceaccount:team-a:reader");
    let assertion = issuer.sign(&reader()).unwrap();
    let answer = world.client.exchange(world.application.tenant().id(), CLIENT_ID, &assertion).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[rstest]
#[case::subject(|token: &mut ServiceAccountToken| token.name = "writer".to_owned(), 700_213, "presented assertion subject 'system:serviceaccount:team-a:writer'")]
#[case::subject_in_case(|token: &mut ServiceAccountToken| token.name = "Reader".to_owned(), 7_002_138, "not with case-sensitive comparison")]
#[case::audience(|token: &mut ServiceAccountToken| token.audience = "api://Other".to_owned(), 700_212, "presented assertion audience 'api://Other'")]
#[case::expired(|token: &mut ServiceAccountToken| { token.issued_at -= 7200; token.expires_at = token.issued_at + 3600; }, 700_024, "not within its valid time range")]
#[case::not_yet_valid(|token: &mut ServiceAccountToken| { token.issued_at += 3600; token.expires_at += 3600; }, 700_024, "assertion valid from")]
#[case::too_long_lived(|token: &mut ServiceAccountToken| token.expires_at = token.issued_at + 365 * 86_400, 70_023, "less than or equal to 1.01:00:00")]
#[tokio::test]
async fn an_assertion_that_does_not_fit_is_refused_with_its_number(
    #[case] change: fn(&mut ServiceAccountToken),
    #[case] number: u64,
    #[case] words: &str,
) {
    let world = World::new().await;
    let mut token = reader();
    change(&mut token);
    let answer = world.present(&token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["error"], "invalid_client");
    assert_eq!(answer.aadsts(), number);
    let description = answer.body["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
    assert!(description.contains(words), "{description}");
    assert_eq!(world.application.counters().refused.values().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_refusal_has_all_the_fields_of_entra_ids() {
    let world = World::new().await;
    let mut token = reader();
    token.name = "writer".to_owned();
    let body = world.present(&token).await.body;
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    let description = text("error_description");
    for key in ["trace_id", "correlation_id", "timestamp"] {
        assert!(description.contains(&text(key)), "{key}: {description}");
    }
    assert!(description.contains("Trace ID: ") && description.contains("Correlation ID: "));
    assert_eq!(text("error_uri"), "https://login.microsoftonline.com/error?code=700213");
    assert!(text("timestamp").parse::<Timestamp>().is_ok() || text("timestamp").ends_with('Z'));
}

#[tokio::test]
async fn a_token_of_an_unknown_issuer_is_refused() {
    let world = World::new().await;
    let other = ServiceAccountIssuer::p256("https://rebuilt.example").unwrap();
    let assertion = other.sign(&reader()).unwrap();
    let answer = world.client.exchange(world.application.tenant().id(), CLIENT_ID, &assertion).await;
    assert_eq!((answer.status, answer.aadsts()), (StatusCode::UNAUTHORIZED, 700_211));
}

#[tokio::test]
async fn a_forged_signature_is_refused() {
    let world = World::new().await;
    let forger = ServiceAccountIssuer::rsa(ISSUER.url()).unwrap();
    let tenant = world.application.tenant();
    let answer = world.client.exchange(tenant.id(), CLIENT_ID, &forger.sign(&reader()).unwrap()).await;
    assert_eq!(answer.aadsts(), 7_000_272, "the key is not among the issuer's");

    let genuine = ISSUER.sign(&reader()).unwrap();
    let other = ISSUER.sign(&ServiceAccountToken::new("team-b", "reader")).unwrap();
    let swapped: Vec<&str> = genuine.split('.').take(2).chain(other.split('.').skip(2)).collect();
    let answer = world.client.exchange(tenant.id(), CLIENT_ID, &swapped.join(".")).await;
    assert_eq!(answer.aadsts(), 50_013, "the signature is that of another token");
}

#[tokio::test]
async fn a_token_that_matches_no_single_credential_is_refused_as_a_whole() {
    let world = World::new().await;
    let other = ServiceAccountIssuer::p256("https://other.example").unwrap();
    world.sandbox.set_issuer(other.url(), other.keys().unwrap());
    world.application.federate(other.url(), "system:serviceaccount:team-b:reader");
    let assertion = other.sign(&reader()).unwrap();
    let answer = world.client.exchange(world.application.tenant().id(), CLIENT_ID, &assertion).await;
    assert_eq!(answer.aadsts(), 70_021);
}

#[tokio::test]
async fn an_application_without_federated_credentials_gets_its_own_error() {
    let world = World::new().await;
    world.application.clear_federation();
    assert_eq!(world.present(&reader()).await.aadsts(), 70_025);
}

#[tokio::test]
async fn an_issuer_whose_metadata_cannot_be_read_gets_its_own_error() {
    let world = World::new().await;
    assert!(world.sandbox.remove_issuer(ISSUER.url()));
    assert_eq!(world.present(&reader()).await.aadsts(), 90_061);
}

#[rstest]
#[case::tenant("22222222-2222-4222-8222-222222222222", CLIENT_ID, 90_002, "invalid_request")]
#[case::malformed_tenant("contoso", CLIENT_ID, 900_023, "invalid_request")]
#[case::application(crate::DEFAULT_TENANT, "99999999-0000-4000-8000-000000000009", 700_016, "unauthorized_client")]
#[tokio::test]
async fn what_is_not_there_is_named(
    #[case] tenant: &str,
    #[case] client_id: &str,
    #[case] number: u64,
    #[case] word: &str,
) {
    let world = World::new().await;
    let assertion = ISSUER.sign(&reader()).unwrap();
    let answer = world.client.exchange(tenant, client_id, &assertion).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!((answer.aadsts(), answer.body["error"].as_str().unwrap()), (number, word));
}

#[rstest]
#[case::resource("https://nothing.example/.default", 500_011)]
#[case::not_default("https://vault.azure.net/secrets.read", 1_002_012)]
#[tokio::test]
async fn a_scope_that_is_not_a_resource_is_refused(#[case] scope: &str, #[case] number: u64) {
    let world = World::new().await;
    let assertion = ISSUER.sign(&reader()).unwrap();
    let mut form = assertion_form(CLIENT_ID, &assertion);
    form[2].1 = scope;
    let answer = world.client.exchange_for(world.application.tenant().id(), &form).await;
    assert_eq!((answer.status, answer.aadsts()), (StatusCode::BAD_REQUEST, number));
}

#[rstest]
#[case::right("s3cret", None)]
#[case::wrong("guess", Some(7_000_215))]
#[case::expired("old", Some(7_000_222))]
#[tokio::test]
async fn a_client_secret_is_checked(#[case] secret: &str, #[case] refused: Option<u64>) {
    let world = World::new().await;
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    world.application.add_client_secret("s3cret", None).add_client_secret("old", Some(yesterday));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("scope", "https://vault.azure.net/.default"),
        ("client_secret", secret),
    ];
    let answer = world.client.exchange_for(world.application.tenant().id(), &form).await;
    match refused {
        None => assert_eq!(answer.status, StatusCode::OK),
        Some(number) => assert_eq!((answer.status, answer.aadsts()), (StatusCode::UNAUTHORIZED, number)),
    }
}

#[tokio::test]
async fn a_request_without_any_credential_is_refused() {
    let world = World::new().await;
    let form = assertion_form(CLIENT_ID, "");
    let answer = world.client.exchange_for(world.application.tenant().id(), &form[..3]).await;
    assert_eq!(answer.aadsts(), 7_000_218);
    let answer = world.client.exchange_for(world.application.tenant().id(), &form[1..3]).await;
    assert_eq!(answer.aadsts(), 900_144);
    let answer = world.client.exchange_for(world.application.tenant().id(), &form).await;
    assert_eq!(answer.aadsts(), 50_027);
}

#[tokio::test]
async fn a_fault_refuses_token_requests_until_it_is_lifted() {
    let world = World::new().await;
    let fault = world.application.fault(Fault::refuse(700_223));
    assert_eq!(world.present(&reader()).await.aadsts(), 700_223);
    assert!(world.application.lift(fault));
    assert_eq!(world.present(&reader()).await.status, StatusCode::OK);

    world.application.tenant().fault(Fault::status(503).times(1));
    let answer = world.present(&reader()).await;
    assert_eq!((answer.status, answer.aadsts()), (StatusCode::SERVICE_UNAVAILABLE, 90_033));
    world.application.tenant().fault(Fault::throttle(Some(7)).times(1));
    let answer = world.present(&reader()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "7"));
    assert_eq!(world.present(&reader()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn msal_can_discover_the_cloud_the_tenant_and_the_keys() {
    let world = World::new().await;
    let tenant = world.application.tenant().id().to_owned();
    let instance = world
        .client
        .get(&format!(
            "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&\
             authorization_endpoint=https://login.microsoftonline.com/{tenant}/oauth2/authorize"
        ))
        .await;
    let configuration = world.client.get(instance.body["tenant_discovery_endpoint"].as_str().unwrap()).await;
    assert_eq!(
        configuration.body["token_endpoint"],
        format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")
    );
    let keys = world.client.get(configuration.body["jwks_uri"].as_str().unwrap()).await;
    let token = world.token().await;
    assert!(IssuerKeys::from_jwks(&keys.body.to_string()).is_ok());
    assert_eq!(keys.body["keys"][0]["kid"], jsonwebtoken::decode_header(&token).unwrap().kid.unwrap());

    let unknown = world
        .client
        .get("https://login.microsoftonline.com/22222222-2222-4222-8222-222222222222/v2.0/.well-known/openid-configuration")
        .await;
    assert_eq!(unknown.aadsts(), 90_002);
}

#[test]
fn invalid_keys_are_refused_with_what_to_give_instead() {
    for text in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "nonsense"] {
        let error = IssuerKeys::from_pem(text).err().unwrap().to_string();
        assert!(error.contains("give an RSA or P-256 public key"), "{error}");
    }
    assert!(IssuerKeys::from_jwks("{").is_err());
}
