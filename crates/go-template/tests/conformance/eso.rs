//! ESO's own functions, and sprig's cryptography.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use go_template::{
    Allowance, Call, Engine, Function, FunctionError, Int, List, Map, Text, Type, Uint, Value, funcs, yaml,
};
use serde_json::Value as Json;

use super::GO;

const CASES: &str = "eso/cases.json";
const GOLDEN: &str = include_str!("eso/golden.jsonl");

/// A template with its data, and Go's result.
struct Case {
    template: String,
    data: Value,
    go: Json,
    /// The error that differs on purpose.
    own_error: Option<String>,
    /// What is deliberately better than Go's result: `output` with the text, or `error` with words of it.
    better: Option<String>,
}

#[test]
fn every_case_gives_what_go_gives() {
    let groups: Vec<Json> = serde_json::from_str(include_str!("eso/cases.json")).expect("cases.json");
    let mut golden = GOLDEN.lines();
    let mut cases = Vec::new();
    for group in &groups {
        let documents: Vec<Option<&str>> = match group["documents"].as_array() {
            Some(documents) => documents.iter().map(Json::as_str).collect(),
            None => vec![None],
        };
        for template in group["templates"].as_array().expect("templates") {
            let text = template.as_str().or(template["template"].as_str()).expect("a template");
            for document in &documents {
                let go: Json = serde_json::from_str(golden.next().expect("a golden line for each case")).expect("JSON");
                assert_eq!(go["template"], text, "the golden file is not of these cases");
                assert_eq!(go["d"].as_str(), *document, "the golden file is not of these cases");
                cases.push(Case {
                    template: text.to_owned(),
                    data: document.map_or_else(|| value(&group["data"]), document_data),
                    go,
                    own_error: template["error"].as_str().map(ToOwned::to_owned),
                    better: template["better"].as_str().map(ToOwned::to_owned),
                });
            }
        }
    }
    assert_eq!(golden.next(), None, "the golden file is not of these cases");
    assert!(cases.len() > 200, "the table is complete");
    compare(&cases);
}

#[test]
fn the_golden_file_is_what_go_gives_today() {
    let printed = GO.run("eso", &[], Some(CASES));
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_yaml_is_read_and_written_as_go_does() {
    let printed = GO.made_up("eso", &[]);
    let case = |line: &str| {
        let go: Json = serde_json::from_str(line).expect("JSON");
        Case {
            template: go["template"].as_str().expect("a template").to_owned(),
            data: document_data(go["d"].as_str().expect("a document")),
            go,
            own_error: None,
            better: None,
        }
    };
    let cases: Vec<Case> = printed.lines().map(case).collect();
    compare(&cases);
}

fn document_data(document: &str) -> Value {
    let entries = BTreeMap::from([(Text::from("d"), Value::string(document))]);
    Value::Map(Map::from_entries(&Type::String, entries))
}

fn compare(cases: &[Case]) {
    let mismatches: Vec<String> = cases.iter().filter_map(mismatch).collect();
    let shown = mismatches.get(..10).unwrap_or(&mismatches).join("\n");
    assert!(mismatches.is_empty(), "{} of {} cases differ, such as\n{shown}", mismatches.len(), cases.len());
}

fn mismatch(case: &Case) -> Option<String> {
    let engine = Engine::new(funcs::all().chain(helpers()));
    let rendered = engine.parse("t", case.template.as_bytes()).and_then(|template| template.render(&case.data));
    let ours = match &rendered {
        Ok(output) => format!("output {}", output.escape_ascii()),
        Err(error) => format!("error {error}"),
    };
    let go = match (case.go["error"].as_str(), &case.own_error) {
        (Some(error), Some(own)) => format!("error {}{own}", error.split_once(">: ")?.0.to_owned() + ">: "),
        (Some(error), None) => format!("error {error}"),
        (None, _) => format!("output {}", bytes(&case.go, "output").escape_ascii()),
    };
    let document = case.go["d"].as_str().map(|document| format!("{document:?}")).unwrap_or_default();
    if let Some(better) = &case.better {
        let is_as_declared = match better.split_once(' ') {
            Some(("error", words)) => ours.starts_with("error ") && ours.contains(words),
            _ => ours == *better,
        };
        let is_different = !go.contains(better.split_once(' ').unwrap_or_default().1);
        return (!is_as_declared || !is_different).then(|| {
            format!("template {}\n      Go {go}\n    ours {ours}\ndeclared {better}\n", case.template.escape_debug())
        });
    }
    (loosened(&ours) != loosened(&go))
        .then(|| format!("template {} {document}\n      Go {go}\n    ours {ours}\n", case.template.escape_debug()))
}

/// `result` without the parts that differ on purpose: the wording of a parser, and values. The error of a function
/// keeps the name of the function.
fn loosened(result: &str) -> &str {
    const WORDED: [&str; 2] = ["converting YAML to JSON: yaml: ", "unsupported map key of type: "];
    if let Some((_, failure)) = result.split_once(": error calling ") {
        return failure.split_once(':').map_or(failure, |(function, _)| function);
    }
    WORDED.iter().find_map(|words| result.split_once(words)).map_or(result, |(before, _)| before)
}

/// A field that contains text, or bytes if its name ends in `_base64`.
fn bytes(fields: &Json, name: &str) -> Vec<u8> {
    match fields.get(format!("{name}_base64")).and_then(Json::as_str) {
        Some(encoded) => STANDARD.decode(encoded).expect("base64"),
        None => fields[name].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Data in JSON, read as in the Go program: an object with a single key that begins with a dollar sign is a value of
/// another type, or the content of a file.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(boolean) => Value::Bool(*boolean),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::int(integer),
            None => Value::Float(number.as_f64().expect("a float")),
        },
        Json::String(text) => Value::string(text),
        Json::Array(items) => Value::List(List::new(&Type::Any, items.iter().map(value).collect())),
        Json::Object(entries) => match entries.iter().next() {
            Some((key, inner)) if entries.len() == 1 && key.starts_with('$') => {
                tagged(key, inner.as_str().expect("text"))
            }
            _ => {
                let entries = entries.iter().map(|(key, entry)| (Text::from(key.as_str()), value(entry)));
                Value::Map(Map::from_entries(&Type::Any, entries.collect()))
            }
        },
    }
}

fn tagged(tag: &str, inner: &str) -> Value {
    let decoded = || STANDARD.decode(inner).expect("base64");
    match tag {
        "$int64" => Value::Int(Int::Int64, inner.parse().expect("an integer")),
        "$uint64" => Value::Uint(Uint::Uint64, inner.parse().expect("an integer")),
        "$float" => Value::Float(inner.parse().expect("a float")),
        "$bytes" => Value::Bytes(decoded().into()),
        "$text" => Value::String(decoded().into()),
        "$file" => Value::String(file(inner).into()),
        "$base64" => Value::string(&STANDARD.encode(file(inner))),
        _ => panic!("no such type: {tag}"),
    }
}

/// A file of the test data.
pub(crate) fn file(name: &str) -> Vec<u8> {
    std::fs::read(GO.folder().join("eso/testdata").join(name)).expect("the file")
}

type Result = std::result::Result<Value, FunctionError>;

/// The functions of the Go program that are not ESO's.
fn helpers() -> [(&'static str, Function); 2] {
    [
        ("keysAndValues", Function::fixed(&[Type::String], keys_and_values)),
        ("yamlJSON", Function::fixed(&[Type::String], yaml_json)),
    ]
}

fn keys_and_values(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { panic!("the types were checked") };
    let strings =
        yaml::read_strings(text, &mut Allowance::new()).map_err(|error| FunctionError::new(error.to_string()))?;
    let entry = |(key, value): (String, _)| (Text::from(key.as_str()), Value::String(Text::from(value)));
    Ok(Value::Map(Map::from_entries(&Type::String, strings.into_iter().map(entry).collect())))
}

fn yaml_json(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { panic!("the types were checked") };
    let json = yaml::read_json(text, &mut Allowance::new()).map_err(|error| FunctionError::new(error.to_string()))?;
    Ok(Value::string(&format!("{}\n", go_json(&json))))
}

/// JSON with floats as Go writes them.
fn go_json(json: &Json) -> String {
    match json {
        Json::Number(number) if number.is_f64() => {
            let float = number.as_f64().expect("a float");
            let text = format!("{float:e}");
            let (mantissa, exponent) = text.split_once('e').expect("an exponent");
            let exponent: i32 = exponent.parse().expect("a number");
            match exponent {
                -6..21 => float.to_string(),
                21.. => format!("{mantissa}e+{exponent}"),
                _ => format!("{mantissa}e{exponent}"),
            }
        }
        Json::Array(items) => format!("[{}]", items.iter().map(go_json).collect::<Vec<_>>().join(",")),
        Json::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}:{}", go_json(&key.as_str().into()), go_json(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Json::String(text) => {
            serde_json::to_string(text).expect("JSON").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
        }
        other => other.to_string(),
    }
}
