//! Tags and times of an object instead of its value (`metadataPolicy: Fetch`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretSlice;

use super::answer::{Attributes, Object, go_json};
use super::diagnose::{Cause, Diagnosis, text};
use super::property;
use crate::budget::Budget;
use crate::provider::{SecretMap, SecretValue};

/// What a reference with `metadataPolicy: Fetch` names: all tags and times as a JSON object; one of them; or, with
/// `tag.path`, what the path finds in a tag. `object` describes the object in messages.
///
/// # Errors
/// If there is no such tag, time or path.
pub(super) fn value(
    read: &Object,
    property: Option<&str>,
    object: &str,
    budget: &Budget,
) -> Result<SecretValue, Diagnosis> {
    let all = all(read);
    let Some(property) = property else { return Ok(Arc::new(SecretSlice::from(go_json(&all)?))) };
    if let Some(found) = all.get(property) {
        return Ok(secret(found));
    }
    let in_tag = property.split_once('.').and_then(|(tag, path)| Some((tag, path, all.get(tag)?)));
    match in_tag {
        Some((_, "", tag)) => Ok(secret(tag)),
        Some((name, path, tag)) => {
            property::lookup(&secret(tag), path, &format!("tag \"{}\" of {object}", text::stable(name)), budget)
        }
        None => Err(Diagnosis::new(
            Cause::PropertyMissing,
            format!("{object} has no tag or attribute \"{}\"", text::stable(property)),
        )
        .hint("correct remoteRef.property, add the tag, or set the date in the vault")),
    }
}

/// What `dataFrom.extract` returns with `metadataPolicy: Fetch` for the secret `name`. With a property, it is the
/// single key `<key>_<property>`, where `key` is the reference's. Without one, there is a key for each tag and time,
/// and a tag that is a JSON object of strings is replaced by its members.
///
/// # Errors
/// If there is no such tag, time or path.
pub(super) fn map(
    read: &Object,
    name: &str,
    key: &str,
    property: Option<&str>,
    object: &str,
    budget: &Budget,
) -> Result<SecretMap, Diagnosis> {
    if let Some(property) = property {
        return Ok([(format!("{key}_{property}"), value(read, Some(property), object, budget)?)].into());
    }
    let mut map = SecretMap::new();
    for (tag, text) in &read.tags {
        // As in Go, the JSON `null` is an object without members, and a member that is `null` is an empty string.
        match serde_json::from_str::<Option<BTreeMap<String, Option<String>>>>(text) {
            Ok(members) => {
                for (member, text) in members.into_iter().flatten() {
                    map.insert(format!("{name}_{tag}_{member}"), secret(text.as_deref().unwrap_or_default()));
                }
            }
            Err(_) => {
                map.insert(format!("{name}_{tag}"), secret(text));
            }
        }
    }
    map.extend(times(&read.attributes).map(|(time, text)| (format!("{name}_{time}"), secret(&text))));
    Ok(map)
}

/// Tags, and times under their own names.
fn all(read: &Object) -> BTreeMap<String, String> {
    let mut all = read.tags.clone();
    all.extend(times(&read.attributes).map(|(name, text)| (name.to_owned(), text)));
    all
}

/// The times that an object has, in RFC 3339 format.
fn times(attributes: &Attributes) -> impl Iterator<Item = (&'static str, String)> {
    [
        ("attribute.expires", attributes.expires),
        ("attribute.created", attributes.created),
        ("attribute.updated", attributes.updated),
        ("attribute.notBefore", attributes.not_before),
    ]
    .into_iter()
    .filter_map(|(name, seconds)| Some((name, Timestamp::from_second(seconds?).ok()?.to_string())))
}

fn secret(text: &str) -> SecretValue {
    Arc::new(SecretSlice::from(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use azure_core::Bytes;
    use azure_core::http::headers::Headers;
    use rstest::rstest;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::super::object::{ObjectId, ObjectKind};
    use super::*;
    use crate::provider::Class;

    fn tagged() -> Object {
        let answer = json!({
            "value": "v",
            "tags": {
                "env": "prod & <test>", "db": r#"{"user":"root","port":"5432"}"#, "mixed": r#"{"a":1,"b.c":"x"}"#,
                "null": "null", "void": null, "member": r#"{"m":null}"#,
            },
            "attributes": {"enabled": true, "exp": 1_700_000_000, "created": 0, "updated": 1_600_000_000},
        });
        let id = ObjectId { kind: ObjectKind::Secret, name: "s".to_owned(), version: None };
        Object::parse(&id, &Headers::new(), Bytes::from(answer.to_string())).unwrap()
    }

    fn shown(value: &SecretValue) -> String {
        String::from_utf8(value.expose_secret().to_vec()).unwrap()
    }

    #[test]
    fn all_tags_and_times_are_sorted_json_that_html_could_hold() {
        let expected = concat!(
            r#"{"attribute.created":"1970-01-01T00:00:00Z","attribute.expires":"2023-11-14T22:13:20Z","#,
            r#""attribute.updated":"2020-09-13T12:26:40Z","db":"{\"user\":\"root\",\"port\":\"5432\"}","#,
            r#""env":"prod \u0026 \u003ctest\u003e","member":"{\"m\":null}","#,
            r#""mixed":"{\"a\":1,\"b.c\":\"x\"}","null":"null"}"#
        );
        assert_eq!(shown(&value(&tagged(), None, "x", &Budget::default()).unwrap()), expected);
    }

    #[rstest]
    #[case("env", "prod & <test>")]
    #[case("db", r#"{"user":"root","port":"5432"}"#)]
    #[case("db.user", "root")]
    #[case("mixed.a", "1")]
    #[case("mixed.b.c", "x")]
    #[case("env.", "prod & <test>")]
    #[case("attribute.expires", "2023-11-14T22:13:20Z")]
    #[case("attribute.created", "1970-01-01T00:00:00Z")]
    fn a_property_names_a_tag_a_time_or_a_path_in_a_tag(#[case] property: &str, #[case] expected: &str) {
        assert_eq!(shown(&value(&tagged(), Some(property), "x", &Budget::default()).unwrap()), expected);
    }

    #[rstest]
    #[case("attribute.notBefore", "secret \"s\" has no tag or attribute \"attribute.notBefore\"")]
    #[case("other", "secret \"s\" has no tag or attribute \"other\"")]
    #[case("void", "secret \"s\" has no tag or attribute \"void\"")]
    #[case(".env", "secret \"s\" has no tag or attribute \".env\"")]
    #[case("db.pass", "tag \"db\" of secret \"s\" has no property \"pass\"")]
    fn a_missing_tag_or_path_is_named(#[case] property: &str, #[case] message: &str) {
        let missing = value(&tagged(), Some(property), "secret \"s\"", &Budget::default()).unwrap_err();
        assert_eq!((missing.cause.class(), missing.message.as_str()), (Class::PropertyMissing, message));
    }

    #[test]
    fn a_map_has_a_key_for_each_tag_each_text_in_a_tag_and_each_time() {
        let map = map(&tagged(), "s", "secret/s", None, "x", &Budget::default()).unwrap();
        let shown: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), shown(value))).collect();
        let expected = [
            ("s_attribute.created", "1970-01-01T00:00:00Z"),
            ("s_attribute.expires", "2023-11-14T22:13:20Z"),
            ("s_attribute.updated", "2020-09-13T12:26:40Z"),
            ("s_db_port", "5432"),
            ("s_db_user", "root"),
            ("s_env", "prod & <test>"),
            ("s_member_m", ""),
            ("s_mixed", r#"{"a":1,"b.c":"x"}"#),
        ];
        assert_eq!(shown, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[rstest]
    #[case("env", "secret/s_env", "prod & <test>")]
    #[case("db.user", "secret/s_db.user", "root")]
    fn a_map_with_a_property_has_one_key(#[case] property: &str, #[case] key: &str, #[case] expected: &str) {
        let map = map(&tagged(), "s", "secret/s", Some(property), "x", &Budget::default()).unwrap();
        assert_eq!(map.len(), 1);
        assert_eq!(shown(&map[key]), expected);
    }
}
