//! The definitions of the custom resources (CRDs), made from the types in [`v1`](super::v1),
//! [`v1alpha1`](super::v1alpha1) and [`generators`](super::generators) in the shape of ESO 2.9.0.
//!
//! Each kind of `external-secrets.io/v1` is served as `v1`, which is stored, and as `v1beta1` with exactly the same schema: with
//! conversion `None` the API server only changes `apiVersion`, and a smaller schema would prune
//! fields.

mod definition;
mod fields;
mod generators;
mod manifest;
mod push_secrets;
mod root;
mod rules;
mod structural;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps, SelectableField,
};

use super::v1::{
    ClusterExternalSecret, ClusterExternalSecretSpec, ClusterExternalSecretStatus, ExternalSecret, ExternalSecretSpec,
    ExternalSecretStatus, SecretStoreSpec, SecretStoreStatus, StoreKind,
};
use super::{GROUP, ServedVersion};

use definition::{Column, Names};
use root::root_with_status;

pub use fields::{Field, fields};
pub use generators::{generator_schema, generators};
pub use manifest::{fill_defaults, unknown_field};
pub use push_secrets::{cluster_push_secret, cluster_push_secret_schema, push_secret, push_secret_schema};

const EXTERNAL_SECRET_COLUMNS: [Column; 7] = [
    ("StoreType", ".spec.secretStoreRef.kind", "string"),
    ("Store", ".spec.secretStoreRef.name", "string"),
    ("Refresh Interval", ".spec.refreshInterval", "string"),
    ("Status", r#".status.conditions[?(@.type=="Ready")].reason"#, "string"),
    ("Ready", r#".status.conditions[?(@.type=="Ready")].status"#, "string"),
    ("Last Sync", ".status.refreshTime", "date"),
    ("Cause", ".status.cause", "string"),
];

const STORE_COLUMNS: [Column; 4] = [
    ("AGE", ".metadata.creationTimestamp", "date"),
    ("Status", r#".status.conditions[?(@.type=="Ready")].reason"#, "string"),
    ("Capabilities", ".status.capabilities", "string"),
    ("Ready", r#".status.conditions[?(@.type=="Ready")].status"#, "string"),
];

const EXTERNAL_SECRET_SELECTABLE: [&str; 4] =
    [".spec.secretStoreRef.name", ".spec.secretStoreRef.kind", ".spec.target.name", ".spec.refreshInterval"];

const CLUSTER_EXTERNAL_SECRET_COLUMNS: [Column; 3] = [
    ("Store", ".spec.externalSecretSpec.secretStoreRef.name", "string"),
    ("Refresh Interval", ".spec.refreshTime", "string"),
    ("Ready", r#".status.conditions[?(@.type=="Ready")].status"#, "string"),
];

/// Every `CustomResourceDefinition` of this controller.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        store(StoreKind::SecretStore),
        store(StoreKind::ClusterSecretStore),
        external_secret(),
        cluster_external_secret(),
        push_secret(),
        cluster_push_secret(),
    ];
    all.extend(generators());
    all
}

/// The schema of a whole ExternalSecret.
#[must_use]
pub fn external_secret_schema() -> JSONSchemaProps {
    let mut root = root_with_status(
        "Which values to read from a store, and the Kubernetes Secret to keep equal to them.",
        structural::schema_of::<ExternalSecretSpec>(),
        structural::schema_of::<ExternalSecretStatus>(),
    );
    rules::add(&mut root, rules::EXTERNAL_SECRET);
    root
}

/// The `CustomResourceDefinition` of `ExternalSecret`.
#[must_use]
pub fn external_secret() -> CustomResourceDefinition {
    let kind = Kind {
        name: ExternalSecret::KIND,
        plural: ExternalSecret::PLURAL,
        short_name: "es",
        scope: "Namespaced",
        columns: &EXTERNAL_SECRET_COLUMNS,
        selectable: &EXTERNAL_SECRET_SELECTABLE,
    };
    definition(&kind, &external_secret_schema())
}

/// The schema of a whole ClusterExternalSecret. It has no rules, because ESO accepts any and has no webhook for them.
#[must_use]
pub fn cluster_external_secret_schema() -> JSONSchemaProps {
    root_with_status(
        "An ExternalSecret in each of the namespaces that it selects.",
        structural::schema_of::<ClusterExternalSecretSpec>(),
        structural::schema_of::<ClusterExternalSecretStatus>(),
    )
}

/// The `CustomResourceDefinition` of `ClusterExternalSecret`.
#[must_use]
pub fn cluster_external_secret() -> CustomResourceDefinition {
    let kind = Kind {
        name: ClusterExternalSecret::KIND,
        plural: ClusterExternalSecret::PLURAL,
        short_name: "ces",
        scope: "Cluster",
        columns: &CLUSTER_EXTERNAL_SECRET_COLUMNS,
        selectable: &[],
    };
    definition(&kind, &cluster_external_secret_schema())
}

/// The `CustomResourceDefinition` of `SecretStore` or `ClusterSecretStore`.
#[must_use]
pub fn store(kind: StoreKind) -> CustomResourceDefinition {
    let (description, short_name, scope) = match kind {
        StoreKind::SecretStore => {
            ("A vault and the identity to read it with, for the ExternalSecrets of its namespace.", "ss", "Namespaced")
        }
        StoreKind::ClusterSecretStore => {
            ("A vault and the identity to read it with, for the ExternalSecrets of all namespaces.", "css", "Cluster")
        }
    };
    let root = JSONSchemaProps { description: Some(description.to_owned()), ..store_schema() };
    let kind =
        Kind { name: kind.name(), plural: kind.plural(), short_name, scope, columns: &STORE_COLUMNS, selectable: &[] };
    definition(&kind, &root)
}

/// The schema of a whole store; both kinds have the same.
#[must_use]
pub fn store_schema() -> JSONSchemaProps {
    let mut root = root_with_status(
        "A vault and the identity to read it with.",
        structural::schema_of::<SecretStoreSpec>(),
        structural::schema_of::<SecretStoreStatus>(),
    );
    rules::add(&mut root, rules::STORE);
    root
}

/// The definitions as one YAML stream, each document starting with `---`.
pub fn to_yaml(definitions: &[CustomResourceDefinition]) -> Result<String, serde_saphyr::ser_error::Error> {
    // A pattern or rule that is folded over two lines is hard to read and to search for.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut stream = String::new();
    for definition in definitions {
        let mut document = serde_json::to_value(definition).map_err(|error| error.to_string())?;
        // CRDs of ESO before 2.x name a conversion webhook. `kubectl apply` removes it only if the manifest says
        // `null`, and the API server rejects it together with the strategy `None`.
        document["spec"]["conversion"]["webhook"] = serde_json::Value::Null;
        stream.push_str("---\n");
        serde_saphyr::to_fmt_writer_with_options(&mut stream, &document, options.clone())?;
    }
    Ok(stream)
}

/// The name of the file that contains a definition: `<group>_<plural>.yaml`, as in ESO.
#[must_use]
pub fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural)
}

/// The differences between the kinds, besides their schemas.
struct Kind {
    name: &'static str,
    plural: &'static str,
    short_name: &'static str,
    scope: &'static str,
    columns: &'static [Column],
    selectable: &'static [&'static str],
}

fn definition(kind: &Kind, schema: &JSONSchemaProps) -> CustomResourceDefinition {
    let names = Names {
        group: GROUP,
        kind: kind.name,
        plural: kind.plural,
        short: Some(kind.short_name),
        category: None,
        scope: kind.scope,
    };
    let versions = [ServedVersion::V1, ServedVersion::V1beta1];
    definition::of(&names, versions.map(|version| served(version, kind, schema)).into())
}

fn served(version: ServedVersion, kind: &Kind, schema: &JSONSchemaProps) -> CustomResourceDefinitionVersion {
    let selectable = kind.selectable.iter().map(|path| SelectableField { json_path: (*path).to_owned() });
    CustomResourceDefinitionVersion {
        selectable_fields: Some(selectable.collect::<Vec<_>>()).filter(|fields| !fields.is_empty()),
        storage: version == ServedVersion::default(),
        ..definition::version(version.name(), kind.columns, schema.clone())
    }
}
