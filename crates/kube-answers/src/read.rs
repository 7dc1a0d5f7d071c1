//! Reads whole objects, and reports why an answer could not be read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::metadata::with_managed_fields;

/// Why an answer cannot be read. Unlike the errors of `serde_json`, it never quotes the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its answer could not be read: {}", match .0 {
    Category::Eof => "it ends too soon",
    Category::Syntax => "it is not JSON that can be read",
    Category::Io | Category::Data => "a field is not what it should be",
})]
pub struct Unreadable(Category);

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.classify())
    }
}

impl From<Unreadable> for kube::Error {
    fn from(unreadable: Unreadable) -> Self {
        Self::SerdeError(serde::de::Error::custom(unreadable))
    }
}

/// The message of an error of the API client, without any part of an answer that could not be read.
#[must_use]
pub fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::SerdeError(error) => match error.to_string() {
            // Created here from an `Unreadable`.
            text if text.starts_with("its answer could not be read: ") => text,
            _ => Unreadable(error.classify()).to_string(),
        },
        kube::Error::FromUtf8(_) => Unreadable(Category::Syntax).to_string(),
        error => error.to_string(),
    }
}

/// Reads an object from its text: the metadata as in [`with_managed_fields`], the rest as its type does.
pub(crate) fn object<K: Resource + DeserializeOwned>(text: &str) -> Result<K, Unreadable> {
    #[derive(Deserialize)]
    struct Metadata(#[serde(deserialize_with = "with_managed_fields")] ObjectMeta);
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text)?;
    let metadata = fields.remove("metadata").map(|metadata| serde_json::from_str::<Metadata>(metadata.get()));
    let rest = Zeroizing::new(serde_json::to_string(&fields)?);
    let mut object: K = serde_json::from_str(&rest)?;
    *object.meta_mut() = metadata.transpose()?.map(|Metadata(metadata)| metadata).unwrap_or_default();
    Ok(object)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::core::DynamicObject;

    use super::*;

    const ODD: &str = r#"{"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}, "metadata": {
        "name": "a", "creationTimestamp": "9999-12-31T23:59:59Z",
        "managedFields": [{"manager": "foo", "time": "9999-12-31T23:59:59Z", "fieldsV1": {"f:data": {}}}]}}"#;

    #[test]
    fn an_object_is_read_whole_whatever_its_metadata() {
        let secret: Secret = object(ODD).unwrap();
        assert_eq!(secret.metadata.name.as_deref(), Some("a"));
        assert_eq!(secret.data.unwrap()["a"].0, b"b");
        let any: DynamicObject = object(ODD).unwrap();
        assert_eq!(any.types.unwrap().kind, "Secret");
        assert_eq!(any.data, serde_json::json!({"type": "Opaque", "data": {"a": "Yg=="}}));
        assert_eq!(any.metadata.managed_fields.unwrap()[0].manager.as_deref(), Some("foo"));
    }

    #[test]
    fn an_error_does_not_quote_the_answer() {
        for text in [
            r#"{"data": "canary"}"#,
            r#"{"data": {"a": "canary"}}"#,
            r#"{"metadata": "canary"}"#,
            r#"{"metadata": {"labels": "canary"}}"#,
            r#"{"metadata": {"name": {"canary": 1}}}"#,
            r#""canary""#,
            r#"{"data": {"a": "canary"#,
            "canary",
        ] {
            let error = kube::Error::from(object::<Secret>(text).unwrap_err());
            assert!(reason(&error).starts_with("its answer could not be read: "), "{}", reason(&error));
            assert!(!format!("{error} {error:?} {}", reason(&error)).contains("canary"), "{error:?}");
            if let Err(error) = serde_json::from_str::<Secret>(text) {
                assert!(!reason(&kube::Error::SerdeError(error)).contains("canary"));
            }
        }
    }
}
