//! Manifests that are short to write and large to apply. In an object of `floods.yaml`
//!
//! - `copies: N` beside `kind` makes N objects, `NAME-0` and so on;
//! - `{times: N, item: ...}` in a list stands for N items;
//! - `{text: ..., times: N}`, optionally with `before` and `after`, stands for a repeated text;
//! - `{key: ..., value: ..., times: N}` stands for a map of N keys;
//! - `${n}` is the number of the innermost copy, and `${name}` one of the caller's names.
//!
//! Common fields are filled in: `apiVersion`, a name, and for an ExternalSecret the store `own`, an interval of a
//! second and an entry.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The objects, in order.
pub(super) fn expanded(objects: &[Value], names: &BTreeMap<&'static str, String>) -> Vec<Value> {
    let mut all = Vec::new();
    for object in objects {
        let mut object = object.as_object().cloned().unwrap_or_default();
        let copies = object.remove("copies").and_then(|copies| copies.as_u64());
        let base = object.remove("name").unwrap_or_else(|| "flood".into());
        let base = base.as_str().unwrap_or_default();
        for number in 0..copies.unwrap_or(1) {
            let name = if copies.is_some() { format!("{base}-{number}") } else { base.to_owned() };
            all.push(filled(&completed(object.clone(), &name), names, number));
        }
    }
    all
}

/// An object completed with the fields not worth repeating.
pub(super) fn completed(mut object: Map<String, Value>, name: &str) -> Value {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let api_version = match kind.as_str() {
        "ExternalSecret" | "SecretStore" => "external-secrets.io/v1",
        "PushSecret" => "external-secrets.io/v1alpha1",
        "ACRAccessToken" | "Password" | "SSHKey" => "generators.external-secrets.io/v1alpha1",
        _ => "v1",
    };
    object.entry("apiVersion").or_insert_with(|| api_version.into());
    object.entry("metadata").or_insert_with(|| json!({}))["name"] = name.into();
    let mut object = Value::Object(object);
    if kind == "ExternalSecret" {
        for (field, value) in [("secretStoreRef", json!({"name": "own"})), ("refreshInterval", "1s".into())] {
            if object["spec"][field].is_null() {
                object["spec"][field] = value;
            }
        }
        if object["spec"]["data"].is_null() && object["spec"]["dataFrom"].is_null() {
            object["spec"]["data"] = json!([{"secretKey": "value", "remoteRef": {"key": "own"}}]);
        }
    }
    object
}

/// A value with its names, number and repetitions filled in.
pub(super) fn filled(value: &Value, names: &BTreeMap<&'static str, String>, number: u64) -> Value {
    match value {
        Value::String(text) => named(text, names, number).into(),
        Value::Array(items) => items.iter().flat_map(|item| repeated(item, names, number)).collect(),
        Value::Object(fields) => {
            if let (Some(Value::String(text)), Some(times)) = (fields.get("text"), times(value)) {
                let side = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
                let middle: String = (0..times).map(|number| named(text, names, number)).collect();
                return format!("{}{middle}{}", side("before"), side("after")).into();
            }
            if let (Some(Value::String(key)), Some(value), Some(times)) =
                (fields.get("key"), fields.get("value"), times(value))
            {
                let field = |number| (named(key, names, number), filled(value, names, number));
                return Value::Object((0..times).map(field).collect());
            }
            let field = |(key, value): (&String, &Value)| (named(key, names, number), filled(value, names, number));
            Value::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// The items for which an item of a list stands.
fn repeated(item: &Value, names: &BTreeMap<&'static str, String>, number: u64) -> Vec<Value> {
    match (times(item), item.get("item")) {
        (Some(times), Some(item)) => (0..times).map(|number| filled(item, names, number)).collect(),
        _ => vec![filled(item, names, number)],
    }
}

fn times(value: &Value) -> Option<u64> {
    value.get("times").and_then(Value::as_u64)
}

pub(super) fn named(text: &str, names: &BTreeMap<&'static str, String>, number: u64) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let text = text.replace("${n}", &number.to_string());
    names.iter().fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}
