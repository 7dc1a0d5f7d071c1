//! JSON Web Keys as PEM.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::keys::{Curve, PrivateKey, PublicKey, RsaKey, RsaNumbers};
use super::mistaken::{self, Wanted};
use super::{Result, Table, mismatch, pem};
use crate::functions::{Call, Function, FunctionError};
use crate::value::{Type, Value};

pub(super) const TABLE: Table = &[
    ("jwkPrivateKeyPem", Function::fixed(&[Type::String], private_pem)),
    ("jwkPublicKeyPem", Function::fixed(&[Type::String], public_pem)),
];

/// URL-safe Base64 with or without padding, as jwx accepts it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The fields of a key; others are ignored.
#[derive(Deserialize)]
struct Jwk {
    #[serde(default)]
    kty: String,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Drop for Jwk {
    fn drop(&mut self) {
        for secret in [&mut self.d, &mut self.p, &mut self.q, &mut self.dp, &mut self.dq, &mut self.qi] {
            secret.zeroize();
        }
    }
}

fn parse(arguments: &[Value]) -> Result<Jwk> {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    serde_json::from_slice(text)
        .map_err(|_| mistaken::or(text, Wanted::Json, "failed to unmarshal JSON into key hint: it is not JSON web key"))
}

/// The bytes of a required field.
fn field(value: Option<&str>, name: &str) -> Result<Zeroizing<Vec<u8>>> {
    let value = value.ok_or_else(|| FunctionError::new(format!("required field {name} is missing")))?;
    let bytes = BASE64.decode(value).map_err(|_| FunctionError::new(format!("field {name} is not Base64")))?;
    Ok(Zeroizing::new(bytes))
}

fn curve(jwk: &Jwk) -> Result<&'static Curve> {
    let name = jwk.crv.as_deref().ok_or_else(|| FunctionError::new("required field crv is missing"))?;
    Curve::by_name(name).ok_or_else(|| FunctionError::new("invalid curve algorithm: P-256, P-384 and P-521 are known"))
}

fn unknown_type() -> FunctionError {
    FunctionError::new("invalid key type from JSON: RSA, EC and OKP are known")
}

/// The public key of a JWK without a private part.
fn public_pem(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let jwk = parse(arguments)?;
    if jwk.d.is_some() {
        return Err(FunctionError::new("x509: unsupported public key type: it is a private key"));
    }
    let key = match jwk.kty.as_str() {
        "RSA" => {
            let (n, e) = (field(jwk.n.as_deref(), "n")?, field(jwk.e.as_deref(), "e")?);
            PublicKey::rsa(&n, &e)
        }
        "EC" => {
            let curve = curve(&jwk)?;
            let (x, y) = (field(jwk.x.as_deref(), "x")?, field(jwk.y.as_deref(), "y")?);
            let point = curve.point(&x, &y);
            PublicKey::ec(curve, point.ok_or_else(|| FunctionError::new("x509: invalid elliptic curve public key"))?)
        }
        "OKP" if jwk.crv.as_deref() == Some("Ed25519") => PublicKey::ed25519(&field(jwk.x.as_deref(), "x")?),
        "OKP" | "oct" => return Err(FunctionError::new("x509: unsupported public key type")),
        _ => return Err(unknown_type()),
    };
    Ok(Value::String(pem::encode("PUBLIC KEY", &key.to_der()).into()))
}

/// The private key of a JWK.
fn private_pem(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let jwk = parse(arguments)?;
    if jwk.d.is_none() && jwk.kty != "oct" {
        return Err(FunctionError::new("x509: unknown key type while marshaling PKCS#8: it is a public key"));
    }
    let key = match jwk.kty.as_str() {
        "RSA" => PrivateKey::Rsa(Box::new(rsa(&jwk, call)?)),
        "EC" => {
            let invalid = || FunctionError::new("x509: the numbers of the EC key do not fit to each other");
            let curve = curve(&jwk)?;
            let (x, y) = (field(jwk.x.as_deref(), "x")?, field(jwk.y.as_deref(), "y")?);
            let key = PrivateKey::ec(curve, &field(jwk.d.as_deref(), "d")?).ok_or_else(invalid)?;
            let point = curve.point(&x, &y).ok_or_else(invalid)?;
            if key.public().is_none_or(|public| public.bytes != point) {
                return Err(invalid());
            }
            key
        }
        "OKP" if jwk.crv.as_deref() == Some("Ed25519") => {
            let key = PrivateKey::ed25519(field(jwk.d.as_deref(), "d")?)?;
            let x = field(jwk.x.as_deref(), "x")?;
            if key.public().is_none_or(|public| public.bytes != *x) {
                return Err(FunctionError::new("failed to build public key: invalid x value given d value"));
            }
            key
        }
        "OKP" | "oct" => return Err(FunctionError::new("x509: unknown key type while marshaling PKCS#8")),
        _ => return Err(unknown_type()),
    };
    Ok(Value::String(pem::encode("PRIVATE KEY", &key.to_pkcs8()).into()))
}

#[allow(clippy::many_single_char_names, reason = "the names of RFC 8017")]
fn rsa(jwk: &Jwk, call: &mut Call<'_>) -> Result<RsaKey> {
    let number = |value: &Option<String>, name| -> Result<Zeroizing<Vec<u8>>> {
        let bytes = field(value.as_deref(), name)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(Zeroizing::new(bytes.get(zeros..).unwrap_or_default().to_vec()))
    };
    let optional = |value: &Option<String>, name| value.as_ref().map(|_| number(value, name)).transpose();
    let (n, e, d) = (number(&jwk.n, "n")?, number(&jwk.e, "e")?, number(&jwk.d, "d")?);
    let (p, q) = (number(&jwk.p, "p")?, number(&jwk.q, "q")?);
    let (dp, dq, qi) = (optional(&jwk.dp, "dp")?, optional(&jwk.dq, "dq")?, optional(&jwk.qi, "qi")?);
    // They are used only if all three are given.
    let (dp, dq, qi) = match (&dp, &dq, &qi) {
        (Some(dp), Some(dq), Some(qi)) => (Some(&***dp), Some(&***dq), Some(&***qi)),
        _ => (None, None, None),
    };
    RsaKey::new(&RsaNumbers { n: &n, e: &e, d: &d, p: &p, q: &q, dp, dq, qi }, call)
}
