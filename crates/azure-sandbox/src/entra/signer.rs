//! Access tokens, signed by Entra ID and verified by Key Vault.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use parking_lot::RwLock;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{SandboxError, ids};

/// The claims of an access token for an application, in version 1.0, which Key Vault receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) appid: String,
    pub(crate) idtyp: String,
    pub(crate) oid: String,
    pub(crate) sub: String,
    pub(crate) tid: String,
    pub(crate) uti: String,
    pub(crate) ver: String,
}

/// Why a token is not one of Entra ID's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFlaw {
    /// It is not a JWT.
    Malformed,
    /// It names an unknown key.
    UnknownKey,
    /// Its signature is invalid.
    Forged,
}

/// Entra ID's signing key.
pub(crate) struct TokenSigner {
    key_id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_set: Value,
    /// Tokens with verified signatures. A client sends the same one with each request.
    verified: RwLock<HashMap<Box<str>, Arc<AccessClaims>>>,
}

/// The most verified tokens that are remembered; beyond that, all are forgotten at once.
const REMEMBERED_TOKENS: usize = 4096;

impl TokenSigner {
    /// A signer with a new RSA key.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(SandboxError::Certificate)?;
        let encoding = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).map_err(SandboxError::Token)?;
        let decoding = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).map_err(SandboxError::Token)?;
        let key_id = ids::version();
        let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).map_err(SandboxError::Token)?;
        jwk.common.key_id = Some(key_id.clone());
        Ok(Self { key_id, encoding, decoding, key_set: json!({ "keys": [jwk] }), verified: RwLock::default() })
    }

    /// The public key as a JSON Web Key Set.
    pub(crate) const fn key_set(&self) -> &Value {
        &self.key_set
    }

    /// Signs an access token.
    pub(crate) fn sign(&self, claims: &AccessClaims) -> Result<String, SandboxError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        encode(&header, claims, &self.encoding).map_err(SandboxError::Token)
    }

    /// The claims of a token that this signer signed. Does not check times, audience and tenant.
    pub(crate) fn verify(&self, token: &str) -> Result<Arc<AccessClaims>, TokenFlaw> {
        if let Some(claims) = self.verified.read().get(token) {
            return Ok(Arc::clone(claims));
        }
        let header = decode_header(token).map_err(|_| TokenFlaw::Malformed)?;
        if header.kid.as_deref() != Some(self.key_id.as_str()) {
            return Err(TokenFlaw::UnknownKey);
        }
        let claims = verified_claims(token, &self.decoding, Algorithm::RS256).ok_or(TokenFlaw::Forged)?;
        let claims = Arc::new(claims);
        let mut verified = self.verified.write();
        if verified.len() >= REMEMBERED_TOKENS {
            verified.clear();
        }
        verified.insert(token.into(), Arc::clone(&claims));
        Ok(claims)
    }
}

/// The claims of a token whose signature matches the key. The caller must check its times and names.
pub(crate) fn verified_claims<C: serde::de::DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Option<C> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode::<C>(token, key, &validation).ok().map(|token| token.claims)
}
