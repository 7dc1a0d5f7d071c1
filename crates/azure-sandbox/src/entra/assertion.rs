//! Client assertions of an external identity provider (workload identity federation).
//!
//! Source: "Workload identity federation"
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>). Checks, in order: that a federated
//! credential exists at all, the issuer, the signature, the times, the audience, the subject, and finally that a single
//! credential matches all of them.

use jiff::Timestamp;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, decode_header};
use serde::Deserialize;

use super::directory::FederatedCredential;
use super::errors::{AssertionPart, EntraError};
use super::issuer::IssuerKeys;
use super::signer::verified_claims;

/// The longest lifetime of a token that Entra ID accepts: 25 hours.
const LONGEST_LIFETIME_SECONDS: i64 = 25 * 60 * 60;
/// How far the clocks of the issuer and of Entra ID may differ.
const CLOCK_SKEW_SECONDS: i64 = 5 * 60;

/// The claims of an assertion that Entra ID checks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AssertionClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: Audiences,
    iat: Seconds,
    nbf: Option<Seconds>,
    exp: Seconds,
    /// Identifies one of an issuer's tokens.
    pub(super) jti: Option<String>,
}

impl AssertionClaims {
    /// The audiences.
    pub(super) fn audiences(&self) -> &[String] {
        self.aud.as_slice()
    }
}

/// `aud` is one string or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

impl Default for Audiences {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audiences {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Several(audiences) => audiences,
        }
    }
}

/// A time in seconds since 1970, possibly with a fraction, as allowed in JSON Web Tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Seconds(f64);

impl Seconds {
    #[allow(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    const fn whole(self) -> i64 {
        self.0 as i64
    }
}

/// The claims of an assertion, not verified: only to determine who should verify it.
pub(crate) fn unverified(assertion: &str) -> Result<AssertionClaims, EntraError> {
    insecure_decode_claims(assertion).map_err(|_| EntraError::assertion_malformed())
}

/// Checks a federated assertion.
///
/// `keys` are those of the assertion's issuer; `None` if the issuer's metadata cannot be read.
pub(crate) fn check_federated(
    assertion: &str,
    credentials: &[FederatedCredential],
    client_id: &str,
    keys: Option<&IssuerKeys>,
    now: Timestamp,
) -> Result<(), EntraError> {
    let presented = unverified(assertion)?;
    if credentials.is_empty() {
        return Err(EntraError::no_federated_credentials(client_id));
    }
    if !credentials.iter().any(|credential| credential.issuer == presented.iss) {
        return Err(EntraError::no_match(AssertionPart::Issuer, &presented.iss));
    }
    let claims = check_signature(assertion, &presented.iss, keys)?;
    check_times(&claims, now)?;
    check_names(&claims, credentials)
}

fn check_signature(assertion: &str, issuer: &str, keys: Option<&IssuerKeys>) -> Result<AssertionClaims, EntraError> {
    let header = decode_header(assertion).map_err(|_| EntraError::assertion_malformed())?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(EntraError::assertion_malformed());
    }
    let key_id = header.kid.unwrap_or_default();
    let keys = keys.ok_or_else(EntraError::issuer_unreachable)?;
    let key = keys.find(&key_id).ok_or_else(|| EntraError::signing_key_unknown(&key_id, issuer))?;
    if !key.family().algorithms().contains(&header.alg) {
        return Err(EntraError::signature_wrong(&key_id));
    }
    verified_claims(assertion, key, header.alg).ok_or_else(|| EntraError::signature_wrong(&key_id))
}

/// Checks that it is valid now, and not for too long.
pub(super) fn check_times(claims: &AssertionClaims, now: Timestamp) -> Result<(), EntraError> {
    let (issued, expires) = (claims.iat.whole(), claims.exp.whole());
    if expires.saturating_sub(issued) > LONGEST_LIFETIME_SECONDS {
        return Err(EntraError::assertion_lives_too_long(issued, expires));
    }
    let from = claims.nbf.map_or(issued, Seconds::whole);
    let seconds = now.as_second();
    if seconds < from.saturating_sub(CLOCK_SKEW_SECONDS) || seconds > expires.saturating_add(CLOCK_SKEW_SECONDS) {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        return Err(EntraError::assertion_outside_validity(now, time(from), time(expires)));
    }
    Ok(())
}

fn check_names(claims: &AssertionClaims, credentials: &[FederatedCredential]) -> Result<(), EntraError> {
    let audiences = claims.audiences();
    let of_audience = |credential: &FederatedCredential| audiences.contains(&credential.audience);
    let of_subject = |credential: &FederatedCredential| credential.subject == claims.sub;
    if credentials.iter().any(|one| one.issuer == claims.iss && of_audience(one) && of_subject(one)) {
        return Ok(());
    }
    if !credentials.iter().any(of_audience) {
        return Err(EntraError::no_match(AssertionPart::Audience, &audiences.join(", ")));
    }
    if !credentials.iter().any(of_subject) {
        let near = credentials.iter().any(|credential| credential.subject.eq_ignore_ascii_case(&claims.sub));
        return Err(if near {
            EntraError::subject_differs_in_case(&claims.sub)
        } else {
            EntraError::no_match(AssertionPart::Subject, &claims.sub)
        });
    }
    Err(EntraError::no_matching_record(&claims.iss, &claims.sub, &audiences.join(", ")))
}
