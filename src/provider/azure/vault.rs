//! Reads from a vault as one identity.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use azure_core::http::HttpClient;
use moka::future::Cache;

use super::answer::Object;
use super::cloud::Cloud;
use super::coalesce::{Coalescer, Sent};
use super::credential_cache::SharedCredential;
use super::diagnose::{Cause, Diagnosis};
use super::endpoint::VaultEndpoint;
use super::gate::{Gate, Verdict};
use super::list::{Listed, NextPage, Page};
use super::object::{ObjectId, ObjectKind};
use super::options::Options;
use super::sdk::Sdk;
use crate::provider::metrics::{ApiCall, CallStatus};
use crate::provider::{ProviderMetrics, ReadOptions};

/// Bounds on the clients and gates that are kept.
const MOST_VAULTS: u64 = 2000;
const KEPT_UNUSED: Duration = Duration::from_hours(2);

/// The longest list that is read, in pages of at most 25 secrets, and its bytes: a vault must not be able to keep a
/// reader busy for ever, or to fill its memory.
const MOST_PAGES: usize = if cfg!(test) { 40 } else { 8000 };
const LARGEST_LIST: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// A vault as one identity sees it.
type VaultKey = (u64, VaultEndpoint);
/// An object of it.
type ReadKey = (VaultKey, ObjectId);

/// The clients of all vaults, kept across reconciles, with one gate for each vault.
pub(super) struct VaultPool {
    clients: Cache<VaultKey, Arc<VaultClient>>,
    /// Each as long as a client of its vault is kept.
    gates: Mutex<HashMap<String, Weak<Gate>>>,
    reads: Arc<Coalescer<ReadKey, Arc<Object>>>,
    lists: Arc<Coalescer<VaultKey, Arc<[Listed]>>>,
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
            lists: Arc::new(Coalescer::new(options.coalesce)),
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
            sdk: Sdk::new(&key.1, &credential, cloud, &self.http)?,
            gate: self.gate(key.1.host()),
            credential,
            reads: Arc::clone(&self.reads),
            lists: Arc::clone(&self.lists),
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
}

/// Reads one vault as one identity.
pub(super) struct VaultClient {
    key: VaultKey,
    sdk: Sdk,
    gate: Arc<Gate>,
    pub(super) credential: Arc<SharedCredential>,
    reads: Arc<Coalescer<ReadKey, Arc<Object>>>,
    lists: Arc<Coalescer<VaultKey, Arc<[Listed]>>>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl VaultClient {
    /// Gets a token, if there is none.
    pub(super) async fn authenticate(&self) -> Result<(), Diagnosis> {
        self.credential.token().await.map(drop)
    }

    /// An object: its value, tags and times, by one request for all who read it at the same time.
    pub(super) async fn object(
        self: &Arc<Self>,
        object: &ObjectId,
        options: ReadOptions,
    ) -> Result<Arc<Object>, Diagnosis> {
        let client = Arc::clone(self);
        let id = object.clone();
        let read = |sent| async move {
            let send = || client.send(&id);
            client.through_gate(&sent, send).await.map_err(|reason| reason.of(client.named(&id)))
        };
        let (outcome, shared) = self.reads.read((self.key.clone(), object.clone()), options.freshness, read).await;
        if let Some(how) = shared {
            self.metrics.shared_read(how);
        }
        outcome
    }

    /// All secrets of the vault, without their values, by one list for all who ask at the same time.
    pub(super) async fn list(self: &Arc<Self>, options: ReadOptions) -> Result<Arc<[Listed]>, Diagnosis> {
        let client = Arc::clone(self);
        let read = |sent| async move {
            client.pages(&sent).await.map_err(|reason| reason.of(client.named("the list of secrets")))
        };
        let (outcome, shared) = self.lists.read(self.key.clone(), options.freshness, read).await;
        if let Some(how) = shared {
            self.metrics.shared_read(how);
        }
        outcome
    }

    async fn pages(&self, sent: &Sent) -> Result<Arc<[Listed]>, Diagnosis> {
        let (mut secrets, mut next, mut size) = (Vec::new(), None, 0);
        for _ in 0..MOST_PAGES {
            let page = self.through_gate(sent, || self.send_for_page(next.clone())).await?;
            size += page.size;
            if size > LARGEST_LIST {
                break;
            }
            secrets.extend(page.secrets);
            next = page.next;
            if next.is_none() {
                return Ok(secrets.into());
            }
        }
        let message = format!("it has more than {MOST_PAGES} pages or {LARGEST_LIST} bytes");
        Err(Diagnosis::new(Cause::AnswerTooLarge, message).hint("keep fewer secrets in one vault"))
    }

    /// Sends through the gate: again while the vault is paused for a short time, and once more after a failure that
    /// passes at once, since a single one of them would show in the conditions of whoever waits.
    async fn through_gate<T, F>(&self, sent: &Sent, request: impl Fn() -> F) -> Result<T, Diagnosis>
    where
        F: Future<Output = Result<T, Diagnosis>>,
    {
        let began = Instant::now();
        let (mut other_token, mut once_more) = (false, false);
        loop {
            // Before the gate: an identity without a token must not take the places of others.
            self.authenticate().await?;
            let leave = self.gate.enter(began).await?;
            sent.mark();
            let result = request().await;
            let verdict = leave.report(&result);
            match result.as_ref().map_err(|diagnosis| diagnosis.cause) {
                Err(_) if verdict == Verdict::Paused => {}
                Err(Cause::TokenRefused) if !other_token && self.credential.give_up_token() => other_token = true,
                Err(cause) if !once_more && cause.passes_at_once() => once_more = true,
                _ => return result,
            }
        }
    }

    /// One request for an object.
    async fn send(&self, object: &ObjectId) -> Result<Arc<Object>, Diagnosis> {
        let result = self.sdk.get(object).await;
        let status = match &result {
            // Nobody made that secret; a dashboard of errors would show nothing else.
            Err(absent) if object.is_probe() && absent.cause == Cause::SecretNotFound => CallStatus::Success,
            other => CallStatus::of(other),
        };
        let call = match object.kind {
            ObjectKind::Secret => ApiCall::GetSecret,
            ObjectKind::Key => ApiCall::GetKey,
            ObjectKind::Certificate => ApiCall::GetCertificate,
        };
        self.metrics.api_call(call, status);
        result.map(Arc::new)
    }

    /// One request for a page of the list.
    async fn send_for_page(&self, from: Option<NextPage>) -> Result<Page, Diagnosis> {
        let result = self.sdk.page(from).await;
        self.metrics.api_call(ApiCall::GetSecrets, CallStatus::of(&result));
        result
    }

    #[cfg(test)]
    pub(super) fn shares_gate_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
    }

    fn named(&self, what: impl fmt::Display) -> String {
        format!("{what} in vault {}", self.key.1.host())
    }
}
