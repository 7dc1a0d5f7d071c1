//! The claims in a service account's token, for hints. Nothing here verifies or trusts a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::diagnose::entra::Claims;
use super::diagnose::text;

/// The payload of a JSON Web Token (RFC 7519, section 4.1).
#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: Audience,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
    #[default]
    None,
}

/// The issuer, subject and audience of a JSON Web Token; `None` if the text is not one.
pub(super) fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    let audience = match payload.aud {
        Audience::One(audience) => audience,
        Audience::Many(audiences) => audiences.join(", "),
        Audience::None => String::new(),
    };
    let [issuer, subject, audience] = [payload.iss, payload.sub, audience].map(|text| text::stable(&text));
    (!issuer.is_empty() || !subject.is_empty()).then_some(Claims { issuer, subject, audience })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn issuer_subject_and_all_audiences_are_shown() {
        let told = claims(&token(r#"{"iss":"https://i/","sub":"system:serviceaccount:a:b","aud":["x","y"],"exp":1}"#));
        let expected = Claims {
            issuer: "https://i/".into(),
            subject: "system:serviceaccount:a:b".into(),
            audience: "x, y".into(),
        };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn an_invalid_token_reveals_nothing() {
        for text in ["", "a.b", "a.!!.c", &token("[]"), &token("{\"aud\":1}")] {
            assert_eq!(claims(text), None, "{text}");
        }
    }
}
