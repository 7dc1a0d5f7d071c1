//! Every field of an ExternalSecret is either supported or refused with a condition that names it.

use external_secrets::api::Parsed;
use external_secrets::api::crd;
use external_secrets::api::v1::ExternalSecretSpec;
use external_secrets::validate::{self, unsupported};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Value, json};

/// Fields that are refused with everything in them; all others work.
const UNSUPPORTED: [&str; 1] = [".spec.data[].sourceRef.generatorRef"];

#[test]
fn no_field_is_ignored_silently() {
    let schema = crd::external_secret_schema();
    let mut seen = 0;
    for field in crd::fields("", &schema) {
        if !field.is_leaf() || !field.path.starts_with(".spec.") {
            continue;
        }
        for value in values(&field) {
            seen += 1;
            let object = holding(&schema, &steps(&field.path), &value);
            let spec: Parsed<ExternalSecretSpec> = serde_json::from_value(object["spec"].clone()).unwrap();
            let spec = spec.get().unwrap_or_else(|error| panic!("{}: {error}: {object}", field.path));
            let refused = unsupported::check(spec);
            let is_supported = !UNSUPPORTED.iter().any(|path| field.path.starts_with(path));
            if is_supported {
                assert!(refused.is_empty(), "{} = {value} is supported, but: {refused:?}", field.path);
            } else {
                let names_it = |problem: &validate::Problem| {
                    field.path.starts_with(&format!(".{}", problem.field.replace("[0]", "[]")))
                };
                assert!(refused.iter().any(names_it), "{} = {value} is neither supported nor refused", field.path);
            }
        }
    }
    assert!(seen > 100, "the schema was walked: {seen} values");
}

/// Values to try: all of an enum, or else one.
fn values(field: &crd::Field<'_>) -> Vec<Value> {
    let listed: Vec<Value> = field.values().map(Value::from).collect();
    if listed.is_empty() { vec![sample(field.schema)] } else { listed }
}

/// `.a.b[].c` as `.a`, `.b`, `[]`, `.c`.
fn steps(path: &str) -> Vec<String> {
    let separated = path.replace("[]", ".[]").replace("{}", ".{}");
    separated.split('.').filter(|step| !step.is_empty()).map(ToOwned::to_owned).collect()
}

/// An object with `value` at the end of the steps and otherwise only required fields.
fn holding(schema: &JSONSchemaProps, steps: &[String], value: &Value) -> Value {
    let Some((step, rest)) = steps.split_first() else { return value.clone() };
    match step.as_str() {
        "[]" => {
            let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items else { panic!("a list has items") };
            json!([holding(items, rest, value)])
        }
        "{}" => {
            let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties else {
                panic!("a map has values")
            };
            json!({ "key": holding(values, rest, value) })
        }
        name => {
            let mut object = sample(schema);
            let property = &schema.properties.as_ref().unwrap()[name];
            object[name] = holding(property, rest, value);
            object
        }
    }
}

/// A value that fits a schema, with required fields only.
fn sample(schema: &JSONSchemaProps) -> Value {
    match schema.type_.as_deref() {
        Some("object") => {
            let required = schema.required.iter().flatten();
            let properties = schema.properties.clone().unwrap_or_default();
            required.map(|name| (name.clone(), sample(&properties[name]))).collect::<serde_json::Map<_, _>>().into()
        }
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        // Valid for every text: names, keys and durations.
        _ => schema.enum_.iter().flatten().next().map_or_else(|| json!("1h"), |first| first.0.clone()),
    }
}
