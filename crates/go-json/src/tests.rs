//! Properties that hold for any text. The JSON in templates is compared with Go in `go-template`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::{Build, Escape, Malformed, Scalar, Style, Text, Writer, in_memory, read, to_vec};

const COMPACT: Style = Style { indent: b"", escape: Escape::Html };

/// Builds serde's values.
struct Values {
    depth: usize,
}

impl Build for Values {
    type Value = Value;
    type Name = String;
    type Error = Malformed;

    fn descend(&mut self) -> Result<(), Malformed> {
        self.depth += 1;
        if self.depth > 100 { Err(Malformed::Character("too deep")) } else { Ok(()) }
    }

    fn ascend(&mut self) {
        self.depth -= 1;
    }

    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<Value, Malformed> {
        Ok(match scalar {
            Scalar::Null | Scalar::TooLarge => Value::Null,
            Scalar::Bool(value) => value.into(),
            Scalar::Number(value) => value.into(),
            Scalar::String(text) => text.copied().as_str().into(),
        })
    }

    fn name(&mut self, name: Text<'_>) -> Result<String, Malformed> {
        Ok(name.copied().to_string())
    }

    fn list(&mut self, items: Vec<Value>) -> Value {
        items.into()
    }

    fn object(&mut self, entries: BTreeMap<String, Value>) -> Value {
        Value::Object(entries.into_iter().collect())
    }
}

fn parsed(text: &[u8]) -> Result<Value, Malformed> {
    read(text, &mut Values { depth: 0 })
}

fn write(writer: &mut Writer<crate::Memory>, value: &Value) -> Result<(), std::convert::Infallible> {
    match value {
        Value::Null => writer.literal("null"),
        Value::Bool(value) => writer.literal(if *value { "true" } else { "false" }),
        Value::Number(value) => writer.number(value.as_f64().unwrap()),
        Value::String(text) => writer.string(text.as_bytes()),
        Value::Array(items) => {
            writer.open(b'[')?;
            for item in items {
                writer.item()?;
                write(writer, item)?;
            }
            writer.close(b']')
        }
        Value::Object(entries) => {
            writer.open(b'{')?;
            for (name, value) in entries {
                writer.name(name.as_bytes())?;
                write(writer, value)?;
            }
            writer.close(b'}')
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("JSON has no others", |number| number.is_finite());
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[<>&\"\\\\\u{0}-\u{1f}\u{2028}\u{2029}a]*".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_and_is_json_for_serde(value in values(), indent in any::<bool>()) {
        let style = if indent { Style { indent: b"  ", escape: Escape::Needed } } else { COMPACT };
        let text = in_memory(style, |writer| write(writer, &value));
        prop_assert_eq!(&parsed(&text).unwrap(), &value);
        // serde parses numbers less exactly.
        prop_assert!(serde_json::from_slice::<Value>(&text).is_ok());
        prop_assert_eq!(text.len(), text.capacity());
    }

    #[test]
    fn serde_writes_as_the_writer_does(value in values()) {
        let text = to_vec(&value).unwrap();
        prop_assert_eq!(&*text, &*in_memory(COMPACT, |writer| write(writer, &value)));
        prop_assert_eq!(text.len(), text.capacity());
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parsed(&text);
    }

    #[test]
    fn texts_that_serde_reads_are_read(text in r#"[\[\]{}",:0-9.eE+a-z\\ -]{0,32}"#) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            // Here, numbers are floats.
            prop_assert!(parsed(text.as_bytes()).is_ok(), "{value}");
        }
    }
}

#[test]
fn invalid_characters_become_the_replacement_character() {
    let text = |json: &[u8]| parsed(json).unwrap().as_str().unwrap().to_owned();
    assert_eq!(text(br#""\ud83d\ude00""#), "\u{1f600}");
    assert_eq!(text(br#""\ud83dx""#), "\u{fffd}x");
    assert_eq!(text(br#""\ud83d\u0041""#), "\u{fffd}A");
    assert_eq!(text(br#""\ude00\ud83d""#), "\u{fffd}\u{fffd}");
    assert_eq!(text(b"\"a\xff\xe2\x82b\""), "a\u{fffd}\u{fffd}\u{fffd}b");
}

#[test]
fn errors_say_where_in_the_grammar_and_show_nothing_of_the_text() {
    for (text, expected) in [
        ("", "unexpected end of JSON input"),
        ("\"hunter2", "unexpected end of JSON input"),
        ("hunter2", "invalid character looking for beginning of value"),
        ("[1 hunter2", "invalid character after array element"),
        ("{\"a\": 1 hunter2", "invalid character after object key:value pair"),
        ("{\"a\" hunter2", "invalid character after object key"),
        ("{hunter2", "invalid character looking for beginning of object key string"),
        ("trhunter2", "invalid character in literal true"),
        ("\"\\hunter2", "invalid character in string escape code"),
        ("\"\\u12hunter2", "invalid character in \\u hexadecimal character escape"),
        ("-hunter2", "invalid character in numeric literal"),
        ("1 hunter2", "invalid character after top-level value"),
    ] {
        assert_eq!(parsed(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn nothing_shows_a_text() {
    struct Shown;
    impl Build for Shown {
        type Value = String;
        type Name = String;
        type Error = Malformed;
        fn scalar(&mut self, scalar: Scalar<'_>) -> Result<String, Malformed> {
            Ok(format!("{scalar:?}"))
        }
        fn name(&mut self, name: Text<'_>) -> Result<String, Malformed> {
            Ok(format!("{name:?}"))
        }
        fn list(&mut self, items: Vec<String>) -> String {
            items.concat()
        }
        fn object(&mut self, entries: BTreeMap<String, String>) -> String {
            format!("{entries:?}")
        }
    }
    let shown = read(br#"{"hunter2": ["hunter2"]}"#, &mut Shown).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
}
