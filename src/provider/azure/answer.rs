//! A vault's answer for an object, parsed from JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::Bytes;
use azure_core::http::headers::{HeaderName, Headers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::{Deserialize, Serialize};

use super::diagnose::{Cause, Diagnosis};
use super::object::{ObjectId, ObjectKind};
use super::transport::wipe;
use crate::provider::shares::{Share, Shares};
use crate::provider::{ObjectMark, ReadMark, SecretValue};

/// Everything that one GET says of an object. A caller that reads its value, a property of it, a tag or an attribute is served by
/// the same request.
pub(super) struct Object {
    value: Option<SecretValue>,
    /// Its tags.
    pub(super) tags: BTreeMap<String, String>,
    /// Its times.
    pub(super) attributes: Attributes,
    /// With it a later refresh can ask whether the object has changed; for the current version of a secret only.
    pub(super) mark: Option<ReadMark>,
    /// The memory it is charged to while it serves identical reads; `None` if it does not.
    kept: Option<Share>,
    /// The memory it is charged to if it is large.
    _memory: Option<Share>,
}

/// What an object costs in addition to its texts.
const OVERHEAD: usize = 400;
const OVERHEAD_OF_TAG: usize = 64;

/// The times of an object, in seconds since 1970, and whether it may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Attributes {
    /// Whether it is enabled.
    pub(super) enabled: Option<bool>,
    /// The end of its validity.
    #[serde(rename = "exp")]
    pub(super) expires: Option<i64>,
    /// The beginning of its validity.
    #[serde(rename = "nbf")]
    pub(super) not_before: Option<i64>,
    /// When it was made.
    pub(super) created: Option<i64>,
    /// When it was last changed.
    pub(super) updated: Option<i64>,
}

/// The bundles of secrets, keys and certificates of the REST API, as far as they are read:
/// <https://learn.microsoft.com/rest/api/keyvault>.
#[derive(Deserialize)]
struct Bundle {
    id: Option<String>,
    value: Option<String>,
    key: Option<JsonWebKey>,
    cer: Option<String>,
    attributes: Option<Attributes>,
    tags: Option<BTreeMap<String, Option<String>>>,
}

/// A key, with its fields in the order and under the names of ESO's SDK, which is what ESO writes into a Secret.
/// Values stand as the vault gives them, in base64url. Fields that are not listed here are not in ESO's value either.
#[derive(Deserialize, Serialize)]
struct JsonWebKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_hsm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl JsonWebKey {
    /// The JSON that ESO's SDK makes of it. That SDK has no optional type and curve: an empty one is left out.
    fn json(mut self) -> Result<Vec<u8>, Diagnosis> {
        for field in [&mut self.kty, &mut self.crv] {
            field.take_if(|text| text.is_empty());
        }
        go_json(&self)
    }
}

impl Object {
    /// Parses an answer for `id`, and wipes the answer.
    ///
    /// # Errors
    /// The answer is not Key Vault's.
    pub(super) fn parse(id: &ObjectId, headers: &Headers, body: Bytes) -> Result<Self, Diagnosis> {
        let parsed = serde_json::from_slice::<Bundle>(&body);
        wipe(body);
        // The text of the parser's error could hold a part of the value.
        let bundle = parsed.map_err(|_| not_understood())?;
        let attributes = bundle.attributes.unwrap_or_default();
        let mark = match (id.kind, &id.version, &bundle.id, attributes.updated) {
            (ObjectKind::Secret, None, Some(url), Some(updated)) => {
                Some(ReadMark { object: ObjectMark::of(without_version(url)), updated, read: answered_at(headers) })
            }
            _ => None,
        };
        let value = match id.kind {
            ObjectKind::Secret => bundle.value.map(String::into_bytes),
            ObjectKind::Key => bundle.key.map(JsonWebKey::json).transpose()?,
            // It is empty if the certificate is not issued yet.
            ObjectKind::Certificate => {
                let decode = |text: String| STANDARD.decode(text).map_err(|_| not_understood());
                bundle.cer.filter(|text| !text.is_empty()).map(decode).transpose()?
            }
        };
        let tags = bundle.tags.unwrap_or_default();
        Ok(Self {
            value: value.map(|value| Arc::new(SecretSlice::from(value))),
            tags: tags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            attributes,
            mark,
            kept: None,
            _memory: None,
        })
    }

    /// How much memory it takes.
    pub(super) fn size(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |value| value.expose_secret().len());
        self.tags.iter().fold(OVERHEAD + value, |size, (name, text)| size + name.len() + text.len() + OVERHEAD_OF_TAG)
    }

    /// The same, with the memory that it takes.
    pub(super) fn with_memory(self, memory: Share) -> Self {
        Self { _memory: Some(memory), ..self }
    }

    /// The same, which may serve identical reads for some time if `kept` has room.
    pub(super) fn kept_in(self, kept: &Arc<Shares>, namespace: &Arc<str>) -> Self {
        Self { kept: kept.try_take(namespace, self.size()), ..self }
    }

    /// Whether it may serve identical reads for some time.
    pub(super) const fn may_be_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// An object that does not come from a vault.
    pub(super) fn given(value: Option<SecretValue>, tags: BTreeMap<String, String>, attributes: Attributes) -> Self {
        Self { value, tags, attributes, mark: None, kept: None, _memory: None }
    }

    /// The value; a key as JSON Web Key, a certificate as DER.
    ///
    /// # Errors
    /// The answer contained none.
    pub(super) fn value(&self) -> Result<&SecretValue, Diagnosis> {
        self.value.as_ref().ok_or_else(|| {
            Diagnosis::new(Cause::UnexpectedAnswer, "the answer holds no value")
                .hint("of a certificate: wait until it is issued")
        })
    }
}

/// JSON as ESO has it: as Go writes it.
pub(super) fn go_json(value: &impl Serialize) -> Result<Vec<u8>, Diagnosis> {
    let mut json = go_json::to_vec(value).map_err(|_| not_understood())?;
    Ok(std::mem::take(&mut *json))
}

/// `https://vault/secrets/name/version` as it stands in a list, which names no version.
fn without_version(url: &str) -> &str {
    match url.rsplit_once('/') {
        Some((object, _)) if object.matches('/').count() == 4 => object,
        _ => url,
    }
}

/// When an answer was made, in seconds since 1970 by the sender's clock, else by ours.
pub(super) fn answered_at(headers: &Headers) -> i64 {
    let date = headers
        .get_optional_str(&HeaderName::from_static("date"))
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    date.map_or_else(Timestamp::now, |date| date.timestamp()).as_second()
}

pub(super) fn not_understood() -> Diagnosis {
    Diagnosis::new(Cause::UnexpectedAnswer, "the answer is not one of Key Vault")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    fn id(kind: ObjectKind) -> ObjectId {
        ObjectId { kind, name: "x".to_owned(), version: None }
    }

    fn parse(id: &ObjectId, answer: &Value) -> Result<Object, Diagnosis> {
        let mut headers = Headers::new();
        headers.insert("date", "Tue, 14 Nov 2023 22:13:20 GMT");
        Object::parse(id, &headers, Bytes::from(answer.to_string()))
    }

    fn text(object: &Object) -> String {
        String::from_utf8(object.value().unwrap().expose_secret().to_vec()).unwrap()
    }

    #[test]
    fn a_key_has_its_fields_in_the_order_of_esos_sdk() {
        let order =
            ["kid", "kty", "key_ops", "n", "e", "d", "dp", "dq", "qi", "p", "q", "k", "key_hsm", "crv", "x", "y"];
        let mut key: serde_json::Map<String, Value> =
            order.iter().map(|name| ((*name).to_owned(), json!(format!("{name}<")))).collect();
        key["key_ops"] = json!(["sign", "verify"]);
        key.insert("unknown".to_owned(), json!(1));
        let json = text(&parse(&id(ObjectKind::Key), &json!({ "key": key })).unwrap());
        let expected = order.map(|name| match name {
            "key_ops" => r#""key_ops":["sign","verify"]"#.to_owned(),
            name => format!(r#""{name}":"{name}\u003c""#),
        });
        assert_eq!(json, format!("{{{}}}", expected.join(",")));
    }

    #[rstest]
    #[case(json!({"kty": "RSA", "n": "AQ", "e": "AQAB"}), r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#)]
    #[case(json!({"kty": "", "crv": null, "x": "", "key_ops": []}), r#"{"key_ops":[],"x":""}"#)]
    fn fields_that_a_key_has_not_are_left_out_as_go_does(#[case] key: Value, #[case] expected: &str) {
        assert_eq!(text(&parse(&id(ObjectKind::Key), &json!({ "key": key })).unwrap()), expected);
    }

    #[test]
    fn a_certificate_is_its_bytes_and_one_that_is_not_issued_has_only_tags() {
        let certificate = id(ObjectKind::Certificate);
        let issued = parse(&certificate, &json!({"cer": "MIIB+/8=", "tags": {"a": "b"}})).unwrap();
        assert_eq!(issued.value().unwrap().expose_secret(), [0x30, 0x82, 0x01, 0xfb, 0xff]);
        let pending = parse(&certificate, &json!({"cer": "", "tags": {"a": "b"}})).unwrap();
        assert_eq!(pending.value().unwrap_err().cause, Cause::UnexpectedAnswer);
        assert_eq!(pending.tags["a"], "b");
        assert!(parse(&certificate, &json!({"cer": "!"})).is_err());
    }

    #[test]
    fn only_the_current_version_of_a_secret_has_a_mark_and_it_names_the_object_as_a_list_does() {
        let answer = |kind: &str| {
            json!({
                "id": format!("https://v.vault.azure.net/{kind}/Name/0123"), "kid": "k", "value": "v", "cer": "MA==", "key": {},
                "attributes": {"updated": 1_700_000_000, "enabled": true},
            })
        };
        let mark = parse(&id(ObjectKind::Secret), &answer("secrets")).unwrap().mark;
        let expected = ReadMark {
            object: ObjectMark::of("https://v.vault.azure.net/secrets/Name"),
            updated: 1_700_000_000,
            read: 1_700_000_000,
        };
        assert_eq!(mark, Some(expected));
        let pinned = ObjectId { version: Some("0".repeat(32)), ..id(ObjectKind::Secret) };
        assert_eq!(parse(&pinned, &answer("secrets")).unwrap().mark, None);
        for kind in [ObjectKind::Key, ObjectKind::Certificate] {
            assert_eq!(parse(&id(kind), &answer("x")).unwrap().mark, None);
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        for answer in [json!(["canary"]), json!({"value": {"canary": 1}}), json!("canary")] {
            let refused = parse(&id(ObjectKind::Secret), &answer).err().unwrap();
            assert_eq!(refused.cause, Cause::UnexpectedAnswer);
            assert!(!format!("{refused:?}").contains("canary"));
        }
    }
}
