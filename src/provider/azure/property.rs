//! A property of a value.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};

use super::diagnose::{Cause, Diagnosis, text};
use crate::budget::Budget;
use crate::provider::SecretValue;
use crate::provider::gjson::Bytes;

/// The property of `value` that `path` names. As in ESO, a path that finds nothing is tried once more with its dots
/// taken as parts of a name.
///
/// # Errors
/// If the value has no such property, or is not JSON. `object` names the value in messages.
pub(super) fn lookup(value: &SecretValue, path: &str, object: &str, budget: &Budget) -> Result<SecretValue, Diagnosis> {
    let failed = |problem: &str, hint: String| {
        Diagnosis::new(Cause::PropertyMissing, format!("{object} {problem} \"{}\"", text::stable(path))).hint(hint)
    };
    let find = |path: &str| match budget.lookup(value.expose_secret(), path.as_bytes()) {
        Ok(found) => Ok(found.map(Bytes::into_vec)),
        Err(error) => Err(failed("cannot be searched for property", error.to_string())),
    };
    let found = match find(path)? {
        None if path.contains('.') => find(&path.replace('.', "\\."))?,
        found => found,
    };
    match found {
        Some(found) => Ok(Arc::new(SecretSlice::from(found))),
        None => {
            Err(failed("has no property", "correct remoteRef.property, or store a JSON object that has it".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn value(text: &str) -> SecretValue {
        Arc::new(SecretSlice::from(text.as_bytes().to_vec()))
    }

    #[rstest]
    #[case(r#"{"user":"root"}"#, "user", "root")]
    #[case(r#"{"db":{"port":5432}}"#, "db.port", "5432")]
    #[case(r#"{"db":{"port":5432}}"#, "db", r#"{"port":5432}"#)]
    #[case(r#"{"tls.crt":"PEM"}"#, "tls.crt", "PEM")]
    #[case(r#"{"a":null}"#, "a", "")]
    #[case(r#"{"a":{"b":"inner"},"a.b":"outer"}"#, "a.b", "inner")]
    fn a_property_is_found_by_path_or_by_its_name_with_dots(
        #[case] json: &str,
        #[case] path: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(lookup(&value(json), path, "x", &Budget::default()).unwrap().expose_secret(), expected.as_bytes());
    }

    #[rstest]
    #[case("no JSON", "a")]
    #[case(r#"{"a":1}"#, "b")]
    #[case(r#"{"a":1}"#, "a.b")]
    fn a_missing_property_is_reported_without_the_value(#[case] json: &str, #[case] path: &str) {
        let missing = lookup(&value(json), path, "secret \"s\"", &Budget::default()).unwrap_err();
        assert_eq!(missing.message, format!("secret \"s\" has no property \"{path}\""));
    }

    #[test]
    fn a_path_may_use_the_whole_syntax_of_gjson() {
        let json = r#"{"users":[{"name":"a","admin":false},{"name":"b","admin":true}]}"#;
        let found = lookup(&value(json), "users.#(admin==true).name", "x", &Budget::default()).unwrap();
        assert_eq!(found.expose_secret(), b"b");
    }

    #[test]
    fn bytes_that_are_not_text_have_no_properties() {
        let value = Arc::new(SecretSlice::from(vec![0xff, 0xfe]));
        assert_eq!(lookup(&value, "a", "x", &Budget::default()).unwrap_err().cause, Cause::PropertyMissing);
    }
}
