//! Between `v1beta1` and `v1`, which have one shape. CRDs that ESO installed name a conversion webhook.

use kube::core::Status;
use kube::core::conversion::{ConversionRequest, ConversionResponse};
use serde_json::Value;

use crate::api::{GROUP, ServedVersion};

/// Why an object cannot be had in a version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Inconvertible {
    /// The versions differ in shape, or are not known.
    #[error(
        "{kind} {name:?} cannot be converted from {from} to {to}: only {GROUP}/v1 and {GROUP}/v1beta1 have the same shape; apply it anew in v1"
    )]
    Versions {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// The version that it has.
        from: String,
        /// The version that is wanted.
        to: String,
    },
    /// It is none.
    #[error("what is to be converted is no object")]
    NoObject,
}

/// The answer to a request: all objects, or the reason of the first that cannot be converted.
pub(super) fn review(request: ConversionRequest) -> ConversionResponse {
    let response = ConversionResponse {
        types: request.types,
        uid: request.uid,
        result: Status::success(),
        converted_objects: Vec::new(),
    };
    let desired = request.desired_api_version;
    match request.objects.into_iter().map(|object| convert(object, &desired)).collect::<Result<Vec<_>, _>>() {
        Ok(converted_objects) => ConversionResponse { converted_objects, ..response },
        Err(error) => ConversionResponse { result: Status::failure(&error.to_string(), "Invalid"), ..response },
    }
}

fn convert(mut object: Value, desired: &str) -> Result<Value, Inconvertible> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let from = text(&object["apiVersion"]);
    let same_shape =
        |version: &str| [ServedVersion::V1, ServedVersion::V1beta1].iter().any(|known| known.api_version() == version);
    if from != desired && !(same_shape(&from) && same_shape(desired)) {
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        return Err(Inconvertible::Versions { kind, name, from, to: desired.to_owned() });
    }
    let fields = object.as_object_mut().ok_or(Inconvertible::NoObject)?;
    fields.insert("apiVersion".to_owned(), desired.into());
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(version: &str) -> Value {
        json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "SecretStore", "metadata": {"name": "vault"}, "spec": {"unknown": [1]}})
    }

    #[test]
    fn both_versions_are_converted_into_each_other_without_a_loss() {
        for (from, to) in [("v1beta1", "v1"), ("v1", "v1beta1"), ("v1", "v1")] {
            assert_eq!(convert(object(from), &format!("{GROUP}/{to}")), Ok(object(to)));
        }
    }

    #[test]
    fn an_older_version_is_a_clear_failure() {
        let error = convert(object("v1alpha1"), &format!("{GROUP}/v1")).unwrap_err().to_string();
        assert!(error.contains("SecretStore \"vault\"") && error.contains("external-secrets.io/v1alpha1"), "{error}");
        assert!(convert(object("v1"), "other.io/v1").is_err());
        assert!(convert(json!("text"), "other.io/v1").is_err());
    }
}
