//! Exchanges a token of Entra ID for a registry's: <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>.

use std::sync::Arc;
use std::time::Instant;

use azure_core::http::HttpClient;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretSlice;
use serde::Deserialize;
use url::{Url, form_urlencoded};
use zeroize::{Zeroize as _, Zeroizing};

use super::super::diagnose::{Cause, Diagnosis};
use super::super::transport::{Peer, Pinned};
use super::host::RegistryHost;
use crate::provider::metrics::{ApiCall, CallStatus};
use crate::provider::{ProviderMetrics, RegistryToken, SecretValue};

/// The user name for a token, which serves as the password.
const USER: &str = "00000000-0000-0000-0000-000000000000";

/// An exchange at one registry.
pub(super) struct Exchange<'a> {
    pub(super) host: &'a RegistryHost,
    pub(super) scope: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
    pub(super) http: &'a Arc<dyn HttpClient>,
    pub(super) metrics: &'a Arc<dyn ProviderMetrics>,
}

impl Exchange<'_> {
    /// A refresh token or, with a scope, an access token.
    pub(super) async fn token(&self, of_entra: &str) -> Result<RegistryToken, Diagnosis> {
        let mut form = vec![("grant_type", "access_token"), ("service", self.host.name())];
        form.extend(self.tenant.map(|tenant| ("tenant", tenant)));
        form.push(("access_token", of_entra));
        let mut answer = self.post(ApiCall::ExchangeRefreshToken, "/oauth2/exchange", &form).await?;
        let refresh_token = Zeroizing::new(answer.refresh_token.take().ok_or_else(|| self.not_understood())?);
        let Some(scope) = self.scope else { return Ok(token(&refresh_token)) };
        let form = [
            ("grant_type", "refresh_token"),
            ("service", self.host.name()),
            ("scope", scope),
            ("refresh_token", &refresh_token),
        ];
        let mut answer = self.post(ApiCall::ExchangeAccessToken, "/oauth2/token", &form).await?;
        let access_token = Zeroizing::new(answer.access_token.take().ok_or_else(|| self.not_understood())?);
        Ok(token(&access_token))
    }

    async fn post(&self, call: ApiCall, path: &str, form: &[(&str, &str)]) -> Result<Answer, Diagnosis> {
        let began = Instant::now();
        let result = self.answer(path, form).await;
        self.metrics.api_call(call, CallStatus::of(&result), began.elapsed());
        result
    }

    async fn answer(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, Diagnosis> {
        let url = Url::parse(&format!("https://{}{path}", self.host.name()));
        let url = url.map_err(|_| Diagnosis::of_field(Cause::GeneratorInvalid, "registry", "is not a host"))?;
        let body = Pinned::to(&url, Peer::Registry, Arc::clone(self.http)).post(url, encoded(form)).await?;
        // The parser's error could quote a part of the token.
        serde_json::from_slice(&body).map_err(|_| self.not_understood())
    }

    fn not_understood(&self) -> Diagnosis {
        let message = format!("the answer of {} is not one of a container registry", self.host.name());
        Diagnosis::new(Cause::UnexpectedAnswer, message)
            .hint("a proxy may answer in its place: check HTTPS_PROXY and NO_PROXY")
    }
}

/// A form, in a buffer that is never reallocated.
fn encoded(form: &[(&str, &str)]) -> Zeroizing<String> {
    let longest = form.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut encoded = Zeroizing::new(String::with_capacity(longest));
    for (name, value) in form {
        let ampersand = if encoded.is_empty() { "" } else { "&" };
        encoded.push_str(ampersand);
        encoded.push_str(name);
        encoded.push('=');
        form_urlencoded::byte_serialize(value.as_bytes()).for_each(|part| encoded.push_str(part));
    }
    encoded
}

/// A registry's answer, wiped when dropped.
#[derive(Deserialize)]
struct Answer {
    refresh_token: Option<String>,
    access_token: Option<String>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.refresh_token.zeroize();
        self.access_token.zeroize();
    }
}

fn token(text: &str) -> RegistryToken {
    let Life { made, until } = Life::of(text);
    let token: SecretValue = Arc::new(SecretSlice::from(text.as_bytes().to_vec()));
    RegistryToken { user: USER, token, made, until }
}

/// The life of a token.
struct Life {
    made: Timestamp,
    until: Option<Timestamp>,
}

/// The times in a JSON Web Token (RFC 7519, section 4.1). The token is not verified, which is the registry's task.
#[derive(Deserialize)]
struct Payload {
    iat: Option<i64>,
    exp: Option<i64>,
}

impl Life {
    /// The lifetime according to the token, counted from now. The registry's clock sets its length, so a wrong local
    /// clock does not make it look expired.
    fn of(token: &str) -> Self {
        let now = Timestamp::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
        let payload: Option<Payload> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        let until = payload.and_then(|payload| {
            let exp = payload.exp?;
            let seconds = exp.checked_sub(payload.iat.unwrap_or_else(|| now.as_second()))?;
            now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
        });
        Self { made: now, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(payload: &str) -> Option<i64> {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let Life { made, until } = Life::of(&token);
        until.map(|until| until.duration_since(made).as_secs())
    }

    #[test]
    fn the_life_of_a_token_is_what_it_says_whatever_the_clock_says() {
        assert_eq!(life(r#"{"iat":1000,"exp":11800,"aud":"x"}"#), Some(10800));
        let exp = Timestamp::now().as_second() + 60;
        assert!((58..=61).contains(&life(&format!(r#"{{"exp":{exp}}}"#)).unwrap()));
    }

    #[test]
    fn a_token_that_does_not_say_so_has_no_end() {
        for payload in ["{}", "[]", r#"{"exp":"soon"}"#, &format!(r#"{{"iat":{},"exp":{}}}"#, i64::MIN, i64::MAX)] {
            assert_eq!(life(payload), None, "{payload}");
        }
        assert!(Life::of("opaque").until.is_none());
    }

    #[test]
    fn a_form_is_encoded() {
        let form = encoded(&[("service", "r.azurecr.io"), ("scope", "repository:a/b:pull,push"), ("t", "a+b=&")]);
        assert_eq!(&*form, "service=r.azurecr.io&scope=repository%3Aa%2Fb%3Apull%2Cpush&t=a%2Bb%3D%26");
    }
}
