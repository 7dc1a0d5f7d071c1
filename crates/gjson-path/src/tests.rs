//! Properties that hold for any document and path. The meaning of paths is tested in `tests/conformance`.

use proptest::prelude::*;

use super::{Kind, TooComplex, get};

fn text(json: &str, path: &str) -> Option<String> {
    let value = get(json.as_bytes(), path.as_bytes()).unwrap()?;
    Some(String::from_utf8_lossy(&value.text()).into_owned())
}

#[test]
fn a_value_a_null_and_nothing_are_distinguished() {
    let json = br#"{"name":"x","none":null}"#;
    assert_eq!(get(json, b"name").unwrap().unwrap().kind(), Kind::String);
    let null = get(json, b"none").unwrap().unwrap();
    assert_eq!((null.kind(), null.raw(), &*null.text()), (Kind::Null, b"null".as_slice(), b"".as_slice()));
    assert!(get(json, b"other").unwrap().is_none());
}

#[test]
fn numbers_keep_their_digits_and_lose_their_exponent() {
    assert_eq!(text(r#"{"n":12345678901234567890123}"#, "n").as_deref(), Some("12345678901234567890123"));
    assert_eq!(text(r#"{"n":1.5e3}"#, "n").as_deref(), Some("1500"));
}

#[test]
fn bytes_that_are_not_utf_8_come_out_as_they_went_in() {
    assert_eq!(&*get(b"{\"k\":\"\xff\xfe\"}", b"k").unwrap().unwrap().text(), b"\xff\xfe");
}

#[test]
fn debug_output_holds_nothing_of_the_document() {
    let value = get(br#"{"k":"hunter2"}"#, b"k").unwrap().unwrap();
    let printed = format!("{value:?} {:?}", value.text());
    assert!(!printed.contains("hunter2") && !printed.contains("104"), "{printed}");
}

#[test]
fn a_path_that_multiplies_the_document_is_refused() {
    let path = vec!["[@this,@this]"; 40].join("|");
    assert_eq!(get(br#"{"a":"b"}"#, path.as_bytes()).unwrap_err(), TooComplex::Work);
}

#[test]
fn a_wildcard_that_would_backtrack_without_end_gets_an_answer() {
    let json = format!(r#"{{"{}":1}}"#, "a".repeat(2000));
    let path = format!("{}b", "*a".repeat(100));
    assert!(get(json.as_bytes(), path.as_bytes()).unwrap().is_none());
}

/// Each is nested more deeply than any reasonable path; none may exhaust the stack or run for long.
#[test]
fn deep_nesting_is_refused_or_answered_but_never_fatal() {
    const DEEP: usize = 50_000;
    let arrays = format!("{}1{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    let paths = [
        vec!["0"; DEEP].join("."),
        vec!["a"; DEEP].join("."),
        vec!["#"; DEEP].join("."),
        vec!["0"; DEEP].join("|"),
        "#(".repeat(DEEP),
        format!("{}a{}", "#(".repeat(DEEP), ")".repeat(DEEP)),
        format!("{}a{}", "{".repeat(DEEP), "}".repeat(DEEP)),
        "@pretty".into(),
        "@dig:a".into(),
        r#"@flatten:{"deep":true}"#.into(),
        "@valid".into(),
        "@fromstr".into(),
        "@this|".repeat(DEEP),
        "..#.#.#".into(),
    ];
    for document in [arrays, objects] {
        for path in &paths {
            let _ = get(document.as_bytes(), path.as_bytes());
        }
    }
}

#[test]
fn what_a_person_writes_is_far_from_the_bounds() {
    let member = r#"{"name":"someone","tags":["a","b"],"nested":{"deep":{"deeper":[1,2,3]}}},"#;
    let json = format!(r#"{{"list":[{}null]}}"#, member.repeat(4000));
    assert_eq!(text(&json, r#"list.#(name=="someone")#.nested.deep.deeper|#"#).as_deref(), Some("4000"));
    assert!(text(&json, "list|@flatten|@pretty").is_some());
    let path = vec!["a"; 100].join(".");
    let nested = format!("{}7{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    assert_eq!(text(&nested, &path).as_deref(), Some("7"));
}

fn noise(alphabet: &'static [u8], len: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(alphabet), 0..len)
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(document: Vec<u8>, path: Vec<u8>) {
        let _ = get(&document, &path);
    }

    #[test]
    fn broken_json_and_paths_have_an_answer(
        document in noise(b"{{[[}]\"\":,,\\ntf10-e.ua \n\xff", 120),
        path in noise(b".|#()[]{}@!*?\\:,\"~=<>%a01 \xff", 40),
    ) {
        if let Ok(Some(value)) = get(&document, &path) {
            let _ = value.text();
        }
    }

    #[test]
    fn modifiers_have_an_answer_on_any_document(
        document in noise(b"{{[[}]\"\":,,\\ntf10-e.ua \n\xff", 120),
        modifier in proptest::sample::select(vec![
            "@pretty", "@pretty:{\"sortKeys\":true,\"width\":9}", "@ugly", "@reverse", "@flatten:{\"deep\":true}", "@join",
            "@valid", "@keys", "@values", "@tostr", "@fromstr", "@group", "@dig:a", "@dig:#",
        ]),
    ) {
        let _ = get(&document, modifier.as_bytes());
    }

    #[test]
    fn what_serde_finds_at_a_pointer_is_found_at_the_path(key in "[a-z]{1,8}", value: String, number: i64) {
        let json = serde_json::json!({ key.clone(): [{ "text": value, "number": number }] }).to_string();
        prop_assert_eq!(text(&json, &format!("{key}.0.text")), Some(value));
        prop_assert_eq!(text(&json, &format!("{key}.#.number|0")), Some(number.to_string()));
    }
}
