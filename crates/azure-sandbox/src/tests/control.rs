use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::{RunOptions, control::Document};

/// The control API of a sandbox that was configured in process only with the cluster's key.
struct Api {
    world: World,
    http: reqwest::Client,
}

impl Api {
    async fn new() -> Self {
        Self { world: World::new().await, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
        let url = format!("{}{path}", self.world.sandbox.proxy_url());
        let response = self.http.request(method, url).body(body).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, text) = self.send(method, path, body.to_string()).await;
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn get(&self, path: &str) -> Value {
        self.json(Method::GET, path, Value::Null).await
    }

    async fn read(&self, name: &str) -> super::client::Answer {
        self.read_of("secrets", name).await
    }

    async fn read_of(&self, collection: &str, name: &str) -> super::client::Answer {
        let token = self.world.token().await;
        self.world.client.read(&format!("https://team-a-kv.vault.azure.net/{collection}/{name}"), &token).await
    }
}

fn vault_that_allows_get() -> Value {
    let allowed = json!(["get"]);
    let policy = json!({ "application": CLIENT_ID, "secrets": allowed, "keys": allowed, "certificates": allowed });
    json!({ "policies": [policy] })
}

#[tokio::test]
async fn a_script_can_make_a_vault_set_a_secret_and_rotate_it() {
    let api = Api::new().await;
    let vault = api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    assert_eq!(vault["url"], "https://team-a-kv.vault.azure.net");
    let path = "/vaults/team-a-kv/secrets/db-password";
    let first = api.json(Method::PUT, path, json!({ "value": "one", "tags": { "k": "v" } })).await;
    let answer = api.read("db-password").await;
    assert_eq!((&answer.body["value"], &answer.body["tags"]["k"]), (&json!("one"), &json!("v")));
    assert!(answer.body["id"].as_str().unwrap().ends_with(first["version"].as_str().unwrap()));
    api.json(Method::PUT, path, json!({ "value": "two" })).await;
    assert_eq!(api.read("db-password").await.body["value"], "two");

    api.json(Method::PATCH, path, json!({ "attributes": { "enabled": false } })).await;
    assert_eq!(api.read("db-password").await.refusal().2, "SecretDisabled");
    api.json(Method::DELETE, path, Value::Null).await;
    assert_eq!(api.read("db-password").await.refusal().1, "SecretNotFound");
    api.json(Method::POST, &format!("{path}/recover"), Value::Null).await;
    assert_eq!(api.read("db-password").await.refusal().2, "SecretDisabled");
    api.json(Method::DELETE, path, Value::Null).await;
    api.json(Method::POST, &format!("{path}/purge"), Value::Null).await;
    let (status, text) = api.send(Method::POST, &format!("{path}/recover"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("Deleted Secret not found: db-password"), "{text}");
}

#[tokio::test]
async fn a_script_can_set_keys_and_certificates_in_one_call_each() {
    let api = Api::new().await;
    api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    let key = "/vaults/team-a-kv/keys/signing";
    let made = api.json(Method::PUT, key, json!({ "kty": "EC", "crv": "P-384", "tags": { "k": "v" } })).await;
    let read = api.read_of("keys", "signing").await;
    assert_eq!((&read.body["key"]["crv"], &read.body["tags"]["k"]), (&json!("P-384"), &json!("v")));
    assert!(read.body["key"]["kid"].as_str().unwrap().ends_with(made["version"].as_str().unwrap()));
    let mut jwk = read.body["key"].clone();
    jwk["key_ops"] = json!(["verify"]);
    api.json(Method::PUT, "/vaults/team-a-kv/keys/copied", json!({ "jwk": jwk })).await;
    assert_eq!(api.read_of("keys", "copied").await.body["key"]["x"], read.body["key"]["x"]);

    let certificate = "/vaults/team-a-kv/certificates/www";
    let document = json!({ "kty": "EC", "dnsNames": ["www.example.com"], "contentType": "application/x-pem-file" });
    api.json(Method::PUT, certificate, document).await;
    let first = api.read_of("certificates", "www").await.body;
    assert_eq!(first["policy"]["x509_props"]["subject"], "CN=www");
    let pem = api.read_of("secrets", "www").await.body["value"].clone();
    api.json(Method::PUT, "/vaults/team-a-kv/certificates/www-copy", json!({ "value": pem })).await;
    assert_eq!(api.read_of("certificates", "www-copy").await.body["cer"], first["cer"]);

    api.json(Method::PATCH, certificate, json!({ "attributes": { "enabled": false } })).await;
    assert_eq!(api.read_of("secrets", "www").await.refusal().2, "SecretDisabled");
    api.json(Method::DELETE, certificate, Value::Null).await;
    assert_eq!(api.read_of("certificates", "www").await.refusal().1, "CertificateNotFound");
    api.json(Method::POST, &format!("{certificate}/recover"), Value::Null).await;
    assert_eq!(api.read_of("certificates", "www").await.body["cer"], first["cer"]);
    let reads = api.get("/vaults/team-a-kv/counters").await["reads"].clone();
    assert_eq!((&reads["keys/signing"], &reads["certificates/www"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn a_script_can_limit_the_requests_for_one_kind_of_object() {
    let api = Api::new().await;
    api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    api.json(Method::PUT, "/vaults/team-a-kv/secrets/a", json!("one")).await;
    let limits = json!({ "keys": 1, "certificates": { "served": 0, "retryAfter": null } });
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "limits": limits })).await;
    assert_eq!(api.read_of("keys", "a").await.status, StatusCode::NOT_FOUND);
    let refused = api.read_of("keys", "a").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "2"));
    let refused = api.read_of("certificates", "a").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, ""));
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "limits": { "keys": 0 } })).await;
    assert_eq!(api.read_of("keys", "a").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_script_can_add_faults_and_lift_them() {
    let api = Api::new().await;
    api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    api.json(Method::PUT, "/vaults/team-a-kv/secrets/a", json!("one")).await;
    let faults = "/vaults/team-a-kv/faults";
    let fault = api.json(Method::POST, faults, json!({ "fault": "throttle", "retryAfter": 5, "object": "a" })).await;
    let answer = api.read("a").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "5"));
    api.json(Method::DELETE, &format!("{faults}/{}", fault["id"]), Value::Null).await;
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    api.json(Method::POST, faults, json!({ "fault": "status", "seconds": 600 })).await;
    assert_eq!(api.read("a").await.status, StatusCode::SERVICE_UNAVAILABLE);
    api.json(Method::DELETE, faults, Value::Null).await;
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    let (status, _) = api.send(Method::DELETE, &format!("{faults}/77"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    for place in [format!("/tenants/default/applications/{CLIENT_ID}/faults"), "/tenants/default/faults".to_owned()] {
        api.json(Method::POST, &place, json!({ "fault": "refuse", "code": 700_223, "times": 1 })).await;
        let assertion = ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
        let refused = api.world.client.exchange(crate::DEFAULT_TENANT, CLIENT_ID, &assertion).await;
        assert_eq!(refused.aadsts(), 700_223, "{place}");
    }
}

#[tokio::test]
async fn a_script_can_read_the_counters() {
    let api = Api::new().await;
    api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    api.read("missing").await;
    let vault = api.get("/vaults/team-a-kv/counters").await;
    assert_eq!(vault["operations"], json!({ "GetSecret": 1 }));
    assert_eq!(vault["reads"], json!({ "secrets/missing": 1 }));
    assert_eq!(vault["statuses"], json!({ "404": 1 }));
    let all = api.get("/counters").await;
    assert_eq!(all["vaults"]["team-a-kv.vault.azure.net"], vault);
    let tenant = &all["tenants"][crate::DEFAULT_TENANT];
    assert_eq!(tenant["counters"]["issued"], 1);
    assert_eq!(tenant["applications"][CLIENT_ID]["exchanges"], 1);
    api.json(Method::DELETE, "/vaults/team-a-kv/counters", Value::Null).await;
    assert_eq!(api.get("/vaults/team-a-kv/counters").await["requests"], 0);
    let counters = format!("/tenants/default/applications/{CLIENT_ID}/counters");
    api.json(Method::DELETE, &counters, Value::Null).await;
    assert_eq!(api.get(&counters).await["exchanges"], 0);
}

#[tokio::test]
async fn a_script_can_change_who_may_do_what() {
    let api = Api::new().await;
    api.json(Method::PUT, "/vaults/team-a-kv", vault_that_allows_get()).await;
    api.json(Method::PUT, "/vaults/team-a-kv/secrets/a", json!("one")).await;
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "roles": [] })).await;
    assert_eq!(api.read("a").await.refusal().2, "ForbiddenByRbac");
    let role = json!([{ "application": CLIENT_ID, "role": "Key Vault Secrets User", "secret": "a" }]);
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "roles": role })).await;
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    assert_eq!(api.read("b").await.refusal().2, "ForbiddenByRbac");
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "network": { "firewall": "203.0.113.7" } })).await;
    assert_eq!(api.read("a").await.refusal().2, "ForbiddenByFirewall");
    api.json(Method::PUT, "/vaults/team-a-kv", json!({ "network": "open", "limit": 1 })).await;
    assert_eq!(api.read("a").await.status, StatusCode::OK);
    assert_eq!(api.read("a").await.status, StatusCode::TOO_MANY_REQUESTS);

    let path = format!("/tenants/default/applications/{CLIENT_ID}");
    let application = api.json(Method::PUT, &path, json!({ "federated": [] })).await;
    assert_eq!(application["objectId"], api.world.application.object_id());
    let assertion = ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
    let refused = api.world.client.exchange(crate::DEFAULT_TENANT, CLIENT_ID, &assertion).await;
    assert_eq!(refused.aadsts(), 70_025);
}

#[tokio::test]
async fn a_script_can_give_the_machine_identities_and_break_its_token_endpoint() {
    let api = Api::new().await;
    let imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
    let ask = async || {
        let url = format!("{}{imds}", api.world.sandbox.proxy_url());
        api.http.get(url).header("Metadata", "true").send().await.unwrap().status()
    };
    assert_eq!(ask().await, StatusCode::BAD_REQUEST);
    api.json(Method::PUT, "/machine", json!({ "systemIdentity": CLIENT_ID })).await;
    assert_eq!(ask().await, StatusCode::OK);
    let fault = api.json(Method::POST, "/machine/faults", json!({ "fault": "status", "status": 500 })).await;
    assert_eq!(ask().await, StatusCode::INTERNAL_SERVER_ERROR);
    api.json(Method::DELETE, &format!("/machine/faults/{}", fault["id"]), Value::Null).await;
    assert_eq!(ask().await, StatusCode::OK);

    api.json(Method::POST, "/entra/faults", json!({ "fault": "connectionRefused" })).await;
    let url = "https://login.microsoftonline.com/common/discovery/instance";
    assert!(api.world.client.send(url).await.unwrap_err().is_connect());
    api.json(Method::DELETE, "/entra/faults", Value::Null).await;
    assert_eq!(api.world.client.get(url).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_the_control_api_does_not_understand_it_says() {
    let api = Api::new().await;
    for (method, path, body, words) in [
        (Method::PUT, "/vaults/team-a-kv", r#"{"polices":[]}"#, "unknown field `polices`"),
        (Method::PUT, "/vaults/kv.example.com", "", "is not a vault's host"),
        (Method::POST, "/vaults/v/faults", r#"{"fault":"latency"}"#, "needs the field milliseconds"),
        (Method::POST, "/vaults/v/faults", r#"{"fault":"fire"}"#, "unknown variant"),
        (Method::PUT, "/vaults/v/secrets/a_b", r#"{"value":"x"}"#, "invalid name: a_b"),
        (Method::PUT, "/vaults/v/keys/k", r#"{"kty":"oct"}"#, "Key type oct is not supported"),
        (Method::PUT, "/vaults/v/keys/k", r#"{"jwk":{"kty":"RSA"}}"#, "not a valid JSON web key"),
        (Method::PUT, "/vaults/v/certificates/c", r#"{"subject":"www"}"#, "not a valid X.500 name"),
        (Method::PUT, "/vaults/v/certificates/c", r#"{"value":"www"}"#, "can not be read"),
        (Method::PUT, "/issuers", r#"{"issuer":"https://x"}"#, "needs the field publicKeyPem or jwks"),
        (Method::PUT, "/issuers", r#"{"issuer":"https://x","publicKeyPem":"x"}"#, "cannot be used"),
    ] {
        let (status, text) = api.send(method, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
        let error = serde_json::from_str::<Value>(&text).unwrap()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn the_environment_can_be_read_by_a_shell() {
    let api = Api::new().await;
    let (_, lines) = api.send(Method::GET, "/environment", "").await;
    assert!(lines.contains(&format!("export HTTPS_PROXY='{}'\n", api.world.sandbox.proxy_url())), "{lines}");
    let (_, pem) = api.send(Method::GET, "/ca.pem", "").await;
    assert_eq!(pem, api.world.sandbox.ca_bundle());
}

const DOCUMENT: &str = "
tenants:
  default:
    0a1b2c3d-0000-4000-8000-000000000001:
      clientSecrets: [{value: s3cret}]
vaults:
  team-a-kv:
    policies: [{application: 0a1b2c3d-0000-4000-8000-000000000001, secrets: [get, list]}]
    secrets:
      plain: one
      full: {value: two, contentType: text/plain, attributes: {enabled: false}}
";

#[tokio::test]
async fn a_program_in_the_foreground_starts_with_a_document_and_ends_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.yaml");
    std::fs::write(&path, DOCUMENT).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (tell, told) = tokio::sync::oneshot::channel();
    let options = RunOptions { document: Some(path), ..RunOptions::default() };
    let running = tokio::spawn(crate::run(options, |sandbox| assert!(tell.send(sandbox.clone()).is_ok()), async {
        stopped.await.unwrap();
    }));
    let sandbox = told.await.unwrap();
    let client = client::Client::new(&sandbox);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("scope", "https://vault.azure.net/.default"),
        ("client_secret", "s3cret"),
    ];
    let answer = client.exchange_for(crate::DEFAULT_TENANT, &form).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let url = "https://team-a-kv.vault.azure.net/secrets";
    assert_eq!(client.read(&format!("{url}/plain"), token).await.body["value"], "one");
    assert_eq!(client.read(&format!("{url}/full"), token).await.refusal().2, "SecretDisabled");
    drop(sandbox);
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

#[test]
fn a_document_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.yaml");
    let missing = Document::read(&path).unwrap_err().to_string();
    assert!(missing.starts_with(&format!("the sandbox cannot read {}", path.display())), "{missing}");
    std::fs::write(&path, "vault: {}").unwrap();
    let wrong = Document::read(&path).unwrap_err().to_string();
    assert!(wrong.contains("unknown field"), "{wrong}");
}

#[test]
fn several_runtimes_share_a_sandbox_in_the_background() {
    let sandbox = Sandbox::start_in_background(Config::default()).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let sandbox = sandbox.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let url = "https://login.microsoftonline.com/common/discovery/instance";
                runtime.block_on(async { client::Client::new(&sandbox).get(url).await.status })
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == StatusCode::OK));
    let taken: u16 = sandbox.proxy_url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Sandbox::start_in_background(Config { port: taken, ..Config::default() }).err().unwrap();
    assert!(error.to_string().contains("choose another port"), "{error}");
}
