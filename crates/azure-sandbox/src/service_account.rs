//! Service account tokens as a cluster signs them, for tests and experiments without a cluster.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::entra::issuer::IssuerKeys;
use super::{SandboxError, TOKEN_EXCHANGE_AUDIENCE, ids};

/// Signs service account tokens as kube-apiserver does.
pub struct ServiceAccountIssuer {
    url: String,
    key_id: String,
    algorithm: Algorithm,
    key: EncodingKey,
    public_key_pem: String,
}

/// The claims of a token. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountToken {
    /// The account's namespace.
    pub namespace: String,
    /// The account's name.
    pub name: String,
    /// The audience.
    pub audience: String,
    /// When it was issued and becomes valid.
    pub issued_at: i64,
    /// When it expires.
    pub expires_at: i64,
}

impl ServiceAccountToken {
    /// A token for Entra ID that is valid for an hour from now.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        let now = Timestamp::now().as_second();
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            audience: TOKEN_EXCHANGE_AUDIENCE.to_owned(),
            issued_at: now,
            expires_at: now + 3600,
        }
    }

    /// The subject: `system:serviceaccount:NAMESPACE:NAME`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

impl ServiceAccountIssuer {
    /// An issuer with a new RSA key, which is the default in clusters.
    ///
    /// # Errors
    /// [`SandboxError::Certificate`] if no key can be generated.
    pub fn rsa(url: &str) -> Result<Self, SandboxError> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(SandboxError::Certificate)?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).map_err(SandboxError::Token)?;
        Ok(Self::new(url, &pair, key, Algorithm::RS256))
    }

    /// An issuer with a new P-256 key.
    ///
    /// # Errors
    /// As [`ServiceAccountIssuer::rsa`].
    pub fn p256(url: &str) -> Result<Self, SandboxError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(SandboxError::Certificate)?;
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).map_err(SandboxError::Token)?;
        Ok(Self::new(url, &pair, key, Algorithm::ES256))
    }

    fn new(url: &str, pair: &KeyPair, key: EncodingKey, algorithm: Algorithm) -> Self {
        Self {
            url: url.to_owned(),
            key_id: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(pair.subject_public_key_info())),
            algorithm,
            key,
            public_key_pem: pair.public_key_pem(),
        }
    }

    /// Its URL, which is `iss` in tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key that verifies its tokens.
    ///
    /// # Errors
    /// None in practice: the key was generated here.
    pub fn keys(&self) -> Result<IssuerKeys, SandboxError> {
        IssuerKeys::from_pem(&self.public_key_pem)
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`SandboxError::Token`] if signing fails.
    pub fn sign(&self, token: &ServiceAccountToken) -> Result<String, SandboxError> {
        let mut header = Header::new(self.algorithm);
        header.typ = None;
        header.kid = Some(self.key_id.clone());
        let claims = json!({
            "aud": [token.audience],
            "exp": token.expires_at,
            "iat": token.issued_at,
            "iss": self.url,
            "jti": ids::guid(),
            "kubernetes.io": {
                "namespace": token.namespace,
                "serviceaccount": { "name": token.name, "uid": ids::guid() },
            },
            "nbf": token.issued_at,
            "sub": token.subject(),
        });
        encode(&header, &claims, &self.key).map_err(SandboxError::Token)
    }
}
