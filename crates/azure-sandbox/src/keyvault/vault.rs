//! A vault and the handle to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::counters::{Counted, VaultCounters};
use crate::entra::directory::{Application, Tenant};
use crate::fault::{Fault, FaultId, Faults};
use crate::limiter::{Limit, Limiter};

use super::access::{Access, Network, Permission, Role, Scope};
use super::certificates::{self, NewCertificate};
use super::errors::KeyVaultError;
use super::jwk::KeyKind;
use super::keys::{self, NewKey};
use super::object::{ObjectKind, ObjectProperties, Recovery, Setting};
use super::objects::Objects;
use super::policy::CertificatePolicy;
use super::secrets::{self, SecretProperties, SetRequest};

/// The location of the sandbox's vaults.
pub(crate) const LOCATION: &str = "westeurope";

pub(crate) struct VaultState {
    pub(crate) host: String,
    /// The first label of the host.
    pub(crate) name: String,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) access: RwLock<Access>,
    pub(crate) objects: RwLock<Objects>,
    pub(crate) limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) counters: Counted<VaultCounters>,
    clock: Clock,
    tenant: RwLock<String>,
    settings: RwLock<Settings>,
    connections: Mutex<CancellationToken>,
}

#[derive(Clone, Copy)]
struct Settings {
    recovery: Recovery,
    transition: Duration,
    governance: Governance,
}

/// What an Azure Policy with the effect `deny` asks of new versions of secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Governance {
    /// A content type.
    pub content_type: bool,
    /// An expiration date.
    pub expires: bool,
}

impl Governance {
    /// Refuses a secret that lacks something.
    pub(crate) fn check(self, request: &SetRequest) -> Result<(), KeyVaultError> {
        let lacks_type = self.content_type && request.properties.content_type.is_none();
        let lacks_expiry = self.expires && request.properties.attributes.expires.is_none();
        if lacks_type || lacks_expiry {
            return Err(KeyVaultError::forbidden(
                "ForbiddenByGovernancePolicy",
                "The operation is forbidden by an Azure Policy that is assigned to this vault.",
            ));
        }
        Ok(())
    }
}

impl VaultState {
    pub(crate) fn new(host: &str, cloud: Arc<Cloud>, tenant: &str, clock: Clock) -> Self {
        Self {
            host: host.to_owned(),
            name: host.split('.').next().unwrap_or_default().to_owned(),
            cloud,
            clock,
            tenant: RwLock::new(tenant.to_owned()),
            access: RwLock::default(),
            objects: RwLock::default(),
            limiter: Limiter::default(),
            faults: Faults::default(),
            counters: Counted::default(),
            settings: RwLock::new(Settings {
                recovery: Recovery { days: 90, purge_protection: false },
                transition: Duration::ZERO,
                governance: Governance::default(),
            }),
            connections: Mutex::default(),
        }
    }

    /// The tenant whose tokens the vault accepts.
    pub(crate) fn tenant(&self) -> String {
        self.tenant.read().clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn setting(&self) -> Setting<'_> {
        let settings = *self.settings.read();
        Setting {
            host: &self.host,
            now: self.clock.seconds(),
            recovery: settings.recovery,
            transition: i64::try_from(settings.transition.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// What an Azure Policy asks for.
    pub(crate) fn governance(&self) -> Governance {
        self.settings.read().governance
    }

    /// Cancelled when the connections that are open now must end.
    pub(crate) fn connections(&self) -> CancellationToken {
        self.connections.lock().clone()
    }

    /// Ends the current connections.
    pub(crate) fn close_connections(&self) {
        let old = std::mem::take(&mut *self.connections.lock());
        old.cancel();
    }
}

/// A vault. Cheap to clone. Operations through this handle need no permission and are not counted as requests.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<VaultState>);

impl Vault {
    /// Its URL, such as `https://name.vault.azure.net`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.0.host)
    }

    /// Its host, such as `name.vault.azure.net`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// From now on accepts tokens of this tenant.
    pub fn in_tenant(&self, tenant: &Tenant) -> Self {
        tenant.id().clone_into(&mut self.0.tenant.write());
        self.clone()
    }

    /// Allows an application something with an access policy: one or more of
    /// [`SecretPermission`](super::access::SecretPermission), [`KeyPermission`](super::access::KeyPermission) or
    /// [`CertificatePermission`](super::access::CertificatePermission). The vault uses access policies from now on.
    pub fn allow<P: Permission>(&self, application: &Application, permissions: impl AsRef<[P]>) -> Self {
        let grants = permissions.as_ref().iter().map(|permission| permission.grant());
        self.0.access.write().allow(application.object_id(), grants);
        self.clone()
    }

    /// Assigns a role on the vault to an application. The vault uses roles from now on.
    pub fn assign(&self, application: &Application, role: Role) -> Self {
        self.0.access.write().assign(application.object_id(), role, Scope::Vault);
        self.clone()
    }

    /// Assigns a role on one secret to an application. The vault uses roles from now on.
    pub fn assign_on_secret(&self, application: &Application, role: Role, secret: &str) -> Self {
        self.assign_on(application, role, ObjectKind::Secret, secret)
    }

    /// Assigns a role on one object to an application. The vault uses roles from now on.
    pub fn assign_on(&self, application: &Application, role: Role, kind: ObjectKind, name: &str) -> Self {
        let scope = Scope::Object(kind, name.to_owned());
        self.0.access.write().assign(application.object_id(), role, scope);
        self.clone()
    }

    /// Authorizes by roles from now on, even if there are none yet.
    pub fn use_roles(&self) -> Self {
        self.0.access.write().use_roles();
        self.clone()
    }

    /// Revokes all permissions and roles of an application.
    pub fn revoke(&self, application: &Application) -> Self {
        self.0.access.write().revoke(application.object_id());
        self.clone()
    }

    /// Revokes all permissions and roles of everybody. The vault uses access policies from now on.
    pub fn revoke_all(&self) -> Self {
        self.0.access.write().revoke_all();
        self.clone()
    }

    /// Sets from where the vault can be reached.
    pub fn set_network(&self, network: Network) -> Self {
        self.0.access.write().network = network;
        self.clone()
    }

    /// Limits all requests; `None` removes the limit. `Limit::per_ten_seconds(4000)` serves 4,000 requests in any ten
    /// seconds and refuses the others with `Retry-After: 2`; refusals do not count.
    pub fn set_limit(&self, limit: Option<Limit>) -> Self {
        self.0.limiter.set(limit);
        self.clone()
    }

    /// Limits the requests for one kind of object, in addition to the limit of all requests.
    pub fn set_limit_of(&self, kind: ObjectKind, limit: Option<Limit>) -> Self {
        self.0.limiter.set_of(kind, limit);
        self.clone()
    }

    /// Sets how long deleted objects are kept: 7 to 90 days; 90 by default.
    pub fn set_recovery_days(&self, days: u8) -> Self {
        self.0.settings.write().recovery.days = days.clamp(7, 90);
        self.clone()
    }

    /// Forbids purging, which cannot be undone.
    pub fn protect_from_purging(&self) -> Self {
        self.0.settings.write().recovery.purge_protection = true;
        self.clone()
    }

    /// Sets how long deletion and recovery take, in whole seconds; zero by default.
    pub fn set_transition(&self, duration: Duration) -> Self {
        self.0.settings.write().transition = duration;
        self.clone()
    }

    /// Writes a secret. Returns the new version's ID.
    ///
    /// # Errors
    /// Key Vault's: an invalid name, a value beyond 25 KB, or a name whose secret is deleted.
    pub fn set_secret(&self, name: &str, value: &str) -> Result<String, KeyVaultError> {
        self.set_secret_with(name, value, SecretProperties::default())
    }

    /// Writes a secret with content type, attributes and tags. Returns the new version's ID.
    ///
    /// # Errors
    /// As [`Vault::set_secret`].
    pub fn set_secret_with(
        &self,
        name: &str,
        value: &str,
        properties: SecretProperties,
    ) -> Result<String, KeyVaultError> {
        secrets::write(&mut self.0.objects.write().secrets, name, value.into(), properties, self.0.clock.seconds())
    }

    /// Changes content type, attributes or tags of a version, or of the current one.
    ///
    /// # Errors
    /// Key Vault's: the secret or version does not exist, or is deleted.
    pub fn update_secret(
        &self,
        name: &str,
        version: Option<&str>,
        properties: SecretProperties,
    ) -> Result<(), KeyVaultError> {
        secrets::modify(&mut self.0.objects.write().secrets, name, version, properties, self.0.clock.seconds())
    }

    /// Enables or disables the current version.
    ///
    /// # Errors
    /// As [`Vault::update_secret`].
    pub fn enable_secret(&self, name: &str, enabled: bool) -> Result<(), KeyVaultError> {
        let mut properties = SecretProperties::default();
        properties.attributes.enabled = Some(enabled);
        self.update_secret(name, None, properties)
    }

    /// Generates a key. Returns the new version's ID. RSA keys take a moment.
    ///
    /// # Errors
    /// Key Vault's: an invalid name, or a name whose key is deleted or belongs to a certificate.
    pub fn create_key(&self, name: &str, kind: KeyKind) -> Result<String, KeyVaultError> {
        self.create_key_with(name, kind, ObjectProperties::default())
    }

    /// Generates a key with attributes and tags. Returns the new version's ID.
    ///
    /// # Errors
    /// As [`Vault::create_key`].
    pub fn create_key_with(
        &self,
        name: &str,
        kind: KeyKind,
        properties: ObjectProperties,
    ) -> Result<String, KeyVaultError> {
        self.add_key(name, NewKey::generate(kind, properties)?)
    }

    /// Imports a key as a JSON Web Key, `{"kty": "RSA", "n": ..., "e": ...}` or `{"kty": "EC", "crv": ..., "x": ...,
    /// "y": ...}`, with or without its private part. Returns the new version's ID.
    ///
    /// # Errors
    /// As [`Vault::create_key`]; also if it is not a JSON Web Key.
    pub fn import_key(&self, name: &str, jwk: &serde_json::Value) -> Result<String, KeyVaultError> {
        self.add_key(name, NewKey::of_jwk(jwk, ObjectProperties::default())?)
    }

    pub(crate) fn add_key(&self, name: &str, new: NewKey) -> Result<String, KeyVaultError> {
        keys::write(&mut self.0.objects.write().keys, name, new, self.0.clock.seconds())
    }

    /// Creates a certificate according to a policy, with its key and its secret. Returns the new version's ID.
    /// `CertificatePolicy::self_signed("CN=www.example.com")` suffices for most tests.
    ///
    /// # Errors
    /// Key Vault's: an invalid name or policy, a name whose certificate is deleted, or a name that an independent key
    /// or secret has.
    pub fn create_certificate(&self, name: &str, policy: CertificatePolicy) -> Result<String, KeyVaultError> {
        self.create_certificate_with(name, policy, ObjectProperties::default())
    }

    /// Creates a certificate with attributes and tags. Returns the new version's ID.
    ///
    /// # Errors
    /// As [`Vault::create_certificate`].
    pub fn create_certificate_with(
        &self,
        name: &str,
        policy: CertificatePolicy,
        properties: ObjectProperties,
    ) -> Result<String, KeyVaultError> {
        self.add_certificate(name, NewCertificate::issue(policy, properties, self.0.clock.seconds())?)
    }

    /// Imports a certificate with its private key: PEM, or PFX in base64 with its password. Returns the new version's
    /// ID.
    ///
    /// # Errors
    /// As [`Vault::create_certificate`]; also if the value cannot be parsed.
    pub fn import_certificate(&self, name: &str, value: &str, password: Option<&str>) -> Result<String, KeyVaultError> {
        let request = certificates::ImportRequest::new(value, password, ObjectProperties::default());
        self.add_certificate(name, NewCertificate::import(request)?)
    }

    pub(crate) fn add_certificate(&self, name: &str, new: NewCertificate) -> Result<String, KeyVaultError> {
        certificates::write(&mut self.0.objects.write(), name, new, self.0.clock.seconds())
    }

    /// Changes attributes or tags of a version of an object, or of the current one.
    ///
    /// # Errors
    /// Key Vault's: the object or version does not exist, is deleted, or belongs to a certificate.
    pub fn update(
        &self,
        kind: ObjectKind,
        name: &str,
        version: Option<&str>,
        properties: ObjectProperties,
    ) -> Result<(), KeyVaultError> {
        self.0.objects.write().modify(kind, name, version, properties, self.0.clock.seconds())
    }

    /// Enables or disables the current version of an object.
    ///
    /// # Errors
    /// As [`Vault::update`].
    pub fn enable(&self, kind: ObjectKind, name: &str, enabled: bool) -> Result<(), KeyVaultError> {
        let mut properties = ObjectProperties::default();
        properties.attributes.enabled = Some(enabled);
        self.update(kind, name, None, properties)
    }

    /// Soft-deletes an object.
    ///
    /// # Errors
    /// Key Vault's: the object does not exist, or belongs to a certificate.
    pub fn delete(&self, kind: ObjectKind, name: &str) -> Result<(), KeyVaultError> {
        self.0.objects.write().delete(kind, name, &self.0.setting()).map(|_| ())
    }

    /// Recovers a deleted object.
    ///
    /// # Errors
    /// Key Vault's: the deleted object does not exist, or its deletion is in progress.
    pub fn recover(&self, kind: ObjectKind, name: &str) -> Result<(), KeyVaultError> {
        self.0.objects.write().recover(kind, name, &self.0.setting()).map(|_| ())
    }

    /// Purges a deleted object.
    ///
    /// # Errors
    /// As [`Vault::recover`]; also if purging is forbidden.
    pub fn purge(&self, kind: ObjectKind, name: &str) -> Result<(), KeyVaultError> {
        self.0.objects.write().purge(kind, name, &self.0.setting())
    }

    /// Soft-deletes a secret.
    ///
    /// # Errors
    /// As [`Vault::delete`].
    pub fn delete_secret(&self, name: &str) -> Result<(), KeyVaultError> {
        self.delete(ObjectKind::Secret, name)
    }

    /// Recovers a deleted secret.
    ///
    /// # Errors
    /// As [`Vault::recover`].
    pub fn recover_secret(&self, name: &str) -> Result<(), KeyVaultError> {
        self.recover(ObjectKind::Secret, name)
    }

    /// Purges a deleted secret.
    ///
    /// # Errors
    /// As [`Vault::purge`].
    pub fn purge_secret(&self, name: &str) -> Result<(), KeyVaultError> {
        self.purge(ObjectKind::Secret, name)
    }

    /// An object as a GET by its name answers it, whoever asks; `None` where that fails.
    #[must_use]
    pub fn object(&self, kind: ObjectKind, name: &str) -> Option<serde_json::Value> {
        let answer = self.0.objects.read().get(kind, name, None, &self.0.setting()).ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// A deleted object as a GET answers it; `None` where there is none.
    #[must_use]
    pub fn deleted_object(&self, kind: ObjectKind, name: &str) -> Option<serde_json::Value> {
        let answer = self.0.objects.read().get_deleted(kind, name, &self.0.setting()).ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// How many versions an object has, deleted or not.
    #[must_use]
    pub fn versions(&self, kind: ObjectKind, name: &str) -> usize {
        self.0.objects.read().versions(kind, name, self.0.clock.seconds())
    }

    /// Sets or, with `None`, lifts the limit that new versions of secrets and imports of keys and certificates share.
    pub fn set_limit_of_writes(&self, limit: Option<Limit>) -> Self {
        self.0.limiter.set_of_writes(limit);
        self.clone()
    }

    /// Refuses new versions of secrets that lack what an Azure Policy with the effect `deny` asks for.
    pub fn govern(&self, policy: Governance) -> Self {
        self.0.settings.write().governance = policy;
        self.clone()
    }

    /// Starts a fault.
    pub fn fault(&self, fault: Fault) -> FaultId {
        let closes = fault.is_of_connections();
        let id = self.0.faults.add(fault, self.0.clock.now());
        if closes {
            self.0.close_connections();
        }
        id
    }

    /// How many requests a fault has met; none once it is over and another was started.
    #[must_use]
    pub fn met(&self, fault: FaultId) -> u32 {
        self.0.faults.met(fault)
    }

    /// Ends a fault. Returns whether it existed.
    pub fn lift(&self, fault: FaultId) -> bool {
        self.0.faults.lift(fault)
    }

    /// Ends all faults.
    pub fn lift_all(&self) {
        self.0.faults.lift_all();
    }

    /// The requests to the vault.
    #[must_use]
    pub fn counters(&self) -> VaultCounters {
        self.0.counters.snapshot()
    }

    /// Resets the counters.
    pub fn reset_counters(&self) {
        self.0.counters.reset();
    }
}
