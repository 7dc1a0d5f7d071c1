//! Lenient parsing of a part of an object.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A `spec`, or the reason why it cannot be read.
///
/// A watch delivers everything that the API server stores, including what a CRD of another version admitted. If
/// deserializing returned the error, one such object would end the watch of all others. The error is therefore kept
/// here and reported on that object alone.
///
/// The spec is kept as text, which takes a quarter of the memory of the parsed form. [`Parsed::get`] parses it once and
/// keeps the result. A clone shares the text but parses it again: a pass works on a clone, which it drops together with
/// the parsed form.
pub struct Parsed<T> {
    /// `None` if the value was never text or cannot be written as text.
    text: Option<Arc<str>>,
    value: OnceLock<Result<Box<T>, InvalidField>>,
}

/// The field that does not fit the schema, and why. Contains no secret, because specs contain none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct InvalidField {
    /// The field's path below the object, for example `spec.refreshInterval`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl<T: DeserializeOwned> Parsed<T> {
    /// The value, or why there is none.
    ///
    /// # Errors
    /// [`InvalidField`]
    pub fn get(&self) -> Result<&T, &InvalidField> {
        let parsed = self.value.get_or_init(|| parse(self.text.as_deref().unwrap_or("null")));
        parsed.as_ref().map(Box::as_ref)
    }
}

impl<T> Parsed<T> {
    /// The original text, including fields that `T` does not know; `None` if there was none or it is too long.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    fn of(value: Result<Box<T>, InvalidField>) -> Self {
        Self { text: None, value: OnceLock::from(value) }
    }
}

impl<T: Clone> Clone for Parsed<T> {
    fn clone(&self) -> Self {
        let value = if self.text.is_some() { OnceLock::new() } else { self.value.clone() };
        Self { text: self.text.clone(), value }
    }
}

impl<T: Default> Default for Parsed<T> {
    fn default() -> Self {
        Self::of(Ok(Box::default()))
    }
}

impl<T> From<T> for Parsed<T> {
    fn from(value: T) -> Self {
        Self::of(Ok(Box::new(value)))
    }
}

impl<T: fmt::Debug + DeserializeOwned> fmt::Debug for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<'de, T> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // This scans the text without recursion, however deeply it is nested. Parsing it has a depth limit.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        if values(text.get()) > MOST_VALUES {
            let problem = format!("has more than the {MOST_VALUES} values allowed; split it into several objects");
            return Ok(Self::of(Err(InvalidField { path: "spec".to_owned(), problem })));
        }
        let text: Box<str> = text.into();
        Ok(Self { text: Some(text.into()), value: OnceLock::new() })
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<Box<T>, InvalidField> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| InvalidField { path: "spec".to_owned(), problem: unreadable(&error) })?;
    serde_path_to_error::deserialize::<_, T>(value).map(Box::new).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => "spec".to_owned(),
            path => format!("spec.{path}"),
        };
        InvalidField { path, problem: error.into_inner().to_string() }
    })
}

/// The most values in a spec. Each takes about 100 bytes while it is parsed, however short the text.
const MOST_VALUES: usize = 100_000;

/// An upper bound for the number of values in a JSON text, from its separators.
fn values(json: &str) -> usize {
    let (mut values, mut in_string, mut is_escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// What is wrong with a text that the API server accepted as JSON.
fn unreadable(error: &serde_json::Error) -> String {
    if error.to_string().starts_with("recursion limit") {
        "is nested too deeply; no field needs more than a few levels".to_owned()
    } else {
        "is not JSON that can be read".to_owned()
    }
}

/// Deserializes metadata without `managedFields`, which no reconcile uses.
pub(super) use crate::answers::metadata::without_managed_fields as metadata;

/// Deserializes metadata with the readable part of `managedFields`.
pub(super) use crate::answers::metadata::with_managed_fields as metadata_with_managed_fields;

/// Deserializes a part that can be recreated, such as a status: `None` if it is missing or does not fit.
pub(super) use crate::answers::metadata::lenient as or_none;

/// Deserializes a time, which is `None` if it is out of range.
pub(super) use crate::answers::metadata::time;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::v1::{ConditionStatus, ExternalSecret, SecretStore};

    #[test]
    fn an_object_whose_spec_and_status_do_not_fit_is_still_read() {
        let object: ExternalSecret = serde_json::from_value(json!({
            "metadata": { "name": "example" },
            "spec": { "refreshInterval": "bogus" },
            "status": { "conditions": "none" },
        }))
        .unwrap();
        assert_eq!(object.metadata.name.as_deref(), Some("example"));
        assert_eq!(object.spec.get().unwrap_err().path, "spec.refreshInterval");
        assert_eq!(object.status, None);
    }

    #[test]
    fn a_time_that_cannot_be_counted_with_is_none_and_the_rest_of_the_status_is_read() {
        for time in ["yesterday", "9999-12-31T23:59:59Z", "", "0000-00-00T00:00:00Z"] {
            let object: ExternalSecret = serde_json::from_value(json!({
                "status": {
                    "refreshTime": time, "syncedResourceVersion": "1-abc",
                    "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": time, "message": "m" }],
                },
            }))
            .unwrap();
            let status = object.status.unwrap();
            assert_eq!(
                (status.refresh_time, status.synced_resource_version.as_deref()),
                (None, Some("1-abc")),
                "{time}"
            );
            assert_eq!(status.conditions[0].last_transition_time, None);
            assert_eq!(status.conditions[0].message.as_deref(), Some("m"));
        }
    }

    #[test]
    fn an_object_that_is_nested_too_deeply_does_not_keep_the_others_of_its_list_from_being_read() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        let list = format!(
            r#"[{{"metadata": {{"name": "deep", "managedFields": [{{"fieldsV1": {deep}}}]}}, "spec": {{"provider": {{"other": {deep}}}}}}},
                {{"metadata": {{"name": "flat", "labels": {{"a": "b"}}}}, "spec": {{"provider": {{"fake": {{"data": []}}}}}}}}]"#
        );
        let [deep, flat]: [SecretStore; 2] = serde_json::from_str(&list).unwrap();
        assert_eq!(deep.metadata.name.as_deref(), Some("deep"));
        let error = deep.spec.get().unwrap_err().to_string();
        assert!(error.starts_with("spec: is nested too deeply"), "{error}");
        assert!(flat.spec.get().is_ok() && flat.metadata.labels.is_some());
    }

    #[test]
    fn an_object_of_very_many_small_values_is_refused_before_they_take_memory() {
        let object = |count: usize| {
            let many = vec!["{}"; count].join(",");
            let text = format!(r#"{{"spec": {{"provider": {{"other": [{many}], "text": "a,\",[[[:"}}}}}}"#);
            serde_json::from_str::<SecretStore>(&text).unwrap()
        };
        assert!(object(90_000).spec.get().is_ok());
        let error = object(500_000).spec.get().unwrap_err().to_string();
        assert!(error.starts_with("spec: has more than the 100000 values"), "{error}");
    }

    #[test]
    fn a_condition_with_another_status_than_the_three_is_unknown() {
        let object: ExternalSecret = serde_json::from_value(json!({
            "status": { "conditions": [{ "type": "Ready", "status": "Perhaps" }] },
        }))
        .unwrap();
        assert_eq!(object.status.unwrap().conditions[0].status, ConditionStatus::Unknown);
    }
}
