//! A registry and the handle to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::counters::{Counted, RegistryCounters};
use crate::entra::directory::{Application, Tenant};
use crate::fault::{Fault, FaultId, Faults};
use crate::keyvault::access::Network;

use super::access::{Access, RegistryRole};
use super::images::Images;
use super::tokens::Tokens;

/// The default lifetimes of tokens.
const LIFETIMES: Lifetimes = Lifetimes { refresh: Duration::from_hours(3), access: Duration::from_mins(75) };

#[derive(Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) refresh: Duration,
    pub(super) access: Duration,
}

pub(crate) struct RegistryState {
    pub(crate) host: String,
    pub(super) access: RwLock<Access>,
    pub(super) images: RwLock<Images>,
    pub(super) tokens: Tokens,
    pub(crate) faults: Faults,
    pub(crate) counters: Counted<RegistryCounters>,
    clock: Clock,
    tenant: RwLock<String>,
    lifetimes: RwLock<Lifetimes>,
    connections: Mutex<CancellationToken>,
}

impl RegistryState {
    pub(crate) fn new(host: &str, tenant: &str, clock: Clock) -> Self {
        Self {
            host: host.to_owned(),
            access: RwLock::default(),
            images: RwLock::default(),
            tokens: Tokens::new(),
            faults: Faults::default(),
            counters: Counted::default(),
            clock,
            tenant: RwLock::new(tenant.to_owned()),
            lifetimes: RwLock::new(LIFETIMES),
            connections: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The tenant whose identities may have roles.
    pub(super) fn tenant(&self) -> String {
        self.tenant.read().clone()
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        *self.lifetimes.read()
    }

    /// Canceled when the current connections must end.
    pub(crate) fn connections(&self) -> CancellationToken {
        self.connections.lock().clone()
    }

    fn close_connections(&self) {
        let old = std::mem::take(&mut *self.connections.lock());
        old.cancel();
    }
}

/// A container registry. Cheap to clone. Operations through this handle need no permission and are not counted as
/// requests.
#[derive(Clone)]
pub struct Registry(pub(crate) Arc<RegistryState>);

impl Registry {
    /// Its host, such as `name.azurecr.io`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Moves it to this tenant.
    pub fn in_tenant(&self, tenant: &Tenant) -> Self {
        tenant.id().clone_into(&mut self.0.tenant.write());
        self.clone()
    }

    /// Assigns a role on all repositories to an application.
    pub fn assign(&self, application: &Application, role: RegistryRole) -> Self {
        self.assign_on(application, role, "")
    }

    /// Assigns a role on the repositories with this prefix to an application.
    pub fn assign_on(&self, application: &Application, role: RegistryRole, repositories: &str) -> Self {
        self.0.access.write().assign(application.object_id(), role, repositories);
        self.clone()
    }

    /// Revokes all roles of an application.
    pub fn revoke(&self, application: &Application) -> Self {
        self.0.access.write().revoke(application.object_id());
        self.clone()
    }

    /// Authorizes by roles and attributes (ABAC) from now on: the older roles no longer apply to images.
    pub fn decide_by_attributes(&self) -> Self {
        self.0.access.write().decide_by_attributes();
        self.clone()
    }

    /// Refuses tokens for Azure Resource Manager from now on.
    pub fn refuse_resource_manager(&self) -> Self {
        self.0.access.write().refuses_resource_manager = true;
        self.clone()
    }

    /// Sets from where it can be reached.
    pub fn set_network(&self, network: Network) -> Self {
        self.0.access.write().network = network;
        self.clone()
    }

    /// Sets the lifetimes of refresh tokens and access tokens issued from now on; 3 hours and 75 minutes by default.
    pub fn set_lifetimes(&self, refresh: Duration, access: Duration) -> Self {
        *self.0.lifetimes.write() = Lifetimes { refresh, access };
        self.clone()
    }

    /// Adds an image for two platforms. Returns the digest of its list of manifests.
    pub fn add_image(&self, repository: &str, tag: &str) -> String {
        self.0.images.write().add(repository, tag)
    }

    /// Starts a fault, possibly of one operation: `Exchange`, `Token`, `Manifest`.
    pub fn fault(&self, fault: Fault) -> FaultId {
        let is_of_connections = fault.is_of_connections();
        let id = self.0.faults.add(fault, self.0.now());
        if is_of_connections {
            self.0.close_connections();
        }
        id
    }

    /// Ends a fault. Returns whether it existed.
    pub fn lift(&self, fault: FaultId) -> bool {
        self.0.faults.lift(fault)
    }

    /// Ends all faults.
    pub fn lift_all(&self) {
        self.0.faults.lift_all();
    }

    /// Requests to this registry.
    #[must_use]
    pub fn counters(&self) -> RegistryCounters {
        self.0.counters.snapshot()
    }

    /// Resets the counters.
    pub fn reset_counters(&self) {
        self.0.counters.reset();
    }
}
