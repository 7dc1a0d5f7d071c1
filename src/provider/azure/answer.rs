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

/// Everything that one GET returns about an object. Its value, a property of it, its tags and attributes are all read
/// with the same request.
pub(super) struct Object {
    value: Option<SecretValue>,
    pub(super) tags: BTreeMap<String, String>,
    /// Its times.
    pub(super) attributes: Attributes,
    /// What a write must know besides.
    pub(super) written: WrittenAs,
    /// With it a later refresh can ask whether the object has changed; for the current version of a secret only.
    pub(super) mark: Option<ReadMark>,
    /// The memory charged while the answer is kept for identical reads; `None` if it is not kept.
    kept: Option<Share>,
    /// The memory charged for a large answer.
    _memory: Option<Share>,
}

/// What a write must know of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenAs {
    /// Its version.
    pub(super) version: Option<String>,
    /// The note on what its value is.
    pub(super) content_type: Option<String>,
    /// Whether it is a part of a certificate.
    pub(super) is_of_certificate: bool,
}

/// What an object costs in addition to its texts.
const OVERHEAD: usize = 400;
const OVERHEAD_OF_TAG: usize = 64;

/// An object's times, in seconds since 1970, and whether it is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Attributes {
    pub(super) enabled: Option<bool>,
    /// The end of its validity.
    #[serde(rename = "exp")]
    pub(super) expires: Option<i64>,
    /// The beginning of its validity.
    #[serde(rename = "nbf")]
    pub(super) not_before: Option<i64>,
    /// When it was created.
    pub(super) created: Option<i64>,
    /// When it was last changed.
    pub(super) updated: Option<i64>,
}

/// The bundles of secrets, keys and certificates of the REST API, as far as they are read:
/// <https://learn.microsoft.com/rest/api/keyvault>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    id: Option<String>,
    content_type: Option<String>,
    managed: Option<bool>,
    value: Option<String>,
    key: Option<JsonWebKey>,
    cer: Option<String>,
    attributes: Option<Attributes>,
    tags: Option<BTreeMap<String, Option<String>>>,
}

/// A key, with the names and the order of fields of ESO's SDK, because that JSON is what ESO writes into a Secret.
/// Values are in base64url, as the vault returns them. Fields missing here are also missing in ESO's value.
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
    /// The JSON that ESO's SDK produces. In that SDK type and curve are not optional; empty ones are left out.
    fn json(mut self) -> Result<Vec<u8>, Diagnosis> {
        for field in [&mut self.kty, &mut self.crv] {
            field.take_if(|text| text.is_empty());
        }
        go_json(&self)
    }
}

impl Object {
    /// Parses the answer for `id`, and wipes its buffer.
    ///
    /// # Errors
    /// If the answer is not Key Vault's.
    pub(super) fn parse(id: &ObjectId, headers: &Headers, body: Bytes) -> Result<Self, Diagnosis> {
        let parsed = serde_json::from_slice::<Bundle>(&body);
        wipe(body);
        // The parser's error could quote a part of the value.
        let bundle = parsed.map_err(|_| not_understood())?;
        let attributes = bundle.attributes.unwrap_or_default();
        let mark = match (id.kind, &id.version, &bundle.id, attributes.updated) {
            (ObjectKind::Secret, None, Some(url), Some(updated)) => {
                Some(ReadMark { object: ObjectMark::of(without_version(url)), updated, read: answered_at(headers) })
            }
            _ => None,
        };
        let url = match id.kind {
            ObjectKind::Key => bundle.key.as_ref().and_then(|key| key.kid.as_deref()),
            ObjectKind::Secret | ObjectKind::Certificate => bundle.id.as_deref(),
        };
        let written = WrittenAs {
            version: url.and_then(version_of).map(str::to_owned),
            content_type: bundle.content_type,
            is_of_certificate: bundle.managed == Some(true),
        };
        let value = match id.kind {
            ObjectKind::Secret => bundle.value.map(String::into_bytes),
            ObjectKind::Key => bundle.key.map(JsonWebKey::json).transpose()?,
            // It is empty until the certificate is issued.
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
            written,
            mark,
            kept: None,
            _memory: None,
        })
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |value| value.expose_secret().len());
        self.tags.iter().fold(OVERHEAD + value, |size, (name, text)| size + name.len() + text.len() + OVERHEAD_OF_TAG)
    }

    /// Attaches the memory that it is charged to.
    pub(super) fn with_memory(self, memory: Share) -> Self {
        Self { _memory: Some(memory), ..self }
    }

    /// Keeps the answer for identical reads for some time, if `kept` has room.
    pub(super) fn kept_in(self, kept: &Arc<Shares>, namespace: &Arc<str>) -> Self {
        Self { kept: kept.try_take(namespace, self.size()), ..self }
    }

    /// Whether it is kept for identical reads.
    pub(super) const fn may_be_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// An object that does not come from a vault.
    pub(super) fn given(value: Option<SecretValue>, tags: BTreeMap<String, String>, attributes: Attributes) -> Self {
        Self { value, tags, attributes, written: WrittenAs::default(), mark: None, kept: None, _memory: None }
    }

    /// The value; for a key its JSON Web Key, for a certificate its DER.
    ///
    /// # Errors
    /// If the answer contains none.
    pub(super) fn value(&self) -> Result<&SecretValue, Diagnosis> {
        self.value.as_ref().ok_or_else(|| {
            Diagnosis::new(Cause::UnexpectedAnswer, "the answer holds no value")
                .hint("of a certificate: wait until it is issued")
        })
    }
}

/// JSON as Go, and so ESO, writes it.
pub(super) fn go_json(value: &impl Serialize) -> Result<Vec<u8>, Diagnosis> {
    let mut json = go_json::to_vec(value).map_err(|_| not_understood())?;
    Ok(std::mem::take(&mut *json))
}

/// `https://vault/secrets/name/version` in the form of a list, without the version.
fn without_version(url: &str) -> &str {
    match url.rsplit_once('/') {
        Some((object, _)) if object.matches('/').count() == 4 => object,
        _ => url,
    }
}

/// The version in `https://vault/secrets/name/version`.
pub(super) fn version_of(url: &str) -> Option<&str> {
    let (object, version) = url.rsplit_once('/')?;
    let is_version = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_version && object.matches('/').count() == 4).then_some(version)
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
