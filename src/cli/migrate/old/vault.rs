//! Stores for the vaults of another tool.

use serde_json::{Value, json};

use crate::api::v1::StoreKind;

/// A store that an ExternalSecret reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::migrate) struct Store {
    pub(in crate::cli::migrate) kind: StoreKind,
    pub(in crate::cli::migrate) name: String,
}

impl Store {
    /// As `secretStoreRef`.
    pub(super) fn reference(&self) -> Value {
        json!({"kind": self.kind.name(), "name": self.name})
    }
}

/// The suffix of the host names of vaults, and `environmentType`, by the name of a cloud as autorest and the CSI driver know it.
pub(super) fn cloud(name: &str) -> Option<(&'static str, &'static str)> {
    match name.to_ascii_uppercase().as_str() {
        "" | "AZUREPUBLICCLOUD" | "AZURECLOUD" => Some(("vault.azure.net", "PublicCloud")),
        "AZUREUSGOVERNMENTCLOUD" | "AZUREUSGOVERNMENT" => Some(("vault.usgovcloudapi.net", "USGovernmentCloud")),
        "AZURECHINACLOUD" => Some(("vault.azure.cn", "ChinaCloud")),
        "AZUREGERMANCLOUD" => Some(("vault.microsoftazure.de", "GermanCloud")),
        _ => None,
    }
}

/// A SecretStore that reads with the identity of a service account.
pub(super) fn with_service_account(namespace: &str, name: &str, vault_url: &str, account: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"provider": {"azurekv": {
            "authType": "WorkloadIdentity",
            "vaultUrl": vault_url,
            "serviceAccountRef": {"name": account},
        }}},
    })
}

/// A service account that stands for an identity of Entra ID. Applied to one that is there it adds the annotations.
pub(super) fn service_account(namespace: &str, name: &str, client_id: &str, tenant_id: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {
                "azure.workload.identity/client-id": client_id,
                "azure.workload.identity/tenant-id": tenant_id,
            },
        },
    })
}
