//! The members of a value that is a JSON object, for `dataFrom.extract`.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretSlice;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{SecretMap, gjson};
use crate::budget::{Budget, Exceeded};

/// Why a value has no members. The text continues a sentence that begins with the value's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExtractError {
    /// It may be an object, except for its first bytes.
    #[error("begins with a byte order mark (U+FEFF), which JSON must not have")]
    ByteOrderMark,
    /// It is not an object.
    #[error("is not a JSON object, which dataFrom.extract needs")]
    NoObject,
    /// The ExternalSecret exceeds its parsing budget.
    #[error("cannot be taken apart")]
    Exceeded(Exceeded),
}

impl ExtractError {
    /// What to change.
    pub(super) fn hint(self) -> String {
        match self {
            Self::ByteOrderMark => "store it without the mark, or name the value in spec.data".to_owned(),
            Self::NoObject => "store a JSON object, or name the value in spec.data".to_owned(),
            Self::Exceeded(exceeded) => exceeded.to_string(),
        }
    }
}

/// The members of the JSON object `value` in ESO's form: a string without quotes and escapes, `null` as nothing,
/// anything else literally. `null` itself counts as an empty object, as in Go.
///
/// # Errors
/// If it is not an object, or `budget` is used up.
pub(super) fn members(value: &[u8], budget: &Budget) -> Result<SecretMap, ExtractError> {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    budget.values(value.len()).map_err(ExtractError::Exceeded)?;
    let mut reader = Members { budget, exceeded: None };
    let mut json = serde_json::Deserializer::from_slice(value);
    let members = (&mut reader).deserialize(&mut json).and_then(|members| json.end().map(|()| members));
    let members = members.map_err(|_| match reader.exceeded {
        Some(exceeded) => ExtractError::Exceeded(exceeded),
        None if value.starts_with(BYTE_ORDER_MARK) => ExtractError::ByteOrderMark,
        None => ExtractError::NoObject,
    })?;
    let text = |raw: &RawValue| Arc::new(SecretSlice::from(text(raw.get())));
    Ok(members.into_iter().map(|(name, raw)| (name, text(raw))).collect())
}

/// Parses an object, charging each member before it is kept.
struct Members<'b> {
    budget: &'b Budget,
    exceeded: Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for &mut Members<'_> {
    type Value = BTreeMap<String, &'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for &mut Members<'_> {
    type Value = BTreeMap<String, &'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
            if let Err(exceeded) = self.budget.nodes(1) {
                self.exceeded = Some(exceeded);
                return Err(serde::de::Error::custom(exceeded));
            }
            members.insert(name, raw);
        }
        Ok(members)
    }
}

fn text(raw: &str) -> Vec<u8> {
    match raw.as_bytes().first() {
        Some(b'"') => string(raw),
        Some(b'n') => Vec::new(),
        _ => raw.as_bytes().to_vec(),
    }
}

/// The text of a JSON string. serde rejects half of a surrogate pair, which Go replaces by U+FFFD.
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
            members(value.as_bytes(), &Budget::default())
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
    fn a_value_that_is_not_an_object_has_no_members(#[case] value: &str) {
        assert_eq!(shown(value), None);
    }

    #[test]
    fn a_byte_order_mark_is_reported() {
        let refused = members("\u{feff}{\"a\":1}".as_bytes(), &Budget::default()).unwrap_err();
        assert_eq!(refused, ExtractError::ByteOrderMark);
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_it_panic(value in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = members(&value, &Budget::default());
        }
    }
}
