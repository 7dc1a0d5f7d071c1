//! What the controller of ExternalSecrets remembers between passes, and which objects a change wakes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio_util::sync::CancellationToken;

use super::index::{Index, TargetKey, TemplateSource, TemplateSourceKind, template_sources_of};
use super::memo::Memo;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ManifestReference;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::memos::Memos;
use crate::controller::core::process_hash::process_hash;
use crate::controller::core::recoveries::Recoveries;
use crate::controller::core::work_queue::Requests;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Recovery;

/// What the controller of ExternalSecrets remembers between passes. The watches update it, so it is created before they
/// are.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Which ExternalSecret uses what.
    pub(crate) index: Index,
    /// The work queue.
    pub(crate) requests: Arc<Requests<ObjectKey>>,
    /// Cancelled when the first ExternalSecret that takes templates from an object appears.
    pub(crate) templates_used: CancellationToken,
    /// The ExternalSecrets that wait for a provider to recover.
    recoveries: Recoveries<ObjectKey>,
    memos: Mutex<Memos<ObjectKey, Memo>>,
}

impl State {
    /// Queues an ExternalSecret.
    pub(crate) fn wake(&self, key: &ObjectKey) {
        self.requests.ask(key);
    }

    /// Queues all ExternalSecrets that failed while the API server was unreachable.
    pub(crate) fn wake_who_await_api_server(&self) {
        let waiting: Vec<_> = {
            let memos = self.memos();
            memos.iter().filter(|(_, memo)| memo.awaits_api_server()).map(|(key, _)| key.clone()).collect()
        };
        for key in &waiting {
            self.wake(key);
        }
    }

    /// Queues an ExternalSecret when a provider has recovered. Does nothing if that provider no longer exists.
    pub(crate) fn wake_after(self: &Arc<Self>, recovery: Option<&Recovery>, key: &ObjectKey) {
        let Some(recovery) = recovery else { return self.recoveries.end(key) };
        let (state, woken) = (Arc::downgrade(self), key.clone());
        self.recoveries.wait(key, recovery, move || {
            if let Some(state) = state.upgrade() {
                state.wake(&woken);
            }
        });
    }

    /// The watch shows an ExternalSecret. Queues it if a part that matters has changed.
    pub(crate) fn applied(&self, object: &ExternalSecret) {
        let key = ObjectKey::of(&object.metadata);
        let changed = self.memos().now(&key, object.metadata.uid.as_deref()).shown(object);
        if changed {
            // A clone, so that the parsed spec is not kept with the watched object.
            let object = &object.clone();
            self.index.insert(object);
            if object.spec.get().is_ok_and(|spec| !template_sources_of(spec, &key.namespace).is_empty()) {
                self.templates_used.cancel();
            }
            self.wake(&key);
        }
    }

    /// An ExternalSecret was deleted.
    pub(crate) fn deleted(&self, key: &ObjectKey) {
        self.index.remove(key);
        self.memos().forget(key);
        self.recoveries.end(key);
    }

    /// Wakes the ExternalSecrets that write an object, unless it has the version that they wrote or verified. `None`
    /// means that it was deleted.
    pub(crate) fn target_changed(
        &self,
        manifest: Option<&ManifestReference>,
        meta: &ObjectMeta,
        version: Option<&ObjectVersion>,
    ) {
        let target = TargetKey { manifest: manifest.cloned(), object: ObjectKey::of(meta) };
        for writer in self.index.writers_of(&target) {
            let is_verified = |version| self.memos().named(&writer).is_some_and(|memo| memo.has_verified(version));
            if !version.is_some_and(is_verified) {
                self.wake(&writer);
            }
        }
    }

    /// Wakes the ExternalSecrets whose templates come from an object, unless they were rendered from this version.
    pub(crate) fn template_source_changed(&self, source: &TemplateSource, version: Option<&ObjectVersion>) {
        for user in self.index.users_of(source) {
            // A deleted object has nothing to render.
            let changed = self.memos().named_mut(&user).is_some_and(|memo| memo.template_source_shown(source, version));
            if changed {
                self.wake(&user);
            }
        }
    }

    /// These are the names of all objects of a kind. The watch does not report what was deleted while it was interrupted.
    pub(crate) fn template_sources_listed(&self, kind: TemplateSourceKind, listed: &HashSet<u64>) {
        for source in self.index.template_sources(kind) {
            if !listed.contains(&process_hash(&source.object)) {
                self.template_source_changed(&source, None);
            }
        }
    }

    /// Wakes the ExternalSecrets that use a generator and failed, or may just be failing: the change may have fixed them.
    /// For the others it makes no difference until their next refresh.
    pub(crate) fn generator_changed(&self, generator: &GeneratorKey) {
        for user in self.index.users_of_generator(generator) {
            let is_concerned = self.memos().named(&user).is_some_and(Memo::is_concerned_by_generators);
            if is_concerned {
                self.wake(&user);
            }
        }
    }

    /// What is remembered of ExternalSecrets. Never held across an await.
    pub(crate) fn memos(&self) -> MutexGuard<'_, Memos<ObjectKey, Memo>> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreReaders for State {
    fn read(&self, store: &StoreKey) -> bool {
        self.index.is_read(store)
    }

    fn wake(&self, store: &StoreKey) {
        for key in self.index.readers_of(store) {
            self.requests.ask(&key);
        }
    }
}
