//! The definitions of the generators, which are served as `v1alpha1` alone.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion, CustomResourceSubresourceStatus, CustomResourceSubresources,
    CustomResourceValidation, JSONSchemaProps,
};
use kube::api::ObjectMeta;

use super::root::root_without_status;
use super::structural;
use crate::api::generators::{
    AcrAccessTokenSpec, ClusterGeneratorSpec, FakeSpec, GROUP, GeneratorKind, PasswordSpec, SshKeySpec, UuidSpec,
    VERSION,
};

/// The `CustomResourceDefinition` of each kind of generator.
#[must_use]
pub fn generators() -> Vec<CustomResourceDefinition> {
    GeneratorKind::ALL.into_iter().map(definition).collect()
}

/// The schema of a whole generator of a kind.
#[must_use]
pub fn generator_schema(kind: GeneratorKind) -> JSONSchemaProps {
    let (description, spec) = match kind {
        GeneratorKind::AcrAccessToken => (
            "Makes a user and a password with which images are pulled from an Azure Container Registry.",
            structural::schema_of::<AcrAccessTokenSpec>(),
        ),
        GeneratorKind::ClusterGenerator => {
            ("A generator for the ExternalSecrets of all namespaces.", structural::schema_of::<ClusterGeneratorSpec>())
        }
        GeneratorKind::Fake => {
            ("Gives values that stand in it, to try manifests.", structural::schema_of::<FakeSpec>())
        }
        GeneratorKind::Password => ("Makes a random password.", structural::schema_of::<PasswordSpec>()),
        GeneratorKind::SshKey => ("Makes a pair of keys for SSH.", structural::schema_of::<SshKeySpec>()),
        GeneratorKind::Uuid => ("Makes a random UUID.", structural::schema_of::<UuidSpec>()),
    };
    root_without_status(description, spec)
}

fn definition(kind: GeneratorKind) -> CustomResourceDefinition {
    let version = CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(generator_schema(kind)) }),
        served: true,
        storage: true,
        subresources: Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
            ..Default::default()
        }),
        ..Default::default()
    };
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{}.{GROUP}", kind.plural())),
            labels: Some([("external-secrets.io/component".to_owned(), "controller".to_owned())].into()),
            ..Default::default()
        },
        spec: CustomResourceDefinitionSpec {
            conversion: Some(CustomResourceConversion { strategy: "None".to_owned(), webhook: None }),
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                categories: Some(vec!["external-secrets".to_owned(), "external-secrets-generators".to_owned()]),
                kind: kind.name().to_owned(),
                list_kind: Some(format!("{}List", kind.name())),
                plural: kind.plural().to_owned(),
                short_names: None,
                singular: Some(kind.name().to_ascii_lowercase()),
            },
            preserve_unknown_fields: None,
            scope: if kind.is_of_cluster() { "Cluster" } else { "Namespaced" }.to_owned(),
            versions: vec![version],
        },
        status: None,
    }
}
