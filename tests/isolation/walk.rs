//! All that a tenant can write, with large and odd values: each field of our kinds, and each function of templates.
//!
//! The rows of `tests/stage/src/neighbors/floods.yaml` are what somebody has thought of. This is the rest: it follows the schemas and the table of functions, so
//! a new field or function is walked as soon as it is there.

use external_secrets::api::crd;
use external_secrets::template::{Type, funcs};
use serde_json::{Value, json};

/// Deeper than this, nothing is put into a field.
const DEEPEST: usize = 12;
/// How many items a list has, or entries a map, where the schema allows as many.
const MANY: u64 = 1_000;

/// Objects of a kind, each with one odd value in one of the fields of its spec. The API server refuses some of them.
pub(crate) fn fields(kind: &str, base: &Value) -> Vec<Value> {
    let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap_or_default());
    let definition = definitions.into_iter().find(|definition| definition["spec"]["names"]["kind"] == kind);
    let definition = definition.unwrap_or_default();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    odd(schema, 0)
        .into_iter()
        .enumerate()
        .map(|(number, spec)| {
            let mut object = json!({
                "apiVersion": "external-secrets.io/v1", "kind": kind,
                "metadata": {"name": format!("walk-{number}")}, "spec": base,
            });
            for (field, value) in spec.as_object().into_iter().flatten() {
                object["spec"][field] = value.clone();
            }
            object
        })
        .collect()
}

/// ExternalSecrets that call each function of templates again and again, with long texts and large containers.
pub(crate) fn functions() -> Vec<Value> {
    let mut objects = Vec::new();
    // Two names may differ in case alone.
    for (number, (name, function)) in funcs::all().enumerate() {
        for (flavour, any) in [("texts", "$x"), ("lists", "$l"), ("maps", "$d")] {
            let one = |parameter: &Type| match parameter {
                Type::Bool => "true",
                Type::Int(_) | Type::Uint(_) => "4096",
                Type::Float | Type::Complex => "1e300",
                Type::String => "$x",
                Type::Slice(_) => "$l",
                Type::Map(_) => "$d",
                Type::Any | Type::Reflect | Type::Object(_) => any,
            };
            let mut arguments: Vec<_> = function.parameters.iter().map(one).collect();
            arguments.extend(function.variadic.iter().flat_map(|more| [one(more), one(more)]));
            let template = format!(
                "{{{{ $x := repeat 1000000 \"a\" }}}}{{{{ $l := until 10000 }}}}{{{{ $d := dict \"a\" $x \"b\" $l }}}}\
                 {{{{ range until 1000 }}}}{{{{ $y := {name} {} }}}}{{{{ end }}}}done",
                arguments.join(" ")
            );
            objects.push(json!({
                "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                "metadata": {"name": format!("{}-{flavour}-{number}", name.to_lowercase().replace('_', "-"))},
                "spec": {
                    "refreshInterval": "1s",
                    "secretStoreRef": {"name": "own"},
                    "data": [{"secretKey": "value", "remoteRef": {"key": "own"}}],
                    "target": {"template": {"data": {"a": template}}},
                },
            }));
        }
    }
    objects
}

/// Odd values for a node of a schema and for each node below it; what else must be there is there.
fn odd(schema: &Value, depth: usize) -> Vec<Value> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let mut all = odd_itself(schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        for value in odd(property, depth + 1) {
            let mut object = sample(schema);
            object[name] = value;
            all.push(object);
        }
    }
    all.extend(odd(&schema["items"], depth + 1).into_iter().map(|value| json!([value])));
    all.extend(odd(&schema["additionalProperties"], depth + 1).into_iter().map(|value| json!({"a": value})));
    all
}

/// Odd values for a node alone.
fn odd_itself(schema: &Value) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    match schema["type"].as_str() {
        Some("string") => texts().into_iter().map(Value::from).collect(),
        Some("integer" | "number") => vec![json!(i64::MAX), json!(i64::MIN), json!(0), json!(-1)],
        Some("boolean") => vec![json!(true), json!(false)],
        Some("array") => {
            let count = schema["maxItems"].as_u64().unwrap_or(MANY).min(MANY);
            vec![json!([]), (0..count).map(|_| sample(&schema["items"])).collect()]
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            let count = schema["maxProperties"].as_u64().unwrap_or(MANY).min(MANY);
            let value = sample(&schema["additionalProperties"]);
            vec![Value::Object((0..count).map(|number| (format!("k{number}"), value.clone())).collect())]
        }
        _ => Vec::new(),
    }
}

/// Texts that are long, that mean much work wherever they are a pattern, a template, a path, a time or a name, or that are odd.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "\u{1b}[31m\u{202e}\n{\"message\":\"forged\"}",
        "../../other/secrets/x",
        "9999-12-31T23:59:59Z",
        "99999999999999999999h",
        "1ns",
        "* * * * *",
        "0 0 29 2 1",
        r"(.*)(.*)(.*)(.*)(.*)$",
        r"\pL{400}",
        "((a?){100}){100}",
        "{{ repeat 60000000 \"a\" | sha256sum }}",
        "{{ range until 1000000000 }}{{ . }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ genPrivateKey \"rsa\" }}",
        "a: &a {{ repeat 100000 \"x\" }}\n{{ range $i := until 1000 }}k{{ $i }}: *a\n{{ end }}",
        "spec.a[9999][9999][9999]",
        "a.#(b==\"c\")#|@flatten|@join|@ugly|@pretty",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    texts.extend(["x".repeat(20_000), "9".repeat(300), "[".repeat(5_000), "(a)?".repeat(2_000), "{{".repeat(2_000)]);
    texts
}

/// The least that a node may be.
fn sample(schema: &Value) -> Value {
    if let Some(value) = schema["enum"].get(0) {
        return value.clone();
    }
    if !schema["default"].is_null() {
        return schema["default"].clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let properties = required.map(|name| (name.to_owned(), sample(&schema["properties"][name])));
            Value::Object(properties.collect())
        }
        _ => json!("a"),
    }
}
