//! A private key as the JSON Web Key that a vault imports (RFC 7518, section 6).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::super::certificate::Unusable;
use super::super::certificate::key::Key;
use super::super::certificate::pem;
use super::super::diagnose::{Cause, Diagnosis, text};
use super::der::{self, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use crate::push::Payload;
use crate::secret::SecretValue;

/// A JSON Web Key. Its fields are in base64url.
#[derive(Default, Serialize)]
struct JsonWebKey {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<String>,
}

impl Zeroize for JsonWebKey {
    fn zeroize(&mut self) {
        for secret in [&mut self.d, &mut self.p, &mut self.q, &mut self.dp, &mut self.dq, &mut self.qi] {
            secret.zeroize();
        }
    }
}

/// The public part of a JSON Web Key, the only part that is read.
#[derive(Deserialize)]
pub(super) struct PublicKey {
    kty: String,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublicKey {
    /// Whether two keys are the same.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let parts = |key: &Self| [&key.n, &key.e, &key.x, &key.y].map(|part| part.as_deref().map(number));
        // A key in hardware is `RSA-HSM` or `EC-HSM`.
        let kind = |key: &Self| key.kty.trim_end_matches("-HSM").to_owned();
        kind(self) == kind(other) && self.crv == other.crv && parts(self) == parts(other)
    }
}

/// The number in a field, without leading zeros.
fn number(field: &str) -> Vec<u8> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(field.trim_end_matches('=')).unwrap_or_default();
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// Capacity for the field names and punctuation of a key.
const ROOM_FOR_NAMES: usize = 256;

/// The JSON of the PEM key in a payload.
///
/// # Errors
/// The payload has no key that a vault accepts.
pub(super) fn of(payload: &Payload) -> Result<SecretValue, Diagnosis> {
    let Payload::Value(value) = payload else {
        let message = "a whole Secret cannot become a key";
        return Err(Diagnosis::new(Cause::ValueUnusable, message)
            .hint("name the key of the Secret that holds the PEM in match.secretKey"));
    };
    let key = read(value.expose_secret())?;
    let jwk = Zeroizing::new(jwk(&key).ok_or_else(|| unusable(Unusable::KeyUnsupported))?);
    // With room for everything, because growing it would leave a copy in freed memory.
    let mut json = Zeroizing::new(Vec::with_capacity(2 * value.expose_secret().len() + ROOM_FOR_NAMES));
    serde_json::to_writer(&mut *json, &*jwk).map_err(|_| unusable(Unusable::KeyUnsupported))?;
    Ok(std::sync::Arc::new(json.to_vec().into()))
}

fn unusable(reason: Unusable) -> Diagnosis {
    Diagnosis::new(Cause::ValueUnusable, format!("could not load private key: the value {reason}"))
        .hint("a vault takes RSA keys of 2048, 3072 or 4096 bits and keys of the curves P-256, P-384 and P-521, as PEM")
}

fn read(value: &[u8]) -> Result<Key, Diagnosis> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let mut rest = text;
    while let Some((label, body, after)) = pem::next(rest) {
        rest = after;
        let der = || pem::decoded(body);
        let key = match label {
            // OpenSSL writes the parameters before an elliptic-curve key.
            "EC PARAMETERS" => continue,
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" if body.contains("ENCRYPTED") => Err(Unusable::Encrypted),
            "PRIVATE KEY" => der().and_then(|der| Key::from_pkcs8(&der)),
            "RSA PRIVATE KEY" => der().and_then(|der| Key::from_pkcs1(&der)),
            "EC PRIVATE KEY" => der().and_then(|der| Key::from_sec1(&der)),
            "ENCRYPTED PRIVATE KEY" => Err(Unusable::Encrypted),
            other => {
                let message = format!("could not load private key: key type {} is not supported", text::stable(other));
                return Err(Diagnosis::new(Cause::ValueUnusable, message)
                    .hint("the first block of the PEM must be PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY"));
            }
        };
        return key.map_err(unusable);
    }
    Err(unusable(Unusable::NoPrivateKey))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key in the form that a vault imports.
fn jwk(key: &Key) -> Option<JsonWebKey> {
    let pkcs8: Zeroizing<Vec<u8>> = key.pkcs8().ok()?;
    let (info, _) = der::tagged(&pkcs8, SEQUENCE)?;
    let (_, rest) = der::integer(info)?;
    let (algorithm, rest) = der::tagged(rest, SEQUENCE)?;
    let (inner, _) = der::tagged(rest, OCTET_STRING)?;
    let (inner, _) = der::tagged(inner, SEQUENCE)?;
    // The version.
    let (_, inner) = der::integer(inner)?;
    match key {
        Key::Rsa(_) => rsa(inner),
        Key::Ecdsa(..) => curve(algorithm, inner, key.public()),
    }
}

fn rsa(numbers: &[u8]) -> Option<JsonWebKey> {
    let mut rest = numbers;
    let mut next = || {
        let (number, after) = der::integer(rest)?;
        rest = after;
        Some(encoded(number))
    };
    let key = JsonWebKey {
        kty: "RSA".to_owned(),
        // In the order of RFC 8017.
        n: next(),
        e: next(),
        d: next(),
        p: next(),
        q: next(),
        dp: next(),
        dq: next(),
        qi: next(),
        ..JsonWebKey::default()
    };
    key.qi.is_some().then_some(key)
}

/// The curves: the last bytes of their object identifiers, their names, and the bytes of a coordinate.
const CURVES: [(&[u8], &str, usize); 3] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256", 32),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384", 48),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521", 66),
];

fn curve(algorithm: &[u8], inner: &[u8], point: &[u8]) -> Option<JsonWebKey> {
    let (_, parameters) = der::tagged(algorithm, OBJECT_IDENTIFIER)?;
    let (identifier, _) = der::tagged(parameters, OBJECT_IDENTIFIER)?;
    let (_, name, length) = CURVES.into_iter().find(|(known, ..)| *known == identifier)?;
    let (secret, _) = der::tagged(inner, OCTET_STRING)?;
    // Uncompressed: 4, x, y.
    let coordinates = point.strip_prefix(&[4]).filter(|coordinates| coordinates.len() == 2 * length)?;
    let (x, y) = coordinates.split_at(length);
    let mut padded = Zeroizing::new(vec![0; length.saturating_sub(secret.len())]);
    padded.extend_from_slice(secret);
    Some(JsonWebKey {
        kty: "EC".to_owned(),
        crv: Some(name.to_owned()),
        x: Some(encoded(x)),
        y: Some(encoded(y)),
        d: Some(encoded(&padded)),
        ..JsonWebKey::default()
    })
}
