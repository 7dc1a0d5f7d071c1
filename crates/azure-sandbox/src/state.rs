//! What a sandbox's connections share.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::SandboxError;
use super::authority::Authority;
use super::clock::Clock;
use super::cloud::{Cloud, Clouds};
use super::entra::directory::{Tenant, TenantState};
use super::entra::imds::{Machine, MachineState};
use super::entra::issuer::IssuerKeys;
use super::entra::signer::TokenSigner;
use super::fault::{Fault, FaultId, Faults};
use super::keyvault::vault::{Vault, VaultState};
use super::registry::{Registry, RegistryState};

/// The host of a tenant's Entra ID and the tenant's ID, in lower case.
type TenantKey = (String, String);

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) clouds: Clouds,
    pub(crate) authority: Authority,
    pub(crate) signer: TokenSigner,
    /// The machine on which the clients run.
    pub(crate) machine: Arc<MachineState>,
    /// Faults of connections to Entra ID, which cannot be limited to a tenant.
    pub(crate) entra_faults: Faults,
    entra_connections: Mutex<CancellationToken>,
    default_tenant: String,
    tenants: RwLock<HashMap<TenantKey, Arc<TenantState>>>,
    vaults: RwLock<HashMap<String, Arc<VaultState>>>,
    registries: RwLock<HashMap<String, Arc<RegistryState>>>,
    issuers: RwLock<HashMap<String, IssuerKeys>>,
}

impl State {
    pub(crate) fn new(clock: Clock, clouds: Vec<Cloud>, default_tenant: &str) -> Result<Self, SandboxError> {
        Ok(Self {
            clock,
            clouds: Clouds::with(clouds),
            authority: Authority::new()?,
            signer: TokenSigner::new()?,
            machine: Arc::default(),
            entra_faults: Faults::default(),
            entra_connections: Mutex::default(),
            default_tenant: default_tenant.to_owned(),
            tenants: RwLock::default(),
            vaults: RwLock::default(),
            registries: RwLock::default(),
            issuers: RwLock::default(),
        })
    }

    /// The ID of the default tenant of vaults.
    pub(crate) fn default_tenant(&self) -> &str {
        &self.default_tenant
    }

    pub(crate) fn find_tenant(&self, cloud: &Cloud, id: &str) -> Option<Arc<TenantState>> {
        self.tenants.read().get(&tenant_key(cloud, id)).cloned()
    }

    /// The tenant with this ID in a cloud, created if it does not exist.
    pub(crate) fn tenant(&self, cloud: &Arc<Cloud>, id: &str) -> Arc<TenantState> {
        let mut tenants = self.tenants.write();
        let make = || Arc::new(TenantState::new(id, Arc::clone(cloud), self.clock.clone()));
        Arc::clone(tenants.entry(tenant_key(cloud, id)).or_insert_with(make))
    }

    /// The tenant with this ID in the public cloud; `default` is the default tenant.
    pub(crate) fn tenant_named(&self, name: &str) -> Tenant {
        let id = if name == "default" { self.default_tenant() } else { name };
        Tenant(self.tenant(self.clouds.public(), id))
    }

    /// The tenant with this ID in the cloud of a vault.
    pub(crate) fn tenant_of(&self, vault: &Vault, id: &str) -> Tenant {
        Tenant(self.tenant(&vault.0.cloud, id))
    }

    pub(crate) fn tenants(&self) -> Vec<Arc<TenantState>> {
        self.tenants.read().values().cloned().collect()
    }

    /// The host of a vault that is given by its name in the public cloud or by its host.
    pub(crate) fn vault_host(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        if name.contains('.') { name } else { format!("{name}.{}", self.clouds.public().vault_suffix) }
    }

    /// The vault with this name in the public cloud, or with this host, created if it does not exist.
    pub(crate) fn vault_named(&self, name: &str) -> Result<Vault, SandboxError> {
        let host = self.vault_host(name);
        let cloud = self.clouds.of_vault(&host).ok_or_else(|| SandboxError::NoVaultHost { host: host.clone() })?;
        Ok(Vault(self.vault(&host, cloud)))
    }

    /// The registry with this name in the public cloud, or with this host, created if it does not exist.
    pub(crate) fn registry_named(&self, name: &str) -> Result<Registry, SandboxError> {
        let name = name.to_ascii_lowercase();
        let host = if name.contains('.') { name } else { format!("{name}.azurecr.io") };
        if !Clouds::is_registry(&host) {
            return Err(SandboxError::NoRegistryHost { host });
        }
        let mut registries = self.registries.write();
        let make = || Arc::new(RegistryState::new(&host, &self.default_tenant, self.clock.clone()));
        Ok(Registry(Arc::clone(registries.entry(host.clone()).or_insert_with(make))))
    }

    pub(crate) fn find_registry(&self, host: &str) -> Option<Arc<RegistryState>> {
        self.registries.read().get(host).cloned()
    }

    pub(crate) fn find_vault(&self, host: &str) -> Option<Arc<VaultState>> {
        self.vaults.read().get(host).cloned()
    }

    fn vault(&self, host: &str, cloud: &Arc<Cloud>) -> Arc<VaultState> {
        let mut vaults = self.vaults.write();
        let make = || Arc::new(VaultState::new(host, Arc::clone(cloud), &self.default_tenant, self.clock.clone()));
        Arc::clone(vaults.entry(host.to_owned()).or_insert_with(make))
    }

    pub(crate) fn vaults(&self) -> Vec<Arc<VaultState>> {
        self.vaults.read().values().cloned().collect()
    }

    pub(crate) fn remove_vault(&self, host: &str) -> bool {
        let removed = self.vaults.write().remove(host);
        if let Some(vault) = &removed {
            vault.close_connections();
        }
        removed.is_some()
    }

    pub(crate) fn set_issuer(&self, issuer: &str, keys: IssuerKeys) {
        self.issuers.write().insert(issuer.to_owned(), keys);
    }

    pub(crate) fn remove_issuer(&self, issuer: &str) -> bool {
        self.issuers.write().remove(issuer).is_some()
    }

    pub(crate) fn issuer_keys(&self, issuer: &str) -> Option<IssuerKeys> {
        self.issuers.read().get(issuer).cloned()
    }

    /// The handle to the machine on which the clients run.
    pub(crate) fn machine(&self) -> Machine {
        Machine::new(&self.machine, &self.clock)
    }

    /// Starts a fault of connections to Entra ID.
    pub(crate) fn entra_fault(&self, fault: Fault) -> FaultId {
        let id = self.entra_faults.add(fault, self.clock.now());
        self.close_entra_connections();
        id
    }

    /// Canceled when the current connections to Entra ID must end.
    pub(crate) fn entra_connections(&self) -> CancellationToken {
        self.entra_connections.lock().clone()
    }

    /// Ends the current connections to Entra ID.
    fn close_entra_connections(&self) {
        let old = std::mem::take(&mut *self.entra_connections.lock());
        old.cancel();
    }
}

fn tenant_key(cloud: &Cloud, id: &str) -> TenantKey {
    (cloud.login_host.clone(), id.to_ascii_lowercase())
}
