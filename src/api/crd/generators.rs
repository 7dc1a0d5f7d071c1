//! The definitions of the generators, which are served only as `v1alpha1`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
};

use super::definition::{self, Names};
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
            "Generates a user and a password to pull images from an Azure Container Registry.",
            structural::schema_of::<AcrAccessTokenSpec>(),
        ),
        GeneratorKind::ClusterGenerator => {
            ("A generator for the ExternalSecrets of all namespaces.", structural::schema_of::<ClusterGeneratorSpec>())
        }
        GeneratorKind::Fake => {
            ("Returns the values in its spec, to try out manifests.", structural::schema_of::<FakeSpec>())
        }
        GeneratorKind::Password => ("Makes a random password.", structural::schema_of::<PasswordSpec>()),
        GeneratorKind::SshKey => ("Generates an SSH key pair.", structural::schema_of::<SshKeySpec>()),
        GeneratorKind::Uuid => ("Makes a random UUID.", structural::schema_of::<UuidSpec>()),
    };
    root_without_status(description, spec)
}

fn definition(kind: GeneratorKind) -> CustomResourceDefinition {
    let names = Names {
        group: GROUP,
        kind: kind.name(),
        plural: kind.plural(),
        short: None,
        category: Some("external-secrets-generators"),
        scope: if kind.is_of_cluster() { "Cluster" } else { "Namespaced" },
    };
    let version = definition::version(VERSION, &[], generator_schema(kind));
    definition::of(&names, vec![CustomResourceDefinitionVersion { storage: true, ..version }])
}
