//! Client assertions that an application signs itself with the key of a registered certificate.
//!
//! Source: "Microsoft identity platform application authentication certificate credentials"
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, decode_header};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::SandboxError;

use super::assertion::{AssertionClaims, check_times};
use super::directory::TenantState;
use super::errors::EntraError;
use super::issuer::decoding_key;
use super::signer::verified_claims;

/// A certificate that an application registered.
#[derive(Clone)]
pub(crate) struct RegisteredCertificate {
    /// `x5t#S256`: the SHA-256 of the certificate's DER form in base64url.
    thumbprint: String,
    key: DecodingKey,
}

impl RegisteredCertificate {
    /// From the first certificate in a PEM text.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, SandboxError> {
        let invalid = |reason: String| SandboxError::ClientCertificate(reason);
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        let parsed = ParsedCertificate::try_from(&der).map_err(|error| invalid(error.to_string()))?;
        let public_key: SubjectPublicKeyInfoDer<'_> = parsed.subject_public_key_info();
        Ok(Self {
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            key: decoding_key(&public_key).map_err(|error| invalid(error.to_string()))?,
        })
    }
}

/// Checks an assertion that the application signed itself.
///
/// The certificate is found by `x5t#S256`. If an assertion only has `x5t`, which uses SHA-1, any registered certificate
/// with a matching key is accepted.
pub(crate) fn check_own(
    assertion: &str,
    certificates: &[RegisteredCertificate],
    client_id: &str,
    tenant: &TenantState,
    now: Timestamp,
) -> Result<(), EntraError> {
    let header = decode_header(assertion).map_err(|_| EntraError::assertion_malformed())?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256) {
        return Err(EntraError::assertion_malformed());
    }
    let thumbprint = header.x5t_s256.as_deref();
    let shown = thumbprint.or(header.x5t.as_deref()).unwrap_or_default();
    let mut candidates = certificates
        .iter()
        .filter(|certificate| thumbprint.is_none_or(|it| it.trim_end_matches('=') == certificate.thumbprint))
        .peekable();
    if candidates.peek().is_none() {
        return Err(EntraError::certificate_unknown(shown, client_id));
    }
    let claims: AssertionClaims = candidates
        .filter(|certificate| certificate.key.family().algorithms().contains(&header.alg))
        .find_map(|certificate| verified_claims(assertion, &certificate.key, header.alg))
        .ok_or_else(|| EntraError::certificate_signature_wrong(shown, client_id))?;
    if claims.sub != client_id || claims.iss != client_id {
        return Err(EntraError::assertion_of_another_application());
    }
    if !claims.audiences().iter().any(|audience| is_token_endpoint(audience, tenant)) {
        return Err(EntraError::assertion_for_another_audience());
    }
    check_times(&claims, now)
}

/// Whether an audience is the tenant's token endpoint or the tenant.
fn is_token_endpoint(audience: &str, tenant: &TenantState) -> bool {
    let Some((host, path)) = audience.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let id = tenant.id.to_ascii_lowercase();
    tenant.cloud.is_login_host(host)
        && [id.clone(), format!("{id}/v2.0"), format!("{id}/oauth2/v2.0/token"), format!("{id}/oauth2/token")]
            .contains(&path)
}
