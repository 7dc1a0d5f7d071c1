//! The tokens of a registry: refresh tokens in exchange for Entra ID's tokens, and access tokens in exchange for
//! refresh tokens.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::entra::signer::verified_claims;
use crate::ids;
use crate::state::State;

use super::access::Scope;
use super::errors::RegistryError;
use super::{RegistryState, required};

/// The audience of Entra ID's tokens for registries.
pub(crate) const RESOURCE: &str = "https://containerregistry.azure.net";
/// The addresses of Azure Resource Manager in all clouds.
const RESOURCE_MANAGERS: [&str; 4] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];

/// The claims of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    jti: String,
    /// The object ID of the identity.
    pub(super) sub: String,
    iss: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    grant_type: String,
    /// What an access token allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<Vec<Scope>>,
}

/// Which tokens are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Refresh,
    Access,
    Any,
}

/// Signs a registry's tokens.
pub(super) struct Tokens {
    secret: String,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { secret: format!("{}{}", ids::version(), ids::version()) }
    }

    fn sign(&self, claims: &Claims) -> Result<String, RegistryError> {
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(self.secret.as_bytes()))
            .map_err(|_| RegistryError::failed(500))
    }

    /// The claims of a valid token of this registry.
    pub(super) fn verify(&self, token: &str, registry: &RegistryState, kind: Kind) -> Result<Claims, RegistryError> {
        let key = DecodingKey::from_secret(self.secret.as_bytes());
        let claims: Claims = verified_claims(token, &key, Algorithm::HS256).ok_or_else(RegistryError::unauthorized)?;
        let is_right = match kind {
            Kind::Refresh => claims.grant_type == "refresh_token",
            Kind::Access => claims.grant_type == "access_token",
            Kind::Any => true,
        };
        let now = registry.now().as_second();
        if is_right && claims.aud == registry.host && now < claims.exp {
            Ok(claims)
        } else {
            Err(RegistryError::unauthorized())
        }
    }
}

fn claims(
    registry: &RegistryState,
    object_id: &str,
    grant_type: &str,
    life: i64,
    access: Option<Vec<Scope>>,
) -> Claims {
    let now = registry.now().as_second();
    Claims {
        jti: ids::guid(),
        sub: object_id.to_owned(),
        iss: "Azure Container Registry".to_owned(),
        aud: registry.host.clone(),
        iat: now,
        nbf: now - 900,
        exp: now + life,
        grant_type: grant_type.to_owned(),
        access,
    }
}

fn seconds(life: std::time::Duration) -> i64 {
    i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
}

/// A refresh token in exchange for Entra ID's token.
pub(super) fn exchange(state: &State, registry: &RegistryState, form: &[u8]) -> Result<String, RegistryError> {
    if required(form, "grant_type")? != "access_token" || required(form, "service")? != registry.host {
        return Err(RegistryError::malformed());
    }
    let token = required(form, "access_token")?;
    let of_entra = state.signer.verify(&token).map_err(|_| RegistryError::unauthorized())?;
    let audience = of_entra.aud.trim_end_matches('/');
    let is_of_resource_manager = RESOURCE_MANAGERS.contains(&audience);
    if audience != RESOURCE && !is_of_resource_manager {
        return Err(RegistryError::audience());
    }
    if is_of_resource_manager && registry.access.read().refuses_resource_manager {
        return Err(RegistryError::audience());
    }
    let is_of_tenant = of_entra.tid == registry.tenant();
    let is_good = registry.now().as_second() < of_entra.exp;
    if !is_of_tenant || !is_good || !registry.access.read().knows(&of_entra.oid) {
        return Err(RegistryError::unauthorized());
    }
    let life = seconds(registry.lifetimes().refresh);
    let signed = registry.tokens.sign(&claims(registry, &of_entra.oid, "refresh_token", life, None))?;
    registry.counters.record(|counters| counters.refresh_tokens += 1);
    Ok(signed)
}

/// An access token in exchange for a refresh token.
pub(super) fn access_token(registry: &RegistryState, form: &[u8]) -> Result<String, RegistryError> {
    if required(form, "grant_type")? != "refresh_token" || required(form, "service")? != registry.host {
        return Err(RegistryError::malformed());
    }
    let refresh = registry.tokens.verify(&required(form, "refresh_token")?, registry, Kind::Refresh)?;
    let asked = form_urlencoded::parse(form).filter(|(name, _)| name == "scope");
    let asked: Option<Vec<Scope>> =
        asked.flat_map(|(_, scopes)| scopes.split(' ').map(Scope::parse).collect::<Vec<_>>()).collect();
    let asked = asked.filter(|asked| !asked.is_empty()).ok_or_else(RegistryError::malformed)?;
    let granted = registry.access.read().granted(&refresh.sub, &asked);
    if granted.is_empty() {
        return Err(RegistryError::unauthorized());
    }
    let life = seconds(registry.lifetimes().access);
    let signed = registry.tokens.sign(&claims(registry, &refresh.sub, "access_token", life, Some(granted)))?;
    registry.counters.record(|counters| counters.access_tokens += 1);
    Ok(signed)
}
