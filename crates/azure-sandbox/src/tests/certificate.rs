use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::Answer;
use super::*;

/// An application's certificate and its key.
struct Certificate {
    pem: String,
    thumbprint: String,
    key: EncodingKey,
}

impl Certificate {
    fn of(pair: &KeyPair, key: EncodingKey) -> Self {
        let certificate = CertificateParams::default().self_signed(pair).unwrap();
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
        Self { pem: certificate.pem(), thumbprint, key }
    }

    fn rsa() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self::of(&pair, EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap())
    }

    fn p256() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self::of(&pair, EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap())
    }

    fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        let mut header = Header::new(algorithm);
        header.x5t_s256 = Some(self.thumbprint.clone());
        encode(&header, claims, &self.key).unwrap()
    }
}

fn claims(world: &World) -> Value {
    let now = Timestamp::now().as_second();
    let tenant = world.application.tenant().id().to_owned();
    json!({
        "aud": format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"),
        "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": "1", "nbf": now, "iat": now, "exp": now + 600,
    })
}

async fn present(world: &World, assertion: &str) -> Answer {
    world.client.exchange(world.application.tenant().id(), CLIENT_ID, assertion).await
}

#[rstest]
#[case::rsa_pss(Certificate::rsa, Algorithm::PS256)]
#[case::rsa(Certificate::rsa, Algorithm::RS256)]
#[case::p256(Certificate::p256, Algorithm::ES256)]
#[tokio::test]
async fn an_application_that_registered_a_certificate_signs_for_itself(
    #[case] make: fn() -> Certificate,
    #[case] algorithm: Algorithm,
) {
    let world = World::new().await;
    let certificate = make();
    world.application.add_certificate(&certificate.pem).unwrap();
    let answer = present(&world, &certificate.sign(algorithm, &claims(&world))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test]
async fn an_assertion_with_the_older_thumbprint_is_taken_too() {
    let world = World::new().await;
    let certificate = Certificate::p256();
    world.application.add_certificate(&certificate.pem).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.x5t = Some("AAAA".to_owned());
    let assertion = encode(&header, &claims(&world), &certificate.key).unwrap();
    assert_eq!(present(&world, &assertion).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_or_did_not_sign_is_refused() {
    let world = World::new().await;
    let (registered, other) = (Certificate::p256(), Certificate::p256());
    world.application.add_certificate(&registered.pem).unwrap();
    let answer = present(&world, &other.sign(Algorithm::ES256, &claims(&world))).await;
    assert_eq!((answer.status, answer.aadsts()), (StatusCode::UNAUTHORIZED, 700_027));
    assert!(answer.body["error_description"].as_str().unwrap().contains("[Reason - The key was not found.,"));

    let forged = Certificate { thumbprint: registered.thumbprint.clone(), ..other };
    let answer = present(&world, &forged.sign(Algorithm::ES256, &claims(&world))).await;
    assert_eq!(answer.aadsts(), 700_027);
    assert!(answer.body["error_description"].as_str().unwrap().contains("signature value did not match"));
}

#[rstest]
#[case::subject("sub", json!("99999999-0000-4000-8000-000000000009"), 700_021)]
#[case::audience("aud", json!("https://login.microsoftonline.com/common/oauth2/v2.0/token"), 700_023)]
#[case::expired("exp", json!(1_000_000_000), 700_024)]
#[tokio::test]
async fn an_assertion_that_does_not_fit_is_refused(#[case] claim: &str, #[case] value: Value, #[case] number: u64) {
    let world = World::new().await;
    let certificate = Certificate::p256();
    world.application.add_certificate(&certificate.pem).unwrap();
    let mut claims = claims(&world);
    claims[claim] = value;
    assert_eq!(present(&world, &certificate.sign(Algorithm::ES256, &claims)).await.aadsts(), number);
}

#[tokio::test]
async fn a_text_that_is_not_a_certificate_is_refused() {
    let world = World::new().await;
    let error = world.application.add_certificate("nonsense").err().unwrap().to_string();
    assert!(error.contains("give a certificate in PEM"), "{error}");
}
