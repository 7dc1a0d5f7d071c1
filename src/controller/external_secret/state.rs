//! What the controller of ExternalSecrets remembers between reconciles, and whom a change wakes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio_util::sync::CancellationToken;

use super::index::{Index, TargetKey, TemplateSource, template_sources_of};
use super::memo::Memo;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ManifestReference;
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::memos::Memos;
use crate::controller::core::recoveries::Recoveries;
use crate::controller::core::work_queue::Requests;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Recovery;

/// What the controller of ExternalSecrets remembers between reconciles. The watches feed it, so it exists before them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Who uses what.
    pub(crate) index: Index,
    /// Where reconciles are asked for.
    pub(crate) requests: Arc<Requests<ObjectKey>>,
    /// Cancelled when the first ExternalSecret appears that takes templates from an object.
    pub(crate) templates_used: CancellationToken,
    /// Who waits for a provider to recover.
    recoveries: Recoveries<ObjectKey>,
    memos: Mutex<Memos<ObjectKey, Memo>>,
}

impl State {
    /// Asks for a reconcile of an ExternalSecret.
    pub(crate) fn wake(&self, key: &ObjectKey) {
        self.requests.ask(key);
    }

    /// Asks for a reconcile of all ExternalSecrets that failed while the API server was away.
    pub(crate) fn wake_who_await_api_server(&self) {
        let waiting: Vec<_> = {
            let memos = self.memos();
            memos.iter().filter(|(_, memo)| memo.awaits_api_server()).map(|(key, _)| key.clone()).collect()
        };
        for key in &waiting {
            self.wake(key);
        }
    }

    /// Asks for a reconcile when a provider has recovered; not at all where there is no such provider any more.
    pub(crate) fn wake_after(self: &Arc<Self>, recovery: Option<&Recovery>, key: &ObjectKey) {
        let Some(recovery) = recovery else { return self.recoveries.end(key) };
        let (state, woken) = (Arc::downgrade(self), key.clone());
        self.recoveries.wait(key, recovery, move || {
            if let Some(state) = state.upgrade() {
                state.wake(&woken);
            }
        });
    }

    /// The watch shows an ExternalSecret: asks for a reconcile where anything has changed that matters.
    pub(crate) fn applied(&self, object: &ExternalSecret) {
        let key = ObjectKey::of(&object.metadata);
        let changed = self.memos().now(&key, object.metadata.uid.as_deref()).shown(object);
        if changed {
            // What is parsed goes with the clone.
            let object = &object.clone();
            self.index.insert(object);
            if object.spec.get().is_ok_and(|spec| !template_sources_of(spec, &key.namespace).is_empty()) {
                self.templates_used.cancel();
            }
            self.wake(&key);
        }
    }

    /// An ExternalSecret is gone.
    pub(crate) fn deleted(&self, key: &ObjectKey) {
        self.index.remove(key);
        self.memos().forget(key);
        self.recoveries.end(key);
    }

    /// Wakes those who write an object, unless it is at the very version that they wrote or verified; `None` is one that is gone.
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

    /// Wakes those whose templates come from an object, unless they were rendered from this very version.
    pub(crate) fn template_source_changed(&self, source: &TemplateSource, version: Option<&ObjectVersion>) {
        for user in self.index.users_of(source) {
            // Of one that is gone, nothing is to be rendered.
            let changed = self.memos().named_mut(&user).is_some_and(|memo| memo.template_source_shown(source, version));
            if changed {
                self.wake(&user);
            }
        }
    }

    /// Wakes those who failed and use a generator: it may be another reason now. For the others it makes no difference until they are
    /// refreshed.
    pub(crate) fn generator_changed(&self, generator: &GeneratorKey) {
        for user in self.index.users_of_generator(generator) {
            let has_failed = self.memos().named(&user).is_some_and(Memo::has_failed);
            if has_failed {
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
