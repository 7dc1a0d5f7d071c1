//! The cert-controller: issues certificates for the webhook, and makes the API server trust them.
//!
//! Each pass checks everything and does what is due: it renews the certificates in the Secret ([`rotate`]), writes the
//! bundle into the webhook configurations with ESO's label and into the CRDs with a conversion webhook ([`inject`]),
//! and checks whether the webhook serves ([`endpoints`]). Any change of these objects starts a pass at once; otherwise
//! one runs every `interval`.

mod endpoints;
mod inject;
mod issue;
mod rotate;

use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use zeroize::{Zeroize, Zeroizing};

use crate::answers::{MetadataOf, Objects, Seen, reason};
use crate::runtime::api_health::ApiHealth;
use crate::runtime::health::Readiness;
use endpoints::Shown;
use inject::Target;
pub(crate) use issue::IssueError;
pub(crate) use rotate::{Announced, Lifetimes, Stored, Wanted};

/// The label of the webhook configurations to inject into, as in ESO.
const LABEL: &str = "external-secrets.io/component=webhook";
/// The keys of the Secret, as in ESO.
const KEYS: [&str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];
/// How long the API server may take for one call.
const DEADLINE: Duration = Duration::from_secs(15);
/// The time until the next pass while something is wrong or pending.
const SOON: Duration = Duration::from_secs(1);

/// The configuration of the cert-controller.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The webhook's Service: name and namespace.
    pub(crate) service: (String, String),
    /// The Secret with the certificates: name and namespace.
    pub(crate) secret: (String, String),
    /// The names of the CRDs that may convert by webhook.
    pub(crate) crds: Vec<String>,
    /// How often to check everything even if nothing has changed.
    pub(crate) interval: Duration,
    /// The lifetimes of certificates.
    pub(crate) lifetimes: Lifetimes,
    /// After the bundle was written everywhere, how long the API servers get to learn it before a new authority is
    /// used.
    pub(crate) settle: Duration,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the API server could not {verb} {object}: {}", reason(.error))]
    Api { verb: &'static str, object: String, error: Box<kube::Error> },
    #[error("the API server did not answer within {} s", DEADLINE.as_secs())]
    Timeout,
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("{object} was changed by someone else at the same time")]
    Conflict { object: String },
}

/// Runs until `stop`. `readiness` reports whether the webhook can be called.
pub(crate) async fn run(
    (client, api_health): (Client, ApiHealth),
    settings: Settings,
    readiness: Readiness,
    stop: CancellationToken,
) {
    let mut worker = Worker::new(client, settings);
    let mut changes = worker.changes(&api_health);
    let mut said = None;
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = worker.pass() => looked,
        };
        let problem = match looked {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match &problem {
            None => readiness.set_ready(),
            Some(problem) => readiness.set_not_ready(problem.clone()),
        }
        if said.as_ref() != Some(&problem) {
            if let Some(problem) = &problem {
                tracing::warn!(problem, "the webhook cannot be called yet");
            } else {
                tracing::info!("the webhook serves with the injected certificates");
            }
            said = Some(problem.clone());
        }
        let pause = if problem.is_some() || worker.is_waiting() { SOON } else { worker.settings.interval };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            // Changes that arrive together are handled together.
            _ = changes.next() => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

struct Worker {
    client: Client,
    settings: Settings,
    wanted: Wanted,
    /// The bundle that is injected everywhere, and since when.
    announced: Option<(Vec<u8>, Instant)>,
    /// Whether the bundle has more than one authority, so that something may be due soon.
    rotating: bool,
    leaving: Option<Leaving>,
}

/// Authorities that were injected and have disappeared from the Secret, because somebody emptied or replaced it. A
/// webhook serves a certificate of theirs until the kubelet brings it the new one, so they stay trusted until every
/// endpoint presents that.
struct Leaving {
    /// The newest last.
    authorities: Vec<issue::Known>,
    since: Instant,
}

/// The most that stay, in case somebody empties the Secret again and again.
const MOST_LEAVING: usize = 8;

/// How long they stay if not every endpoint can be asked. The kubelet takes at most about 90 s.
const LONGEST_LEAVING: Duration = Duration::from_mins(5);

impl Worker {
    fn new(client: Client, settings: Settings) -> Self {
        let (service, namespace) = &settings.service;
        let wanted = Wanted { name: format!("{service}.{namespace}.svc"), lifetimes: settings.lifetimes };
        Self { client, settings, wanted, announced: None, rotating: false, leaving: None }
    }

    /// Whether a new authority is waiting to be used, or an old one to be removed.
    fn is_waiting(&self) -> bool {
        let settles = || self.announced.as_ref().is_some_and(|(_, since)| since.elapsed() < self.settings.settle);
        self.leaving.is_some() || (self.rotating && settles())
    }

    /// Resolves when something relevant has changed.
    fn changes(&self, api_health: &ApiHealth) -> futures::stream::BoxStream<'static, ()> {
        let watching = |name: &str| api_health.watching(name, &self.client);
        let secrets: Api<Seen<MetadataOf<Secret>>> = Api::namespaced(watching("secrets"), &self.settings.secret.1);
        let name = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let webhooks: Api<Seen<MetadataOf<ValidatingWebhookConfiguration>>> =
            Api::all(watching("validatingwebhookconfigurations"));
        let mut streams = vec![
            watcher(secrets, name(&self.settings.secret.0)).default_backoff().map(drop).boxed(),
            watcher(webhooks, watcher::Config::default().labels(LABEL)).default_backoff().map(drop).boxed(),
        ];
        for crd in &self.settings.crds {
            let crds: Api<Seen<MetadataOf<CustomResourceDefinition>>> =
                Api::all(watching(&format!("customresourcedefinition {crd}")));
            streams.push(watcher(crds, name(crd)).default_backoff().map(drop).boxed());
        }
        futures::stream::select_all(streams).boxed()
    }

    /// One pass over everything.
    async fn pass(&mut self) -> Result<Result<(), endpoints::NotServing>, Error> {
        let stored = self.renew().await?.ca_certificate;
        self.note_leaving(&stored);
        let bundle = [stored.clone(), self.leaving()?].concat();
        self.inject(&bundle).await?;
        self.note_announced(&stored);
        if let Some(leaving) = &self.leaving {
            let shown = self.shown(&stored).await?;
            if shown == Ok(Shown::ByAll) || leaving.since.elapsed() > LONGEST_LEAVING {
                self.leaving = None;
                self.inject(&stored).await?;
                tracing::info!("authorities that disappeared from the Secret are no longer trusted");
                return Ok(shown.map(drop));
            }
        }
        Ok(self.shown(&bundle).await?.map(drop))
    }

    /// Whether the endpoints present certificates issued by the authorities of a bundle.
    async fn shown(&self, bundle: &[u8]) -> Result<Result<Shown, endpoints::NotServing>, Error> {
        let (service, namespace) = &self.settings.service;
        let check = endpoints::check(&self.client, (service, namespace), &self.wanted.name, bundle);
        called("list", || format!("EndpointSlices in namespace {namespace:?}"), check).await
    }

    /// Remembers the authorities that have disappeared from the Secret since they were injected.
    fn note_leaving(&mut self, stored: &[u8]) {
        let Some((announced, _)) = self.announced.as_ref().filter(|(announced, _)| announced != stored) else { return };
        let (stored, now) = (issue::Known::all_in(stored), Timestamp::now());
        let before = self.leaving.take().map(|leaving| leaving.authorities).unwrap_or_default();
        let all = before.into_iter().chain(issue::Known::all_in(announced));
        let mut authorities: Vec<_> = all.filter(|one| one.end() > now && !stored.contains(one)).collect();
        authorities.drain(..authorities.len().saturating_sub(MOST_LEAVING));
        if !authorities.is_empty() {
            tracing::warn!(
                "authorities have disappeared from the Secret; they stay trusted until every endpoint presents a new certificate"
            );
            self.leaving = Some(Leaving { authorities, since: Instant::now() });
        }
    }

    /// The authorities that are no longer in the Secret but still trusted, in PEM.
    fn leaving(&self) -> Result<Vec<u8>, IssueError> {
        self.leaving.as_ref().map_or(Ok(Vec::new()), |leaving| rotate::bundle(leaving.authorities.iter()))
    }

    fn note_announced(&mut self, bundle: &[u8]) {
        self.rotating = issue::Known::all_in(bundle).len() > 1;
        if self.announced.as_ref().is_none_or(|(announced, _)| announced != bundle) {
            self.announced = Some((bundle.to_vec(), Instant::now()));
        }
    }

    /// Reads the Secret, and writes into it what is due.
    async fn renew(&self) -> Result<Stored, Error> {
        let (name, namespace) = &self.settings.secret;
        let object = || format!("Secret {name:?} in namespace {namespace:?}");
        let api: Objects<Secret> = Objects::namespaced(self.client.clone(), namespace, &());
        let mut secret = called("get", object, api.get(name)).await?;
        let stored = stored(&mut secret);
        let announced = match &self.announced {
            Some((bundle, since)) if *bundle == stored.ca_certificate && since.elapsed() >= self.settings.settle => {
                Announced::Everywhere
            }
            _ => Announced::NotYet,
        };
        // Generating keys of 2048 bits takes time.
        let (wanted, before) = (self.wanted.clone(), stored.clone());
        let next = tokio::task::spawn_blocking(move || wanted.next(&before, announced, Timestamp::now()));
        let Some(next) = next.await.unwrap_or(Ok(None))? else { return Ok(stored) };
        let values = [&next.ca_certificate, &*next.ca_key, &next.certificate, &*next.key];
        let data = secret.data.get_or_insert_default();
        for (key, value) in KEYS.into_iter().zip(values) {
            data.insert(key.to_owned(), ByteString(value.clone()));
        }
        secret.metadata.managed_fields = None;
        let written = called("update", object, api.replace(name, &PostParams::default(), &secret)).await;
        wipe(&mut secret);
        wipe(&mut written?);
        tracing::info!(secret = name, namespace, "new certificates were written");
        Ok(next)
    }

    /// Writes the bundle wherever it is missing.
    async fn inject(&self, bundle: &[u8]) -> Result<(), Error> {
        let (service, namespace) = &self.settings.service;
        let target = Target { service, namespace, bundle };
        let resource = ApiResource::erase::<ValidatingWebhookConfiguration>(&());
        let api: Objects<DynamicObject> = Objects::all(self.client.clone(), &resource);
        let object = || "ValidatingWebhookConfigurations".to_owned();
        let configurations = called("list", object, api.list(&ListParams::default().labels(LABEL))).await?;
        for configuration in configurations {
            update(&api, configuration, |configuration| inject::into_webhooks(configuration, target)).await?;
        }
        let resource = ApiResource::erase::<CustomResourceDefinition>(&());
        let api: Objects<DynamicObject> = Objects::all(self.client.clone(), &resource);
        for name in &self.settings.crds {
            let definition = match called("get", || format!("CRD {name}"), api.get(name)).await {
                // A CRD that is not installed converts nothing.
                Err(Error::Api { error, .. }) if is_absent(&error) => continue,
                definition => definition?,
            };
            update(&api, definition, |definition| inject::into_conversion(definition, target)).await?;
        }
        Ok(())
    }
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Reads the certificates from a Secret.
fn stored(secret: &mut Secret) -> Stored {
    let mut value = |key: &str| {
        let value = secret.data.as_mut().and_then(|data| data.get_mut(key));
        value.map(|value| std::mem::take(&mut value.0)).unwrap_or_default()
    };
    let [ca_certificate, ca_key, certificate, key] = KEYS.map(&mut value);
    Stored { ca_certificate, ca_key: Zeroizing::new(ca_key), certificate, key: Zeroizing::new(key) }
}

fn wipe(secret: &mut Secret) {
    for value in secret.data.iter_mut().flatten().map(|(_, value)| value) {
        value.0.zeroize();
    }
}

/// Writes an object back if `change` has changed it.
async fn update(
    api: &Objects<DynamicObject>,
    mut object: DynamicObject,
    change: impl Fn(&mut Value),
) -> Result<(), Error> {
    let before = object.data.clone();
    change(&mut object.data);
    if object.data == before {
        return Ok(());
    }
    let name = object.metadata.name.clone().unwrap_or_default();
    object.metadata.managed_fields = None;
    called("update", || name.clone(), api.replace(&name, &PostParams::default(), &object)).await?;
    tracing::info!(object = name, "the authorities were injected");
    Ok(())
}

/// Awaits a call to the API server, with a timeout. Errors name the object.
async fn called<T>(
    verb: &'static str,
    object: impl Fn() -> String,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(Error::Conflict { object: object() }),
        Ok(Err(error)) => Err(Error::Api { verb, object: object(), error: Box::new(error) }),
        Err(_) => Err(Error::Timeout),
    }
}
