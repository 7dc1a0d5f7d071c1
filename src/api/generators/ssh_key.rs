//! `SSHKey`: a pair of keys for SSH.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// What an `SSHKey` describes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshKeySpec {
    /// The algorithm.
    #[serde(default)]
    pub key_type: SshKeyType,
    /// The size in bits: of RSA 2048, 3072, 4096 or 8192; of ECDSA 256, 384 or 521; of Ed25519 without a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::ssh_key_size")]
    pub key_size: Option<i64>,
    /// What stands behind the public key, such as `deploy@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The algorithm of a key for SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SshKeyType {
    /// RSA.
    #[default]
    Rsa,
    /// ECDSA on a curve of NIST.
    Ecdsa,
    /// Ed25519.
    Ed25519,
}
