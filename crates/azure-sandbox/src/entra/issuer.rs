//! The keys with which an external identity provider, such as a cluster, signs tokens.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::SandboxError;

/// What Entra ID would find at an issuer's `jwks_uri`.
#[derive(Clone, Default)]
pub struct IssuerKeys(Vec<IssuerKey>);

#[derive(Clone)]
struct IssuerKey {
    id: String,
    key: DecodingKey,
}

impl IssuerKeys {
    /// From public keys in PEM (`PUBLIC KEY`), such as the file that kube-apiserver gets as
    /// `--service-account-key-file`. Each gets the ID that Kubernetes assigns: the SHA-256 of its DER form in
    /// base64url.
    ///
    /// # Errors
    /// [`SandboxError::IssuerKey`] if the text contains no public key, or one that is neither RSA nor P-256.
    pub fn from_pem(pem: &str) -> Result<Self, SandboxError> {
        let keys = SubjectPublicKeyInfoDer::pem_slice_iter(pem.as_bytes())
            .map(|der| {
                let der = der.map_err(|error| SandboxError::IssuerKey(error.to_string()))?;
                IssuerKey::from_der(&der)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SandboxError::IssuerKey("the PEM text has no block PUBLIC KEY".to_owned()));
        }
        Ok(Self(keys))
    }

    /// From a JSON Web Key Set, such as kube-apiserver's `/openid/v1/jwks`.
    ///
    /// # Errors
    /// [`SandboxError::IssuerKey`] if the text is not a key set, or one of its keys is neither RSA nor P-256.
    pub fn from_jwks(json: &str) -> Result<Self, SandboxError> {
        let invalid = |reason: String| SandboxError::IssuerKey(reason);
        let set: JwkSet = serde_json::from_str(json).map_err(|error| invalid(error.to_string()))?;
        let keys = set
            .keys
            .iter()
            .map(|jwk| {
                let key = DecodingKey::from_jwk(jwk).map_err(|error| invalid(error.to_string()))?;
                Ok(IssuerKey { id: jwk.common.key_id.clone().unwrap_or_default(), key })
            })
            .collect::<Result<Vec<_>, SandboxError>>()?;
        Ok(Self(keys))
    }

    /// The key with this ID.
    pub(crate) fn find(&self, id: &str) -> Option<&DecodingKey> {
        self.0.iter().find(|key| key.id == id).map(|key| &key.key)
    }
}

impl IssuerKey {
    fn from_der(der: &SubjectPublicKeyInfoDer<'_>) -> Result<Self, SandboxError> {
        let id = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der.as_ref()));
        Ok(Self { id, key: decoding_key(der)? })
    }
}

/// Decodes a public key in DER, which must be RSA or P-256.
pub(super) fn decoding_key(der: &SubjectPublicKeyInfoDer<'_>) -> Result<DecodingKey, SandboxError> {
    let pem = pem_of(der.as_ref());
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .or_else(|_| DecodingKey::from_ec_pem(pem.as_bytes()))
        .map_err(|error| SandboxError::IssuerKey(format!("the key is neither RSA nor P-256: {error}")))
}

fn pem_of(der: &[u8]) -> String {
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}
