//! Keys and certificates.

use azure_sandbox::{CertificatePermission, KeyPermission, ObjectKind, ObjectProperties};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use serde_json::json;
use test_stage::scene::Scene;

use super::{OURS, entry, look_again, manifest, secret, served, until_failed, until_in_vault, until_synced};

pub(super) async fn scene(name: &str) -> Scene {
    let scene = super::scene(name).await;
    let keys = [
        KeyPermission::Get,
        KeyPermission::Import,
        KeyPermission::Update,
        KeyPermission::Delete,
        KeyPermission::Recover,
    ];
    let certificates = [
        CertificatePermission::Get,
        CertificatePermission::Import,
        CertificatePermission::Update,
        CertificatePermission::Delete,
        CertificatePermission::Recover,
    ];
    scene.vault.allow(&scene.application, keys).allow(&scene.application, certificates);
    scene
}

pub(super) fn certificate(key: &KeyPair) -> String {
    CertificateParams::new(vec!["example.com".to_owned()]).unwrap().self_signed(key).unwrap().pem()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_elliptic_curves_are_imported_once_and_compared_by_their_public_part() {
    let scene = scene("push-keys").await;
    let (first, second) = (
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
    );
    secret(&scene, "source", json!({"key": first.serialize_pem()})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("key", "key/signing")]))).await;
    until_synced(&scene, "example").await;
    let object = scene.vault.object(ObjectKind::Key, "signing").unwrap();
    assert_eq!((&object["key"]["crv"], &object["tags"]), (&json!("P-256"), &json!({"managed-by": OURS})));
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "ImportKey"), 1, "the same key is not imported again");

    let theirs = ObjectProperties {
        tags: Some([("managed-by".to_owned(), OURS.to_owned()), ("x".to_owned(), "y".to_owned())].into()),
        ..ObjectProperties::default()
    };
    scene.vault.update(ObjectKind::Key, "signing", None, theirs).unwrap();
    secret(&scene, "source", json!({"key": second.serialize_pem()})).await;
    let is_new = || scene.vault.object(ObjectKind::Key, "signing").unwrap()["key"]["crv"] == "P-384";
    until_in_vault("the other key", is_new).await;
    assert_eq!(scene.vault.object(ObjectKind::Key, "signing").unwrap()["tags"]["x"], "y");
    secret(&scene, "source", json!({"key": "no key"})).await;
    until_failed(&scene, "example", "could not load private key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_is_not_overwritten() {
    let scene = scene("push-foreign-key").await;
    scene.vault.create_key("theirs", azure_sandbox::KeyKind::P256).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    secret(&scene, "source", json!({"key": key.serialize_pem()})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("key", "key/theirs")]))).await;
    until_failed(&scene, "example", "not managed by external-secrets").await;
    assert_eq!(scene.vault.versions(ObjectKind::Key, "theirs"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_secret_becomes_a_certificate_that_an_external_secret_reads_back() {
    let scene = scene("push-tls").await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = certificate(&key);
    let tls = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "tls"},
        "stringData": {"tls.crt": pem, "tls.key": key.serialize_pem()},
    });
    scene.apply(tls).await;
    scene.apply(manifest(&scene, "example", "tls", json!([entry("", "cert/web")]))).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "ImportCertificate"), 1, "the same certificate is not imported again");
    let secret = scene.vault.object(ObjectKind::Secret, "web").unwrap();
    assert_eq!(secret["contentType"], "application/x-pem-file");
    let bundle = secret["value"].as_str().unwrap();
    let flat = |text: &str| text.split_whitespace().collect::<String>();
    assert!(flat(bundle).contains(&flat(&pem)) && bundle.contains("PRIVATE KEY"), "leaf and key");

    // What belongs to the certificate is not written by itself.
    super::secret(&scene, "plain", json!({"a": "1"})).await;
    scene.apply(manifest(&scene, "other", "plain", json!([entry("a", "web")]))).await;
    until_failed(&scene, "other", "it is a part of a certificate of this name").await;
    scene.external_secret("reader", "1h", &[("bundle", "web")]).await;
    scene.until_secret("reader", json!({"bundle": bundle})).await;
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_is_imported_once_whatever_form_it_has() {
    /// What PKCS#8 puts before an RSA key of 2048 bits in PKCS#1.
    const HEADER: usize = 26;
    let scene = scene("push-rsa").await;
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    secret(&scene, "source", json!({"key": key.serialize_pem()})).await;
    scene.apply(manifest(&scene, "example", "source", json!([entry("key", "key/rsa")]))).await;
    until_synced(&scene, "example").await;
    assert_eq!(scene.vault.object(ObjectKind::Key, "rsa").unwrap()["key"]["kty"], "RSA");
    let pkcs1 = pem("RSA PRIVATE KEY", &key.serialized_der()[HEADER..]);
    secret(&scene, "source", json!({ "key": pkcs1 })).await;
    look_again(&scene, "example").await;
    assert_eq!((served(&scene, "ImportKey"), scene.vault.versions(ObjectKind::Key, "rsa")), (1, 1));
    scene.external_secret("reader", "1h", &[("key", "key/rsa")]).await;
    scene.until_ready("reader", "True", "SecretSynced", "secret synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_that_a_template_makes_with_another_salt_each_time_is_imported_once() {
    let scene = scene("push-pfx").await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    secret(&scene, "source", json!({"crt": certificate(&key), "key": key.serialize_pem()})).await;
    let mut object = manifest(&scene, "example", "source", json!([entry("pfx", "cert/web")]));
    object["spec"]["template"] = json!({"data": {"pfx": "{{ fullPemToPkcs12 .crt .key }}"}});
    scene.apply(object).await;
    until_synced(&scene, "example").await;
    look_again(&scene, "example").await;
    // Other bytes, the same certificate.
    scene.merge("Secret", "source", json!({"metadata": {"labels": {"a": "b"}}})).await;
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "ImportCertificate"), 1);
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    secret(&scene, "source", json!({"crt": certificate(&other), "key": other.serialize_pem()})).await;
    until_in_vault("the other one", || scene.vault.versions(ObjectKind::Certificate, "web") == 2).await;
    look_again(&scene, "example").await;
    assert_eq!(served(&scene, "ImportCertificate"), 2);
}
