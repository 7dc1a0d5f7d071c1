//! The documents for a vault: who may do what in it, how it is reached, how many requests it serves, and what it
//! contains.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::SandboxError;
use crate::entra::directory::Tenant;
use crate::keyvault::access::{CertificatePermission, KeyPermission, Network, Role, SecretPermission};
use crate::keyvault::object::ObjectKind;
use crate::keyvault::vault::Vault;
use crate::limiter::Limit;
use crate::state::State;

use super::objects::{CertificateDocument, KeyDocument, SecretDocument};

/// A vault. Access that is given replaces the existing one; secrets, keys and certificates are added.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VaultDocument {
    /// The ID of its tenant.
    pub tenant: Option<String>,
    /// Access policies. If given, the vault uses policies.
    pub policies: Option<Vec<PolicyDocument>>,
    /// Role assignments. If given, the vault uses roles.
    pub roles: Option<Vec<RoleDocument>>,
    /// From where it can be reached.
    pub network: Option<NetworkDocument>,
    /// How many requests it serves in total.
    pub limit: Option<LimitDocument>,
    /// How many requests it serves per kind of object.
    pub limits: LimitsDocument,
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretDocument>,
    /// Keys by name.
    pub keys: BTreeMap<String, KeyDocument>,
    /// Certificates by name.
    pub certificates: BTreeMap<String, CertificateDocument>,
}

/// What an application may do according to an access policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyDocument {
    /// The application's client ID in the vault's tenant.
    pub application: String,
    /// On secrets.
    #[serde(default)]
    pub secrets: Vec<SecretPermission>,
    /// On keys.
    #[serde(default)]
    pub keys: Vec<KeyPermission>,
    /// On certificates.
    #[serde(default)]
    pub certificates: Vec<CertificatePermission>,
}

/// What an application may do according to a role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleDocument {
    /// The application's client ID in the vault's tenant.
    pub application: String,
    /// The role.
    pub role: Role,
    /// The only secret it applies to. If this, `key` and `certificate` are omitted, it applies to the whole vault.
    #[serde(default)]
    pub secret: Option<String>,
    /// The only key it applies to.
    #[serde(default)]
    pub key: Option<String>,
    /// The only certificate it applies to.
    #[serde(default)]
    pub certificate: Option<String>,
}

impl RoleDocument {
    fn apply(&self, vault: &Vault, tenant: &Tenant) {
        let application = tenant.application(&self.application);
        let objects = [
            (ObjectKind::Secret, &self.secret),
            (ObjectKind::Key, &self.key),
            (ObjectKind::Certificate, &self.certificate),
        ];
        let named: Vec<_> = objects.iter().filter_map(|(kind, name)| Some((*kind, name.as_deref()?))).collect();
        for (kind, name) in &named {
            vault.assign_on(&application, self.role, *kind, name);
        }
        if named.is_empty() {
            vault.assign(&application, self.role);
        }
    }
}

/// From where a vault can be reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum NetworkDocument {
    /// From everywhere.
    Open,
    /// The firewall rejects the client, whose address appears as this one.
    Firewall(String),
    /// Only through private endpoints, which the client does not use.
    PrivateOnly,
}

/// How many requests a vault serves per kind of object.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct LimitsDocument {
    /// For secrets.
    pub secrets: Option<LimitDocument>,
    /// For keys.
    pub keys: Option<LimitDocument>,
    /// For certificates.
    pub certificates: Option<LimitDocument>,
}

impl LimitsDocument {
    fn apply(self, vault: &Vault) {
        let limits = [
            (ObjectKind::Secret, self.secrets),
            (ObjectKind::Key, self.keys),
            (ObjectKind::Certificate, self.certificates),
        ];
        for (kind, limit) in limits {
            if let Some(limit) = limit {
                vault.set_limit_of(kind, limit.limit());
            }
        }
    }
}

/// How many requests a vault serves.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum LimitDocument {
    /// This many in ten seconds; with 0, all.
    Number(usize),
    /// Including the `Retry-After` of refusals.
    Limit(Limit),
}

impl VaultDocument {
    pub(crate) fn apply(&self, state: &State, vault: &Vault) -> Result<(), SandboxError> {
        if let Some(tenant) = &self.tenant {
            vault.in_tenant(&state.tenant_of(vault, tenant));
        }
        let tenant = state.tenant_of(vault, &vault.0.tenant());
        self.apply_access(vault, &tenant);
        if let Some(network) = &self.network {
            vault.set_network(network.network());
        }
        if let Some(limit) = &self.limit {
            vault.set_limit(limit.limit());
        }
        self.limits.apply(vault);
        for (name, secret) in &self.secrets {
            secret.write(vault, name)?;
        }
        for (name, key) in &self.keys {
            key.write(vault, name)?;
        }
        for (name, certificate) in &self.certificates {
            certificate.write(vault, name)?;
        }
        Ok(())
    }

    fn apply_access(&self, vault: &Vault, tenant: &Tenant) {
        if self.policies.is_some() || self.roles.is_some() {
            vault.revoke_all();
        }
        if self.roles.is_some() {
            vault.use_roles();
        }
        for assignment in self.roles.iter().flatten() {
            assignment.apply(vault, tenant);
        }
        for policy in self.policies.iter().flatten() {
            let application = tenant.application(&policy.application);
            vault
                .allow(&application, &policy.secrets)
                .allow(&application, &policy.keys)
                .allow(&application, &policy.certificates);
        }
    }
}

impl NetworkDocument {
    fn network(&self) -> Network {
        match self {
            Self::Open => Network::Open,
            Self::Firewall(client_address) => Network::Firewall { client_address: client_address.clone() },
            Self::PrivateOnly => Network::PrivateOnly,
        }
    }
}

impl LimitDocument {
    const fn limit(self) -> Option<Limit> {
        match self {
            Self::Number(0) => None,
            Self::Number(served) => Some(Limit::per_ten_seconds(served)),
            Self::Limit(limit) => Some(limit),
        }
    }
}
