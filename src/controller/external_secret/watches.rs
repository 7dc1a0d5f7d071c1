//! The watches of the controllers: what is kept of each kind of object, and whom its changes wake.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{Store, store::Writer};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};

use crate::answers::{MetadataOf, Seen};
use crate::api::v1::external_secret::ManifestReference;
use crate::api::v1::secret_store::StoreType;
use crate::api::v1::{ExternalSecret, SecretStore, StoreKind};
use crate::api::{LABEL_MANAGED, LABEL_MANAGED_VALUE};
use crate::controller::core::key::{ObjectKey, StoreKey};
use crate::controller::core::observe::Controller;
use crate::controller::core::watch::{self, Change, Watch, strip_metadata};
use crate::controller::external_secret::index::{TargetKey, TemplateSource, TemplateSourceKind, template_sources_of};
use crate::controller::external_secret::state::State;
use crate::controller::external_secret::{self, ObjectVersion};
use crate::controller::options::Options;
use crate::controller::secret_store;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::metrics::Metrics;

/// Starts the watches; each tells the state what changed.
pub(in crate::controller) struct Watches<'a> {
    pub(in crate::controller) client: &'a Client,
    /// Told of each watch.
    pub(in crate::controller) api_health: &'a ApiHealth,
    pub(in crate::controller) options: &'a Options,
    pub(in crate::controller) state: &'a Arc<State>,
    pub(in crate::controller) metrics: &'a Metrics,
}

impl Watches<'_> {
    fn namespaced<K>(&self, name: &str, config: watcher::Config) -> Watch<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let client = self.watching(name);
        let api = match &self.options.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        self.watch(name, api, config)
    }

    fn watch<K>(&self, name: &str, api: Api<Seen<K>>, config: watcher::Config) -> Watch<K> {
        Watch { name: name.to_owned(), api, config, metrics: self.metrics.api_server().clone() }
    }

    /// A client for the watch of this name.
    fn watching(&self, watch: &str) -> Client {
        self.api_health.watching(watch, self.client)
    }

    pub(in crate::controller) fn external_secrets(&self) -> Store<ExternalSecret> {
        let (state, metrics) = (Arc::clone(self.state), self.metrics.clone());
        let version = state.version;
        let name = ExternalSecret::PLURAL;
        let client = self.watching(name);
        let api = match &self.options.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &version),
            None => Api::all_with(client, &version),
        };
        let on_change = move |change: Change<'_, ExternalSecret>| match change {
            Change::Applied(object) => external_secret_applied(object, &state),
            Change::Deleted(object) => {
                let key = ObjectKey::of(&object.metadata);
                state.index.remove(&key);
                state.release_target_kinds();
                state.memos().forget(&key);
                state.recoveries.end(&key);
                metrics.external_secrets().deleted(&key.namespace, &key.name);
            }
        };
        let watch = self.watch(name, api, watcher::Config::default());
        watch::objects(watch, version, |object| strip_metadata(&mut object.metadata), on_change)
    }

    pub(in crate::controller) fn stores(&self, kind: StoreKind) -> Store<SecretStore> {
        let (state, metrics) = (Arc::clone(self.state), self.metrics.clone());
        let dyntype = StoreType { kind, version: state.version };
        if !self.options.run(Controller::Stores(kind)) {
            // Not watched at all: the controller may lack the right to.
            return nothing(dyntype);
        }
        let client = self.watching(kind.plural());
        let api = match (&self.options.namespace, kind) {
            (Some(namespace), StoreKind::SecretStore) => Api::namespaced_with(client, namespace, &dyntype),
            _ => Api::all_with(client, &dyntype),
        };
        let mut usability = std::collections::HashMap::new();
        let on_change = move |change: Change<'_, SecretStore>| match change {
            Change::Applied(object) => {
                let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
                let usable = secret_store::usability(object);
                if usability.insert(key.clone(), usable) != Some(usable) {
                    state.wake_readers_of(&key);
                }
                store_applied(object, &key, &state);
            }
            Change::Deleted(object) => {
                let key = StoreKey { kind, object: ObjectKey::of(&object.metadata) };
                usability.remove(&key);
                state.store_memos().forget(&key);
                metrics.stores().deleted(secret_store::subsystem(kind), &key.object.namespace, &key.object.name);
            }
        };
        let watch = self.watch(kind.plural(), api, watcher::Config::default());
        watch::objects(watch, dyntype, |object| strip_metadata(&mut object.metadata), on_change)
    }

    pub(in crate::controller) fn secrets(&self) -> Store<MetadataOf<Secret>> {
        let state = Arc::clone(self.state);
        let config = watcher::Config::default().labels(&format!("{LABEL_MANAGED}={LABEL_MANAGED_VALUE}"));
        let on_change = move |change: Change<'_, MetadataOf<Secret>>| match change {
            Change::Applied(secret) => {
                let version = ObjectVersion::of(&secret.metadata);
                target_changed(None, &secret.metadata, Some(&version), &state);
            }
            Change::Deleted(secret) => target_changed(None, &secret.metadata, None, &state),
        };
        let strip = |secret: &mut MetadataOf<Secret>| {
            strip_metadata(&mut secret.metadata);
            // What is needed of the content is read from the Secret itself.
            secret.metadata.labels = None;
            secret.metadata.annotations = None;
            secret.metadata.owner_references = None;
        };
        watch::objects(self.namespaced("secrets", config), (), strip, on_change)
    }

    /// ConfigMaps and Secrets with templates. Nothing of them is kept, and they are watched only once an ExternalSecret
    /// uses one.
    pub(in crate::controller) fn template_sources(&self) {
        self.templates_in::<ConfigMap>(TemplateSourceKind::ConfigMap);
        self.templates_in::<Secret>(TemplateSourceKind::Secret);
    }

    fn templates_in<K>(&self, kind: TemplateSourceKind)
    where
        MetadataOf<K>: watch::Watched + Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let state = Arc::clone(self.state);
        let on_change = move |change: Change<'_, MetadataOf<K>>| {
            let (object, version) = match change {
                Change::Applied(object) => (object, Some(ObjectVersion::of(object.meta()))),
                Change::Deleted(object) => (object, None),
            };
            let source = TemplateSource { kind, object: ObjectKey::of(object.meta()) };
            template_source_changed(&source, version.as_ref(), &state);
        };
        let name = match kind {
            TemplateSourceKind::ConfigMap => "configmaps with templates",
            TemplateSourceKind::Secret => "secrets with templates",
        };
        // It is expected to show signs of life only once it begins.
        let (client, api_health) = (self.client.clone(), self.api_health.clone());
        let (namespace, metrics) = (self.options.namespace.clone(), self.metrics.api_server().clone());
        let watch = move || {
            let client = api_health.watching(name, &client);
            let api = match &namespace {
                Some(namespace) => Api::namespaced(client, namespace),
                None => Api::all(client),
            };
            Watch { name: name.to_owned(), api, config: watcher::Config::default(), metrics }
        };
        watch::versions(watch, self.state.templates_used.clone(), on_change);
    }

    pub(in crate::controller) fn namespaces(&self) -> Store<MetadataOf<Namespace>> {
        if !self.options.run(Controller::Stores(StoreKind::ClusterSecretStore)) {
            // Only their conditions ask for namespaces, and the controller may lack the right to watch them.
            return nothing(());
        }
        let strip = |namespace: &mut MetadataOf<Namespace>| {
            strip_metadata(&mut namespace.metadata);
            namespace.metadata.annotations = None;
        };
        let mut config = watcher::Config::default();
        if let Some(namespace) = &self.options.namespace {
            config = config.fields(&format!("metadata.name={namespace}"));
        }
        let name = "namespaces";
        watch::objects(self.watch(name, Api::all(self.watching(name)), config), (), strip, |_| {})
    }

    pub(in crate::controller) fn service_accounts(&self) -> Store<MetadataOf<ServiceAccount>> {
        let state = Arc::clone(self.state);
        let strip = |account: &mut MetadataOf<ServiceAccount>| {
            strip_metadata(&mut account.metadata);
            account.metadata.labels = None;
            account.metadata.owner_references = None;
        };
        // A changed annotation is another identity: the stores that use the account are validated again.
        let on_change = move |change: Change<'_, MetadataOf<ServiceAccount>>| {
            let (Change::Applied(account) | Change::Deleted(account)) = change;
            for store in state.stores_with_service_account(&ObjectKey::of(&account.metadata)) {
                state.wake_store(&store);
            }
        };
        watch::objects(self.namespaced("serviceaccounts", watcher::Config::default()), (), strip, on_change)
    }
}

/// What is known where nothing is watched.
fn nothing<K: Resource + Clone + 'static>(dyntype: K::DynamicType) -> Store<K>
where
    K::DynamicType: Clone + Eq + std::hash::Hash,
{
    let mut none = Writer::new(dyntype);
    none.apply_watcher_event(&watcher::Event::InitDone);
    none.as_reader()
}

fn external_secret_applied(object: &ExternalSecret, state: &State) {
    let key = ObjectKey::of(&object.metadata);
    let fingerprint = external_secret::fingerprint(object);
    let changed = {
        let mut memos = state.memos();
        let memo = memos.now(&key, object.metadata.uid.as_deref());
        // The watch shows another version than the one the last status was written on.
        if memo.ahead.as_ref().is_some_and(|(base, _)| Some(base) != object.metadata.resource_version.as_ref()) {
            memo.ahead = None;
        }
        std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
    };
    if changed {
        state.index.insert(object);
        if object.spec.get().is_ok_and(|spec| !template_sources_of(spec, &key.namespace).is_empty()) {
            state.templates_used.cancel();
        }
        state.wake_external_secret(&key);
    }
}

fn store_applied(object: &SecretStore, key: &StoreKey, state: &State) {
    let fingerprint = secret_store::fingerprint(object);
    let changed = {
        let mut memos = state.store_memos();
        let memo = memos.now(key, object.metadata.uid.as_deref());
        memo.service_account = secret_store::service_account(object, key);
        std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
    };
    if changed {
        state.wake_store(key);
    }
}

/// Wakes those who write an object, unless it is at the very version that they wrote or verified; `None` is one that is gone.
pub(in crate::controller) fn target_changed(
    manifest: Option<&ManifestReference>,
    meta: &ObjectMeta,
    version: Option<&ObjectVersion>,
    state: &State,
) {
    let target = TargetKey { manifest: manifest.cloned(), object: ObjectKey::of(meta) };
    for writer in state.index.writers_of(&target) {
        let verified = state.memos().named(&writer).and_then(|memo| memo.verified.clone());
        if version.is_none() || verified.as_ref() != version {
            state.wake_external_secret(&writer);
        }
    }
}

/// Wakes those whose templates come from an object, unless they were rendered from this very version.
fn template_source_changed(source: &TemplateSource, version: Option<&ObjectVersion>, state: &State) {
    for user in state.index.users_of(source) {
        let changed = {
            let mut memos = state.memos();
            // Of one that is gone, nothing is to be rendered.
            let Some(memo) = memos.named_mut(&user) else { continue };
            let changed = memo.rendered_from.get(source) != version;
            memo.template_events += u64::from(changed);
            changed
        };
        if changed {
            state.wake_external_secret(&user);
        }
    }
}
