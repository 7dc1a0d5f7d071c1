//! Lenient parsing of a part of an object.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A `spec` that was parsed, or the reason why it could not be.
///
/// A watch delivers whatever the API server stores, which a CRD of another version may have let
/// through. Were the error returned from the deserializer, one such object would end the watch of
/// all others; so it is kept here, and reported on that object alone.
#[derive(Clone)]
pub enum Parsed<T> {
    /// The value, boxed so that stores of many objects stay small.
    Valid(Box<T>),
    /// It does not fit the schema.
    Invalid(InvalidField),
}

/// Where a value does not fit the schema, and why. Never holds the value of a secret: specs have none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct InvalidField {
    /// The field's path below the object, for example `spec.refreshInterval`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl<T> Parsed<T> {
    /// The value, or why there is none.
    pub fn get(&self) -> Result<&T, &InvalidField> {
        match self {
            Self::Valid(value) => Ok(value),
            Self::Invalid(error) => Err(error),
        }
    }
}

impl<T: Default> Default for Parsed<T> {
    fn default() -> Self {
        Self::Valid(Box::default())
    }
}

impl<T> From<T> for Parsed<T> {
    fn from(value: T) -> Self {
        Self::Valid(Box::new(value))
    }
}

impl<T: fmt::Debug> fmt::Debug for Parsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match serde_path_to_error::deserialize::<_, T>(value) {
            Ok(value) => Self::Valid(Box::new(value)),
            Err(error) => {
                let path = match error.path().to_string().as_str() {
                    "." => "spec".to_owned(),
                    path => format!("spec.{path}"),
                };
                Self::Invalid(InvalidField { path, problem: error.into_inner().to_string() })
            }
        })
    }
}

/// Deserializes a part that can be made anew, such as a status: `None` where it is absent or does
/// not fit.
pub(super) fn or_none<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::v1::{ConditionStatus, ExternalSecret};

    #[test]
    fn an_object_whose_spec_and_status_do_not_fit_is_still_read() {
        let object: ExternalSecret = serde_json::from_value(json!({
            "metadata": { "name": "example" },
            "spec": { "refreshInterval": "bogus" },
            "status": { "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "yesterday" }] },
        }))
        .unwrap();
        assert_eq!(object.metadata.name.as_deref(), Some("example"));
        assert_eq!(object.spec.get().unwrap_err().path, "spec.refreshInterval");
        assert_eq!(object.status, None);
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
