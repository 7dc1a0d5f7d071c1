//! The members of a value that is a JSON object, for `dataFrom.extract`.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;
use serde_json::value::RawValue;

use super::{SecretMap, gjson};

/// Why a value has no members: what it is, after its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoObject {
    /// It may be an object but for its beginning.
    #[error("begins with a byte order mark (U+FEFF), which JSON must not have")]
    ByteOrderMark,
    /// Anything else.
    #[error("is no JSON object, which dataFrom.extract needs")]
    Other,
}

impl NoObject {
    /// What to change.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "store it without the mark, or name the value in spec.data",
            Self::Other => "store a JSON object, or name the value in spec.data",
        }
    }
}

/// The members of the JSON object `value` as ESO gives them: a string without quotes and escapes, `null` as nothing,
/// anything else as it stands; `null` itself counts as an empty object, as in Go.
///
/// # Errors
/// It is no object.
pub(super) fn members(value: &[u8]) -> Result<SecretMap, NoObject> {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_slice(value)
        .map_err(|_| if value.starts_with(BYTE_ORDER_MARK) { NoObject::ByteOrderMark } else { NoObject::Other })?;
    let text = |raw: &RawValue| Arc::new(SecretSlice::from(text(raw.get())));
    Ok(members.unwrap_or_default().into_iter().map(|(name, raw)| (name, text(raw))).collect())
}

fn text(raw: &str) -> Vec<u8> {
    match raw.as_bytes().first() {
        Some(b'"') => string(raw),
        Some(b'n') => Vec::new(),
        _ => raw.as_bytes().to_vec(),
    }
}

/// What a JSON string says. One with half of a surrogate pair is no text for serde; Go puts U+FFFD in its place.
fn string(raw: &str) -> Vec<u8> {
    match serde_json::from_str::<String>(raw) {
        Ok(text) => text.into_bytes(),
        Err(_) => match gjson::get(raw.as_bytes(), b"@this") {
            Ok(Some(found)) => found.text().into_owned().into_vec(),
            Ok(None) | Err(_) => raw.as_bytes().to_vec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn shown(value: &str) -> Option<Vec<(String, String)>> {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        Some(
            members(value.as_bytes())
                .ok()?
                .into_iter()
                .map(|(name, value)| (name, text(value.expose_secret())))
                .collect(),
        )
    }

    #[rstest]
    #[case::string(r#"{"a":"x\n\u00e4\"<"}"#, "x\nä\"<")]
    #[case::number(r#"{"a":1.50e3}"#, "1.50e3")]
    #[case::boolean(r#"{"a":true}"#, "true")]
    #[case::null(r#"{"a":null}"#, "")]
    #[case::object(r#"{"a": { "b" : 1 } }"#, r#"{ "b" : 1 }"#)]
    #[case::array(r#"{"a":[1, "x"]}"#, r#"[1, "x"]"#)]
    #[case::last_of_equal_names(r#"{"a":1,"a":2}"#, "2")]
    #[case::half_a_surrogate_pair(r#"{"a":"x\ud800y"}"#, "x\u{fffd}y")]
    fn a_member_is_its_text_or_its_json(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(shown(value).unwrap(), [("a".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn an_object_has_all_its_members_and_null_has_none() {
        let all = shown(r#"{"b":"2","a.b/c":"1","":"0"}"#).unwrap();
        assert_eq!(all, [("", "0"), ("a.b/c", "1"), ("b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(shown(" null ").unwrap(), []);
    }

    #[rstest]
    #[case("")]
    #[case("text")]
    #[case("[1]")]
    #[case("\"a\"")]
    #[case(r#"{"a":1"#)]
    #[case(r#"{"a":1} trailing"#)]
    fn what_is_no_object_has_no_members(#[case] value: &str) {
        assert_eq!(shown(value), None);
    }

    #[test]
    fn a_byte_order_mark_is_told() {
        assert_eq!(members("\u{feff}{\"a\":1}".as_bytes()).unwrap_err(), NoObject::ByteOrderMark);
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_it_panic(value in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = members(&value);
        }
    }
}
