//! The outermost level of a schema.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;

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
