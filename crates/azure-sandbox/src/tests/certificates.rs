use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::{CertificateFormat, CertificatePermission, CertificatePolicy, KeyPermission, ObjectKind};

fn vault_of_certificates(world: &World) -> Vault {
    world
        .sandbox
        .vault("team-a-kv")
        .unwrap()
        .allow(&world.application, SecretPermission::ALL)
        .allow(&world.application, KeyPermission::ALL)
        .allow(&world.application, CertificatePermission::ALL)
}

fn policy(format: CertificateFormat) -> CertificatePolicy {
    let mut policy = CertificatePolicy::self_signed("CN=www.example.com, O=Example");
    policy.key_props.kty = Some("EC".to_owned());
    policy.secret_props.content_type = Some(format);
    policy
}

/// A certificate with its key in PEM.
fn pem() -> (String, Vec<u8>) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(vec!["www.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    (format!("{}{}", key.serialize_pem(), certificate.pem()), certificate.der().to_vec())
}

#[tokio::test]
async fn a_certificate_is_also_a_key_and_a_secret_of_the_same_version() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    let version = vault.create_certificate("www", policy(CertificateFormat::Pfx)).unwrap();
    let url = |collection: &str| format!("{}/{collection}/www/{version}", vault.url());
    let read = world.client.read(&format!("{}/certificates/www/", vault.url()), &token).await;
    assert_eq!(read.status, StatusCode::OK, "{}", read.body);
    let certificate = &read.body;
    assert_eq!(certificate["id"], url("certificates"));
    assert_eq!((&certificate["kid"], &certificate["sid"]), (&json!(url("keys")), &json!(url("secrets"))));
    let der = BASE64_STANDARD.decode(certificate["cer"].as_str().unwrap()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(parsed.subject().to_string(), "CN=www.example.com, O=Example");
    assert_eq!(certificate["attributes"]["exp"], parsed.validity().not_after.timestamp());
    assert_eq!(certificate["policy"]["x509_props"]["subject"], "CN=www.example.com, O=Example");
    assert_eq!(certificate["policy"]["key_props"]["crv"], "P-256");
    assert_eq!(certificate["policy"]["issuer"]["name"], "Self");

    let key = world.client.read(&url("keys"), &token).await;
    assert_eq!((&key.body["managed"], &key.body["key"]["kty"]), (&json!(true), &json!("EC")));
    let secret = world.client.read(&url("secrets"), &token).await;
    assert_eq!(secret.body["contentType"], "application/x-pkcs12");
    assert_eq!((&secret.body["managed"], &secret.body["kid"]), (&json!(true), &json!(url("keys"))));
    let pfx = BASE64_STANDARD.decode(secret.body["value"].as_str().unwrap()).unwrap();
    let store = KeyStore::from_pkcs12(&pfx, "", Pkcs12ImportPolicy::Strict).unwrap();
    assert_eq!(store.private_key_chain().unwrap().1.certs()[0].as_der(), der);
    for collection in ["keys", "secrets"] {
        let listed = world.client.read(&format!("{}/{collection}", vault.url()), &token).await;
        assert_eq!(listed.body["value"][0]["managed"], true);
    }
}

#[tokio::test]
async fn a_certificate_in_pem_is_imported_and_had_again_as_pem() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    let (pem, der) = pem();
    let url = format!("{}/certificates/www/import", vault.url());
    let in_base64 = json!({ "value": BASE64_STANDARD.encode(&pem) });
    assert_eq!(world.client.call(Method::POST, &url, &token, Some(in_base64)).await.status, StatusCode::OK);
    let made = world.client.call(Method::POST, &url, &token, Some(json!({ "value": pem, "tags": { "k": "v" } }))).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    assert_eq!(made.body["cer"], BASE64_STANDARD.encode(&der));
    assert_eq!(made.body["policy"]["issuer"]["name"], "Unknown");
    assert_eq!(made.body["policy"]["x509_props"]["sans"], json!({ "dns_names": ["www.example.com"] }));
    let secret = world.client.read(&format!("{}/secrets/www", vault.url()), &token).await;
    assert_eq!(secret.body["contentType"], "application/x-pem-file");
    let value = secret.body["value"].as_str().unwrap();
    assert!(value.starts_with("-----BEGIN PRIVATE KEY-----\n"), "the key comes first");
    assert_eq!(CertificateDer::from_pem_slice(value.as_bytes()).unwrap().as_ref(), der);
    assert_eq!(secret.body["tags"], json!({ "k": "v" }));

    let pending = world.client.read(&format!("{}/certificates/www/pending", vault.url()), &token).await;
    assert_eq!(pending.refusal().1, "PendingCertificateNotFound");
    for value in ["nonsense", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", ""] {
        let refused = world.client.call(Method::POST, &url, &token, Some(json!({ "value": value }))).await;
        assert_eq!(refused.refusal().1, "BadParameter", "{value}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_created_has_been_made_when_its_operation_is_read() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    let url = format!("{}/certificates/www", vault.url());
    let body = json!({ "policy": {
        "key_props": { "kty": "EC", "crv": "P-384" },
        "x509_props": { "subject": "CN=a", "sans": { "dns_names": ["a.example"] }, "validity_months": 2 },
        "issuer": { "name": "Self" },
    }});
    let started = world.client.call(Method::POST, &format!("{url}/create"), &token, Some(body)).await;
    assert_eq!((started.status, &started.body["status"]), (StatusCode::ACCEPTED, &json!("inProgress")));
    let pending = world.client.read(&format!("{url}/pending"), &token).await;
    assert_eq!((&pending.body["status"], &pending.body["target"]), (&json!("completed"), &json!(url)));
    let policy = world.client.read(&format!("{url}/policy"), &token).await;
    assert_eq!(policy.body["x509_props"]["sans"], json!({ "dns_names": ["a.example"] }));
    assert_eq!(policy.body["key_props"]["crv"], "P-384");
    let change = json!({ "x509_props": { "subject": "CN=b" } });
    let changed = world.client.call(Method::PATCH, &format!("{url}/policy"), &token, Some(change)).await;
    assert_eq!(changed.body["x509_props"]["subject"], "CN=b");
    assert_eq!(changed.body["x509_props"]["validity_months"], 2, "what is left out stays as it is");
    let names = json!({ "sans": { "dns_names": ["b.example"] } });
    for (x509, status) in [(names, StatusCode::ACCEPTED), (json!({ "subject": "" }), StatusCode::BAD_REQUEST)] {
        let body = json!({ "policy": { "key_props": { "kty": "EC" }, "x509_props": x509 } });
        let answer = world.client.call(Method::POST, &format!("{url}/create"), &token, Some(body)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let foreign = json!({ "policy": { "issuer": { "name": "DigiCert" }, "x509_props": { "subject": "CN=a" } } });
    let refused = world.client.call(Method::POST, &format!("{url}/create"), &token, Some(foreign)).await;
    assert_eq!(refused.refusal().1, "BadParameter");
}

#[tokio::test]
async fn the_key_and_the_secret_of_a_certificate_change_only_with_it() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    vault.create_certificate("www", policy(CertificateFormat::Pem)).unwrap();
    let call = async |method, path: &str, body| {
        world.client.call(method, &format!("{}{path}", vault.url()), &token, body).await
    };
    let refused = call(Method::DELETE, "/secrets/www", None).await;
    let (status, code, inner, message) = refused.refusal();
    assert_eq!((status, code, inner), (403, "Forbidden", "SecretManagedByKeyVault"));
    assert!(message.starts_with("Operation \"delete\" is not allowed on this secret, since it is associated with a"));
    assert_eq!(call(Method::PUT, "/secrets/www", Some(json!({ "value": "x" }))).await.refusal().2, inner);
    assert_eq!(call(Method::PATCH, "/keys/www", Some(json!({ "tags": {} }))).await.refusal().2, "KeyManagedByKeyVault");

    let disabled = json!({ "attributes": { "enabled": false }, "tags": { "k": "v" } });
    call(Method::PATCH, "/certificates/www", Some(disabled)).await;
    assert_eq!(call(Method::GET, "/certificates/www", None).await.status, StatusCode::OK);
    assert_eq!(call(Method::GET, "/secrets/www", None).await.refusal().2, "SecretDisabled");
    assert_eq!(call(Method::GET, "/keys/www", None).await.body["tags"], json!({ "k": "v" }));

    call(Method::DELETE, "/certificates/www", None).await;
    for path in ["/certificates/www", "/keys/www", "/secrets/www"] {
        assert_eq!(call(Method::GET, path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    call(Method::POST, "/deletedcertificates/www/recover", None).await;
    assert_eq!(call(Method::GET, "/keys/www", None).await.status, StatusCode::OK);
    call(Method::DELETE, "/certificates/www", None).await;
    assert_eq!(call(Method::DELETE, "/deletedcertificates/www", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::PUT, "/secrets/www", Some(json!({ "value": "x" }))).await.status, StatusCode::OK);
    let conflict = vault.create_certificate("www", policy(CertificateFormat::Pem)).unwrap_err();
    assert!(conflict.to_string().contains("A secret with the name www exists already"), "{conflict}");
}

#[tokio::test]
async fn a_certificate_that_is_missing_or_refused_is_named_as_a_certificate() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    let url = format!("{}/certificates/missing", vault.url());
    let missing = world.client.read(&url, &token).await;
    assert_eq!(missing.refusal().1, "CertificateNotFound");
    assert!(missing.refusal().3.starts_with("A certificate with (name/id) missing was not found in this key vault."));
    vault.revoke(&world.application);
    let refused = world.client.read(&url, &token).await;
    assert!(refused.refusal().3.contains("does not have certificates get permission on key vault"), "{}", refused.body);
}

#[tokio::test]
async fn reads_are_counted_by_the_kind_of_object() {
    let world = World::new().await;
    let (vault, token) = (vault_of_certificates(&world), world.token().await);
    vault.create_certificate("www", policy(CertificateFormat::Pem)).unwrap();
    vault.enable(ObjectKind::Certificate, "www", true).unwrap();
    world.client.read(&format!("{}/certificates/www", vault.url()), &token).await;
    assert_eq!(vault.counters().reads(ObjectKind::Certificate, "www"), 1);
    assert_eq!(vault.counters().reads(ObjectKind::Secret, "www"), 0);
    assert_eq!(vault.counters().operation("GetCertificate"), 1);
}
