//! Compares the regular expressions with Go.
//!
//! `cases.json` is the table of cases, and `golden.jsonl` the output of the Go program next to it. If Go is installed,
//! the golden file is compared with the program's current output, and made-up cases are compared, too.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use go_oracle::Module;
use go_regexp::{self as re2, Allowance, Groups, Regex};
use serde_json::{Map, Value, json};

const GO: Module = Module::of(env!("CARGO_MANIFEST_DIR"));
const CASES: &str = "cases.json";
const GOLDEN: &str = include_str!("golden.jsonl");

#[test]
fn every_pattern_does_what_it_does_in_go() {
    let groups: Vec<Value> = serde_json::from_str(include_str!("cases.json")).expect("cases.json");
    let mut golden = GOLDEN.lines();
    let mut cases = Vec::new();
    for group in &groups {
        for pattern in group["patterns"].as_array().expect("patterns") {
            let go: Value = serde_json::from_str(golden.next().expect("a golden line for each case")).expect("JSON");
            assert_eq!(&go["pattern"], pattern, "the golden file is not of these cases");
            cases.push((go, group["replacements"].clone()));
        }
    }
    assert_eq!(golden.next(), None, "the golden file is not of these cases");
    assert!(cases.len() > 400, "the table is complete");
    compare(&cases);
}

#[test]
fn the_golden_file_is_what_go_does_today() {
    let printed = GO.run(".", &[], Some(CASES));
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_patterns_do_what_they_do_in_go() {
    let printed = GO.made_up(".", &[]);
    let case = |line: &str| {
        let mut go: Value = serde_json::from_str(line).expect("JSON");
        let texts = go["texts"].as_array_mut().into_iter().flatten();
        let replacements = texts.filter_map(|text| text.as_object_mut()?.remove("replacements")).last();
        (go, replacements.unwrap_or_default())
    };
    let cases: Vec<_> = printed.lines().map(case).collect();
    compare(&cases);
}

/// Compares with Go's output, including the replacements that were tried.
fn compare(cases: &[(Value, Value)]) {
    let mismatches: Vec<String> = cases.iter().filter_map(|(go, replacements)| mismatch(go, replacements)).collect();
    let shown = mismatches.get(..10).unwrap_or(&mismatches).join("\n");
    assert!(mismatches.is_empty(), "{} of {} cases differ, such as\n{shown}", mismatches.len(), cases.len());
}

fn mismatch(go: &Value, replacements: &Value) -> Option<String> {
    let pattern = go["pattern"].as_str().expect("a pattern");
    let regex = match Regex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => {
            let error = json!(error.to_string());
            return (go["error"] != error).then(|| format!("{pattern:?}\n      Go {go}\n    ours {error}"));
        }
    };
    if go["error"].is_string() {
        return Some(format!("{pattern:?}\n      Go {}\n    ours takes it", go["error"]));
    }
    let names: Vec<&str> = regex.group_names().iter().map(|name| name.as_deref().unwrap_or_default()).collect();
    if go["names"] != json!(names) {
        return Some(format!("{pattern:?}\n      Go {}\n    ours {names:?}", go["names"]));
    }
    let replacements: Vec<&str> = replacements.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    go["texts"].as_array().into_iter().flatten().find_map(|expected| {
        let text = STANDARD.decode(expected["text"].as_str().expect("a text")).expect("base64");
        let got = found(&regex, &text, &replacements);
        let first = regex.find(&text, &mut allowance()).expect("no case takes long");
        let groups = regex.captures(&text, &mut allowance()).expect("no case takes long");
        assert_eq!(regex.is_match(&text, &mut allowance()), Ok(!got["matches"].is_null()));
        assert_eq!(first.map(|found| found.start), groups.map(|groups| start(&groups)));
        (got != *expected).then(|| {
            format!("{pattern:?} in {:?}\n      Go {expected}\n    ours {got}", text.escape_ascii().to_string())
        })
    })
}

fn allowance() -> Allowance {
    Allowance::new(Allowance::ONE_CALL)
}

fn start(groups: &Groups) -> usize {
    groups[0].as_ref().expect("the whole match").start
}

/// What a pattern finds in a text, in the format of the Go program.
fn found(regex: &Regex, text: &[u8], replacements: &[&str]) -> Value {
    let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
    let matches: Vec<Vec<i64>> =
        regex.captures_all(text, None, &mut allowance()).expect("no case takes long").iter().map(positions).collect();
    let first_two: Vec<[usize; 2]> = regex
        .find_all(text, Some(2), &mut allowance())
        .expect("no case takes long")
        .into_iter()
        .map(|found| [found.start, found.end])
        .collect();
    let split = |limit| -> Vec<String> {
        let parts = regex.split(text, limit, &mut allowance()).expect("no case takes long");
        parts.into_iter().map(|part| encoded(&text[part])).collect()
    };
    let or_null = |value: Value| if value == json!([]) { Value::Null } else { value };
    let mut fields = Map::from_iter([
        ("text".to_owned(), json!(encoded(text))),
        ("matches".to_owned(), or_null(json!(matches))),
        ("first_two".to_owned(), or_null(json!(first_two))),
        ("split".to_owned(), json!(split(None))),
        ("split_two".to_owned(), json!(split(Some(2)))),
        ("quoted".to_owned(), json!(encoded(&re2::quote_meta(text)))),
    ]);
    if !replacements.is_empty() {
        let each = |replace: &dyn Fn(&[u8]) -> Vec<u8>| -> Vec<String> {
            replacements.iter().map(|replacement| encoded(&replace(replacement.as_bytes()))).collect()
        };
        let replaced = each(&|by| regex.replace_all(text, by, &mut allowance()).expect("no case takes long").to_vec());
        let literal =
            each(&|by| regex.replace_all_literal(text, by, &mut allowance()).expect("no case takes long").to_vec());
        fields.insert("replaced".to_owned(), json!(replaced));
        fields.insert("literal".to_owned(), json!(literal));
    }
    Value::Object(fields)
}

/// Two numbers per group, -1 if it did not take part.
fn positions(groups: &Groups) -> Vec<i64> {
    let pair = |group: &Option<std::ops::Range<usize>>| match group {
        Some(range) => [range.start, range.end].map(|at| i64::try_from(at).expect("a short text")),
        None => [-1, -1],
    };
    groups.iter().flat_map(pair).collect()
}
