//! A private key that signs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
};

use zeroize::Zeroizing;

use super::unusable::Unusable;

/// The elliptic-curve algorithms that Entra ID accepts, named as in RFC 7518, section 3.4.
const CURVES: [(&str, &EcdsaSigningAlgorithm); 3] = [
    ("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING),
    ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING),
    ("ES512", &ECDSA_P521_SHA512_FIXED_SIGNING),
];

/// A private key. The library wipes it when it is dropped.
pub(in crate::provider::azure) enum Key {
    /// An RSA key.
    Rsa(RsaKeyPair),
    /// An elliptic-curve key, and the algorithm of its curve.
    Ecdsa(&'static str, EcdsaKeyPair),
}

impl Key {
    /// From PKCS#8 (`PRIVATE KEY`).
    pub(in crate::provider::azure) fn from_pkcs8(der: &[u8]) -> Result<Self, Unusable> {
        match RsaKeyPair::from_pkcs8(der) {
            Ok(key) => Ok(Self::Rsa(key)),
            Err(_) => Self::from_sec1(der),
        }
    }

    /// From PKCS#1 (`RSA PRIVATE KEY`).
    pub(in crate::provider::azure) fn from_pkcs1(der: &[u8]) -> Result<Self, Unusable> {
        RsaKeyPair::from_der(der).map(Self::Rsa).map_err(|_| Unusable::KeyUnsupported)
    }

    /// From SEC 1 (`EC PRIVATE KEY`) or PKCS#8.
    pub(in crate::provider::azure) fn from_sec1(der: &[u8]) -> Result<Self, Unusable> {
        CURVES
            .into_iter()
            .find_map(|(name, curve)| Some(Self::Ecdsa(name, EcdsaKeyPair::from_private_key_der(curve, der).ok()?)))
            .ok_or(Unusable::KeyUnsupported)
    }

    /// The public key as it stands in a certificate.
    pub(in crate::provider::azure) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::Ecdsa(_, key) => key.public_key().as_ref(),
        }
    }

    /// The key in PKCS#8 (RFC 5208).
    pub(in crate::provider::azure) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Unusable> {
        let der = match self {
            Self::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map(|der| der.as_ref().to_vec()),
            Self::Ecdsa(_, key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        };
        der.map(Zeroizing::new).map_err(|_| Unusable::KeyUnsupported)
    }

    /// The algorithm's name. Entra ID asks for PS256 with RSA keys:
    /// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "PS256",
            Self::Ecdsa(name, _) => name,
        }
    }

    /// The signature of `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unusable> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &random, message, &mut signature).map_err(|_| Unusable::NotSigned)?;
                Ok(signature)
            }
            Self::Ecdsa(_, key) => {
                let signature = key.sign(&random, message).map_err(|_| Unusable::NotSigned)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}
