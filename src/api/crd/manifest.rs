//! What the API server does with a manifest before it stores it, according to a schema.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// Sets defaults.
pub fn fill_defaults(value: &mut Value, schema: &JSONSchemaProps) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in schema.properties.iter().flatten() {
                if let Some(default) = schema.default.as_ref().filter(|_| !fields.contains_key(name)) {
                    fields.insert(name.clone(), default.0.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    fill_defaults(value, schema);
                }
            }
            if let Some(JSONSchemaPropsOrBool::Schema(schema)) = &schema.additional_properties {
                for value in fields.values_mut() {
                    fill_defaults(value, schema);
                }
            }
        }
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for item in items {
                    fill_defaults(item, schema);
                }
            }
        }
        _ => {}
    }
}

/// The path of the first unknown field, such as `spec.data[0].remoteref`. Skips the metadata, for which the API server
/// has its own schema.
#[must_use]
pub fn unknown_field(object: &Value, schema: &JSONSchemaProps) -> Option<String> {
    let fields = object.as_object()?.iter().filter(|(name, _)| *name != "metadata");
    first_unknown(fields, schema, "")
}

fn first_unknown<'a>(
    mut fields: impl Iterator<Item = (&'a String, &'a Value)>,
    schema: &JSONSchemaProps,
    path: &str,
) -> Option<String> {
    fields.find_map(|(name, value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (schema.properties.as_ref().and_then(|known| known.get(name)), &schema.additional_properties) {
            (Some(schema), _) => unknown_below(value, schema, &path),
            (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => unknown_below(value, schema, &path),
            _ if schema.x_kubernetes_preserve_unknown_fields == Some(true) => None,
            _ => Some(path),
        }
    })
}

fn unknown_below(value: &Value, schema: &JSONSchemaProps, path: &str) -> Option<String> {
    match (value, &schema.items) {
        (Value::Object(fields), _) if has_fields(schema) => first_unknown(fields.iter(), schema, path),
        (Value::Array(items), Some(JSONSchemaPropsOrArray::Schema(schema))) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| unknown_below(item, schema, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

/// Whether the schema describes the fields of an object.
fn has_fields(schema: &JSONSchemaProps) -> bool {
    schema.properties.is_some() || schema.additional_properties.is_some()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::{external_secret_schema, store_schema};
    use super::*;

    #[test]
    fn defaults_are_filled_in_below_lists_and_where_a_parent_is_a_default_itself() {
        let mut object = json!({"spec": {"target": {"name": "x", "template": {"templateFrom": [{"literal": "y"}]}}}});
        fill_defaults(&mut object, &external_secret_schema());
        assert_eq!(object["spec"]["refreshInterval"], "1h0m0s");
        assert_eq!(object["spec"]["target"]["creationPolicy"], "Owner");
        assert_eq!(object["spec"]["target"]["template"]["templateFrom"][0]["target"], "Data");
        assert_eq!(object["spec"]["target"]["name"], "x", "what is given stays");
        let mut object = json!({"spec": {}});
        fill_defaults(&mut object, &external_secret_schema());
        assert_eq!(object["spec"]["target"]["deletionPolicy"], "Retain");
    }

    #[rstest]
    #[case(json!({"spec": {"data": [{"secretKey": "a", "remoteref": {}}]}}), Some("spec.data[0].remoteref"))]
    #[case(json!({"spec": {"dataFrom": [{}, {"find": {"tags": {"any": "x"}, "nam": {}}}]}}), Some("spec.dataFrom[1].find.nam"))]
    #[case(json!({"spek": {}}), Some("spek"))]
    #[case(json!({"metadata": {"anything": 1}, "spec": {}}), None)]
    fn a_field_that_is_not_known_is_found(#[case] object: Value, #[case] expected: Option<&str>) {
        assert_eq!(unknown_field(&object, &external_secret_schema()).as_deref(), expected);
    }

    #[test]
    fn providers_that_are_not_served_may_have_any_field() {
        let schema = store_schema();
        let of = |provider: Value| unknown_field(&json!({"spec": {"provider": provider}}), &schema);
        assert_eq!(of(json!({"vault": {"server": "x", "auth": {"any": 1}}})), None);
        assert_eq!(of(json!({"azurekv": {"vaultURL": "x"}})).as_deref(), Some("spec.provider.azurekv.vaultURL"));
    }
}
