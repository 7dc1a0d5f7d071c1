//! The outermost level of a schema.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSON, JSONSchemaProps};

/// The schema of a whole object of a kind whose status has no schema.
pub(super) fn root_without_status(description: &str, spec: JSONSchemaProps) -> JSONSchemaProps {
    let object = |type_: &str, description: Option<&str>| JSONSchemaProps {
        description: description.map(str::to_owned),
        type_: Some(type_.to_owned()),
        ..Default::default()
    };
    let properties = [
        ("apiVersion", object("string", Some("The API's group and version."))),
        ("kind", object("string", Some("The kind of object."))),
        ("metadata", object("object", None)),
        ("spec", spec),
    ];
    JSONSchemaProps {
        properties: Some(properties.map(|(name, schema)| (name.to_owned(), schema)).into()),
        ..object("object", Some(description))
    }
}

/// The schema of a whole object.
pub(super) fn root_with_status(description: &str, spec: JSONSchemaProps, status: JSONSchemaProps) -> JSONSchemaProps {
    // To kstatus, and so to Flux, an object without a status is ready. As the default of the status as a whole it does not fill up one
    // that ESO writes.
    let never_observed = JSON(serde_json::json!({ "observedGeneration": -1 }));
    let status = JSONSchemaProps { default: Some(never_observed), ..status };
    let mut root = root_without_status(description, spec);
    root.properties.get_or_insert_default().insert("status".to_owned(), status);
    root
}
