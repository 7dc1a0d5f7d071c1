//! Compares GJSON paths with Go.
//!
//! `cases.json` is the table of cases, and `golden.jsonl` the output of the Go program next to it. If Go is installed,
//! the golden file is compared with the program's current output, and made-up cases are compared, too.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gjson_path::{self as gjson, Kind};
use go_oracle::Module;
use serde_json::Value;

const GO: Module = Module::of(env!("CARGO_MANIFEST_DIR"));
const CASES: &str = "cases.json";
const GOLDEN: &str = include_str!("golden.jsonl");

/// A document, a path, and what the Go library finds.
struct Case {
    document: Vec<u8>,
    path: Vec<u8>,
    found: Value,
}

#[test]
fn every_case_gives_the_same_as_the_go_library() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases.json")).expect("cases.json");
    let mut golden = GOLDEN.lines();
    let mut all = Vec::new();
    for group in &cases {
        for path in group["paths"].as_array().expect("paths") {
            let found: Value = serde_json::from_str(golden.next().expect("a golden line for each case")).expect("JSON");
            assert_eq!(&found["path"], path, "the golden file is not of these cases");
            let path = path.as_str().expect("a path").as_bytes().to_vec();
            all.push(Case { document: bytes(group, "document"), path, found });
        }
    }
    assert_eq!(golden.next(), None, "the golden file is not of these cases");
    assert!(all.len() > 600, "the table is complete");
    compare(&all);
}

#[test]
fn the_golden_file_is_what_the_go_library_gives_today() {
    let printed = GO.run(".", &[], Some(CASES));
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_documents_and_paths_give_what_the_go_library_gives() {
    let printed = GO.made_up(".", &[]);
    let cases: Vec<Case> = printed
        .lines()
        .map(|line| {
            let found: Value = serde_json::from_str(line).expect("JSON");
            Case { document: bytes(&found, "document"), path: bytes(&found, "path"), found }
        })
        .collect();
    compare(&cases);
}

fn compare(cases: &[Case]) {
    let mismatches: Vec<String> = cases.iter().filter_map(mismatch).collect();
    let shown = mismatches.get(..10).unwrap_or(&mismatches).join("\n");
    assert!(mismatches.is_empty(), "{} of {} cases differ, such as\n{shown}", mismatches.len(), cases.len());
}

fn mismatch(case: &Case) -> Option<String> {
    let expected =
        (case.found["kind"].as_str().expect("a kind"), bytes(&case.found, "raw"), bytes(&case.found, "text"));
    let value = gjson::get(&case.document, &case.path).expect("no case is too complex");
    let got = match &value {
        None => ("", Vec::new(), Vec::new()),
        Some(value) => (name(value.kind()), value.raw().to_vec(), value.text().to_vec()),
    };
    (got != expected).then(|| {
        let show = |(kind, raw, text): (&str, Vec<u8>, Vec<u8>)| {
            format!("{kind} {} as text {}", raw.escape_ascii(), text.escape_ascii())
        };
        format!(
            "document {}\n    path {}\n      Go {}\n    ours {}\n",
            case.document.escape_ascii(),
            case.path.escape_ascii(),
            show(expected),
            show(got)
        )
    })
}

/// A field that contains text, or bytes if its name ends in `_base64`.
fn bytes(fields: &Value, name: &str) -> Vec<u8> {
    match fields.get(format!("{name}_base64")).and_then(Value::as_str) {
        Some(encoded) => STANDARD.decode(encoded).expect("base64"),
        None => fields.get(name).and_then(Value::as_str).unwrap_or_default().as_bytes().to_vec(),
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "Null",
        Kind::False => "False",
        Kind::Number => "Number",
        Kind::String => "String",
        Kind::True => "True",
        Kind::Json => "JSON",
    }
}
