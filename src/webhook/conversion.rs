//! Converts between `v1beta1` and `v1`, which have the same form. CRDs that ESO installed name a conversion webhook.
//!
//! Objects are not parsed: their text is copied with another `apiVersion`. So the answer takes as much memory as the
//! request, whatever its content.

use std::fmt;

use kube::core::Status;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::api::{GROUP, ServedVersion};

/// The longest name or version in a message.
const LONGEST_SHOWN: usize = 253;

/// Why an object cannot be converted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Inconvertible {
    /// The versions differ in form, or are unknown.
    #[error(
        "{kind} {name:?} cannot be converted from {from} to {to}: only {GROUP}/v1 and {GROUP}/v1beta1 have the same shape; apply it again in v1"
    )]
    Versions {
        kind: String,
        name: String,
        /// Its version.
        from: String,
        /// The requested version.
        to: String,
    },
    #[error("the item to convert is not an object")]
    NoObject,
}

/// The API server's request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: String,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    uid: String,
    #[serde(rename = "desiredAPIVersion")]
    desired: String,
    #[serde(borrow)]
    objects: &'a RawValue,
}

/// The answer to a review, as JSON: all objects, or the reason why one of them cannot be converted. Ends early if
/// nobody waits for it any longer.
///
/// # Errors
/// If the body is not a review.
pub(super) fn review(body: &[u8], stop: &CancellationToken) -> Result<Vec<u8>, String> {
    let review: Review<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let request = review.request.ok_or_else(|| "the ConversionReview has no request".to_owned())?;
    let uid = json(&request.uid);
    let head =
        format!(r#"{{"apiVersion":{},"kind":"ConversionReview","response":{{"uid":{uid},"#, json(&review.api_version));
    let mut answer = Vec::with_capacity(head.len() + body.len());
    answer.extend_from_slice(head.as_bytes());
    answer.extend_from_slice(br#""result":{"status":"Success"},"convertedObjects":["#);
    let mut objects = Objects { desired: &request.desired, answer: &mut answer, failure: None, stop };
    let read = (&mut objects).deserialize(&mut serde_json::Deserializer::from_str(request.objects.get()));
    match (objects.failure, read) {
        (Some(failure), _) => {
            let status = json(&Status::failure(&failure.to_string(), "Invalid"));
            answer.truncate(head.len());
            answer.extend_from_slice(format!(r#""result":{status},"convertedObjects":[]"#).as_bytes());
        }
        (None, Err(error)) => return Err(error.to_string()),
        (None, Ok(())) => answer.push(b']'),
    }
    answer.extend_from_slice(b"}}");
    Ok(answer)
}

/// Serializes what always has a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Converts one object after the other.
struct Objects<'a> {
    desired: &'a str,
    answer: &'a mut Vec<u8>,
    failure: Option<Inconvertible>,
    stop: &'a CancellationToken,
}

impl<'de> DeserializeSeed<'de> for &mut Objects<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Objects<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        let mut is_first = true;
        while let Some(object) = objects.next_element::<&RawValue>()? {
            if self.stop.is_cancelled() {
                return Err(A::Error::custom("nobody waits for the answer any more"));
            }
            if !is_first {
                self.answer.push(b',');
            }
            is_first = false;
            if let Err(failure) = convert(object.get(), self.desired, self.answer) {
                self.failure = Some(failure);
                return Err(A::Error::custom("an object cannot be converted"));
            }
        }
        Ok(())
    }
}

/// Writes `object` in the version `desired` to `answer`.
fn convert(object: &str, desired: &str, answer: &mut Vec<u8>) -> Result<(), Inconvertible> {
    let mut fields = Fields { desired, answer, from: String::new() };
    let read = serde_json::Deserializer::from_str(object).deserialize_map(&mut fields);
    read.map_err(|_| Inconvertible::NoObject)?;
    let from = fields.from;
    let same_shape =
        |version: &str| [ServedVersion::V1, ServedVersion::V1beta1].iter().any(|known| known.api_version() == version);
    if from == desired || same_shape(&from) && same_shape(desired) {
        return Ok(());
    }
    let Named { kind, metadata: NamedMetadata { name } } = serde_json::from_str(object).unwrap_or_default();
    let [kind, name, from, to] = [kind, name, from, desired.to_owned()].map(|mut text| {
        text.truncate(text.floor_char_boundary(LONGEST_SHOWN));
        text
    });
    Err(Inconvertible::Versions { kind, name, from, to })
}

/// How an error names an object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    kind: String,
    metadata: NamedMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedMetadata {
    name: String,
}

/// Copies the fields of an object, except `apiVersion`.
struct Fields<'a> {
    desired: &'a str,
    answer: &'a mut Vec<u8>,
    /// The object's `apiVersion`.
    from: String,
}

impl<'de> Visitor<'de> for &mut Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.answer.extend_from_slice(format!(r#"{{"apiVersion":{}"#, json(&self.desired)).as_bytes());
        while let Some((name, value)) = fields.next_entry::<String, &RawValue>()? {
            if name == "apiVersion" {
                self.from = serde_json::from_str(value.get()).unwrap_or_default();
                continue;
            }
            self.answer.push(b',');
            self.answer.extend_from_slice(json(&name).as_bytes());
            self.answer.push(b':');
            self.answer.extend_from_slice(value.get().as_bytes());
        }
        self.answer.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(version: &str) -> Value {
        json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "SecretStore", "metadata": {"name": "vault"}, "spec": {"unknown": [1], "te\"xt": "\u{1F600}"}})
    }

    fn answer(objects: &Value, desired: &str) -> Value {
        let review = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": {"uid": "a \"uid\"", "objects": objects, "desiredAPIVersion": desired},
        });
        let answer = super::review(review.to_string().as_bytes(), &CancellationToken::new()).unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    #[test]
    fn both_versions_are_converted_into_each_other_without_a_loss() {
        for (from, to) in [("v1beta1", "v1"), ("v1", "v1beta1"), ("v1", "v1")] {
            let answer = answer(&json!([object(from), object(from)]), &format!("{GROUP}/{to}"));
            let expected = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
                "response": {"uid": "a \"uid\"", "result": {"status": "Success"}, "convertedObjects": [object(to), object(to)]},
            });
            assert_eq!(answer, expected);
        }
        assert_eq!(answer(&json!([]), "external-secrets.io/v1")["response"]["convertedObjects"], json!([]));
    }

    #[test]
    fn the_answer_is_what_kube_reads_as_one() {
        let read = |answer| serde_json::from_value::<kube::core::conversion::ConversionReview>(answer).unwrap();
        let success = read(answer(&json!([object("v1beta1")]), &format!("{GROUP}/v1"))).response.unwrap();
        assert_eq!(success.converted_objects, [object("v1")]);
        let failure =
            read(answer(&json!([object("v1"), object("v1alpha1")]), &format!("{GROUP}/v1"))).response.unwrap();
        assert!(failure.result.is_failure() && failure.converted_objects.is_empty());
    }

    #[test]
    fn an_older_version_is_a_clear_failure() {
        let failure = |object: Value, desired: &str| {
            let answer = answer(&json!([object]), desired);
            answer["response"]["result"]["message"].as_str().unwrap_or_default().to_owned()
        };
        let error = failure(object("v1alpha1"), &format!("{GROUP}/v1"));
        assert!(error.contains("SecretStore \"vault\"") && error.contains("external-secrets.io/v1alpha1"), "{error}");
        assert!(!failure(object("v1"), "other.io/v1").is_empty());
        assert_eq!(failure(json!("text"), "other.io/v1"), "the item to convert is not an object");
    }

    #[test]
    fn nothing_is_converted_for_a_client_that_has_given_up() {
        let stop = CancellationToken::new();
        stop.cancel();
        let review = format!(
            r#"{{"apiVersion":"v1","request":{{"uid":"1","desiredAPIVersion":"{GROUP}/v1","objects":[{}]}}}}"#,
            object("v1")
        );
        assert!(super::review(review.as_bytes(), &stop).unwrap_err().contains("nobody waits"));
    }
}
