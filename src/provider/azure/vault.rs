//! Reads from a vault as one identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use azure_core::Bytes;
use azure_core::http::HttpClient;
use azure_security_keyvault_secrets::models::{Secret, SecretClientGetSecretOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use moka::future::Cache;
use secrecy::SecretSlice;

use super::cloud::Cloud;
use super::coalesce::{Coalescer, Sent};
use super::credential_cache::SharedCredential;
use super::diagnose::{Cause, Diagnosis};
use super::endpoint::VaultEndpoint;
use super::gate::{Gate, Verdict};
use super::object::ObjectId;
use super::options::Options;
use super::transport::{Peer, Pinned, wipe};
use crate::provider::metrics::{ApiCall, CallStatus};
use crate::provider::{Freshness, ProviderMetrics, SecretValue};

/// Bounds on the clients and gates that are kept.
const MOST_VAULTS: u64 = 2000;
const KEPT_UNUSED: Duration = Duration::from_hours(2);

/// A vault as one identity sees it.
type VaultKey = (u64, VaultEndpoint);
/// An object of it.
type ReadKey = (VaultKey, ObjectId);

/// The clients of all vaults, kept across reconciles, with one gate for each vault.
pub(super) struct VaultPool {
    clients: Cache<VaultKey, Arc<VaultClient>>,
    /// Each as long as a client of its vault is kept.
    gates: Mutex<HashMap<String, Weak<Gate>>>,
    reads: Arc<Coalescer<ReadKey, SecretValue>>,
    http: Arc<dyn HttpClient>,
    options: Arc<Options>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl VaultPool {
    pub(super) fn new(http: Arc<dyn HttpClient>, options: Arc<Options>, metrics: Arc<dyn ProviderMetrics>) -> Self {
        Self {
            clients: Cache::builder().max_capacity(MOST_VAULTS).time_to_idle(KEPT_UNUSED).build(),
            gates: Mutex::default(),
            reads: Arc::new(Coalescer::new(options.coalesce)),
            http,
            options,
            metrics,
        }
    }

    /// The client of a vault for a credential.
    pub(super) async fn get(
        &self,
        endpoint: VaultEndpoint,
        credential: Arc<SharedCredential>,
        cloud: &Cloud,
    ) -> Result<Arc<VaultClient>, Diagnosis> {
        let key = (credential.id, endpoint);
        if let Some(client) = self.clients.get(&key).await {
            return Ok(client);
        }
        let client = VaultClient {
            key: key.clone(),
            sdk: Arc::new(self.sdk(&key.1, &credential, cloud)?),
            gate: self.gate(key.1.host()),
            credential,
            reads: Arc::clone(&self.reads),
            metrics: Arc::clone(&self.metrics),
        };
        Ok(self.clients.get_with(key, async { Arc::new(client) }).await)
    }

    /// The one gate of a vault.
    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(host).and_then(Weak::upgrade) {
            return gate;
        }
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate::new(host, &self.options, Arc::clone(&self.metrics)));
        gates.insert(host.to_owned(), Arc::downgrade(&gate));
        gate
    }

    fn sdk(
        &self,
        endpoint: &VaultEndpoint,
        credential: &Arc<SharedCredential>,
        cloud: &Cloud,
    ) -> Result<SecretClient, Diagnosis> {
        let url = endpoint.url()?;
        let peer = Peer::Vault { resource: cloud.resource.clone() };
        let options = SecretClientOptions {
            client_options: Pinned::to(&url, peer, Arc::clone(&self.http)).into_client_options(),
            // The challenge is our own, and in a custom cloud the resource need not be a suffix of the vault's host.
            verify_challenge_resource: Some(false),
            ..SecretClientOptions::default()
        };
        SecretClient::new(url.as_str(), Arc::clone(credential) as _, Some(options))
            .map_err(|error| Diagnosis::from_sdk(&error))
    }
}

/// Reads one vault as one identity.
pub(super) struct VaultClient {
    key: VaultKey,
    sdk: Arc<SecretClient>,
    gate: Arc<Gate>,
    pub(super) credential: Arc<SharedCredential>,
    reads: Arc<Coalescer<ReadKey, SecretValue>>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl VaultClient {
    /// Gets a token, if there is none.
    pub(super) async fn authenticate(&self) -> Result<(), Diagnosis> {
        self.credential.token().await.map(drop)
    }

    /// The value of a secret.
    pub(super) async fn secret(
        self: &Arc<Self>,
        object: &ObjectId,
        freshness: Freshness,
    ) -> Result<SecretValue, Diagnosis> {
        let client = Arc::clone(self);
        let id = object.clone();
        let read = |sent| async move { client.read(&id, &sent).await };
        let (outcome, shared) = self.reads.read((self.key.clone(), object.clone()), freshness, read).await;
        if let Some(how) = shared {
            self.metrics.shared_read(how);
        }
        outcome
    }

    /// Reads through the gate: again while the vault is paused for a short time, and once more after a failure that
    /// passes at once, since a single one of them would show in the conditions of whoever waits.
    async fn read(&self, object: &ObjectId, sent: &Sent) -> Result<SecretValue, Diagnosis> {
        let began = Instant::now();
        let (mut other_token, mut once_more) = (false, false);
        loop {
            // Before the gate: an identity without a token must not take the places of others.
            self.authenticate().await?;
            let leave = self.gate.enter(began).await.map_err(|reason| reason.of(self.named(object)))?;
            sent.mark();
            let result = self.send(object).await;
            let verdict = leave.report(&result);
            match result.as_ref().map_err(|diagnosis| diagnosis.cause) {
                Err(_) if verdict == Verdict::Paused => {}
                Err(Cause::TokenRefused) if !other_token && self.credential.give_up_token() => other_token = true,
                Err(cause) if !once_more && cause.passes_at_once() => once_more = true,
                _ => return result.map_err(|reason| reason.of(self.named(object))),
            }
        }
    }

    /// One request.
    async fn send(&self, object: &ObjectId) -> Result<SecretValue, Diagnosis> {
        let options = SecretClientGetSecretOptions { secret_version: object.version.clone(), ..Default::default() };
        let result = match self.sdk.get_secret(&object.name, Some(options)).await {
            Ok(response) => value_of(response.into_body().into()),
            Err(error) => Err(Diagnosis::from_sdk(&error)),
        };
        let status = match &result {
            // Nobody made that secret; a dashboard of errors would show nothing else.
            Err(absent) if object.is_probe() && absent.cause == Cause::SecretNotFound => CallStatus::Success,
            other => CallStatus::of(other),
        };
        self.metrics.api_call(ApiCall::GetSecret, status);
        result
    }

    #[cfg(test)]
    pub(super) fn shares_gate_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
    }

    fn named(&self, object: &ObjectId) -> String {
        format!("{object} in vault {}", self.key.1.host())
    }
}

/// Takes the value out of an answer, and wipes the answer.
fn value_of(body: Bytes) -> Result<SecretValue, Diagnosis> {
    let parsed = serde_json::from_slice::<Secret>(&body);
    wipe(body);
    // The text of the parser's error could hold a part of the value.
    let secret = parsed.map_err(|_| Diagnosis::new(Cause::UnexpectedAnswer, "the answer is not one of Key Vault"))?;
    match secret.value {
        Some(value) => Ok(Arc::new(SecretSlice::from(value.into_bytes()))),
        None => Err(Diagnosis::new(Cause::UnexpectedAnswer, "the answer holds no value")),
    }
}
