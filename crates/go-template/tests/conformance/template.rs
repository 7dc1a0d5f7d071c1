//! Templates.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use go_template::{
    Call, Delimiters, Engine, Error, Function, FunctionError, Int, List, Map, SetError, Text, Type, Uint, Value,
};
use serde_json::Value as Json;

use super::GO;

const CASES: &str = "template/cases.json";
const GOLDEN: &str = include_str!("template/golden.jsonl");

/// A template with its data, and Go's result.
pub(crate) struct Case {
    template: String,
    data: Value,
    delimiters: Delimiters,
    go: Json,
    /// The error that differs on purpose, because Go's shows a value.
    own_error: Option<String>,
}

#[test]
fn every_case_renders_as_go_renders_it() {
    let cases = read(include_str!("template/cases.json"), GOLDEN);
    assert!(cases.len() > 1000, "the table is complete");
    compare(cases, &functions(), str::to_owned);
}

/// The cases of a table, with the results from its golden file.
pub(crate) fn read(table: &str, golden: &str) -> Vec<Case> {
    let groups: Vec<Json> = serde_json::from_str(table).expect("a table of cases");
    let mut golden = golden.lines();
    let mut cases = Vec::new();
    for group in &groups {
        for template in group["templates"].as_array().expect("templates") {
            let go: Json = serde_json::from_str(golden.next().expect("a golden line for each case")).expect("JSON");
            let text = template.as_str().or(template["template"].as_str()).expect("a template");
            assert_eq!(go["template"], text, "the golden file is not of these cases");
            let delimiter = |i: usize| group["delimiters"][i].as_str().unwrap_or_default();
            cases.push(Case {
                template: text.to_owned(),
                data: group.get("data").map_or_else(|| Value::Map(Map::new(&Type::String)), value),
                delimiters: Delimiters::new(delimiter(0), delimiter(1)),
                go,
                own_error: template["error"].as_str().map(ToOwned::to_owned),
            });
        }
    }
    assert_eq!(golden.next(), None, "the golden file is not of these cases");
    cases
}

#[test]
fn the_golden_file_is_what_go_renders_today() {
    let printed = GO.run("template", &[], Some(CASES));
    assert!(printed == GOLDEN, "make the golden file again: make goldens");
}

#[test]
fn made_up_templates_render_as_go_renders_them() {
    let printed = GO.made_up("template", &[]);
    compare(made_up(&printed), &functions(), loosened);
}

/// Cases that the Go program made up and printed with their results. There may be too many to hold at once.
pub(crate) fn made_up(printed: &str) -> impl Iterator<Item = Case> {
    let case = |line: &str| {
        let go: Json = serde_json::from_str(line).expect("JSON");
        Case {
            template: go["template"].as_str().expect("a template").to_owned(),
            data: value(&go["data"]),
            delimiters: Delimiters::default(),
            go,
            own_error: None,
        }
    };
    printed.lines().map(case)
}

/// What [`loosened`] returns for all errors of recursion.
pub(crate) const RECURSION: &str = "error of recursion";

/// `result` without the parts that differ on purpose, because Go's show a value.
pub(crate) fn loosened(result: &str) -> String {
    const DIFFER: [&str; 12] = [
        "range can't iterate over ",
        " iterate over more than one variable",
        "index out of range",
        "invalid slice index: ",
        "bounds out of range",
        "non-comparable type",
        "non-function ",
        "error calling len: ",
        "malformed character constant",
        "unexpected . after term ",
        "strconv.Parse",
        "invalid syntax",
    ];
    // Recursion ends earlier here, and so at another place.
    if ["exceeded maximum template depth", "levels of nesting"].iter().any(|part| result.contains(part)) {
        return RECURSION.to_owned();
    }
    match DIFFER.iter().find(|part| result.contains(**part)) {
        Some(part) if result.starts_with("error ") => {
            let before = result.split(part).next().unwrap_or_default();
            let place = before.split('<').next().unwrap_or_default();
            format!("{place}... {part}")
        }
        _ => result.to_owned(),
    }
}

/// Renders the cases with these functions, and compares the results after applying `comparable`.
pub(crate) fn compare(
    cases: impl IntoIterator<Item = Case>,
    functions: &[(&'static str, Function)],
    comparable: impl Fn(&str) -> String,
) {
    let mut count = 0;
    let mismatches: Vec<String> =
        cases.into_iter().inspect(|_| count += 1).filter_map(|case| mismatch(&case, functions, &comparable)).collect();
    let shown = mismatches.get(..10).unwrap_or(&mismatches).join("\n");
    assert!(mismatches.is_empty(), "{} of {count} cases differ, such as\n{shown}", mismatches.len());
}

fn mismatch(
    case: &Case,
    functions: &[(&'static str, Function)],
    comparable: &impl Fn(&str) -> String,
) -> Option<String> {
    let engine = Engine::new(functions.iter().copied()).with_delimiters(case.delimiters.clone());
    let rendered = engine.parse("t", case.template.as_bytes()).and_then(|template| template.render(&case.data));
    let ours = match &rendered {
        Ok(output) => format!("output {}", output.escape_ascii()),
        Err(error) => format!("error {}", shown(error)),
    };
    let go = match (case.go["error"].as_str(), &case.own_error) {
        (Some(_), Some(own)) => format!("error {own}"),
        (Some(error), None) => format!("error {}", without_values(error)),
        (None, _) => format!("output {}", bytes(&case.go, "output").escape_ascii()),
    };
    (comparable(&ours) != comparable(&go))
        .then(|| format!("template {}\n      Go {go}\n    ours {ours}\n", case.template.escape_debug()))
}

/// Our error, without the column if it is a parse error, because Go's has none.
fn shown(error: &Error) -> String {
    let details = error.details();
    match details.context {
        Some(_) => error.to_string(),
        None => format!("template: {}:{}: {}", details.template, details.line, details.message),
    }
}

/// Go's error without the content of strings, which ours omit.
fn without_values(error: &str) -> String {
    if let Some(rest) = ["\\\"", "`", "'"].iter().find_map(|quote| {
        let (before, after) = error.split_once(&format!("unexpected \"{quote}"))?;
        let context = after.rsplit_once(" in ")?.1;
        Some(format!("{before}unexpected string in {context}"))
    }) {
        return rest;
    }
    let Some((before, rest)) = error.split_once(" at <") else { return error.to_owned() };
    let Some((context, message)) = rest.split_once(">: ") else { return error.to_owned() };
    // The name of a template is shown.
    let named = context.strip_prefix("{{template \"").and_then(|rest| rest.split_once('"'));
    let context = match named {
        Some((name, rest)) => format!("{{{{template \"{name}\"{}", without_strings(rest)),
        None => without_strings(context),
    };
    let shows_operand = ["expected ", "can't give ", "can't handle "].iter().any(|start| message.starts_with(start));
    let message = if shows_operand { without_strings(message) } else { message.to_owned() };
    format!("{before} at <{context}>: {message}")
}

/// `text` with its string literals replaced by `"..."`.
fn without_strings(text: &str) -> String {
    let mut output = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if !matches!(character, '"' | '`') {
            output.push(character);
            continue;
        }
        output.push_str("\"...\"");
        while let Some(inner) = characters.next() {
            match inner {
                '\\' if character == '"' => drop(characters.next()),
                _ if inner == character => break,
                _ => {}
            }
        }
    }
    output
}

/// A field that contains text, or bytes if its name ends in `_base64`.
fn bytes(fields: &Json, name: &str) -> Vec<u8> {
    match fields.get(format!("{name}_base64")).and_then(Json::as_str) {
        Some(encoded) => STANDARD.decode(encoded).expect("base64"),
        None => fields[name].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// Data in JSON, read as in the Go program: an object with a single key that begins with a dollar sign is a value of
/// another type.
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
            Some((key, inner)) if entries.len() == 1 && key.starts_with('$') => tagged(key, inner),
            _ => Value::Map(Map::from_entries(&Type::Any, map(entries))),
        },
    }
}

fn map(entries: &serde_json::Map<String, Json>) -> BTreeMap<Text, Value> {
    entries.iter().map(|(key, entry)| (Text::from(key.as_str()), value(entry))).collect()
}

fn tagged(tag: &str, inner: &Json) -> Value {
    let text = inner.as_str().unwrap_or_default();
    match (tag, inner) {
        ("$int32", _) => Value::Int(Int::Int32, inner.as_i64().expect("an integer")),
        ("$int64", _) => Value::Int(Int::Int64, inner.as_i64().expect("an integer")),
        ("$uint8", _) => Value::Uint(Uint::Uint8, inner.as_u64().expect("an integer")),
        ("$uint64", _) => Value::Uint(Uint::Uint64, inner.as_u64().expect("an integer")),
        ("$float", _) => Value::Float(text.parse().expect("a float")),
        ("$bytes", _) => Value::Bytes(STANDARD.decode(text).expect("base64").into()),
        ("$text", _) => Value::String(STANDARD.decode(text).expect("base64").into()),
        ("$ints", Json::Array(items)) => Value::List(List::new(&Type::INT, items.iter().map(value).collect())),
        ("$strings", Json::Array(items)) => Value::List(List::new(&Type::String, items.iter().map(value).collect())),
        ("$strings", Json::Object(entries)) => Value::Map(Map::from_entries(&Type::String, map(entries))),
        _ => panic!("no such type: {tag}"),
    }
}

type Result = std::result::Result<Value, FunctionError>;

/// The functions of the Go program.
pub(crate) fn functions() -> Vec<(&'static str, Function)> {
    const STRINGS: Type = Type::Slice(&Type::String);
    vec![
        ("takeAny", Function::fixed(&[Type::Any], first)),
        ("takeBool", Function::fixed(&[Type::Bool], first)),
        ("takeBytes", Function::fixed(&[Type::BYTES], first)),
        ("takeFloat", Function::fixed(&[Type::Float], first)),
        ("takeInt", Function::fixed(&[Type::INT], first)),
        ("takeInt32", Function::fixed(&[Type::Int(Int::Int32)], first)),
        ("takeInt64", Function::fixed(&[Type::Int(Int::Int64)], first)),
        ("takeUint8", Function::fixed(&[Type::Uint(Uint::Uint8)], first)),
        ("takeUint64", Function::fixed(&[Type::Uint(Uint::Uint64)], first)),
        ("takeString", Function::fixed(&[Type::String], first)),
        ("takeList", Function::fixed(&[Type::LIST], first)),
        ("takeStrings", Function::fixed(&[STRINGS], first)),
        ("takeMap", Function::fixed(&[Type::DICT], first)),
        ("takeMany", Function::variadic(&[Type::String], Type::INT, take_many)),
        ("takeTwo", Function::fixed(&[Type::String, Type::INT], first)),
        ("nothing", Function::fixed(&[], |_, _| Ok(Value::Nil))),
        ("failing", Function::fixed(&[], |_, _| Err(FunctionError::new("it failed")))),
        ("list", Function::variadic(&[], Type::Any, |items, _| Ok(Value::List(List::new(&Type::Any, items.to_vec()))))),
        ("set", Function::fixed(&[Type::DICT, Type::String, Type::Any], set)),
    ]
}

#[allow(clippy::unnecessary_wraps, reason = "a function may fail")]
fn first(arguments: &[Value], _: &mut Call<'_>) -> Result {
    Ok(arguments.first().expect("an argument").clone())
}

#[allow(clippy::unnecessary_wraps, reason = "a function may fail")]
fn take_many(arguments: &[Value], _: &mut Call<'_>) -> Result {
    let [Value::String(text), more @ ..] = arguments else { panic!("the types were checked") };
    Ok(Value::len(text.len() + more.len()))
}

fn set(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::Map(map), Value::String(key), value] = arguments else { panic!("the types were checked") };
    map.set(key.clone(), value.clone(), call.budget)
        .map_err(|error: SetError| FunctionError::new(error.to_string()))?;
    Ok(Value::Map(map.clone()))
}
