//! The state kept of ClusterPushSecrets between passes, and which changes ask for a pass. The watches feed it, so it is created first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::child::LastWrite;
use crate::api::v1alpha1::controlling_cluster_push_secret;
use crate::api::v1alpha1::{ClusterPushSecret, ClusterPushSecretStatus, PushSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::memos::Memos;
use crate::controller::core::status::Ahead;
use crate::controller::core::work_queue::Requests;

/// How long changes of PushSecrets and namespaces are collected, because a pass checks all of them.
const BETWEEN_PASSES: Duration = Duration::from_secs(1);

/// The state kept of all ClusterPushSecrets.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Requests for passes.
    pub(crate) requests: Arc<Requests<ObjectKey>>,
    memos: Mutex<Memos<String, Memo>>,
}

/// The state kept of one ClusterPushSecret.
#[derive(Debug, Default)]
pub(super) struct Memo {
    fingerprint: u64,
    /// The fingerprint of the object in the last pass, and when that pass ended.
    passed: Option<(u64, Instant)>,
    uid: String,
    /// The name of its PushSecrets.
    child: String,
    /// The status that was written, until the watch shows it.
    pub(super) status: Ahead<ClusterPushSecretStatus>,
    /// The last write by namespace.
    pub(super) written: BTreeMap<String, LastWrite>,
    pub(super) failures: u32,
    pub(super) awaits_api_server: bool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Memos<String, Memo>> {
        self.memos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, name: &str) {
        self.requests.ask(&ObjectKey::new("", name));
    }

    fn ask_where(&self, concerns: impl Fn(&Memo) -> bool) {
        let names: Vec<_> = {
            let memos = self.lock();
            memos.iter().filter(|(_, memo)| concerns(memo)).map(|(name, _)| name.clone()).collect()
        };
        for name in names {
            self.ask(&name);
        }
    }

    /// A ClusterPushSecret was created or changed.
    pub(super) fn applied(&self, object: &ClusterPushSecret) {
        let name = object.metadata.name.clone().unwrap_or_default();
        let fingerprint = fingerprint(object);
        let is_changed = {
            let mut memos = self.lock();
            let memo = memos.now(&name, object.metadata.uid.as_deref());
            memo.status.shown(object.metadata.resource_version.as_deref());
            memo.uid = object.metadata.uid.clone().unwrap_or_default();
            // The clone takes its parsed form away with it.
            let spec = object.spec.clone();
            let named = spec.get().ok().and_then(|spec| spec.push_secret_name.clone());
            memo.child = named.filter(|child| !child.is_empty()).unwrap_or_else(|| name.clone());
            std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
        };
        if is_changed {
            self.ask(&name);
        }
    }

    /// A ClusterPushSecret was deleted.
    pub(super) fn deleted(&self, name: &str) {
        self.lock().forget(&name.to_owned());
    }

    /// A namespace was created, changed or deleted.
    pub(crate) fn namespace_changed(&self) {
        self.ask_where(|_| true);
    }

    /// A PushSecret was created, changed or deleted.
    pub(crate) fn push_secret_changed(&self, object: &PushSecret) {
        let owner = controlling_cluster_push_secret(&object.metadata);
        let name = object.metadata.name.as_deref().unwrap_or_default();
        self.ask_where(|memo| owner == Some(memo.uid.as_str()) || memo.child == name);
    }

    /// Asks for passes over the objects that failed while the API server was unavailable.
    pub(super) fn wake_who_await_api_server(&self) {
        self.ask_where(|memo| memo.awaits_api_server);
    }

    /// How long a pass must wait, if the last one ended a moment ago and the object has not changed since.
    pub(super) fn pause(&self, object: &ClusterPushSecret, now: Instant) -> Option<Duration> {
        let (looked_at, ended) = self.remember(object, |memo| memo.passed)??;
        let pause = (ended + BETWEEN_PASSES).checked_duration_since(now)?;
        (looked_at == fingerprint(object) && !pause.is_zero()).then_some(pause)
    }

    /// A pass has ended.
    pub(super) fn passed(&self, object: &ClusterPushSecret, now: Instant) {
        self.remember(object, |memo| memo.passed = Some((fingerprint(object), now)));
    }

    /// Changes the state of an object, unless it was replaced by another of the same name.
    pub(super) fn remember<T>(&self, object: &ClusterPushSecret, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        let meta = &object.metadata;
        self.lock().get_mut(&meta.name.clone().unwrap_or_default(), meta.uid.as_deref()).map(change)
    }
}

/// A hash of the fields whose change makes a pass necessary. The status is not among them.
fn fingerprint(object: &ClusterPushSecret) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.annotations, meta.deletion_timestamp.is_some()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(generation: i64) -> ClusterPushSecret {
        let metadata = json!({"name": "a", "uid": "1", "generation": generation});
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn changes_of_push_secrets_are_collected_and_a_change_of_the_object_itself_is_handled_at_once() {
        let (state, now) = (State::default(), Instant::now());
        state.applied(&object(1));
        assert_eq!(state.pause(&object(1), now), None);
        state.passed(&object(1), now);
        assert_eq!(state.pause(&object(1), now + BETWEEN_PASSES / 4), Some(BETWEEN_PASSES * 3 / 4));
        assert_eq!(state.pause(&object(1), now + BETWEEN_PASSES), None);
        state.applied(&object(2));
        assert_eq!(state.pause(&object(2), now), None);
    }
}
