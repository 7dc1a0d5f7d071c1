//! Service principals: client secrets and client certificates.

use std::sync::LazyLock;

use external_secrets::api::v1::secret_store::{AzureAuthSecretRef, AzureAuthType, AzureKvProvider, SecretKeySelector};
use external_secrets::provider::{Class, ProviderError};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use rstest::rstest;

use crate::support::{CLIENT_ID, SECRET, World, client, read};

/// A certificate and its key, in PEM.
#[derive(Clone)]
struct Certificate {
    certificate: String,
    key: String,
}

static RSA: LazyLock<Certificate> =
    LazyLock::new(|| made(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()));

fn made(pair: &KeyPair) -> Certificate {
    let certificate = CertificateParams::default().self_signed(pair).unwrap();
    Certificate { certificate: certificate.pem(), key: pair.serialize_pem() }
}

fn rsa() -> Certificate {
    RSA.clone()
}

fn p256() -> Certificate {
    made(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
}

impl Certificate {
    fn with_key(&self) -> Vec<u8> {
        format!("{}{}", self.certificate, self.key).into_bytes()
    }
}

/// A world whose application authenticates with a certificate instead of a service account.
async fn world() -> World {
    let world = World::new().await;
    world.vault.set_secret("a", "1").unwrap();
    world.application.clear_federation();
    world.put("client-id", CLIENT_ID);
    world
}

impl World {
    fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        self.credentials.lock().unwrap().insert(key.to_owned(), value.into());
    }

    fn principal(&self) -> AzureKvProvider {
        let selector =
            |key: &str| Some(SecretKeySelector { name: Some(SECRET.into()), key: Some(key.into()), namespace: None });
        AzureKvProvider {
            auth_type: AzureAuthType::ServicePrincipal,
            tenant_id: Some(self.tenant.id().to_owned()),
            service_account_ref: None,
            auth_secret_ref: Some(AzureAuthSecretRef {
                client_id: selector("client-id"),
                client_certificate: selector("certificate"),
                ..AzureAuthSecretRef::default()
            }),
            ..self.store()
        }
    }

    async fn read_as_principal(&self) -> Result<String, ProviderError> {
        let client = client(&self.provider(self.options()), self.principal()).await?;
        read(client.as_ref(), "a").await
    }
}

#[rstest]
#[case::rsa(rsa)]
#[case::p256(p256)]
#[tokio::test]
async fn a_principal_with_a_certificate_reads(#[case] make: fn() -> Certificate) {
    let world = world().await;
    let certificate = make();
    world.application.add_certificate(&certificate.certificate).unwrap();
    world.put("certificate", certificate.with_key());
    assert_eq!(world.read_as_principal().await.unwrap(), "1");
}

#[tokio::test]
async fn a_renewed_certificate_takes_effect_at_once() {
    let world = world().await;
    let (old, new) = (p256(), p256());
    world.application.add_certificate(&old.certificate).unwrap();
    world.put("certificate", old.with_key());
    let provider = world.provider(world.options());
    let before = client(&provider, world.principal()).await.unwrap();
    read(before.as_ref(), "a").await.unwrap();

    world.application.clear_certificates().add_certificate(&new.certificate).unwrap();
    world.put("certificate", new.with_key());
    let after = client(&provider, world.principal()).await.unwrap();
    read(after.as_ref(), "a").await.unwrap();
    assert_eq!(world.application.counters().exchanges, 2);
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_reported_with_a_remedy() {
    let world = world().await;
    world.application.add_certificate(&p256().certificate).unwrap();
    world.put("certificate", p256().with_key());
    let refused = world.read_as_principal().await.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::Unauthenticated, "AADSTS700027"));
    assert!(refused.to_string().contains("register the certificate"), "{refused}");
}

#[tokio::test]
async fn a_secret_without_the_key_of_its_certificate_is_named_and_nothing_is_sent() {
    let world = world().await;
    let certificate = p256();
    world.application.add_certificate(&certificate.certificate).unwrap();
    world.put("certificate", certificate.certificate.clone());
    let refused = world.read_as_principal().await.unwrap_err();
    assert_eq!((refused.class, refused.cause), (Class::Unauthenticated, "ClientCertificateUnusable"));
    let text = refused.to_string();
    for words in ["key \"certificate\" of Secret \"principal\" in namespace \"team-a\"", "holds no private key"] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(world.application.counters().exchanges, 0);
}

#[tokio::test]
async fn an_unusable_certificate_is_not_opened_again_before_its_secret_changes() {
    let world = world().await;
    let certificate = p256();
    world.application.add_certificate(&certificate.certificate).unwrap();
    world.put("certificate", certificate.certificate.clone());
    let provider = world.provider(world.options());
    for _ in 0..2 {
        let store = client(&provider, world.principal()).await.unwrap();
        assert_eq!(read(store.as_ref(), "a").await.unwrap_err().cause, "ClientCertificateUnusable");
    }
    world.put("certificate", certificate.with_key());
    let store = client(&provider, world.principal()).await.unwrap();
    assert_eq!(read(store.as_ref(), "a").await.unwrap(), "1", "at once");
}

#[tokio::test]
async fn a_key_appears_in_no_error() {
    let world = world().await;
    let (one, other) = (p256(), p256());
    world.put("certificate", format!("{}{}", one.certificate, other.key));
    let refused = world.read_as_principal().await.unwrap_err();
    let secret = other.key.lines().nth(1).unwrap();
    assert!(!format!("{refused:?}").contains(secret), "{refused:?}");
    assert!(refused.message.contains("no certificate that belongs to its private key"), "{refused}");
}
