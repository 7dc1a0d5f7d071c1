//! What the definitions of all kinds share.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, JSONSchemaProps,
};
use kube::api::ObjectMeta;

/// The category of all kinds: `kubectl get external-secrets` lists them.
const CATEGORY: &str = "external-secrets";

/// Columns that are shown by `-o wide` alone.
const WIDE: [&str; 1] = ["Cause"];

/// A printer column: name, JSON path and type.
pub(super) type Column = (&'static str, &'static str, &'static str);

/// How a kind is called.
pub(super) struct Names {
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) short: Option<&'static str>,
    /// A category in addition to the one that all kinds have.
    pub(super) category: Option<&'static str>,
    pub(super) scope: &'static str,
}

/// The definition of a kind in its versions.
pub(super) fn of(names: &Names, versions: Vec<CustomResourceDefinitionVersion>) -> CustomResourceDefinition {
    let categories = [Some(CATEGORY), names.category].into_iter().flatten().map(str::to_owned);
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{}.{}", names.plural, names.group)),
            labels: Some([("external-secrets.io/component".to_owned(), "controller".to_owned())].into()),
            ..Default::default()
        },
        spec: CustomResourceDefinitionSpec {
            conversion: Some(CustomResourceConversion { strategy: "None".to_owned(), webhook: None }),
            group: names.group.to_owned(),
            names: CustomResourceDefinitionNames {
                categories: Some(categories.collect()),
                kind: names.kind.to_owned(),
                list_kind: Some(format!("{}List", names.kind)),
                plural: names.plural.to_owned(),
                short_names: names.short.map(|short| vec![short.to_owned()]),
                singular: Some(names.kind.to_ascii_lowercase()),
            },
            preserve_unknown_fields: None,
            scope: names.scope.to_owned(),
            versions,
        },
        status: None,
    }
}

/// A version that is served, with a status that is written apart.
pub(super) fn version(name: &str, columns: &[Column], schema: JSONSchemaProps) -> CustomResourceDefinitionVersion {
    let columns = columns.iter().map(|(name, json_path, type_)| CustomResourceColumnDefinition {
        name: (*name).to_owned(),
        json_path: (*json_path).to_owned(),
        type_: (*type_).to_owned(),
        priority: WIDE.contains(name).then_some(1),
        ..Default::default()
    });
    CustomResourceDefinitionVersion {
        additional_printer_columns: Some(columns.collect::<Vec<_>>()).filter(|columns| !columns.is_empty()),
        name: name.to_owned(),
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(schema) }),
        served: true,
        subresources: Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
            ..Default::default()
        }),
        ..Default::default()
    }
}
