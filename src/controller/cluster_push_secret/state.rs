//! What is remembered of ClusterPushSecrets, and what changes mean for them. The watches feed it, so it exists before them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::v1alpha1::cluster_push_secret::controlling_cluster_push_secret;
use crate::api::v1alpha1::{ClusterPushSecret, ClusterPushSecretStatus, PushSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::memos::Memos;
use crate::controller::core::status::Ahead;
use crate::controller::core::work_queue::Requests;

/// How long changes of PushSecrets and namespaces are collected: a pass looks at all of them.
const BETWEEN_PASSES: Duration = Duration::from_secs(1);

/// What is remembered of ClusterPushSecrets.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Where passes are asked for.
    pub(crate) requests: Arc<Requests<ObjectKey>>,
    memos: Mutex<Memos<String, Memo>>,
}

/// What is remembered of one.
#[derive(Debug, Default)]
pub(super) struct Memo {
    fingerprint: u64,
    /// When the last pass ended, and what the object was then.
    passed: Option<(u64, Instant)>,
    uid: String,
    /// The name that its PushSecrets have.
    child: String,
    /// The status that was written, until the watch shows it.
    pub(super) status: Ahead<ClusterPushSecretStatus>,
    /// What was written to PushSecrets, by namespace: a hash of what was wanted, and the generation that it made.
    pub(super) written: BTreeMap<String, (u64, Option<i64>)>,
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

    /// A ClusterPushSecret is there, new or changed.
    pub(super) fn applied(&self, object: &ClusterPushSecret) {
        let name = object.metadata.name.clone().unwrap_or_default();
        let fingerprint = fingerprint(object);
        let is_changed = {
            let mut memos = self.lock();
            let memo = memos.now(&name, object.metadata.uid.as_deref());
            memo.status.shown(object.metadata.resource_version.as_deref());
            memo.uid = object.metadata.uid.clone().unwrap_or_default();
            // What is parsed goes with the clone.
            let spec = object.spec.clone();
            let named = spec.get().ok().and_then(|spec| spec.push_secret_name.clone());
            memo.child = named.filter(|child| !child.is_empty()).unwrap_or_else(|| name.clone());
            std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint
        };
        if is_changed {
            self.ask(&name);
        }
    }

    /// A ClusterPushSecret is gone.
    pub(super) fn deleted(&self, name: &str) {
        self.lock().forget(&name.to_owned());
    }

    /// A namespace is there, new or changed, or is gone.
    pub(crate) fn namespace_changed(&self) {
        self.ask_where(|_| true);
    }

    /// A PushSecret is there, new or changed, or is gone.
    pub(crate) fn push_secret_changed(&self, object: &PushSecret) {
        let owner = controlling_cluster_push_secret(&object.metadata);
        let name = object.metadata.name.as_deref().unwrap_or_default();
        self.ask_where(|memo| owner == Some(memo.uid.as_str()) || memo.child == name);
    }

    /// Asks for what failed while the API server was away.
    pub(super) fn wake_who_await_api_server(&self) {
        self.ask_where(|memo| memo.awaits_api_server);
    }

    /// How long a pass waits, since the last one ended a moment ago and the object is as it was then.
    pub(super) fn pause(&self, object: &ClusterPushSecret, now: Instant) -> Option<Duration> {
        let (looked_at, ended) = self.remember(object, |memo| memo.passed)??;
        let pause = (ended + BETWEEN_PASSES).checked_duration_since(now)?;
        (looked_at == fingerprint(object) && !pause.is_zero()).then_some(pause)
    }

    /// A pass has ended.
    pub(super) fn passed(&self, object: &ClusterPushSecret, now: Instant) {
        self.remember(object, |memo| memo.passed = Some((fingerprint(object), now)));
    }

    /// Changes what is remembered of an object, unless another of its name has taken its place.
    pub(super) fn remember<T>(&self, object: &ClusterPushSecret, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        let meta = &object.metadata;
        self.lock().get_mut(&meta.name.clone().unwrap_or_default(), meta.uid.as_deref()).map(change)
    }
}

/// What of a ClusterPushSecret decides whether its namespaces must be looked at again. Its status does not.
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
    fn changes_of_many_push_secrets_are_collected_and_that_of_the_object_itself_is_looked_at_at_once() {
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
