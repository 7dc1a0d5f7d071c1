//! Public keys as JSON Web Keys.
//!
//! Sources: RFC 7518, section 6; "About keys", key types
//! (<https://learn.microsoft.com/azure/key-vault/keys/about-keys>).

use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize,
};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::errors::KeyVaultError;

/// The kinds of keys that a vault generates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits.
    #[default]
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
    /// NIST's curve P-256.
    P256,
    /// The curve secp256k1, which Key Vault calls P-256K.
    P256K,
    /// NIST's curve P-384.
    P384,
    /// NIST's curve P-521.
    P521,
}

/// The curves: Key Vault's name, the dotted OID, and the size of a coordinate in bytes.
const CURVES: [(&str, &str, usize); 4] = [
    ("P-256", "1.2.840.10045.3.1.7", 32),
    ("P-256K", "1.3.132.0.10", 32),
    ("P-384", "1.3.132.0.34", 48),
    ("P-521", "1.3.132.0.35", 66),
];

impl KeyKind {
    /// From the fields of a request. The defaults are 2048 bits for RSA, and P-256 for EC.
    pub(crate) fn parse(key_type: Option<&str>, bits: Option<u32>, curve: Option<&str>) -> Result<Self, KeyVaultError> {
        let refused = |what: String| Err(KeyVaultError::bad_parameter(what));
        match (key_type.unwrap_or("RSA"), bits, curve) {
            ("RSA", None | Some(2048), _) => Ok(Self::Rsa2048),
            ("RSA", Some(3072), _) => Ok(Self::Rsa3072),
            ("RSA", Some(4096), _) => Ok(Self::Rsa4096),
            ("RSA", Some(bits), _) => refused(format!("RSA key size {bits} is not supported: use 2048, 3072 or 4096.")),
            ("EC", _, None | Some("P-256")) => Ok(Self::P256),
            ("EC", _, Some("P-256K")) => Ok(Self::P256K),
            ("EC", _, Some("P-384")) => Ok(Self::P384),
            ("EC", _, Some("P-521")) => Ok(Self::P521),
            ("EC", _, Some(curve)) => refused(format!("Curve {curve} is not supported.")),
            (other, _, _) => refused(format!("Key type {other} is not supported by this vault: use RSA or EC.")),
        }
    }

    /// Generates a key pair; `None` for P-256K, which cannot sign here.
    pub(crate) fn pair(self) -> Option<Result<KeyPair, rcgen::Error>> {
        let rsa = |size| Some(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size));
        match self {
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
            Self::P256 => Some(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)),
            Self::P384 => Some(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
            Self::P521 => Some(KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)),
            Self::P256K => None,
        }
    }
}

/// A public key. Numbers are big-endian in base64url, as in a JSON Web Key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PublicKey {
    Rsa { n: String, e: String },
    Ec { crv: String, x: String, y: String },
}

fn number(bytes: &[u8]) -> String {
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    BASE64_URL_SAFE_NO_PAD.encode(bytes.get(leading..).unwrap_or_default())
}

impl PublicKey {
    /// The public part of a new key. The private part is not kept, because no operation returns or uses it.
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, KeyVaultError> {
        let failed = || KeyVaultError::failed(http::StatusCode::INTERNAL_SERVER_ERROR);
        match kind.pair() {
            Some(pair) => Self::from_der(&pair.map_err(|_| failed())?.subject_public_key_info()).ok_or_else(failed),
            None => EcdsaKeyPair::generate(&ECDSA_P256K1_SHA256_ASN1_SIGNING)
                .ok()
                .and_then(|pair| Self::from_point("P-256K", pair.public_key().as_ref()))
                .ok_or_else(failed),
        }
    }

    /// From a `SubjectPublicKeyInfo` in DER; `None` for kinds of keys that Key Vault does not have.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        SubjectPublicKeyInfo::from_der(der).ok().and_then(|(_, parsed)| Self::from_parsed(&parsed))
    }

    pub(crate) fn from_parsed(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        match key.parsed().ok()? {
            ParsedKey::RSA(rsa) => Some(Self::Rsa { n: number(rsa.modulus), e: number(rsa.exponent) }),
            ParsedKey::EC(point) => {
                let id = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
                let (curve, ..) = CURVES.iter().find(|(_, oid, _)| *oid == id)?;
                Self::from_point(curve, point.data())
            }
            _ => None,
        }
    }

    /// From a point in uncompressed form: the byte 4, x, y.
    fn from_point(curve: &str, point: &[u8]) -> Option<Self> {
        let (_, _, length) = CURVES.iter().find(|(name, ..)| *name == curve)?;
        let (4, coordinates) = point.split_first()? else { return None };
        let (x, y) = coordinates.split_at_checked(*length).filter(|(_, y)| y.len() == *length)?;
        let encode = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Some(Self::Ec { crv: curve.to_owned(), x: encode(x), y: encode(y) })
    }

    /// The value of `kty`.
    pub(crate) const fn key_type(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RSA",
            Self::Ec { .. } => "EC",
        }
    }

    /// The curve, if it has one.
    pub(crate) fn curve(&self) -> Option<&str> {
        match self {
            Self::Rsa { .. } => None,
            Self::Ec { crv, .. } => Some(crv),
        }
    }

    /// The size of an RSA key in bits; 0 if it is malformed.
    pub(crate) fn bits(&self) -> Option<u32> {
        match self {
            Self::Rsa { n, .. } => {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(n).unwrap_or_default();
                u32::try_from(bytes.len() * 8).ok()
            }
            Self::Ec { .. } => None,
        }
    }

    /// Rejects what a client sent as a key if it is not one.
    pub(crate) fn check(&self) -> Result<(), KeyVaultError> {
        match self {
            Self::Rsa { e, .. } => {
                KeyKind::parse(Some("RSA"), self.bits(), None)?;
                if BASE64_URL_SAFE_NO_PAD.decode(e).is_ok_and(|bytes| !bytes.is_empty()) {
                    Ok(())
                } else {
                    Err(malformed())
                }
            }
            Self::Ec { crv, x, y } => {
                KeyKind::parse(Some("EC"), None, Some(crv))?;
                let length = CURVES.iter().find(|(name, ..)| name == crv).map(|(_, _, length)| *length);
                let fits = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len()) == length;
                if fits(x) && fits(y) { Ok(()) } else { Err(malformed()) }
            }
        }
    }
}

/// The refusal of something that is not a key.
pub(crate) fn malformed() -> KeyVaultError {
    KeyVaultError::bad_parameter("The parameter key is not a valid JSON web key.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_of_the_kind_that_was_asked_for() {
        for (kind, bits, curve) in [
            (KeyKind::Rsa2048, Some(2048), None),
            (KeyKind::Rsa3072, Some(3072), None),
            (KeyKind::P256, None, Some("P-256")),
            (KeyKind::P256K, None, Some("P-256K")),
            (KeyKind::P384, None, Some("P-384")),
            (KeyKind::P521, None, Some("P-521")),
        ] {
            let key = PublicKey::generate(kind).unwrap();
            assert_eq!((key.bits(), key.curve()), (bits, curve), "{kind:?}");
            key.check().unwrap();
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        for (key_type, bits, curve) in
            [(Some("oct-HSM"), None, None), (Some("RSA"), Some(1024), None), (Some("EC"), None, Some("P-192"))]
        {
            assert!(KeyKind::parse(key_type, bits, curve).is_err(), "{key_type:?}");
        }
        let short = PublicKey::Ec { crv: "P-256".to_owned(), x: "AA".to_owned(), y: "AA".to_owned() };
        assert!(short.check().is_err());
    }
}
