//! Tokens of Azure Container Registry.
//!
//! The steps from a generator to a token, and the module of each:
//!
//! 1. `host`: the registry's host is checked before any token is requested, because it will receive one of Entra ID's.
//! 2. `identity`: the identity, under the rules for a SecretStore in the namespace.
//! 3. The credential cache provides a token for the registry's own audience or, if Entra ID does not know that, for
//!    Azure Resource Manager.
//! 4. `exchange`: the registry exchanges it. Equal requests share an exchange, `turns` bounds how often a namespace asks
//!    a registry, and `pauses` spares a registry that asks to slow down.

mod exchange;
mod host;
mod identity;
mod pauses;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_core::http::HttpClient;
use jiff::Timestamp;

use self::exchange::Exchange;
use self::host::RegistryHost;
use self::pauses::Pauses;
use self::turns::Turns;
use super::cloud::{HostsOf, RegistryCloud};
use super::cluster::Cluster;
use super::coalesce::Coalescer;
use super::connections::{Connections, Destination};
use super::credential::Purpose;
use super::credential_cache::CredentialCache;
use super::diagnose::{Cause, Diagnosis, EntraCode};
use super::options::Options;
use crate::provider::fair_map::FairMap;
use crate::provider::{Freshness, ProviderError, ProviderMetrics, Registries, RegistryToken, RegistryView};
use crate::runtime::log_allowance;

/// Bounds on the tokens that are kept.
const MOST_TOKENS: usize = 1000;
const KEPT_UNUSED: Duration = Duration::from_hours(2);

/// The part of its lifetime during which a token answers equal requests. Callers that share it request the next one
/// together.
const SHARED_PART: u32 = 10;

/// What determines a token: equal keys get the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    purpose: Purpose,
    host: RegistryHost,
    scope: Option<String>,
    tenant: Option<String>,
}

/// A token, and when it was requested.
#[derive(Clone)]
struct Kept {
    token: Arc<RegistryToken>,
    asked: Instant,
}

/// Issues tokens for container registries. Created once per process.
pub struct ContainerRegistries {
    options: Arc<Options>,
    cluster: Arc<Cluster>,
    asker: Arc<Asker>,
    exchanges: Coalescer<Key, Kept>,
    kept: Mutex<FairMap<Key, Kept>>,
}

/// Requests tokens from registries.
pub(super) struct Asker {
    http: Arc<dyn HttpClient>,
    connections: Arc<Connections>,
    credentials: Arc<CredentialCache>,
    metrics: Arc<dyn ProviderMetrics>,
    pauses: Pauses,
    turns: Turns,
}

impl ContainerRegistries {
    pub(super) fn new(asker: Asker, options: Arc<Options>, cluster: Arc<Cluster>) -> Self {
        let kept = Mutex::new(FairMap::new(MOST_TOKENS, KEPT_UNUSED));
        Self { exchanges: Coalescer::new(options.coalesce), options, cluster, asker: Arc::new(asker), kept }
    }

    async fn get(&self, view: RegistryView<'_>, freshness: Freshness) -> Result<Arc<RegistryToken>, Diagnosis> {
        let cloud = RegistryCloud::of(
            view.spec.environment_type,
            "environmentType",
            identity::is_of_process(&view.spec.auth),
            &self.options,
        )?;
        // The host comes first: the author of the generator must not be able to have a token sent to a host of their
        // choice.
        let host = RegistryHost::parse(&view.spec.registry, &cloud, &self.options.extra_hosts)?;
        identity::check(&view, self.options.own_identity)?;
        let identity = identity::resolve(&view, &cloud, &self.options.environment, &self.cluster).await?;
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        let key = Key {
            purpose: Purpose {
                identity,
                authority: cloud.authority.clone(),
                scope: cloud.scope.to_owned(),
                hosts_of: HostsOf::Operator,
            },
            host,
            scope: given(&view.spec.scope),
            tenant: given(&view.spec.tenant_id),
        };
        self.shared(key, cloud.resource_manager, view.namespace.into(), freshness).await
    }

    /// A token that others may share, or a new one.
    async fn shared(
        &self,
        key: Key,
        resource_manager: String,
        namespace: Arc<str>,
        freshness: Freshness,
    ) -> Result<Arc<RegistryToken>, Diagnosis> {
        let kept = self.kept().get(&key, Instant::now()).cloned();
        if let Some(kept) = kept.filter(|kept| kept.serves(freshness)) {
            return Ok(kept.token);
        }
        let (asker, wanted) = (Arc::clone(&self.asker), key.clone());
        let asking = Arc::clone(&namespace);
        let read = |progress: super::coalesce::Progress| async move {
            progress.sent();
            let began = Instant::now();
            let token = asker.ask(&wanted, resource_manager, &asking).await?;
            Ok(Kept { token: Arc::new(token), asked: began })
        };
        let kept = self.exchanges.read(key.clone(), freshness, read).await.0?;
        self.kept().insert(&namespace, key, kept.clone(), Instant::now());
        Ok(kept.token)
    }

    fn kept(&self) -> MutexGuard<'_, FairMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether it satisfies a request of this freshness.
    fn serves(&self, freshness: Freshness) -> bool {
        let is_young = self.token.until.is_some_and(|until| {
            let life = Duration::try_from(until.duration_since(self.token.made)).unwrap_or_default();
            let age = Duration::try_from(Timestamp::now().duration_since(self.token.made)).unwrap_or_default();
            age < life / SHARED_PART
        });
        match freshness {
            Freshness::Shared => is_young,
            Freshness::Forced => false,
            Freshness::Since(time) => is_young && self.asked >= time,
        }
    }
}

impl Asker {
    pub(super) fn new(
        http: Arc<dyn HttpClient>,
        connections: Arc<Connections>,
        credentials: Arc<CredentialCache>,
        metrics: Arc<dyn ProviderMetrics>,
    ) -> Self {
        Self { http, connections, credentials, metrics, pauses: Pauses::default(), turns: Turns::default() }
    }

    async fn ask(&self, key: &Key, resource_manager: String, namespace: &Arc<str>) -> Result<RegistryToken, Diagnosis> {
        let host = key.host.name();
        self.pauses.check(host)?;
        self.turns.take(namespace, host).map_err(|wait| too_many(host, wait))?;
        match self.ask_as(key, key.purpose.clone(), namespace).await {
            // In this tenant or custom cloud, registries are not a known resource.
            Err(unknown) if unknown.cause == Cause::EntraRefused(EntraCode::ResourceUnknown) => {
                self.ask_as(key, Purpose { scope: resource_manager, ..key.purpose.clone() }, namespace).await
            }
            result => result,
        }
    }

    async fn ask_as(&self, key: &Key, purpose: Purpose, namespace: &Arc<str>) -> Result<RegistryToken, Diagnosis> {
        let credential = self.credentials.get(purpose);
        let exchange = Exchange {
            host: &key.host,
            scope: key.scope.as_deref(),
            tenant: key.tenant.as_deref(),
            http: &self.http,
            metrics: &self.metrics,
        };
        let to = Destination { host: key.host.name(), hosts_of: HostsOf::Operator };
        let (mut other_token, mut once_more) = (false, false);
        loop {
            let token = credential.token().await?;
            let connection = self.connections.take(namespace, to).await?;
            match connection.carry(exchange.token(token.token.secret())).await {
                // The token may have been revoked; a new one will show.
                Err(refused)
                    if refused.cause == Cause::RegistryUnauthorized && !other_token && credential.give_up_token() =>
                {
                    other_token = true;
                }
                Err(failed) if failed.cause.passes_at_once() && !once_more => once_more = true,
                result => {
                    self.note(namespace, key.host.name(), &result);
                    return result;
                }
            }
        }
    }

    /// Records what a registry answered. An identity that gets no token says nothing of the registry.
    fn note(&self, namespace: &Arc<str>, host: &str, result: &Result<RegistryToken, Diagnosis>) {
        self.pauses.note(namespace, host, result.as_ref().err());
        let is_throttled = result.as_ref().is_err_and(|reason| reason.cause == Cause::RegistryThrottled);
        if is_throttled && log_allowance::take(namespace) {
            tracing::warn!(registry = host, "the registry asks to slow down");
        }
    }
}

#[async_trait]
impl Registries for ContainerRegistries {
    async fn token(&self, view: RegistryView<'_>, freshness: Freshness) -> Result<Arc<RegistryToken>, ProviderError> {
        Ok(self.get(view, freshness).await?)
    }
}

/// The error if a namespace has asked a registry for too many tokens.
fn too_many(host: &str, wait: Duration) -> Diagnosis {
    Diagnosis::new(
        Cause::RegistryThrottled,
        format!("this namespace asks for too many tokens at a time; {host} is asked later"),
    )
    .hint("the controller retries; generators with the same registry, scope and identity share one token")
    .retry_after(Some(wait))
}

/// What is wrong with the text of an `ACRAccessToken`, with the field; empty if nothing is.
pub(super) fn problems(view: &RegistryView<'_>, options: &Options) -> Vec<Diagnosis> {
    let is_of_process = identity::is_of_process(&view.spec.auth);
    let host = RegistryCloud::of(view.spec.environment_type, "environmentType", is_of_process, options)
        .and_then(|cloud| RegistryHost::parse(&view.spec.registry, &cloud, &options.extra_hosts).map(drop));
    [host, identity::check(view, options.own_identity)].into_iter().filter_map(Result::err).collect()
}
