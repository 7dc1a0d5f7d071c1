//! `ACRAccessToken`: a user name and password to pull images from an Azure Container Registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::v1::secret_store::{AzureEnvironmentType, SecretKeySelector, ServiceAccountSelector};

/// The spec of an `ACRAccessToken`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrAccessTokenSpec {
    /// Who requests the token. The first one that is set is used, in the order servicePrincipal, managedIdentity,
    /// workloadIdentity.
    pub auth: AcrAuth,
    /// The tenant of the registry; with `servicePrincipal`, that of the service principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The registry's login server, for example `my-registry.azurecr.io`.
    pub registry: String,
    /// The permissions of the token, such as `repository:my-repository:pull`; if not given, everything that the
    /// identity may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The Azure cloud.
    #[serde(default)]
    pub environment_type: AzureEnvironmentType,
}

/// Who requests the token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrAuth {
    /// A client ID and secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principal: Option<AcrServicePrincipal>,
    /// The managed identity of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<AcrManagedIdentity>,
    /// A service account's token, which is exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<AcrWorkloadIdentity>,
}

/// A client ID and secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrServicePrincipal {
    /// Where to find them.
    pub secret_ref: AcrSecretRef,
}

/// Where to find a client ID and its secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrSecretRef {
    /// The client ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<SecretKeySelector>,
    /// The client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretKeySelector>,
}

/// The managed identity of the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrManagedIdentity {
    /// The client ID or the resource ID of a user-assigned identity; the machine's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
}

/// A service account's token, which is exchanged.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcrWorkloadIdentity {
    /// The service account; the controller's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
}
