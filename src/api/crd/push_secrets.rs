//! The definitions of the kinds that write to a provider, which are served as `v1alpha1` alone.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
};

use super::definition::{self, Column, Names};
use super::root::root_with_status;
use super::{rules, structural};
use crate::api::GROUP;
use crate::api::v1alpha1::{
    ClusterPushSecret, ClusterPushSecretSpec, ClusterPushSecretStatus, PushSecret, PushSecretSpec, PushSecretStatus,
    VERSION,
};

const COLUMNS: [Column; 4] = [
    ("AGE", ".metadata.creationTimestamp", "date"),
    ("Status", r#".status.conditions[?(@.type=="Ready")].reason"#, "string"),
    ("Last Sync", ".status.refreshTime", "date"),
    ("Cause", ".status.cause", "string"),
];

const CLUSTER_COLUMNS: [Column; 2] = [COLUMNS[0], COLUMNS[1]];

/// The schema of a whole PushSecret.
#[must_use]
pub fn push_secret_schema() -> JSONSchemaProps {
    let mut root = root_with_status(
        "What of a Secret is written to a provider, and kept equal to it.",
        structural::schema_of::<PushSecretSpec>(),
        structural::schema_of::<PushSecretStatus>(),
    );
    rules::add(&mut root, rules::PUSH_SECRET);
    root
}

/// The `CustomResourceDefinition` of `PushSecret`.
#[must_use]
pub fn push_secret() -> CustomResourceDefinition {
    let names = Names {
        group: GROUP,
        kind: PushSecret::KIND,
        plural: PushSecret::PLURAL,
        short: Some("ps"),
        category: None,
        scope: "Namespaced",
    };
    definition(&names, &COLUMNS, push_secret_schema())
}

/// The schema of a whole ClusterPushSecret.
#[must_use]
pub fn cluster_push_secret_schema() -> JSONSchemaProps {
    let mut root = root_with_status(
        "A PushSecret for each of the namespaces that it selects.",
        structural::schema_of::<ClusterPushSecretSpec>(),
        structural::schema_of::<ClusterPushSecretStatus>(),
    );
    rules::add(&mut root, rules::CLUSTER_PUSH_SECRET);
    root
}

/// The `CustomResourceDefinition` of `ClusterPushSecret`.
#[must_use]
pub fn cluster_push_secret() -> CustomResourceDefinition {
    let names = Names {
        group: GROUP,
        kind: ClusterPushSecret::KIND,
        plural: ClusterPushSecret::PLURAL,
        short: None,
        category: None,
        scope: "Cluster",
    };
    definition(&names, &CLUSTER_COLUMNS, cluster_push_secret_schema())
}

fn definition(names: &Names, columns: &[Column], schema: JSONSchemaProps) -> CustomResourceDefinition {
    let version = definition::version(VERSION, columns, schema);
    definition::of(names, vec![CustomResourceDefinitionVersion { storage: true, ..version }])
}
