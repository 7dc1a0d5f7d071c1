//! The `metadata` of an entry: everything about its object except the value.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::diagnose::{Cause, Diagnosis, text};
use super::{MANAGED_BY, OWNER};

/// The frame that all providers' metadata shares.
const API_VERSION: &str = "kubernetes.external-secrets.io/v1alpha1";
const KIND: &str = "PushSecretMetadata";
/// The most tags that an object may have, and the longest name and value of one:
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates>.
pub(super) const MOST_TAGS: usize = 15;
const LONGEST_TAG: usize = 256;
/// The longest content type.
const LONGEST_CONTENT_TYPE: usize = 255;

/// The metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// When it expires, in seconds since 1970.
    pub(super) expires: Option<i64>,
    /// The content type.
    pub(super) content_type: Option<String>,
    /// Its tags.
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    api_version: String,
    kind: String,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default)]
    expiration_date: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Metadata {
    /// Reads the metadata of an entry. `None` and `null` mean that there is none.
    ///
    /// # Errors
    /// It is not metadata for Key Vault.
    pub(super) fn read(metadata: Option<&Value>) -> Result<Self, Diagnosis> {
        let Some(metadata) = metadata.filter(|metadata| !metadata.is_null()) else { return Ok(Self::default()) };
        let failed = |why: String| {
            Diagnosis::new(Cause::ReferenceInvalid, format!("failed to parse push secret metadata: {why}"))
        };
        let envelope = Envelope::deserialize(metadata).map_err(|error| {
            failed(text::stable(&error.to_string()))
                .hint("metadata has apiVersion, kind and spec, and spec has expirationDate, contentType and tags")
        })?;
        if envelope.api_version != API_VERSION || envelope.kind != KIND {
            let hint = format!("set apiVersion to {API_VERSION} and kind to {KIND}");
            return Err(failed("it is of another apiVersion or kind".to_owned()).hint(hint));
        }
        let Spec { expiration_date, content_type, tags } = envelope.spec;
        let expires =
            (!expiration_date.is_empty()).then(|| expiration_date.parse::<Timestamp>()).transpose().map_err(|_| {
                failed(format!("expirationDate {:?} is not a time", text::stable(&expiration_date)))
                    .hint("write it as in RFC 3339, for example 2030-01-31T00:00:00Z")
            })?;
        check_tags(&tags)?;
        if content_type.chars().count() > LONGEST_CONTENT_TYPE {
            return Err(failed("contentType is too long".to_owned())
                .hint(format!("Key Vault takes {LONGEST_CONTENT_TYPE} characters")));
        }
        Ok(Self {
            expires: expires.map(Timestamp::as_second),
            content_type: (!content_type.is_empty()).then_some(content_type),
            tags,
        })
    }
}

/// Checks the metadata of an entry.
///
/// # Errors
/// [`Metadata::read`]
pub(in crate::provider::azure) fn check(metadata: &Value) -> Result<(), Diagnosis> {
    Metadata::read(Some(metadata)).map(drop)
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Diagnosis> {
    let refused =
        |why: String| Diagnosis::new(Cause::ReferenceInvalid, format!("error parsing tags in metadata: {why}"));
    if let Some(own) = [MANAGED_BY, OWNER].into_iter().find(|own| tags.contains_key(*own)) {
        return Err(refused(format!("Cannot specify a '{own}' tag")).hint("leave it out: it is set here"));
    }
    // One tag is ours.
    if tags.len() >= MOST_TAGS {
        return Err(refused(format!("{} are too many", tags.len()))
            .hint(format!("an object has {MOST_TAGS} at most, and one of them says that it is managed here")));
    }
    let is_long = |text: &str| text.chars().count() > LONGEST_TAG;
    if tags.iter().any(|(name, value)| name.is_empty() || is_long(name) || is_long(value)) {
        return Err(refused("a name or value is empty or too long".to_owned())
            .hint(format!("names and values have {LONGEST_TAG} characters at most")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(spec: &Value) -> Value {
        json!({"apiVersion": API_VERSION, "kind": KIND, "spec": spec})
    }

    #[test]
    fn an_expiration_date_is_a_moment_whatever_its_offset() {
        let read = |text: &str| Metadata::read(Some(&with(&json!({"expirationDate": text})))).unwrap().expires;
        assert_eq!(read("2030-01-31T00:00:00Z"), read("2030-01-31T02:00:00.25+02:00"));
        assert_eq!(Metadata::read(None).unwrap(), Metadata::default());
        assert_eq!(Metadata::read(Some(&Value::Null)).unwrap(), Metadata::default());
    }

    #[test]
    fn what_is_no_metadata_is_refused_in_esos_words() {
        let words = |metadata: &Value| Metadata::read(Some(metadata)).unwrap_err().message;
        for bad in [json!({}), with(&json!({"unknown": 1})), json!({"apiVersion": "v1", "kind": KIND}), json!("text")] {
            assert!(words(&bad).starts_with("failed to parse push secret metadata: "), "{bad}");
        }
        let long = words(&with(&json!({"expirationDate": "x\n".repeat(2000)})));
        assert!(long.chars().count() < 1000 && !long.contains('\n'), "{long}");
        let unknown = words(&json!({"apiVersion": API_VERSION, "kind": KIND, "x".repeat(5000): 1}));
        assert!(unknown.chars().count() < 1000, "{unknown}");
        let umlauts = json!({"tags": {"a": "\u{e4}".repeat(256)}});
        assert!(Metadata::read(Some(&with(&umlauts))).is_ok(), "256 characters, not bytes");
        assert!(words(&with(&json!({"expirationDate": "tomorrow"}))).contains("expirationDate \"tomorrow\""));
        let tag = words(&with(&json!({"tags": {"managed-by": "me"}})));
        assert_eq!(tag, "error parsing tags in metadata: Cannot specify a 'managed-by' tag");
        let many: BTreeMap<_, _> = (0..15).map(|number| (number.to_string(), "x")).collect();
        assert!(words(&with(&json!({ "tags": many }))).contains("15 are too many"));
    }
}
