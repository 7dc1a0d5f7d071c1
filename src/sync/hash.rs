//! The hashes that ESO writes into labels, annotations and status, byte for byte, so that what ESO wrote is recognized.
//!
//! ESO hashes the output of Go's `fmt.Sprintf("%+v", x)` with SHA3-224 (`esutils.ObjectHash`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;
use sha3::{Digest, Sha3_224};

use crate::template::format_float;

/// The hash of a Secret's data. Go prints it as `map[key:[104 105] other:[]]`, sorted by key.
#[must_use]
pub fn data_hash<'a>(data: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let entries: BTreeMap<&str, &[u8]> = data.into_iter().collect();
    let mut hasher = Sha3_224::new();
    hasher.update(b"map[");
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            hasher.update(b" ");
        }
        hasher.update(key.as_bytes());
        hasher.update(b":[");
        for (index, byte) in value.iter().enumerate() {
            if index > 0 {
                hasher.update(b" ");
            }
            // Hashed byte by byte, so that the value is not copied.
            let digits = [b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
            let leading_zeros = usize::from(*byte < 10) + usize::from(*byte < 100);
            hasher.update(&digits[leading_zeros..]);
        }
        hasher.update(b"]");
    }
    hasher.update(b"]");
    hex(&hasher.finalize())
}

/// The hash of a generic target's content, of which Go prints the decoded JSON, such as `map[host:db port:5432]`.
#[must_use]
pub fn content_hash(content: &Value) -> String {
    let mut hasher = Sha3_224::new();
    print_value(&mut hasher, content);
    hex(&hasher.finalize())
}

/// Hashed piece by piece, so that the values are not copied.
fn print_value(hasher: &mut Sha3_224, value: &Value) {
    match value {
        Value::Null => hasher.update(b"<nil>"),
        Value::Bool(value) => hasher.update(if *value { &b"true"[..] } else { b"false" }),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => hasher.update(integer.to_string()),
            None => hasher.update(format_float(number.as_f64().unwrap_or_default())),
        },
        Value::String(text) => hasher.update(text),
        Value::Array(items) => {
            hasher.update(b"[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    hasher.update(b" ");
                }
                print_value(hasher, item);
            }
            hasher.update(b"]");
        }
        Value::Object(fields) => {
            hasher.update(b"map[");
            let fields: BTreeMap<_, _> = fields.iter().collect();
            for (index, (key, field)) in fields.into_iter().enumerate() {
                if index > 0 {
                    hasher.update(b" ");
                }
                hasher.update(key);
                hasher.update(b":");
                print_value(hasher, field);
            }
            hasher.update(b"]");
        }
    }
}

/// A fingerprint of content. Unlike [`content_hash`], it differs for any difference.
#[must_use]
pub fn fingerprint(content: &impl Serialize) -> String {
    struct Sink(Sha3_224);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(Sha3_224::new());
    // JSON values can always be serialized, and the sink accepts everything.
    let _ = serde_json::to_writer(&mut sink, content);
    hex(&sink.0.finalize())
}

/// A hash of texts, in this order.
#[must_use]
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha3_224::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hex(&hasher.finalize())
}

/// Whether a hash is from ESO before 0.16.2, which used MD5. It cannot be compared, so the content counts as unchanged
/// until the next write replaces the hash.
#[must_use]
pub fn is_of_older_eso(hash: &str) -> bool {
    hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash of a text, which for `namespace/name` is the label `created-by`.
#[must_use]
pub fn text_hash(text: &str) -> String {
    hex(&Sha3_224::digest(text.as_bytes()))
}

/// The value of the label `created-by` for an ExternalSecret.
#[must_use]
pub fn owner_label(namespace: &str, name: &str) -> String {
    text_hash(&format!("{namespace}/{name}"))
}

/// `status.syncedResourceVersion`: the generation and a hash of all labels and annotations, so that any change of them
/// is noticed.
#[must_use]
pub fn synced_resource_version(meta: &ObjectMeta) -> String {
    let mut text = String::from("{annotations:");
    print_map(&mut text, meta.annotations.as_ref());
    text.push_str(" labels:");
    print_map(&mut text, meta.labels.as_ref());
    text.push('}');
    format!("{}-{}", meta.generation.unwrap_or_default(), text_hash(&text))
}

fn print_map(out: &mut String, map: Option<&BTreeMap<String, String>>) {
    out.push_str("map[");
    for (index, (key, value)) in map.into_iter().flatten().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push(']');
}

/// How the field managers of all ExternalSecrets begin.
pub const FIELD_MANAGERS: &str = "externalsecrets.external-secrets.io/";

/// The field manager under which ESO writes a target Secret: the ExternalSecret's name, or its hash if the whole would
/// exceed the 63 characters that ESO allows.
#[must_use]
pub fn field_manager(external_secret: &str) -> String {
    let plain = format!("{FIELD_MANAGERS}{external_secret}");
    if plain.len() <= 63 { plain } else { format!("{FIELD_MANAGERS}sha3/{}", text_hash(external_secret)) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Printed by a Go program with golang.org/x/crypto/sha3 over fmt.Sprintf("%+v", x).

    #[test]
    fn the_data_hash_is_that_of_eso() {
        assert_eq!(data_hash([]), GO_EMPTY_MAP);
        assert_eq!(data_hash([("b", &b""[..]), ("a", b"hi")]), GO_TWO_KEYS);
        assert_eq!(data_hash([("k", &[0, 9, 10, 99, 100, 255][..])]), GO_ALL_WIDTHS);
    }

    #[test]
    fn the_content_hash_is_that_of_eso() {
        let content = serde_json::json!({
            "host": "db", "port": 5432, "ratio": 0.5, "large": 1e8 + 0.5, "on": true, "none": null,
            "list": ["a", 1, {"b": "c"}], "empty": {}, "nothing": [],
        });
        assert_eq!(content_hash(&content), GO_CONTENT);
        assert_eq!(content_hash(&serde_json::json!({})), GO_EMPTY_MAP);
        assert_eq!(content_hash(&serde_json::json!({"greeting": "hello"})), GO_GREETING);
    }

    #[test]
    fn a_fingerprint_differs_where_the_content_hash_does_not() {
        let (one, two) = (serde_json::json!({"a": "x b:y"}), serde_json::json!({"a": "x", "b": "y"}));
        assert_eq!(content_hash(&one), content_hash(&two));
        assert_ne!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn a_hash_of_texts_tells_where_each_ends() {
        assert_ne!(texts([&b"ab"[..], b"c"]), texts([&b"a"[..], b"bc"]));
        assert_ne!(texts([&b"ab"[..]]), texts([&b"ab"[..], b""]));
    }

    #[test]
    fn the_owner_label_is_that_of_eso() {
        assert_eq!(owner_label("default", "example"), GO_OWNER);
    }

    #[test]
    fn the_synced_resource_version_is_that_of_eso() {
        let mut meta = ObjectMeta { generation: Some(3), ..ObjectMeta::default() };
        assert_eq!(synced_resource_version(&meta), format!("3-{GO_NO_META}"));
        meta.labels = Some([("b".into(), "2".into()), ("a".into(), "1".into())].into());
        meta.annotations = Some([("x".into(), "y z".into())].into());
        assert_eq!(synced_resource_version(&meta), format!("3-{GO_META}"));
    }

    #[test]
    fn a_long_name_is_hashed_in_the_field_manager() {
        assert_eq!(field_manager("example"), "externalsecrets.external-secrets.io/example");
        assert_eq!(field_manager(&"x".repeat(27)).len(), 63);
        let long = field_manager(&"x".repeat(28));
        assert_eq!(long, format!("externalsecrets.external-secrets.io/sha3/{GO_28_X}"));
    }

    const GO_CONTENT: &str = "eeb1344bcc1d9698cce1399e454f082743b7b404a458cd633825e89e";
    const GO_GREETING: &str = "2e37f258c161a2ba97b268157dff61c073607a841e9988bfc4c8de58";
    const GO_EMPTY_MAP: &str = "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b";
    const GO_TWO_KEYS: &str = "7ea3465c6776a2d21a7c6afaa765c3abc9e38a7cb9b4d770456f0b89";
    const GO_ALL_WIDTHS: &str = "029e8963027fe4a7bcf040dfcdb8d0cb5865c3fd861dce1ffdb43ef7";
    const GO_OWNER: &str = "5b1224068cc3cca5aa3071e518838346f821fe1761229559d4959980";
    const GO_NO_META: &str = "f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2";
    const GO_META: &str = "e4a3cd52ab0efb3c54e0edca7b4c73a34287cc930ab009931798ff8d";
    const GO_28_X: &str = "e7251ce5d41427f31ef05719a7d02a7f23ec45151515893dec57c075";
}
