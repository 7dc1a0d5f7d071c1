//! What is remembered of ClusterExternalSecrets, and how changes affect them. The watches update it, so it is created
//! before they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::children::Children;
use super::collecting::Collecting;
use super::compiled::{Compiled, fingerprint};
use super::work::Work;
use crate::api::ServedVersion;
use crate::api::v1::{ClusterExternalSecret, ClusterExternalSecretStatus, ExternalSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::core::memos::Memos;
use crate::controller::core::status::Ahead;
use crate::controller::core::work_queue::Requests;
use crate::sync::cluster_external_secret::LastChild;
use crate::sync::cluster_external_secret::step::Outcome;

/// How long the watch may take to show our own write.
const WATCH_LAG: Duration = Duration::from_secs(30);

/// How long a status waits for namespaces that are not done yet.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is remembered of ClusterExternalSecrets.
#[derive(Debug, Default)]
pub(crate) struct State {
    requests: Arc<Requests<Work>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    memos: Memos<String, Memo>,
    pub(super) children: Children,
}

/// What is remembered of one ClusterExternalSecret.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// The fingerprint of the object that the watch shows.
    shown: u64,
    compiled: Option<Arc<Compiled>>,
    /// The fingerprint for which all namespaces were last compared, and when that is due again.
    pub(super) round: Option<u64>,
    pub(super) round_due: Option<Instant>,
    /// Namespaces not done since then.
    pub(super) pending: BTreeSet<String>,
    pub(super) outcomes: BTreeMap<String, Outcome>,
    pub(super) namespaces: HashMap<String, NamespaceMemo>,
    pub(super) collecting: Collecting,
    /// The status that was written, until the watch shows it.
    pub(super) status: Ahead<ClusterExternalSecretStatus>,
    /// Whether there was a warning about namespaces with ESO's finalizer.
    pub(super) has_warned: bool,
}

/// What is remembered of the work in one namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct NamespaceMemo {
    pub(super) failures: u32,
    pub(super) awaits_api_server: bool,
    pub(super) last_write: Option<LastChild>,
    /// The name of the ExternalSecret that the last pass looked at, until the watch reports a change of it.
    looked_at: Option<String>,
    /// Our last write, until the watch shows it.
    wrote: Option<Wrote>,
    /// The UID of what we deleted.
    deleted: Option<(String, Instant)>,
}

/// A write that the watch does not show yet.
#[derive(Clone, Debug)]
struct Wrote {
    /// The resourceVersion that the watch showed when we wrote; `None` if it showed no object.
    base: Option<String>,
    object: Arc<ExternalSecret>,
    at: Instant,
}

impl Memo {
    /// When to write the status; `None` if nothing has changed. It waits a few seconds for namespaces that are not done
    /// yet.
    pub(super) fn status_due(&self) -> Option<Instant> {
        let patience = if self.pending.is_empty() { Duration::ZERO } else { PATIENCE };
        self.collecting.due().map(|due| due + patience)
    }
}

impl NamespaceMemo {
    /// A pass begins: from now on it looks at what the watch shows of this ExternalSecret.
    pub(super) fn begin(&mut self, name: &str) {
        self.looked_at = Some(name.to_owned());
    }

    /// We wrote the ExternalSecret over the version that this pass saw. Nothing is remembered if the watch has reported a
    /// change since the pass began: it may have shown the write by now, and even that the object was deleted after it.
    pub(super) fn wrote(&mut self, base: Option<&str>, object: ExternalSecret, now: Instant) {
        let is_news = self.looked_at.is_some() && self.looked_at == object.metadata.name;
        self.wrote = is_news.then(|| Wrote { base: base.map(str::to_owned), object: Arc::new(object), at: now });
    }

    /// The watch shows an ExternalSecret at a version, or as deleted: it is no longer behind a write.
    fn shown(&mut self, name: &str, version: Option<&str>) {
        if self.looked_at.as_deref() == Some(name) {
            self.looked_at = None;
        }
        let is_shown =
            |wrote: &Wrote| wrote.object.metadata.name.as_deref() == Some(name) && wrote.base.as_deref() != version;
        if self.wrote.as_ref().is_some_and(is_shown) {
            self.wrote = None;
        }
    }

    /// We deleted the ExternalSecret with this UID.
    pub(super) fn deleted(&mut self, uid: Option<&str>, now: Instant) {
        self.deleted = uid.map(|uid| (uid.to_owned(), now));
    }

    /// The ExternalSecret as of our own write, if the watch does not show that yet.
    pub(super) fn newest(
        &self,
        name: &str,
        shown: Option<Arc<ExternalSecret>>,
        now: Instant,
    ) -> Option<Arc<ExternalSecret>> {
        let version = shown.as_ref().and_then(|shown| shown.metadata.resource_version.as_deref());
        let wrote = self.wrote.as_ref().filter(|wrote| {
            wrote.object.metadata.name.as_deref() == Some(name)
                && wrote.base.as_deref() == version
                && now.duration_since(wrote.at) < WATCH_LAG
        });
        wrote.map(|wrote| Arc::clone(&wrote.object)).or(shown)
    }

    /// Whether we deleted an ExternalSecret that the watch may still show.
    pub(super) fn is_deleted(&self, object: &ExternalSecret, now: Instant) -> bool {
        self.deleted.as_ref().is_some_and(|(uid, at)| {
            object.metadata.uid.as_deref() == Some(uid.as_str()) && now.duration_since(*at) < WATCH_LAG
        })
    }

    /// When to compare again, in case the watch has missed our write.
    pub(super) fn look_again(&self, now: Instant) -> Option<Duration> {
        let at = self.wrote.as_ref().map(|wrote| wrote.at).into_iter().chain(self.deleted.as_ref().map(|(_, at)| *at));
        let end = at.max()? + WATCH_LAG;
        (end > now).then(|| end - now)
    }
}

impl State {
    /// The work queue.
    #[must_use]
    pub(crate) const fn requests(&self) -> &Arc<Requests<Work>> {
        &self.requests
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_all(&self, work: impl IntoIterator<Item = Work>) {
        for work in work {
            self.requests.ask(&work);
        }
    }

    /// A ClusterExternalSecret was added or changed.
    pub(super) fn applied(&self, object: &ClusterExternalSecret) {
        let name = object.metadata.name.clone().unwrap_or_default();
        let fingerprint = fingerprint(object);
        let is_changed = {
            let mut known = self.lock();
            let memo = known.memos.now(&name, object.metadata.uid.as_deref());
            memo.status.shown(object.metadata.resource_version.as_deref());
            std::mem::replace(&mut memo.shown, fingerprint) != fingerprint
        };
        if is_changed {
            self.requests.ask(&Work::whole(&name));
        }
    }

    /// A ClusterExternalSecret was deleted.
    pub(super) fn deleted(&self, name: &str) {
        self.lock().memos.forget(&name.to_owned());
    }

    /// A namespace was added, changed or deleted.
    pub(super) fn namespace_changed(&self, namespace: &str, labels: Option<&BTreeMap<String, String>>) {
        let none = BTreeMap::new();
        let labels = labels.unwrap_or(&none);
        let concerned: Vec<_> = {
            let known = self.lock();
            let concerns = |name: &str, memo: &Memo| {
                let request = memo.compiled.as_ref().and_then(|compiled| compiled.request.as_ref());
                request.is_some_and(|request| request.selection.selects(namespace, labels))
                    || memo.outcomes.contains_key(namespace)
                    || memo.pending.contains(namespace)
                    || known.children.count_in(name, namespace, 1) > 0
            };
            let all = known.memos.iter().filter(|(name, memo)| concerns(name, memo));
            all.map(|(name, _)| Work::namespace(name, namespace)).collect()
        };
        self.ask_all(concerned);
    }

    /// An ExternalSecret was added or changed.
    pub(super) fn external_secret_applied(&self, object: &ExternalSecret) {
        let key = ObjectKey::of(&object.metadata);
        let mut asked = Vec::new();
        {
            let mut known = self.lock();
            known.shown(&key, object.metadata.resource_version.as_deref());
            let wanting = known.wanting(&key.name);
            let change = known.children.applied(object, !wanting.is_empty());
            asked.extend(change.parents.iter().map(|parent| Work::namespace(parent, &key.namespace)));
            if change.is_substantial {
                asked.extend(wanting.iter().map(|name| Work::namespace(name, &key.namespace)));
            }
            if let Some(parent) = change.readiness_of {
                // One with an earlier name may wait for this one.
                if known.children.count_in(&parent, &key.namespace, 2) > 1 {
                    asked.push(Work::namespace(&parent, &key.namespace));
                }
                asked.extend(known.note(&parent));
            }
        }
        self.ask_all(asked);
    }

    /// An ExternalSecret was deleted.
    pub(super) fn external_secret_deleted(&self, key: &ObjectKey) {
        let asked: Vec<_> = {
            let mut known = self.lock();
            known.shown(key, None);
            let parent = known.children.deleted(key);
            let status = parent.as_ref().and_then(|parent| known.note(parent));
            let concerned = known.wanting(&key.name).into_iter().chain(parent);
            concerned.map(|name| Work::namespace(&name, &key.namespace)).chain(status).collect()
        };
        self.ask_all(asked);
    }

    /// Queues what failed while the API server was unreachable.
    pub(super) fn wake_who_await_api_server(&self) {
        let asked: Vec<_> = {
            let known = self.lock();
            let all = known.memos.iter().flat_map(|(name, memo)| {
                let waiting = memo.namespaces.iter().filter(|(_, memo)| memo.awaits_api_server);
                waiting.map(|(namespace, _)| Work::namespace(name, namespace))
            });
            all.collect()
        };
        self.ask_all(asked);
    }

    /// What an object asks for, computed once per change.
    pub(super) fn compiled(&self, object: &ClusterExternalSecret, version: ServedVersion) -> Arc<Compiled> {
        let fingerprint = fingerprint(object);
        let present = self.recall(object, |memo| memo.compiled.clone()).flatten();
        if let Some(compiled) = present.filter(|compiled| compiled.fingerprint == fingerprint) {
            return compiled;
        }
        let compiled = Arc::new(Compiled::of(object, version));
        self.remember(object, |memo| memo.compiled = Some(Arc::clone(&compiled)));
        compiled
    }

    /// Reads what is remembered of an object.
    pub(super) fn recall<T>(&self, object: &ClusterExternalSecret, look: impl FnOnce(&Memo) -> T) -> Option<T> {
        let meta = &object.metadata;
        let known = self.lock();
        known.memos.get(&meta.name.clone().unwrap_or_default(), meta.uid.as_deref()).map(look)
    }

    /// Changes what is remembered of an object, unless another of the same name has replaced it.
    pub(super) fn remember<T>(&self, object: &ClusterExternalSecret, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        let meta = &object.metadata;
        let mut known = self.lock();
        known.memos.get_mut(&meta.name.clone().unwrap_or_default(), meta.uid.as_deref()).map(change)
    }

    /// Begins a pass over a namespace, in which the ExternalSecret has this name. Returns what is remembered of earlier
    /// passes.
    pub(super) fn begin(&self, object: &ClusterExternalSecret, namespace: &str, child: &str) -> Option<NamespaceMemo> {
        self.remember(object, |memo| {
            let memo = memo.namespaces.entry(namespace.to_owned()).or_default();
            memo.begin(child);
            memo.clone()
        })
    }

    /// Reads the ExternalSecrets of ClusterExternalSecrets.
    pub(super) fn children<T>(&self, look: impl FnOnce(&Children) -> T) -> T {
        look(&self.lock().children)
    }

    /// Records the result of the work in a namespace.
    pub(super) fn conclude(
        &self,
        object: &ClusterExternalSecret,
        namespace: &str,
        outcome: Option<Outcome>,
        change: impl FnOnce(&mut NamespaceMemo),
    ) {
        let is_to_be_said = self.remember(object, |memo| {
            let was_last = memo.pending.remove(namespace) && memo.pending.is_empty();
            let is_news = match outcome {
                None => false,
                Some(Outcome::Absent) => memo.outcomes.remove(namespace).is_some(),
                Some(outcome) => memo.outcomes.insert(namespace.to_owned(), outcome.clone()) != Some(outcome),
            };
            change(memo.namespaces.entry(namespace.to_owned()).or_default());
            let is_first = (was_last || is_news) && memo.collecting.note(Instant::now());
            // The status may be waiting for the last of them.
            is_first || was_last
        });
        if is_to_be_said == Some(true) {
            self.requests.ask(&Work::whole(object.metadata.name.as_deref().unwrap_or_default()));
        }
    }

    /// Forgets a namespace in which nothing is left to do.
    pub(super) fn leave(&self, object: &ClusterExternalSecret, namespace: &str) {
        self.conclude(object, namespace, Some(Outcome::Absent), |_| {});
        self.remember(object, |memo| memo.namespaces.remove(namespace));
    }

    /// Starts to compare all namespaces again: those that are selected, and those of which something is known.
    pub(super) fn begin_round(&self, object: &ClusterExternalSecret, compiled: &Compiled, selected: BTreeSet<String>) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let children = self.children(|children| children.namespaces_of(name));
        let now = Instant::now();
        let pending = self.remember(object, |memo| {
            if memo.round.is_none() {
                // What another process found holds until it is checked again.
                let status = object.status.clone().unwrap_or_default();
                memo.outcomes = crate::sync::cluster_external_secret::status::outcomes(&status);
            }
            memo.round = Some(compiled.fingerprint);
            memo.round_due = compiled.refresh.map(|refresh| now + refresh);
            memo.pending = match compiled.request {
                Some(_) => memo.outcomes.keys().cloned().chain(selected).chain(children).collect(),
                None => BTreeSet::new(),
            };
            memo.collecting.note(now);
            memo.pending.clone()
        });
        self.ask_all(pending.into_iter().flatten().map(|namespace| Work::namespace(name, &namespace)));
    }
}

impl Known {
    /// The watch shows an ExternalSecret at a version, or as deleted.
    fn shown(&mut self, child: &ObjectKey, version: Option<&str>) {
        for memo in self.memos.iter_mut() {
            if let Some(memo) = memo.namespaces.get_mut(&child.namespace) {
                memo.shown(&child.name, version);
            }
        }
    }

    /// The ClusterExternalSecrets whose ExternalSecrets have this name.
    fn wanting(&self, child: &str) -> Vec<String> {
        let wants = |memo: &Memo| {
            let request = memo.compiled.as_ref().and_then(|compiled| compiled.request.as_ref());
            request.is_some_and(|request| request.wanted.name() == child)
        };
        self.memos.iter().filter(|(_, memo)| wants(memo)).map(|(name, _)| name.clone()).collect()
    }

    /// A status must change. Returns the work to do that, if this is the first change since the status was written.
    fn note(&mut self, name: &str) -> Option<Work> {
        let memo = self.memos.named_mut(&name.to_owned())?;
        memo.collecting.note(Instant::now()).then(|| Work::whole(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(version: &str) -> ExternalSecret {
        serde_json::from_value(json!({"metadata": {"name": "db", "resourceVersion": version}})).unwrap()
    }

    fn version(memo: &NamespaceMemo, shown: Option<&str>) -> Option<String> {
        let shown = shown.map(|version| Arc::new(child(version)));
        memo.newest("db", shown, Instant::now()).and_then(|object| object.metadata.resource_version.clone())
    }

    fn begun() -> NamespaceMemo {
        let mut memo = NamespaceMemo::default();
        memo.begin("db");
        memo
    }

    #[test]
    fn a_write_counts_until_the_watch_shows_it() {
        let mut memo = begun();
        memo.wrote(None, child("7"), Instant::now());
        assert_eq!(version(&memo, None).as_deref(), Some("7"));
        memo.shown("db", Some("7"));
        assert_eq!(version(&memo, Some("7")).as_deref(), Some("7"));
        memo.shown("db", None);
        assert_eq!(version(&memo, None), None);
    }

    #[test]
    fn what_was_deleted_before_the_answer_to_its_creation_arrived_does_not_count_as_there() {
        let mut memo = begun();
        memo.shown("db", Some("7"));
        memo.shown("db", None);
        memo.wrote(None, child("7"), Instant::now());
        assert_eq!(version(&memo, None), None);
    }

    #[test]
    fn a_write_counts_although_others_of_the_namespace_change_meanwhile() {
        let mut memo = begun();
        memo.shown("theirs", Some("3"));
        memo.wrote(Some("6"), child("7"), Instant::now());
        memo.shown("theirs", None);
        assert_eq!(version(&memo, Some("6")).as_deref(), Some("7"));
    }

    #[test]
    fn news_of_a_former_one_that_is_gone_leave_the_write() {
        let mut memo = begun();
        memo.wrote(None, child("7"), Instant::now());
        memo.shown("db", None);
        assert_eq!(version(&memo, None).as_deref(), Some("7"));
    }
}
