//! `SecretStore` and `ClusterSecretStore`: a vault, and the identity to read it with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Resource;
use kube::core::DynamicResourceScope;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::api::{GROUP, Parsed, ServedVersion, limits, parsed, schema};

/// The two kinds of stores, which share a spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum StoreKind {
    /// For ExternalSecrets of its own namespace.
    #[default]
    SecretStore,
    /// For ExternalSecrets of all namespaces, or of those that its conditions select.
    ClusterSecretStore,
}

impl StoreKind {
    /// The kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecretStore => "SecretStore",
            Self::ClusterSecretStore => "ClusterSecretStore",
        }
    }

    /// The name in URLs.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::SecretStore => "secretstores",
            Self::ClusterSecretStore => "clustersecretstores",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind and version of a store, as a client needs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoreType {
    /// Which of the two kinds.
    pub kind: StoreKind,
    /// The version that the cluster serves.
    pub version: ServedVersion,
}

/// A store of either kind, as it is watched.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SecretStore {
    /// Standard metadata; no namespace for a ClusterSecretStore.
    #[serde(default, deserialize_with = "parsed::metadata")]
    pub metadata: ObjectMeta,
    /// The desired state.
    #[serde(default)]
    pub spec: Parsed<SecretStoreSpec>,
    /// The observed state; `None` if it does not fit the schema, because this controller will write it again.
    #[serde(default, deserialize_with = "parsed::or_none")]
    pub status: Option<SecretStoreStatus>,
}

impl Resource for SecretStore {
    type DynamicType = StoreType;
    type Scope = DynamicResourceScope;

    fn kind(store: &StoreType) -> Cow<'_, str> {
        store.kind.name().into()
    }
    fn group(_: &StoreType) -> Cow<'_, str> {
        GROUP.into()
    }
    fn version(store: &StoreType) -> Cow<'_, str> {
        store.version.name().into()
    }
    fn api_version(store: &StoreType) -> Cow<'_, str> {
        store.version.api_version().into()
    }
    fn plural(store: &StoreType) -> Cow<'_, str> {
        store.kind.plural().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The spec of a store.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreSpec {
    /// The class of controller that handles this store; any if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The provider, exactly one.
    pub provider: SecretStoreProvider,
    /// How often to retry a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_settings: Option<RetrySettings>,
    /// How often to validate the store: seconds, or a duration such as `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::int_or_string")]
    pub refresh_interval: Option<IntOrString>,
    /// The namespaces that may use a ClusterSecretStore; all if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::CONDITIONS))]
    pub conditions: Vec<ClusterSecretStoreCondition>,
}

/// Namespaces that may use a ClusterSecretStore: those that any of its fields matches.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSecretStoreCondition {
    /// By label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::NAMESPACES), inner(regex(pattern = schema::NAMESPACE_NAME), length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// By regular expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::NAMESPACE_REGEXES))]
    pub namespace_regexes: Vec<String>,
}

/// How often to retry a call.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetrySettings {
    /// The number of retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i32>,
    /// How long to wait between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<String>,
}

/// The provider of a store.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SecretStoreProvider {
    /// Azure Key Vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azurekv: Option<Box<AzureKvProvider>>,
    /// Values written in the store itself, to try manifests without a vault.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "shared")]
    #[schemars(with = "Option<FakeProvider>")]
    pub fake: Option<Arc<FakeProvider>>,
    /// The names of providers that ESO supports and this controller does not. Their content is not kept.
    #[serde(flatten, skip_serializing)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    #[allow(clippy::zero_sized_map_values, reason = "serde flattens maps alone")]
    pub others: BTreeMap<String, IgnoredAny>,
}

/// Azure Key Vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKvProvider {
    /// How to authenticate.
    #[serde(default)]
    pub auth_type: AzureAuthType,
    /// The vault, for example `https://my-vault.vault.azure.net`.
    pub vault_url: String,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The Azure cloud.
    #[serde(default)]
    pub environment_type: AzureEnvironmentType,
    /// Where to find the credentials, with `ServicePrincipal`; with `WorkloadIdentity`, where to find the client and
    /// tenant IDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<AzureAuthSecretRef>,
    /// The service account whose token is exchanged, with `WorkloadIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
    /// The client ID of a user-assigned identity, with `ManagedIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// The endpoints of a custom cloud, with `AzureStackCloud`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_cloud_config: Option<AzureCustomCloudConfig>,
    /// Chooses between two libraries in ESO; has no effect here.
    #[serde(default, rename = "useAzureSDK", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub use_azure_sdk: Option<bool>,
}

/// How to authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AzureAuthType {
    /// A client ID with a secret or certificate.
    #[default]
    ServicePrincipal,
    /// The managed identity of the machine.
    ManagedIdentity,
    /// A service account's token, which is exchanged.
    WorkloadIdentity,
}

/// The Azure clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AzureEnvironmentType {
    /// Azure.
    #[default]
    PublicCloud,
    /// Azure Government.
    USGovernmentCloud,
    /// Azure operated by 21Vianet.
    ChinaCloud,
    /// Closed in 2021.
    GermanCloud,
    /// Azure Stack, or another cloud that `customCloudConfig` describes.
    AzureStackCloud,
}

/// Where to find the credentials.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureAuthSecretRef {
    /// The client ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<SecretKeySelector>,
    /// The tenant ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<SecretKeySelector>,
    /// The client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretKeySelector>,
    /// The client certificate with its key, as PEM or PFX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<SecretKeySelector>,
}

/// Refers to a key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeySelector {
    /// The Secret's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// The Secret's namespace; in a ClusterSecretStore, that of the ExternalSecret if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::data_key")]
    pub key: Option<String>,
}

/// Refers to a service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAccountSelector {
    /// The service account's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its namespace; in a ClusterSecretStore, that of the ExternalSecret if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace_name")]
    pub namespace: Option<String>,
    /// Additional audiences for the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::AUDIENCES))]
    pub audiences: Vec<String>,
}

/// The endpoints of a custom cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureCustomCloudConfig {
    /// The authority that issues tokens.
    pub active_directory_endpoint: String,
    /// The resource that tokens are requested for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_vault_endpoint: Option<String>,
    /// The suffix of the vaults' host names.
    #[serde(default, rename = "keyVaultDNSSuffix", skip_serializing_if = "Option::is_none")]
    pub key_vault_dns_suffix: Option<String>,
    /// The resource manager; not used for Key Vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_manager_endpoint: Option<String>,
}

/// A value that many can hold without copying it.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "as serde calls it")]
    pub(super) fn serialize<T: Serialize, S: Serializer>(
        shared: &Option<Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        shared.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Arc::new))
    }
}

/// Values written in the store itself, to try manifests without a vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FakeProvider {
    /// The values.
    #[schemars(length(max = limits::FAKE_DATA))]
    pub data: Vec<FakeProviderData>,
    /// The result of validation: 0 ready, 1 unknown, 2 error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::integer")]
    pub validation_result: Option<i64>,
}

/// One value of the fake provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FakeProviderData {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The status of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreStatus {
    /// `Ready`; with Azure also `Authenticated`, `Reachable` and `Authorized`; and `Stalled` if only a change of the
    /// store can help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the provider can do: `ReadWrite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The value of the annotation `force-sync` to which the last validation responded. ESO has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
    /// The `metadata.generation` of the last validation that has ended, successfully or not; -1 before the first. ESO
    /// has no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
