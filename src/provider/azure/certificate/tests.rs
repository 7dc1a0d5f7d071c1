use std::sync::LazyLock;

use p12_keystore::{EncryptionAlgorithm, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm,
};
use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::*;

/// The output of `openssl ecparam -genkey`, which has the curve's parameters in a block of their own.
const EC_SEC1: &str = "\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDEDOMfhz+VSrTv75WSQxrBVOC7mMBy7wLG1W3SZxE1PoAoGCCqGSM49
AwEHoUQDQgAE0RPtC7hHo2ZKH3k3Trum/kL1XyHs970mg2TyOcT1djDhTHEYX99A
dF4we3wSn1JsBuNFFo9EOWarnZUpuD/Tfw==
-----END EC PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUN5t6vszLmI9comfu+bv0CBgXcRQwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGY2xpZW50MCAXDTI2MTEyMzIzMDMzNVoYDzIxMjYxMDMwMjMw
MzM1WjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATRE+0LuEejZkofeTdOu6b+QvVfIez3vSaDZPI5xPV2MOFMcRhf30B0XjB7fBKf
UmwG40UWj0Q5ZqudlSm4P9N/o1MwUTAdBgNVHQ4EFgQUZgWulTOGGgXg+POIUF6f
c8wMtWgwHwYDVR0jBBgwFoAUZgWulTOGGgXg+POIUF6fc8wMtWgwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiB2hgXXhgHZpKPbeI6b+j8N+No9ekOQ
vqDYbBgWkOirFwIgdNNM1LOzSZhHWq3egaSsQW9EroRJvcyoUCD6V5xvC00=
-----END CERTIFICATE-----
";

/// A certificate and its key.
pub(in crate::provider::azure) struct Made {
    pub(in crate::provider::azure) certificate: String,
    pub(in crate::provider::azure) key: String,
    der: Vec<u8>,
    pkcs8: Vec<u8>,
}

/// Generating RSA keys takes long.
static RSA: LazyLock<Made> =
    LazyLock::new(|| made(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()));

fn made(pair: &KeyPair) -> Made {
    let certificate = CertificateParams::default().self_signed(pair).unwrap();
    Made {
        certificate: certificate.pem(),
        key: pair.serialize_pem(),
        der: certificate.der().to_vec(),
        pkcs8: pair.serialize_der(),
    }
}

fn of_curve(algorithm: &'static SignatureAlgorithm) -> Made {
    made(&KeyPair::generate_for(algorithm).unwrap())
}

pub(in crate::provider::azure) fn p256() -> Made {
    of_curve(&PKCS_ECDSA_P256_SHA256)
}

fn both(made: &Made) -> String {
    format!("{}{}", made.certificate, made.key)
}

fn read(content: impl AsRef<[u8]>) -> Result<ClientCertificate, Unusable> {
    ClientCertificate::read(content.as_ref(), Timestamp::now())
}

fn pfx(made: &Made, password: &str, algorithm: EncryptionAlgorithm) -> Vec<u8> {
    pfx_with(made, password, algorithm, 10)
}

fn pfx_with(made: &Made, password: &str, algorithm: EncryptionAlgorithm, iterations: u32) -> Vec<u8> {
    let chain = PrivateKeyChain::new(
        "id",
        PrivateKey::from_der(&made.pkcs8).unwrap(),
        [p12_keystore::Certificate::from_der(&made.der).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("client", KeyStoreEntry::PrivateKeyChain(chain));
    let writer = store.writer(password).encryption_algorithm(algorithm);
    writer.encryption_iterations(iterations).mac_iterations(iterations).write().unwrap()
}

/// The header and claims, and whether the certificate's key made the signature.
fn signed(certificate: &ClientCertificate) -> (Value, Value, bool) {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let token = certificate.assertion("the-client", "https://login.example/t/oauth2/v2.0/token", at, 7).unwrap();
    let parts: Vec<&str> = token.expose_secret().split('.').collect();
    let decode = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    let [header, claims]: [Value; 2] = [parts[0], parts[1]].map(|part| serde_json::from_slice(&decode(part)).unwrap());
    let key = match header["alg"].as_str().unwrap() {
        "PS256" => jsonwebtoken::DecodingKey::from_rsa_der(certificate.key.public()),
        _ => jsonwebtoken::DecodingKey::from_ec_der(certificate.key.public()),
    };
    let is_good = match header["alg"].as_str().unwrap() {
        "ES512" => {
            use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
            let message = format!("{}.{}", parts[0], parts[1]);
            UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, certificate.key.public())
                .verify(message.as_bytes(), &decode(parts[2]))
                .is_ok()
        }
        algorithm => {
            let message = format!("{}.{}", parts[0], parts[1]);
            jsonwebtoken::crypto::verify(parts[2], message.as_bytes(), &key, algorithm.parse().unwrap()).unwrap()
        }
    };
    (header, claims, is_good)
}

#[rstest]
#[case::rsa(both(&RSA), "PS256")]
#[case::p256(both(&p256()), "ES256")]
#[case::p384(both(&of_curve(&PKCS_ECDSA_P384_SHA384)), "ES384")]
#[case::p521(both(&of_curve(&PKCS_ECDSA_P521_SHA512)), "ES512")]
fn a_key_signs_with_the_algorithm_of_its_kind(#[case] pem: String, #[case] algorithm: &str) {
    let (header, claims, is_good) = signed(&read(pem).unwrap());
    assert!(is_good);
    assert_eq!((&header["alg"], &header["typ"]), (&algorithm.into(), &"JWT".into()));
    let expected = serde_json::json!({
        "aud": "https://login.example/t/oauth2/v2.0/token", "iss": "the-client", "sub": "the-client",
        "jti": "00000000000000000000000000000007",
        "nbf": 1_700_000_000, "iat": 1_700_000_000, "exp": 1_700_000_600,
    });
    assert_eq!(claims, expected);
}

#[test]
fn the_assertion_names_its_certificate_by_sha_256_and_carries_it() {
    let made = p256();
    let (header, ..) = signed(&read(both(&made)).unwrap());
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &made.der);
    assert_eq!(header["x5t#S256"], base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(thumbprint));
    assert_eq!(header["x5c"], serde_json::json!([STANDARD.encode(&made.der)]));
}

#[test]
fn the_chain_is_put_in_order_whatever_the_order_in_the_file() {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
    let middle = CertifiedIssuer::signed_by(authority("middle"), key(), &root).unwrap();
    let own = key();
    let leaf = CertificateParams::default().signed_by(&own, &middle).unwrap();
    let other = p256().certificate;
    let pem = [root.pem(), other, own.serialize_pem(), middle.pem(), leaf.pem()].join("text between\n");
    let (header, ..) = signed(&read(pem).unwrap());
    let chain = [leaf.der(), middle.der(), root.der()].map(|der| STANDARD.encode(der));
    assert_eq!(header["x5c"], serde_json::json!(chain));
}

#[rstest]
#[case::aes(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)]
#[case::triple_des(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)]
fn a_pfx_without_a_password_is_read_also_in_base64_as_key_vault_gives_it(#[case] algorithm: EncryptionAlgorithm) {
    for made in [&*RSA, &p256()] {
        let pfx = pfx(made, "", algorithm);
        assert!(signed(&read(&pfx).unwrap()).2);
        assert!(signed(&read(format!("{}\n", STANDARD.encode(&pfx))).unwrap()).2);
    }
}

#[test]
fn older_forms_of_keys_are_read() {
    assert!(signed(&read(EC_SEC1).unwrap()).2);
    assert!(signed(&read(rsa_pkcs1()).unwrap()).2);
}

/// The RSA key as `RSA PRIVATE KEY`: the octets inside PKCS#8.
fn rsa_pkcs1() -> String {
    // SEQUENCE, version, algorithm and the header of the OCTET STRING take 26 bytes for this size of key.
    let body = STANDARD.encode(&RSA.pkcs8[26..]);
    format!("{}-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n", RSA.certificate)
}

#[rstest]
#[case::nothing("", Unusable::NotACertificate)]
#[case::words("not a certificate", Unusable::NotACertificate)]
#[case::broken_pem("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----", Unusable::NotACertificate)]
#[case::pem_without_end("-----BEGIN CERTIFICATE-----\nMIIB", Unusable::NoPrivateKey)]
#[case::key_alone(p256().key, Unusable::NoCertificate)]
#[case::certificate_alone(p256().certificate, Unusable::NoPrivateKey)]
#[case::key_of_another(format!("{}{}", p256().certificate, p256().key), Unusable::KeyOfAnother)]
#[case::encrypted(
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----",
    Unusable::Encrypted
)]
#[case::encrypted_the_older_way(
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----",
    Unusable::Encrypted
)]
#[case::another_kind_of_key(both(&of_curve(&PKCS_ED25519)), Unusable::KeyUnsupported)]
#[case::too_large("-----BEGIN CERTIFICATE-----".repeat(10_000), Unusable::NotACertificate)]
fn each_unusable_certificate_has_its_own_error(#[case] content: impl AsRef<[u8]>, #[case] expected: Unusable) {
    assert_eq!(read(content).err(), Some(expected));
}

/// A PFX whose parts declare 65,536 iterations, changed to declare eight million.
fn costly() -> Vec<u8> {
    let mut file = pfx_with(&p256(), "", EncryptionAlgorithm::PbeWithHmacSha256AndAes256, 65_536);
    let (small, large) = ([0x02, 0x03, 0x01, 0x00, 0x00], [0x02, 0x03, 0x7f, 0xff, 0xff]);
    let places: Vec<_> = file.windows(5).enumerate().filter(|(_, bytes)| *bytes == small).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        file[at..at + 5].copy_from_slice(&large);
    }
    file
}

#[rstest]
#[case::line_end(b"\n")]
#[case::line_end_of_windows(b"\r\n")]
fn a_line_end_after_a_pfx_is_not_part_of_it(#[case] end: &[u8]) {
    let made = p256();
    let file = pfx(&made, "", EncryptionAlgorithm::PbeWithHmacSha256AndAes256);
    assert!(read([&file, end].concat()).is_ok());
    assert!(read([both(&made).as_bytes(), end].concat()).is_ok());
}

#[rstest]
#[case::costly(costly(), Unusable::TooCostly)]
#[case::password(pfx(&p256(), "secret", EncryptionAlgorithm::PbeWithHmacSha256AndAes256), Unusable::Encrypted)]
#[case::password_and_triple_des(pfx(&p256(), "secret", EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc), Unusable::Encrypted)]
#[case::certificate_alone(p256().der, Unusable::NoPrivateKey)]
#[case::broken(vec![0x30, 0x82, 0xff], Unusable::NotACertificate)]
fn each_unusable_pfx_has_its_own_error(#[case] content: Vec<u8>, #[case] expected: Unusable) {
    assert_eq!(read(content).err(), Some(expected));
}

#[test]
fn a_certificate_that_is_over_is_refused_before_anything_is_sent() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let pem = format!("{}{}", params.self_signed(&pair).unwrap().pem(), pair.serialize_pem());
    let refused = read(pem).err().unwrap();
    assert_eq!(refused.to_string(), "holds a certificate that expired at 2020-01-01T00:00:00Z");
    assert!(refused.hint().contains("register a new certificate"));
}

proptest::proptest! {
    #[test]
    fn no_content_makes_it_panic(content in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = read(&content);
        let pem = format!("-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----", STANDARD.encode(&content));
        let _ = read(pem);
        let der = [[0x30].as_slice(), &content].concat();
        let _ = read(der);
    }

    #[test]
    fn no_pfx_with_changed_bytes_makes_it_panic(at in 0usize..700, byte in 0u8..) {
        static PFX: LazyLock<Vec<u8>> = LazyLock::new(|| pfx(&p256(), "", EncryptionAlgorithm::PbeWithHmacSha256AndAes256));
        let mut changed = PFX.clone();
        let at = at % changed.len();
        changed[at] = byte;
        let _ = read(changed);
    }
}
