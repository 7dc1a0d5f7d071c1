//! The assertion that a certificate's key signs:
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;

use super::{ClientCertificate, Unusable};

/// The assertion is presented at once; these minutes allow for clock skew.
const LIFETIME_SECONDS: i64 = 600;

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    /// Identifies the application's certificate.
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
    /// The chain, for applications that trust an issuer and subject instead of single certificates.
    x5c: Vec<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl ClientCertificate {
    /// A JSON Web Token with which the application `client_id` authenticates to `audience`, the tenant's token
    /// endpoint, from `now` on. `number` makes it unique.
    ///
    /// # Errors
    /// If the key fails to sign.
    pub(in crate::provider::azure) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
        number: u128,
    ) -> Result<SecretString, Unusable> {
        let own = self.chain.first().map(Vec::as_slice).unwrap_or_default();
        let header = Header {
            alg: self.key.algorithm(),
            typ: "JWT",
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, own)),
            x5c: self.chain.iter().map(|der| STANDARD.encode(der)).collect(),
        };
        let now = now.as_second();
        let claims = Claims {
            aud: audience,
            iss: client_id,
            sub: client_id,
            jti: format!("{number:032x}"),
            nbf: now,
            iat: now,
            exp: now + LIFETIME_SECONDS,
        };
        let signed = format!("{}.{}", part(&header)?, part(&claims)?);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}").into())
    }
}

fn part(part: &impl Serialize) -> Result<String, Unusable> {
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| Unusable::NotSigned)
}
