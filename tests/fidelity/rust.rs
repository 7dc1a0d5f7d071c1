//! Microsoft's own, unmodified SDK for Rust against the sandbox.

use std::sync::Arc;

use azure_core::credentials::Secret;
use azure_core::http::{ClientOptions, RequestContent, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use azure_security_keyvault_certificates::models::{
    CreateCertificateParameters, CurveName, ImportCertificateParameters, KeyType,
};
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::models::{CreateKeyParameters, KeyType as KeyTypeOfKeys};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use external_secrets::sandbox::{
    Application, CertificatePermission, Config, KeyPermission, Sandbox, SecretPermission, Vault,
};
use futures::TryStreamExt as _;
use reqwest::{Certificate, Proxy};
use serde_json::json;

/// The SDK's clients for a vault.
struct Clients {
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Clients {
    fn new(sandbox: &Sandbox, application: &Application, vault: &Vault) -> Self {
        let http = reqwest::Client::builder()
            .proxy(Proxy::https(sandbox.proxy_url()).unwrap())
            .tls_certs_only([Certificate::from_pem(sandbox.ca_bundle().as_bytes()).unwrap()])
            .build()
            .unwrap();
        let http = Arc::new(http);
        let options =
            || ClientOptions { transport: Some(Transport::new(Arc::clone(&http) as _)), ..ClientOptions::default() };
        let identity = ClientSecretCredentialOptions { client_options: options() };
        let (tenant, client) = (application.tenant().id().to_owned(), application.client_id().to_owned());
        let credential = ClientSecretCredential::new(&tenant, client, Secret::new("s3cret"), Some(identity)).unwrap();
        let secrets = SecretClientOptions { client_options: options(), ..Default::default() };
        let keys = KeyClientOptions { client_options: options(), ..Default::default() };
        let certificates = CertificateClientOptions { client_options: options(), ..Default::default() };
        Self {
            secrets: SecretClient::new(&vault.url(), Arc::clone(&credential) as _, Some(secrets)).unwrap(),
            keys: KeyClient::new(&vault.url(), Arc::clone(&credential) as _, Some(keys)).unwrap(),
            certificates: CertificateClient::new(&vault.url(), credential, Some(certificates)).unwrap(),
        }
    }
}

async fn clients() -> (Sandbox, Clients) {
    let sandbox = Sandbox::start(Config::default()).await.unwrap();
    let application = sandbox.default_tenant().application(crate::CLIENT_ID).add_client_secret("s3cret", None);
    let vault = sandbox
        .vault("fidelity-kv")
        .unwrap()
        .allow(&application, SecretPermission::ALL)
        .allow(&application, KeyPermission::ALL)
        .allow(&application, CertificatePermission::ALL);
    let clients = Clients::new(&sandbox, &application, &vault);
    (sandbox, clients)
}

#[tokio::test]
async fn the_official_sdk_for_rust_makes_reads_and_lists_keys() {
    let (_sandbox, Clients { keys, .. }) = clients().await;
    let body = CreateKeyParameters { kty: Some(KeyTypeOfKeys::Rsa), key_size: Some(3072), ..Default::default() };
    let made = keys.create_key("signing", body.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    let read = keys.get_key("signing", None).await.unwrap().into_model().unwrap();
    let (made, key) = (made.key.unwrap(), read.key.unwrap());
    assert_eq!((made.kid, &made.n), (key.kid, &key.n));
    assert_eq!((key.n.unwrap().len(), key.e.unwrap()), (384, vec![1, 0, 1]));
    let listed: Vec<_> = keys.list_key_properties(None).unwrap().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    let missing = keys.get_key("missing", None).await.unwrap_err();
    assert_eq!(missing.http_status().map(u16::from), Some(404));
}

#[tokio::test]
async fn the_official_sdk_for_rust_waits_for_a_certificate_and_reads_all_that_it_is() {
    let (_sandbox, Clients { secrets, keys, certificates }) = clients().await;
    let body = json!({ "policy": {
        "key_props": { "kty": "EC", "crv": "P-256" }, "issuer": { "name": "Self" },
        "x509_props": { "subject": "CN=www.example.com" }, "secret_props": { "contentType": "application/x-pem-file" },
    }});
    let body: CreateCertificateParameters = serde_json::from_value(body).unwrap();
    let poller = certificates.begin_create_certificate("www", body.try_into().unwrap(), None).unwrap();
    let made = poller.await.unwrap().into_model().unwrap();
    let policy = made.policy.unwrap();
    let key_policy = policy.key_properties.unwrap();
    assert_eq!((key_policy.key_type, key_policy.curve), (Some(KeyType::Ec), Some(CurveName::P256)));

    let key = keys.get_key("www", None).await.unwrap().into_model().unwrap();
    assert_eq!((key.key.unwrap().kid, key.managed), (made.kid, Some(true)));
    let secret = secrets.get_secret("www", None).await.unwrap().into_model().unwrap();
    assert_eq!((secret.id, secret.managed), (made.sid, Some(true)));
    let import = ImportCertificateParameters { base64_encoded_certificate: secret.value, ..Default::default() };
    let body: RequestContent<_> = import.try_into().unwrap();
    let copy = certificates.import_certificate("copy", body, None).await.unwrap().into_model().unwrap();
    assert_eq!(copy.cer, made.cer);
    let listed: Vec<_> = certificates.list_certificate_properties(None).unwrap().try_collect().await.unwrap();
    assert_eq!(listed.len(), 2);
    let thumbprints: Vec<_> = listed.iter().map(|item| item.x509_thumbprint.clone().unwrap()).collect();
    assert_eq!((thumbprints[0].len(), &thumbprints[0]), (20, &thumbprints[1]));
}
