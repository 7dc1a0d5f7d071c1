use std::sync::Arc;

use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::budget;
use crate::template::{Function, FunctionError, MissingKeys, Text, Type};

fn engine() -> Engine {
    let upper = Function::fixed(&[Type::String], |arguments, _| match arguments {
        [crate::template::Value::String(text)] => {
            Ok(crate::template::Value::String(Text::from(text.to_ascii_uppercase())))
        }
        _ => Err(FunctionError::new("one string")),
    });
    Engine::new([("upper", upper)]).with_missing_keys(MissingKeys::NoValue)
}

fn value(text: &[u8]) -> SecretValue {
    Arc::new(text.to_vec().into())
}

fn set(entries: &[(&str, &str)]) -> SecretData {
    entries.iter().map(|(key, text)| ((*key).to_owned(), value(text.as_bytes()))).collect()
}

/// What one entry of `dataFrom`, an extract, turns a set into.
fn from(entry: Value, entries: &[(&str, &str)]) -> Result<Vec<(String, String)>, DataError> {
    let mut entry = entry;
    if entry.get("find").is_none() && entry.get("extract").is_none() {
        entry["extract"] = json!({"key": "k"});
    }
    let spec = serde_json::from_value(json!({"dataFrom": [entry]})).unwrap();
    let fetched = Fetched { sets: vec![Some(set(entries))], values: Vec::new(), ..Fetched::default() };
    assemble(&spec, fetched, &engine(), &Budget::default()).map(|data| shown(&data))
}

fn shown(data: &SecretData) -> Vec<(String, String)> {
    let text = |value: &SecretValue| value.expose_secret().escape_ascii().to_string();
    data.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn later_sets_and_then_single_values_take_the_place_of_earlier_ones() {
    let spec = serde_json::from_value(json!({
        "data": [
            {"secretKey": "c", "remoteRef": {"key": "x"}},
            {"secretKey": "d", "remoteRef": {"key": "gone"}},
        ],
        "dataFrom": [{"extract": {"key": "1"}}, {"extract": {"key": "gone"}}, {"find": {}}],
    }))
    .unwrap();
    let fetched = Fetched {
        sets: vec![Some(set(&[("a", "1"), ("b", "1"), ("c", "1")])), None, Some(set(&[("b", "2"), ("c", "2")]))],
        values: vec![Some(value(b"3")), None],
        ..Fetched::default()
    };
    let data = assemble(&spec, fetched, &engine(), &Budget::default()).unwrap();
    assert_eq!(shown(&data), pairs(&[("a", "1"), ("b", "2"), ("c", "3")]));
}

#[rstest]
#[case("None", "aGk=", Some("aGk="))]
#[case("Base64", "aGk=", Some("hi"))]
#[case("Base64", "aG\r\nk=\n", Some("hi"))]
#[case("Base64", "", Some(""))]
#[case("Base64", "aGl=", Some("hi"))] // bits after the last byte
#[case("Base64", "aGk", None)]
#[case("Base64", "aGk=x", None)]
#[case("Base64", "_w==", None)]
#[case("Base64URL", "_w==", Some("\\xff"))]
#[case("Base64URL", "/w==", None)]
#[case("Auto", "/w==", Some("\\xff"))]
#[case("Auto", "_w==", Some("\\xff"))]
#[case("Auto", "not base64", Some("not base64"))]
fn values_are_decoded(#[case] strategy: &str, #[case] encoded: &str, #[case] expected: Option<&str>) {
    let entry = json!({"find": {"decodingStrategy": strategy}});
    match (from(entry, &[("k", encoded)]), expected) {
        (Ok(data), Some(expected)) => assert_eq!(data, pairs(&[("k", expected)])),
        (Err(error), None) => assert_eq!(
            error.to_string(),
            format!(
                "spec.dataFrom[0].find.decodingStrategy: the value for the key \"k\" is not valid {strategy}; set decodingStrategy to what the value is, or to None"
            )
        ),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    }
}

#[rstest]
#[case(json!({"extract": {"key": "k", "nullBytePolicy": "Fail"}}), false)]
#[case(json!({"find": {"nullBytePolicy": "Fail", "decodingStrategy": "Base64"}}), false)]
#[case(json!({"extract": {"key": "k", "nullBytePolicy": "Ignore"}}), true)]
#[case(json!({"extract": {"key": "k"}}), true)]
fn null_bytes_are_found_after_decoding(#[case] entry: Value, #[case] taken: bool) {
    let encoded = entry["find"]["decodingStrategy"].is_string();
    let text = if encoded { "YQBi" } else { "a\0b" };
    let result = from(entry, &[("k", text)]);
    assert_eq!(result.is_ok(), taken, "{result:?}");
    if let Err(error) = result {
        assert!(error.to_string().contains("nullBytePolicy: the value for the key \"k\" has null bytes"), "{error}");
    }
}

#[rstest]
#[case("Default", "a/b c", "a_b_c")]
#[case("Default", "prod-db.x_1", "prod-db.x_1")]
#[case("Default", "über", "über")]
#[case("Unicode", "a/b😀", "a_U002f_b_U1f600_")]
fn names_are_converted(#[case] strategy: &str, #[case] name: &str, #[case] key: &str) {
    assert_eq!(from(json!({"find": {"conversionStrategy": strategy}}), &[(name, "v")]), Ok(pairs(&[(key, "v")])));
}

#[test]
fn names_that_are_converted_to_the_same_key_are_refused() {
    let error = from(json!({"find": {}}), &[("a/b", "1"), ("a b", "2")]).unwrap_err();
    assert_eq!(
        error,
        DataError::Collision {
            field: "spec.dataFrom[0].find.conversionStrategy".into(),
            first: "a b".into(),
            second: "a/b".into(),
            key: "a_b".into(),
        }
    );
}

#[test]
fn names_are_not_converted_where_they_are_rewritten() {
    let rewrite = json!([{"regexp": {"source": "^x", "target": "y"}}]);
    let error = from(json!({"rewrite": rewrite}), &[("x/b", "1")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "spec.dataFrom[0]: \"y/b\" cannot be a key: keys have letters, digits, '-', '_' and '.', and at most 253 characters; change it with rewrite"
    );
}

#[test]
fn a_key_that_becomes_empty_is_dropped() {
    let rewrite = json!([{"regexp": {"source": "^drop.*", "target": ""}}]);
    assert_eq!(from(json!({"rewrite": rewrite}), &[("dropped", "1"), ("kept", "2")]), Ok(pairs(&[("kept", "2")])));
}

#[test]
fn rewrites_are_applied_one_after_the_other() {
    let rewrite = json!([
        {"regexp": {"source": "^prod/(?P<name>.*)$", "target": "${name}_$$"}},
        {"transform": {"template": "{{ .value | upper }}-{{ .other }}"}},
        {"regexp": {"source": "[^A-Z]+", "target": "."}},
    ]);
    let data = from(json!({"rewrite": rewrite}), &[("prod/db", "1"), ("prod/api", "2")]);
    assert_eq!(data, Ok(pairs(&[("API.", "2"), ("DB.", "1")])));
}

#[rstest]
#[case(json!({"regexp": {"source": "(", "target": ""}}), "spec.dataFrom[0].rewrite[0].regexp.source: missing closing ): `(`; write it in the syntax of RE2")]
#[case(json!({"transform": {"template": "{{ .value"}}), "spec.dataFrom[0].rewrite[0].transform.template: template: transform:1:")]
#[case(json!({"transform": {"template": "{{ .value.x }}"}}), "spec.dataFrom[0].rewrite[0].transform.template: for the key \"k\": template: transform:1:")]
#[case(json!({"transform": {"template": "{{ \"\\xff\" }}"}}), "spec.dataFrom[0].rewrite[0].transform.template: the template makes a key of \"k\" that is not UTF-8")]
fn a_rewrite_that_cannot_be_done_names_its_field(#[case] rewrite: Value, #[case] message: &str) {
    let error = from(json!({"rewrite": [rewrite]}), &[("k", "hidden-value")]).unwrap_err().to_string();
    assert!(error.starts_with(message), "{error}");
    assert!(!error.contains("hidden"), "{error}");
}

fn merge(merge: &Value, entries: &[(&str, &str)]) -> Result<Vec<(String, String)>, DataError> {
    from(json!({"rewrite": [{"merge": merge}]}), entries)
}

#[test]
fn merging_makes_keys_of_properties_as_go_prints_them() {
    let json = r#"{"s": "a\u00e9\n<", "t": true, "n": null, "i": 5, "big": 12345678901234567890, "f": 1e21,
                   "tiny": 1e-7, "list": ["<", 1.50], "map": {"b": 1e21, "a": "&"}, "s2": "\ud83d\ude00\ud800"}"#;
    assert_eq!(
        merge(&json!({}), &[("k", json)]),
        Ok(pairs(&[
            ("big", "12345678901234567000"),
            ("f", "1000000000000000000000"),
            ("i", "5"),
            ("list", r#"[\"\\u003c\",1.5]"#),
            ("map", r#"{\"a\":\"\\u0026\",\"b\":1e+21}"#),
            ("n", ""),
            ("s", r"a\xc3\xa9\n<"),
            ("s2", r"\xf0\x9f\x98\x80\xef\xbf\xbd"),
            ("t", "true"),
            ("tiny", "0.0000001"),
        ]))
    );
}

#[test]
fn merging_as_json_keeps_the_other_keys_and_escapes_no_html() {
    let data = merge(
        &json!({"strategy": "JSON", "into": "all", "conflictPolicy": "Ignore", "priority": ["a"]}),
        &[("a", r#"{"x": "<a>", "y": 1.0}"#), ("b", r#"{"x": 2, "z": "\u2028\u0001\b"}"#), ("c", "null")],
    );
    let merged = r#"{\"x\":\"<a>\",\"y\":1,\"z\":\"\\u2028\\u0001\\b\"}"#;
    let (a, b) = (r#"{\"x\": \"<a>\", \"y\": 1.0}"#, r#"{\"x\": 2, \"z\": \"\\u2028\\u0001\\b\"}"#);
    assert_eq!(data, Ok(pairs(&[("a", a), ("all", merged), ("b", b), ("c", "null")])));
}

#[rstest]
#[case(json!({}), &["{\"x\":1,\"y\":1}", "{\"y\":2,\"x\":2}"], "spec.dataFrom[0].rewrite[0].merge.conflictPolicy: more than one value has \"x\", \"y\"; set")]
#[case(json!({"priority": ["none"]}), &["{}", "{}"], "spec.dataFrom[0].rewrite[0].merge.priority: there is no key \"none\"; name")]
#[case(json!({"strategy": "JSON"}), &["{}", "{}"], "spec.dataFrom[0].rewrite[0].merge.into: it is needed with the strategy JSON")]
#[case(json!({}), &["{}", "[1]"], "spec.dataFrom[0].rewrite[0].merge: the value for the key \"b\" is not a JSON object")]
#[case(json!({}), &["{\"a\":1,}", "{}"], "spec.dataFrom[0].rewrite[0].merge: the value for the key \"a\" is not a JSON object")]
#[case(json!({}), &["{\"a\":1e999}", "{}"], "spec.dataFrom[0].rewrite[0].merge: the value for the key \"a\" is not")]
fn a_merge_that_cannot_be_done_says_what_to_change(
    #[case] rewrite: Value,
    #[case] values: &[&str],
    #[case] message: &str,
) {
    let error = merge(&rewrite, &[("a", values[0]), ("b", values[1])]).unwrap_err().to_string();
    assert!(error.starts_with(message), "{error}");
}

#[rstest]
#[case(json!({"conflictPolicy": "Ignore"}), "2")]
#[case(json!({"conflictPolicy": "Ignore", "priority": ["a"]}), "1")]
#[case(json!({"conflictPolicy": "Ignore", "priority": ["b", "none", "a"], "priorityPolicy": "IgnoreNotFound"}), "1")]
fn of_equal_properties_that_of_the_last_key_counts(#[case] rewrite: Value, #[case] expected: &str) {
    assert_eq!(merge(&rewrite, &[("a", "{\"x\":1}"), ("b", "{\"x\":2}")]), Ok(pairs(&[("x", expected)])));
}

#[rstest]
#[case("01", false)]
#[case("-", false)]
#[case("1.", false)]
#[case("-0.5E+2", true)]
#[case("\"\t\"", false)]
#[case("\"\\x\"", false)]
#[case("\"\\u12g4\"", false)]
#[case("tru", false)]
#[case("[1 2]", false)]
#[case(" [ ] ", true)]
fn json_is_taken_as_strictly_as_in_go(#[case] text: &str, #[case] valid: bool) {
    assert_eq!(merge(&json!({}), &[("k", &format!("{{\"a\":{text}}}"))]).is_ok(), valid, "{text}");
}

#[test]
fn deeply_nested_json_is_refused_without_harm() {
    let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(merge(&json!({}), &[("k", &text)]).is_err());
}

const GIVEN: &str = "spec.dataFrom[0].rewrite[0]";

fn keys(count: usize, key: impl Fn(usize) -> String) -> Vec<(String, &'static str)> {
    (0..count).map(|number| (key(number), "v")).collect()
}

/// What one entry of `dataFrom` turns many keys into.
fn from_many(rewrite: &Value, keys: &[(String, &str)]) -> Result<Vec<(String, String)>, DataError> {
    let keys: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    from(json!({"rewrite": rewrite}), &keys)
}

#[test]
fn a_thousand_names_are_rewritten_again_and_again_within_the_budget() {
    let step = |source: &str, target: &str| json!({"regexp": {"source": source, "target": target}});
    let mut steps = vec![step("^prod-(.*)$", "$1"), step("[^a-zA-Z0-9]+", "_"), step("(?i)SECRET", "s")];
    steps.extend((0..20).map(|_| step("^(?P<name>.*)$", "${name}")));
    let data = from_many(&json!(steps), &keys(1000, |number| format!("prod-team-a-database-secret-{number}"))).unwrap();
    assert_eq!(data.len(), 1000);
    assert_eq!(data[0].0, "team_a_database_s_0");
}

#[test]
fn a_hundred_entries_with_rewrites_and_decoding_are_within_the_budget() {
    let entry = json!({
        "extract": {"key": "k", "decodingStrategy": "Auto"},
        "rewrite": [{"merge": {"conflictPolicy": "Ignore"}}, {"regexp": {"source": "(.*)", "target": "x_$1"}}],
    });
    let spec = serde_json::from_value(json!({"dataFrom": vec![entry; 100]})).unwrap();
    let object =
        format!("{{{}}}", (0..200).map(|n| format!(r#""k{n}":"{}""#, "v".repeat(100))).collect::<Vec<_>>().join(","));
    let sets = (0..100).map(|_| Some(set(&[("k", &object)]))).collect();
    let fetched = Fetched { sets, values: Vec::new(), ..Fetched::default() };
    assert_eq!(assemble(&spec, fetched, &engine(), &Budget::default()).unwrap().len(), 200);
}

#[test]
fn regular_expressions_are_bounded_for_all_keys_and_rewrites_together() {
    // It counts as a thousand states, and is fast here.
    let step = json!({"regexp": {"source": "q[0-9a-f]{1000}z|.", "target": "a"}});
    let long = |number| format!("{number:a>250}");
    assert!(from_many(&json!([step]), &keys(5, long)).is_ok());
    for (count, steps) in [(100, 1), (5, 10)] {
        let error = from_many(&json!(vec![&step; steps]), &keys(count, long)).unwrap_err();
        assert!(matches!(error, DataError::Budget { error: budget::Exceeded::Matching, .. }), "{error}");
        assert!(error.to_string().contains("16777216 steps"), "{error}");
    }
}

/// The processor time of this thread.
fn processor_time() -> std::time::Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
fn patterns_that_no_automaton_can_run_are_bounded_in_time_of_the_processor() {
    // Visits all of its states for each character, which takes a hundred times longer than other patterns of its size.
    let step = json!({"regexp": {"source": ".*[0-7][0-9a-f]{1000}z|.", "target": "a"}});
    let hexadecimal = |number: usize| {
        let odd = |at: usize| (number * 977 + at).wrapping_mul(0x9E37_79B9) >> 16;
        (0..400).map(|at| char::from(b"0123456789abcdef"[odd(at) % 16])).collect::<String>()
    };
    let before = processor_time();
    let error = from_many(&json!([step]), &keys(1000, hexadecimal)).unwrap_err();
    let took = processor_time().saturating_sub(before);
    // Which of them comes first depends on the machine and the build.
    let budgets = [budget::Exceeded::MatchingTime, budget::Exceeded::Matching];
    assert!(matches!(error, DataError::Budget { error, .. } if budgets.contains(&error)), "{error}");
    // A search that has begun is finished, which takes seconds in a build without optimization.
    assert!(took < 5 * budget::MATCHING_TIME, "{took:?}");
}

#[test]
fn one_text_may_take_a_part_of_what_all_may() {
    let step = json!({"regexp": {"source": "q[0-9a-f]{1000}z|.", "target": "a"}});
    let error = from_many(&json!([step]), &keys(1, |_| "a".repeat(4000))).unwrap_err();
    assert!(matches!(error, DataError::RegexpExceeded { .. }), "{error}");
    assert!(error.to_string().contains("takes too long on a text of this length"), "{error}");
}

#[test]
fn keys_that_grow_with_each_rewrite_are_bounded_together() {
    let double = json!({"regexp": {"source": "^.*$", "target": "$0$0"}});
    let error = from_many(&json!(vec![double; 40]), &keys(1, |_| "a".to_owned())).unwrap_err();
    assert!(matches!(error, DataError::Budget { .. } | DataError::RegexpExceeded { .. }), "{error}");
    assert!(error.to_string().len() < 1000);
}

#[test]
fn a_pattern_of_thousands_of_groups_is_refused_by_its_size() {
    let source = "(.*)".to_owned() + &"(a)?".repeat(4000);
    let error = from_many(&json!([{"regexp": {"source": source, "target": "$2"}}]), &keys(1, |_| "a".repeat(1000)));
    let error = error.unwrap_err();
    assert!(error.to_string().starts_with(&format!("{GIVEN}.regexp.source: expression too large")), "{error}");
}

#[test]
fn what_is_taken_apart_is_bounded_in_values_and_bytes() {
    let spec = |entry: Value| serde_json::from_value(json!({"dataFrom": [entry]})).unwrap();
    let many = format!(r#"{{"a":[{}0]}}"#, "[],".repeat(300_000));
    let merge = json!({"extract": {"key": "k"}, "rewrite": [{"merge": {}}]});
    let fetched = Fetched { sets: vec![Some(set(&[("k", &many)]))], values: Vec::new(), ..Fetched::default() };
    let error = assemble(&spec(merge), fetched, &engine(), &Budget::default()).unwrap_err();
    assert!(matches!(error, DataError::Budget { error: budget::Exceeded::Nodes, .. }), "{error}");
    assert!(error.to_string().contains("200000 JSON values"), "{error}");

    let shared = value(&vec![b'A'; 1 << 20]);
    let entry =
        |number| json!({"secretKey": format!("k{number}"), "remoteRef": {"key": "k", "decodingStrategy": "Base64"}});
    let spec = serde_json::from_value(json!({"data": (0..100).map(entry).collect::<Vec<_>>()})).unwrap();
    let fetched = Fetched { sets: Vec::new(), values: vec![Some(shared); 100], ..Fetched::default() };
    let error = assemble(&spec, fetched, &engine(), &Budget::default()).unwrap_err();
    assert!(matches!(error, DataError::Budget { error: budget::Exceeded::Values, .. }), "{error}");
    assert!(error.to_string().starts_with("spec.data[32].remoteRef: "), "{error}");
}

#[test]
fn a_replacement_that_removes_the_name_by_mistake_is_reported_with_what_was_meant() {
    let step = |source: &str, target: &str| json!({"rewrite": [{"regexp": {"source": source, "target": target}}]});
    let error = from(step("(.*)", "$1_MONITOR"), &[("a", "1")]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{GIVEN}.regexp.target: it makes the key \"a\" empty, since $1_MONITOR is a group of that whole name, which the source does not have; write ${{1}}_MONITOR"
        )
    );
    let error = from(step("(.*)", "$2"), &[("a", "1")]).unwrap_err().to_string();
    assert!(error.ends_with("name one of its groups, such as ${1}"), "{error}");
    // Dropping keys on purpose, and missing groups as part of a name, work as in ESO.
    assert_eq!(from(step("^b.*$", ""), &[("a", "1"), ("b", "2")]).unwrap(), pairs(&[("a", "1")]));
    assert_eq!(from(step("^(.*)$", "x-$2"), &[("a", "1")]).unwrap(), pairs(&[("x-", "1")]));
}
