//! Authenticates requests by their access tokens.
//!
//! Source: "Authentication, requests and responses"
//! (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>).

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;

use crate::entra::signer::{AccessClaims, TokenFlaw};
use crate::state::State;

use super::errors::KeyVaultError;
use super::vault::VaultState;

/// Key Vault's application ID, which tokens may name as the audience instead of its URL.
const KEY_VAULT_APPLICATION: &str = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093";
/// How far the clocks of Entra ID and the vault may differ.
const CLOCK_SKEW_SECONDS: i64 = 5 * 60;

/// The bearer token of a request.
pub(super) fn bearer<B>(request: &Request<B>) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of `WWW-Authenticate`: where to get a token, and for what.
pub(super) fn challenge(vault: &VaultState) -> String {
    format!(
        "Bearer authorization=\"https://{}/{}\", resource=\"{}\"",
        vault.cloud.login_host,
        vault.tenant(),
        vault.cloud.vault_resource()
    )
}

/// Checks a token: signature, audience, issuer, times.
///
/// The numbers AKV10022, AKV10032 and AKV10046 are Key Vault's own. Its numbers for malformed, forged and expired
/// tokens are undocumented, so these are substitutes.
pub(super) fn check(state: &State, vault: &VaultState, token: &str) -> Result<Arc<AccessClaims>, KeyVaultError> {
    let claims = state.signer.verify(token).map_err(|flaw| {
        KeyVaultError::unauthorized(match flaw {
            TokenFlaw::Malformed => "AKV10001: The token is not a valid JSON web token.",
            TokenFlaw::UnknownKey => "AKV10046: Unable to resolve the key used for signature validation.",
            TokenFlaw::Forged => "AKV10045: The signature of the token is invalid.",
        })
    })?;
    let resource = vault.cloud.vault_resource();
    if claims.aud.trim_end_matches('/') != resource && claims.aud != KEY_VAULT_APPLICATION {
        return Err(KeyVaultError::unauthorized(format!(
            "AKV10022: Invalid audience. Expected {resource}, found: {}.",
            claims.aud
        )));
    }
    let issuer = format!("https://{}/{}/", vault.cloud.sts_host, vault.tenant());
    if claims.iss != issuer {
        return Err(KeyVaultError::unauthorized(format!(
            "AKV10032: Invalid issuer. Expected one of {issuer}, found {}.",
            claims.iss
        )));
    }
    let now = vault.now().as_second();
    if now > claims.exp.saturating_add(CLOCK_SKEW_SECONDS) || now < claims.nbf.saturating_sub(CLOCK_SKEW_SECONDS) {
        return Err(KeyVaultError::unauthorized("AKV10042: The token is outside of its valid time range."));
    }
    Ok(claims)
}
