//! Tenants and their applications.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};

use crate::SandboxError;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::counters::{Counted, EntraCounters};
use crate::fault::{Fault, FaultId, Faults};
use crate::ids;

use super::certificate::RegisteredCertificate;
use super::errors::EntraError;

/// The audience of federated tokens in the public cloud.
pub const TOKEN_EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// An application's trust in tokens of an external issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FederatedCredential {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

struct ClientSecret {
    value: SecretString,
    expires: Option<Timestamp>,
}

/// The default lifetime of access tokens.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

pub(crate) struct TenantState {
    pub(crate) id: String,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) faults: Faults,
    pub(crate) counters: Counted<EntraCounters>,
    clock: Clock,
    token_lifetime: RwLock<Duration>,
    /// Resources that this tenant does not know, although others do.
    unknown_resources: RwLock<Vec<String>>,
    applications: RwLock<HashMap<String, Arc<ApplicationState>>>,
}

pub(crate) struct ApplicationState {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    pub(crate) faults: Faults,
    pub(crate) counters: Counted<EntraCounters>,
    clock: Clock,
    federated: RwLock<Vec<FederatedCredential>>,
    secrets: RwLock<Vec<ClientSecret>>,
    certificates: RwLock<Vec<RegisteredCertificate>>,
}

impl TenantState {
    pub(crate) fn new(id: &str, cloud: Arc<Cloud>, clock: Clock) -> Self {
        Self {
            id: id.to_owned(),
            cloud,
            clock,
            faults: Faults::default(),
            counters: Counted::default(),
            token_lifetime: RwLock::new(TOKEN_LIFETIME),
            unknown_resources: RwLock::default(),
            applications: RwLock::default(),
        }
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<Arc<ApplicationState>> {
        self.applications.read().get(&client_id.to_ascii_lowercase()).cloned()
    }

    pub(crate) fn knows(&self, resource: &str) -> bool {
        !self.unknown_resources.read().iter().any(|unknown| unknown == resource)
    }

    pub(crate) fn token_lifetime(&self) -> Duration {
        *self.token_lifetime.read()
    }
}

impl ApplicationState {
    pub(crate) fn federated(&self) -> Vec<FederatedCredential> {
        self.federated.read().clone()
    }

    pub(crate) fn certificates(&self) -> Vec<RegisteredCertificate> {
        self.certificates.read().clone()
    }

    /// Checks a client secret.
    pub(crate) fn check_secret(&self, presented: &str, now: Timestamp) -> Result<(), EntraError> {
        let secrets = self.secrets.read();
        let known = secrets.iter().find(|secret| secret.value.expose_secret() == presented);
        match known {
            None => Err(EntraError::secret_invalid(&self.client_id)),
            Some(secret) if secret.expires.is_some_and(|end| end <= now) => {
                Err(EntraError::secret_expired(&self.client_id))
            }
            Some(_) => Ok(()),
        }
    }
}

/// A tenant of Entra ID. Cheap to clone.
#[derive(Clone)]
pub struct Tenant(pub(crate) Arc<TenantState>);

impl Tenant {
    /// Its ID, a GUID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The application with this client ID. Created without credentials if it does not exist.
    #[must_use]
    pub fn application(&self, client_id: &str) -> Application {
        let mut applications = self.0.applications.write();
        let state = applications.entry(client_id.to_ascii_lowercase()).or_insert_with(|| {
            Arc::new(ApplicationState {
                client_id: client_id.to_owned(),
                object_id: ids::guid(),
                clock: self.0.clock.clone(),
                faults: Faults::default(),
                counters: Counted::default(),
                federated: RwLock::default(),
                secrets: RwLock::default(),
                certificates: RwLock::default(),
            })
        });
        Application { state: Arc::clone(state), tenant: Arc::clone(&self.0) }
    }

    /// Removes an application. Returns whether it existed.
    pub fn remove_application(&self, client_id: &str) -> bool {
        self.0.applications.write().remove(&client_id.to_ascii_lowercase()).is_some()
    }

    /// The client IDs of all applications.
    #[must_use]
    pub fn applications(&self) -> Vec<String> {
        let mut ids: Vec<_> =
            self.0.applications.read().values().map(|application| application.client_id.clone()).collect();
        ids.sort();
        ids
    }

    /// Sets the lifetime of tokens issued from now on; an hour by default.
    pub fn set_token_lifetime(&self, lifetime: Duration) -> Self {
        *self.0.token_lifetime.write() = lifetime;
        self.clone()
    }

    /// From now on does not know a resource, for example `https://containerregistry.azure.net` in a custom cloud.
    pub fn forget_resource(&self, resource: &str) -> Self {
        self.0.unknown_resources.write().push(resource.to_owned());
        self.clone()
    }

    /// Starts a fault for all token requests to this tenant. Faults of connections (wrong certificate, host not found)
    /// cannot be limited to a tenant: see [`Sandbox::entra_fault`].
    ///
    /// [`Sandbox::entra_fault`]: crate::Sandbox::entra_fault
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.0.faults.add(fault, self.0.clock.now())
    }

    /// Ends a fault. Returns whether it existed.
    pub fn lift(&self, fault: FaultId) -> bool {
        self.0.faults.lift(fault)
    }

    /// Ends all faults of the tenant itself.
    pub fn lift_all(&self) {
        self.0.faults.lift_all();
    }

    /// Token requests to this tenant.
    #[must_use]
    pub fn counters(&self) -> EntraCounters {
        self.0.counters.snapshot()
    }

    /// Resets the counters.
    pub fn reset_counters(&self) {
        self.0.counters.reset();
    }
}

/// An application (or managed identity) and its service principal. Cheap to clone.
#[derive(Clone)]
pub struct Application {
    pub(crate) state: Arc<ApplicationState>,
    pub(crate) tenant: Arc<TenantState>,
}

impl Application {
    /// Its client ID.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.state.client_id
    }

    /// The object ID of its service principal, which access policies and refusals name.
    #[must_use]
    pub fn object_id(&self) -> &str {
        &self.state.object_id
    }

    /// Its tenant.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        Tenant(Arc::clone(&self.tenant))
    }

    /// Trusts tokens of this issuer and subject for the audience `api://AzureADTokenExchange`.
    pub fn federate(&self, issuer: &str, subject: &str) -> Self {
        self.federate_for(issuer, subject, TOKEN_EXCHANGE_AUDIENCE)
    }

    /// Trusts tokens of this issuer and subject for another audience.
    pub fn federate_for(&self, issuer: &str, subject: &str, audience: &str) -> Self {
        self.state.federated.write().push(FederatedCredential {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: audience.to_owned(),
        });
        self.clone()
    }

    /// Removes all federated credentials.
    pub fn clear_federation(&self) -> Self {
        self.state.federated.write().clear();
        self.clone()
    }

    /// Adds a client secret, which may be expired already.
    pub fn add_client_secret(&self, value: &str, expires: Option<Timestamp>) -> Self {
        self.state.secrets.write().push(ClientSecret { value: value.into(), expires });
        self.clone()
    }

    /// Removes all client secrets.
    pub fn clear_client_secrets(&self) -> Self {
        self.state.secrets.write().clear();
        self.clone()
    }

    /// Registers a certificate (PEM) with whose key the application may sign its own assertions.
    ///
    /// # Errors
    /// [`SandboxError::ClientCertificate`] if the text contains no certificate, or one whose key is neither RSA nor
    /// P-256.
    pub fn add_certificate(&self, pem: &str) -> Result<Self, SandboxError> {
        self.state.certificates.write().push(RegisteredCertificate::from_pem(pem)?);
        Ok(self.clone())
    }

    /// Removes all certificates.
    pub fn clear_certificates(&self) -> Self {
        self.state.certificates.write().clear();
        self.clone()
    }

    /// Starts a fault for this application's token requests.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.state.faults.add(fault, self.state.clock.now())
    }

    /// Ends a fault. Returns whether it existed.
    pub fn lift(&self, fault: FaultId) -> bool {
        self.state.faults.lift(fault)
    }

    /// Ends all faults of the application itself.
    pub fn lift_all(&self) {
        self.state.faults.lift_all();
    }

    /// This application's token requests.
    #[must_use]
    pub fn counters(&self) -> EntraCounters {
        self.state.counters.snapshot()
    }

    /// Resets the counters.
    pub fn reset_counters(&self) {
        self.state.counters.reset();
    }
}
