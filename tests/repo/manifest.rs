//! Reads manifests and checks them against the CRDs' schemas, as the API server would.

use external_secrets::api::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// The non-empty documents of a YAML text.
pub(crate) fn documents(yaml: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The schema of a manifest's kind and version; `None` if the kind is not ours.
pub(crate) fn schema(manifest: &Value) -> Option<JSONSchemaProps> {
    let (group, version) = manifest["apiVersion"].as_str()?.split_once('/')?;
    let definition =
        crd::all().into_iter().find(|crd| crd.spec.group == group && manifest["kind"] == *crd.spec.names.kind)?;
    let served = definition.spec.versions.into_iter().find(|served| served.name == version)?;
    served.schema?.open_api_v3_schema
}

/// What a manifest violates in its kind's schema: unknown and missing fields, types, enum values and bounds. Patterns
/// and rules are left to the API server.
pub(crate) fn problems(manifest: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    match schema(manifest) {
        Some(schema) => check(manifest, &schema, "", &mut problems),
        None => problems.push(format!("no resource {} {}", manifest["apiVersion"], manifest["kind"])),
    }
    problems
}

fn check(value: &Value, schema: &JSONSchemaProps, path: &str, problems: &mut Vec<String>) {
    if !has_type(value, schema) {
        problems.push(format!("{path}: {value} is not of type {:?}", schema.type_));
        return;
    }
    if schema.enum_.as_ref().is_some_and(|known| !known.iter().any(|known| known.0 == *value)) {
        problems.push(format!("{path}: {value} is none of {:?}", schema.enum_));
    }
    let (size, least, most) = match value {
        Value::String(text) => (text.chars().count(), schema.min_length, schema.max_length),
        Value::Array(items) => (items.len(), schema.min_items, schema.max_items),
        Value::Object(fields) => (fields.len(), schema.min_properties, schema.max_properties),
        _ => (0, None, None),
    };
    let size = i64::try_from(size).unwrap();
    if least.is_some_and(|least| size < least) || most.is_some_and(|most| size > most) {
        problems.push(format!("{path}: has {size}, must have {least:?} to {most:?}"));
    }
    match value {
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    check(item, schema, &format!("{path}[{index}]"), problems);
                }
            }
        }
        // The API server has its own schema for metadata.
        Value::Object(fields) if path != ".metadata" => {
            for name in schema.required.iter().flatten().filter(|name| !fields.contains_key(*name)) {
                problems.push(format!("{path}.{name} is missing"));
            }
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match (schema.properties.as_ref().and_then(|known| known.get(name)), &schema.additional_properties) {
                    (Some(schema), _) => check(value, schema, &path, problems),
                    (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => check(value, schema, &path, problems),
                    _ if schema.x_kubernetes_preserve_unknown_fields == Some(true) => {}
                    _ => problems.push(format!("{path} is unknown")),
                }
            }
        }
        _ => {}
    }
}

fn has_type(value: &Value, schema: &JSONSchemaProps) -> bool {
    match schema.type_.as_deref() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some(_) => false,
        None if schema.x_kubernetes_int_or_string == Some(true) => value.is_i64() || value.is_string(),
        None => true,
    }
}

#[test]
fn a_manifest_that_the_api_server_would_refuse_is_found_wrong() {
    let manifest = serde_json::json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "spec": {
            "refreshInterval": 3600,
            "target": { "creationPolicy": "Somebody" },
            "data": [{ "secretkey": "a", "remoteRef": { "key": "b" } }],
            "dataFrom": [{ "rewrite": [{}] }],
        },
    });
    let mut problems = problems(&manifest);
    problems.sort();
    let expected = [
        ".spec.dataFrom[0].rewrite[0]: has 0",
        ".spec.data[0].secretKey is missing",
        ".spec.data[0].secretkey is unknown",
        ".spec.refreshInterval: 3600",
        ".spec.target.creationPolicy: \"Somebody\"",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
}
