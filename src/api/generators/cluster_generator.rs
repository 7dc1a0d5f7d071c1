//! `ClusterGenerator`: a generator for all namespaces.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::acr_access_token::AcrAccessTokenSpec;
use super::fake::FakeSpec;
use super::kind::GeneratorKind;
use super::password::PasswordSpec;
use super::spec::GeneratorSpec;
use super::ssh_key::SshKeySpec;
use super::uuid::UuidSpec;
use crate::api::schema;

/// The spec of a `ClusterGenerator`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ClusterGeneratorSpec {
    /// The kind of generator.
    #[schemars(schema_with = "schema::cluster_generator_kind")]
    pub kind: String,
    /// The generator, exactly one.
    pub generator: ClusterGeneratorMember,
}

/// The generator that a `ClusterGenerator` holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct ClusterGeneratorMember {
    /// An ACRAccessToken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr_access_token_spec: Option<Box<AcrAccessTokenSpec>>,
    /// A Fake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake_spec: Option<Box<FakeSpec>>,
    /// A Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_spec: Option<Box<PasswordSpec>>,
    /// An SSHKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key_spec: Option<Box<SshKeySpec>>,
    /// A UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid_spec: Option<Box<UuidSpec>>,
    /// The names of generators that ESO supports and this controller does not. Their content is not kept.
    #[serde(flatten, skip_serializing)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    #[allow(clippy::zero_sized_map_values, reason = "serde flattens maps alone")]
    pub others: BTreeMap<String, IgnoredAny>,
}

/// Why the generator in a `ClusterGenerator` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterGeneratorError {
    /// The member that the kind names is missing. The message is ESO's.
    #[error("invalid ClusterGenerator: when kind is {kind}, {member} must be set")]
    MemberMissing {
        /// `spec.kind`
        kind: String,
        /// The member below `spec.generator`.
        member: &'static str,
    },
    /// A kind that ESO supports and this controller does not.
    #[error(
        "ClusterGenerator has kind {kind}, which is not served by this controller; the kinds served are ACRAccessToken, Fake, Password, SSHKey and UUID"
    )]
    NotServed {
        /// `spec.kind`
        kind: String,
    },
}

impl ClusterGeneratorSpec {
    /// The generator that it contains.
    ///
    /// # Errors
    /// [`ClusterGeneratorError`]
    pub fn served(&self) -> Result<GeneratorSpec, ClusterGeneratorError> {
        let member = &self.generator;
        let missing = |member| ClusterGeneratorError::MemberMissing { kind: self.kind.clone(), member };
        match GeneratorKind::named(&self.kind) {
            Some(GeneratorKind::AcrAccessToken) => member
                .acr_access_token_spec
                .clone()
                .map(GeneratorSpec::AcrAccessToken)
                .ok_or_else(|| missing("acrAccessTokenSpec")),
            Some(GeneratorKind::Fake) => {
                member.fake_spec.clone().map(GeneratorSpec::Fake).ok_or_else(|| missing("fakeSpec"))
            }
            Some(GeneratorKind::Password) => {
                member.password_spec.clone().map(GeneratorSpec::Password).ok_or_else(|| missing("passwordSpec"))
            }
            Some(GeneratorKind::SshKey) => {
                member.ssh_key_spec.clone().map(GeneratorSpec::SshKey).ok_or_else(|| missing("sshKeySpec"))
            }
            Some(GeneratorKind::Uuid) => {
                member.uuid_spec.clone().map(GeneratorSpec::Uuid).ok_or_else(|| missing("uuidSpec"))
            }
            Some(GeneratorKind::ClusterGenerator) | None => {
                Err(ClusterGeneratorError::NotServed { kind: self.kind.clone() })
            }
        }
    }
}
