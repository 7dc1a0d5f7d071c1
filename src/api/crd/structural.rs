//! Converts the schema that `schemars` derives into a structural schema, as Kubernetes requires, in the form that
//! controller-gen would give it: without `nullable` for optional fields, without `oneOf` for the variants of an enum,
//! and without formats that Kubernetes does not know.
//!
//! See <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The formats that Kubernetes understands; `schemars` also writes the sizes of Rust's integers.
const FORMATS: [&str; 3] = ["date-time", "int32", "int64"];

/// The structural schema of `T`.
pub(super) fn schema_of<T: JsonSchema>() -> JSONSchemaProps {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    structural(settings.into_generator().into_root_schema_for::<T>().as_value())
}

/// Converts one node and everything below it.
fn structural(node: &Value) -> JSONSchemaProps {
    let Some(node) = node.as_object() else {
        // `true`: any value.
        return JSONSchemaProps { x_kubernetes_preserve_unknown_fields: Some(true), ..Default::default() };
    };
    if let Some(inner) = only_alternative(node) {
        return optional(node, inner);
    }
    let variants = variants(node);
    let (additional_properties, open) = additional_properties(node);
    let int_or_string = flag(node, "x-kubernetes-int-or-string");
    JSONSchemaProps {
        additional_properties,
        any_of: int_or_string.map(|_| ["integer", "string"].map(of_type).to_vec()),
        default: node.get("default").filter(|default| !default.is_null()).cloned().map(JSON),
        description: description(node),
        enum_: non_empty(enumeration(node, &variants)),
        format: text(node, "format").filter(|format| FORMATS.contains(&format.as_str())),
        items: node.get("items").map(|items| JSONSchemaPropsOrArray::Schema(Box::new(structural(items)))),
        max_items: number(node, "maxItems"),
        max_length: number(node, "maxLength"),
        max_properties: number(node, "maxProperties"),
        maximum: bound(node, "maximum"),
        min_items: number(node, "minItems"),
        min_length: number(node, "minLength"),
        min_properties: number(node, "minProperties"),
        minimum: bound(node, "minimum"),
        nullable: flag(node, "nullable"),
        pattern: text(node, "pattern"),
        properties: node
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| properties.iter().map(|(name, property)| (name.clone(), structural(property))).collect()),
        required: non_empty(required(node)),
        type_: if variants.is_empty() { type_name(node) } else { Some("string".to_owned()) },
        x_kubernetes_int_or_string: int_or_string,
        x_kubernetes_list_type: text(node, "x-kubernetes-list-type"),
        x_kubernetes_map_type: text(node, "x-kubernetes-map-type"),
        x_kubernetes_preserve_unknown_fields: open
            .then_some(true)
            .or_else(|| flag(node, "x-kubernetes-preserve-unknown-fields")),
        ..Default::default()
    }
}

/// The only alternative to null of an optional field: `anyOf: [X, {type: null}]`.
fn only_alternative(node: &Map<String, Value>) -> Option<&Value> {
    let alternatives = node.get("anyOf")?.as_array()?;
    let mut others = alternatives.iter().filter(|alternative| alternative["type"] != "null");
    others.next().filter(|_| others.next().is_none())
}

/// The schema of an optional field: that of its value, with the description of the field.
fn optional(field: &Map<String, Value>, value: &Value) -> JSONSchemaProps {
    let mut merged = value.as_object().cloned().unwrap_or_default();
    merged.extend(field.iter().filter(|(key, _)| *key != "anyOf").map(|(key, value)| (key.clone(), value.clone())));
    structural(&Value::Object(merged))
}

/// The name and description of each variant of an enum. `schemars` writes them as `oneOf` in order to describe each.
fn variants(node: &Map<String, Value>) -> Vec<(&str, &str)> {
    let alternatives = node.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    alternatives
        .filter_map(|variant| Some((variant["const"].as_str()?, variant["description"].as_str().unwrap_or_default())))
        .collect()
}

fn enumeration(node: &Map<String, Value>, variants: &[(&str, &str)]) -> Vec<JSON> {
    let listed = node.get("enum").and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter(|value| !value.is_null()).cloned();
    listed.chain(variants.iter().map(|(name, _)| Value::from(*name))).map(JSON).collect()
}

/// The description, with the lines of each paragraph joined, followed by the meaning of each value of an enum.
fn description(node: &Map<String, Value>) -> Option<String> {
    let one_line = |text: &str| text.replace('\n', " ");
    let paragraphs = node.get("description")?.as_str()?.split("\n\n").map(one_line).collect::<Vec<_>>().join("\n\n");
    let described = variants(node).into_iter().filter(|(_, meaning)| !meaning.is_empty());
    let values = described.map(|(name, meaning)| format!("\n- {name}: {}", one_line(meaning)));
    Some(paragraphs + &values.collect::<String>())
}

/// The schema of a map's values, and whether unlisted fields are kept. A structural schema cannot have both
/// `properties` and `additionalProperties`.
fn additional_properties(node: &Map<String, Value>) -> (Option<JSONSchemaPropsOrBool>, bool) {
    match node.get("additionalProperties") {
        None | Some(Value::Bool(false)) => (None, false),
        Some(Value::Bool(true)) => (None, true),
        Some(_) if node.contains_key("properties") => (None, true),
        Some(values) => (Some(JSONSchemaPropsOrBool::Schema(Box::new(structural(values)))), false),
    }
}

/// The type, without the `null` of an optional field.
fn type_name(node: &Map<String, Value>) -> Option<String> {
    match node.get("type")? {
        Value::Array(types) => types.iter().find_map(|name| name.as_str().filter(|name| *name != "null")),
        name => name.as_str(),
    }
    .map(str::to_owned)
}

fn required(node: &Map<String, Value>) -> Vec<String> {
    let names = node.get("required").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<_> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    names.sort_unstable();
    names
}

fn of_type(name: &str) -> JSONSchemaProps {
    JSONSchemaProps { type_: Some(name.to_owned()), ..Default::default() }
}

fn text(node: &Map<String, Value>, key: &str) -> Option<String> {
    node.get(key)?.as_str().map(str::to_owned)
}

fn number(node: &Map<String, Value>, key: &str) -> Option<i64> {
    node.get(key)?.as_i64()
}

/// The bound of a number. Next to a format, which is the size of a Rust integer, it says nothing new.
fn bound(node: &Map<String, Value>, key: &str) -> Option<f64> {
    node.get(key).filter(|_| !node.contains_key("format"))?.as_f64()
}

fn flag(node: &Map<String, Value>, key: &str) -> Option<bool> {
    node.get(key)?.as_bool().filter(|set| *set)
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    /// A color.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    enum Color {
        /// Like the sky.
        #[default]
        Blue,
        /// Like grass.
        Green,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Inner {
        /// How many,
        /// at most.
        count: Option<u8>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Outer {
        optional_enum: Option<Color>,
        #[serde(default)]
        defaulted_enum: Color,
        optional_struct: Option<Inner>,
        map: BTreeMap<String, String>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Open {
        known: Option<bool>,
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    fn schema<T: JsonSchema>() -> Value {
        serde_json::to_value(schema_of::<T>()).unwrap()
    }

    #[test]
    fn what_is_optional_is_neither_nullable_nor_required() {
        let schema = schema::<Outer>();
        assert_eq!(schema["required"], json!(["map"]));
        assert!(!schema.to_string().contains("null"), "{schema}");
        assert_eq!(schema["properties"]["optional_struct"]["properties"]["count"]["type"], "integer");
    }

    #[test]
    fn an_enum_lists_its_values_and_describes_each() {
        let color = json!({
            "description": "A color.\n- Blue: Like the sky.\n- Green: Like grass.",
            "type": "string",
            "enum": ["Blue", "Green"],
        });
        let schema = schema::<Outer>();
        assert_eq!(schema["properties"]["optional_enum"], color);
        let mut defaulted = color;
        defaulted["default"] = json!("Blue");
        assert_eq!(schema["properties"]["defaulted_enum"], defaulted);
    }

    #[test]
    fn formats_of_rust_are_dropped_and_lines_of_a_paragraph_are_joined() {
        let count = &schema::<Inner>()["properties"]["count"];
        assert_eq!(*count, json!({ "description": "How many, at most.", "type": "integer" }));
    }

    #[test]
    fn an_open_object_keeps_what_it_does_not_list() {
        let schema = schema::<Open>();
        assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true);
        assert_eq!(schema["properties"]["known"]["type"], "boolean");
        assert_eq!(schema.get("additionalProperties"), None);
    }

    #[test]
    fn a_map_of_texts_describes_its_values() {
        let map = &schema::<Outer>()["properties"]["map"];
        assert_eq!(*map, json!({ "type": "object", "additionalProperties": { "type": "string" } }));
    }
}
