//! Everything a tenant can write, with large and odd values: each field of our kinds, and each template function.
//!
//! The rows of `tests/stage/src/neighbors/floods.yaml` are what somebody has thought of. This is the rest: it follows the schemas and the table of functions, so
//! a new field or function is walked as soon as it is there.

use std::collections::BTreeMap;

use external_secrets::api::crd;
use external_secrets::template::{Type, funcs};
use serde_json::{Value, json};

/// Fields nested more deeply than this stay empty.
const DEEPEST: usize = 12;
/// How many items a list or map gets, if the schema allows that many.
const MANY: u64 = 1_000;

/// Objects of each kind that a tenant may write, by kind; each has one odd value in one of the fields of its spec. The API server refuses some of them.
pub(crate) fn kinds() -> BTreeMap<String, Vec<Value>> {
    let definitions = crd::all().into_iter().map(|definition| serde_json::to_value(definition).unwrap_or_default());
    let namespaced = definitions.filter(|definition| definition["spec"]["scope"] == "Namespaced");
    namespaced.map(|definition| (text(&definition["spec"]["names"]["kind"]), fields(&definition["spec"]))).collect()
}

/// What an object of a kind has where nothing odd stands: enough for the controller to work on it.
fn base(kind: &str) -> Value {
    match kind {
        "ExternalSecret" => json!({
            "refreshInterval": "1h", "secretStoreRef": {"name": "own"},
            "data": [{"secretKey": "value", "remoteRef": {"key": "own"}}],
        }),
        "PushSecret" => json!({
            "secretStoreRefs": [{"name": "vault"}], "selector": {"secret": {"name": "own"}},
            "data": [{"match": {"secretKey": "value", "remoteRef": {"remoteKey": "own"}}}],
        }),
        "SecretStore" => json!({"provider": {"fake": {"data": []}}}),
        "ACRAccessToken" => json!({"registry": "walker.azurecr.io", "auth": {"workloadIdentity": {}}}),
        "Password" => json!({"length": 12, "allowRepeat": true, "noUpper": false}),
        "Fake" | "SSHKey" | "UUID" => json!({}),
        _ => panic!("walk.rs does not say what an object of kind {kind} looks like"),
    }
}

/// Objects of the kind that a definition is of.
fn fields(definition: &Value) -> Vec<Value> {
    let kind = text(&definition["names"]["kind"]);
    let api_version = format!("{}/{}", text(&definition["group"]), text(&definition["versions"][0]["name"]));
    let base = base(&kind);
    let schema = &definition["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    // The rest of the spec stays as it is in `base`: what is enough for the schema is not enough for the controller.
    let odd_in = |(field, schema): (&String, &Value)| {
        odd(schema, 1).into_iter().map(|value| (field.clone(), value)).collect::<Vec<_>>()
    };
    let odds = schema["properties"].as_object().into_iter().flatten().flat_map(odd_in);
    let object = |(number, odd): (usize, Option<(String, Value)>)| {
        let name = format!("{}-{number}", kind.to_lowercase());
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": base});
        if let Some((field, value)) = odd {
            object["spec"][field] = value;
        }
        object
    };
    [None].into_iter().chain(odds.map(Some)).enumerate().map(object).collect()
}

/// An ExternalSecret for each of the generators, which takes its values from it.
pub(crate) fn users_of_generators(kinds: &BTreeMap<String, Vec<Value>>) -> Vec<Value> {
    let is_generator = |object: &&Value| text(&object["apiVersion"]).starts_with("generators.");
    let user = |generator: &Value| {
        let reference = json!({
            "apiVersion": generator["apiVersion"], "kind": generator["kind"], "name": generator["metadata"]["name"],
        });
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": format!("of-{}", text(&generator["metadata"]["name"]))},
            "spec": {"refreshInterval": "1s", "dataFrom": [{"sourceRef": {"generatorRef": reference}}]},
        })
    };
    kinds.values().flatten().filter(is_generator).map(user).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// ExternalSecrets that call each template function again and again, with long texts and large containers.
pub(crate) fn functions() -> Vec<Value> {
    let mut objects = Vec::new();
    // Two names may differ only in case.
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

/// Odd values for a schema node and for each node below it, with all other required fields present.
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

/// Odd values for one node.
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

/// Texts that are long, odd, or costly as a pattern, template, path, time or name.
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

/// The smallest valid value for a node.
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
            let mut object = Value::Object(properties.collect());
            // Required by a rule.
            if schema["x-kubernetes-validations"].to_string().contains("has(self.storeRef)") {
                object["storeRef"] = json!({"name": "vault"});
            }
            object
        }
        _ => json!("a"),
    }
}
