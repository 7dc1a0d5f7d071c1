//! `ACRAccessToken`: a user and a password with which images are pulled from an Azure Container Registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::v1::secret_store::{AzureEnvironmentType, SecretKeySelector, ServiceAccountSelector};

/// What an `ACRAccessToken` describes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrAccessTokenSpec {
    /// Who asks for the token. The first that is set counts, in the order servicePrincipal, managedIdentity,
    /// workloadIdentity.
    pub auth: AcrAuth,
    /// The tenant of the registry; of a service principal, its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The registry's login server, for example `my-registry.azurecr.io`.
    pub registry: String,
    /// What the token is good for, such as `repository:my-repository:pull`; without it, all that the identity may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The Azure cloud.
    #[serde(default)]
    pub environment_type: AzureEnvironmentType,
}

/// Who asks for a token of a registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrAuth {
    /// A client id with a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principal: Option<AcrServicePrincipal>,
    /// The identity of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<AcrManagedIdentity>,
    /// A service account's token, exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<AcrWorkloadIdentity>,
}

/// A client id with a secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrServicePrincipal {
    /// Where they are.
    pub secret_ref: AcrSecretRef,
}

/// Where a client id and its secret are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrSecretRef {
    /// The client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<SecretKeySelector>,
    /// The client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretKeySelector>,
}

/// The identity of the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrManagedIdentity {
    /// The client id or the resource id of a user-assigned identity; the machine's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
}

/// A service account's token, exchanged.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrWorkloadIdentity {
    /// The service account; the controller's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
}
