//! `SSHKey`: an SSH key pair.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// The spec of an `SSHKey`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshKeySpec {
    /// The algorithm.
    #[serde(default)]
    pub key_type: SshKeyType,
    /// The size in bits: 2048, 3072, 4096 or 8192 for RSA, 256, 384 or 521 for ECDSA; ignored for Ed25519.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::ssh_key_size")]
    pub key_size: Option<i64>,
    /// The comment after the public key, such as `deploy@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The algorithm of an SSH key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SshKeyType {
    /// RSA.
    #[default]
    Rsa,
    /// ECDSA on a NIST curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
}
