//! The state kept of PushSecrets between passes, and which of them a change wakes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::claims::{Claim, Claims};
use super::holders::Holders;
use super::locks::{Locks, ObjectLock};
use super::recorders::Recorders;
use super::remote_object::{ObjectId, ObjectIds, RemoteObject};
use super::selection::{Labels, Selection};
use super::subject::Subject;
use super::versions::{Current, Listed, SourceKind, Versions, VersionsRead};
use crate::api::v1::StoreKind;
use crate::api::v1alpha1::push_secret::{PushDeletionPolicy, PushGenerated};
use crate::api::v1alpha1::{PushSecret, PushSecretSpec, PushSecretStatus};
use crate::controller::core::key::{ObjectKey, ObjectVersion};
use crate::controller::core::memos::Memos;
use crate::controller::core::reactions::Reactions;
use crate::controller::core::recoveries::Recoveries;
use crate::controller::core::status::Ahead;
use crate::controller::core::work_queue::Requests;
use crate::controller::generators::key::GeneratorKey;
use crate::controller::store_access::key::StoreKey;
use crate::controller::store_access::roles::StoreReaders;
use crate::provider::Recovery;
use crate::sync::minting::force;
use crate::sync::push::record::store_of;
use crate::sync::{SecretData, SecretValue};
use crate::validate::generator;

/// The least time between two writes for one PushSecret, because a Secret may change every second.
const BETWEEN_WRITES: Duration = Duration::from_secs(10);

/// How long the recovery of an object may take, during which it is not there.
const LONGEST_RECOVERY: Duration = Duration::from_mins(5);

/// The most bytes of generated values that are kept in memory until they are pushed, twice those of the largest SSH key. PushSecrets that
/// always fail must not fill the memory.
const LARGEST_MINTED: usize = 16 << 10;

/// The state kept of all PushSecrets.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Requests for passes.
    pub(crate) requests: Arc<Requests<ObjectKey>>,
    /// Cancelled when the first PushSecret appears.
    pub(crate) is_used: CancellationToken,
    recoveries: Recoveries<ObjectKey>,
    known: Mutex<Known>,
    locks: Locks,
}

#[derive(Debug, Default)]
struct Known {
    memos: Memos<ObjectKey, Memo>,
    claims: Claims,
    holders: Holders,
    recorders: Recorders,
    /// When the recovery of an object was last asked for.
    recovered: HashMap<RemoteObject, Instant>,
}

/// The state kept of one PushSecret.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// A hash of the fields whose change makes a pass necessary.
    fingerprint: u64,
    /// What it depends on.
    uses: Uses,
    /// The versions of the Secrets and ConfigMaps that were last read.
    read: VersionsRead,
    /// The status that was written last, until the watch shows it.
    ahead: Ahead<PushSecretStatus>,
    /// The number of changes of what it depends on, and how many of them the last successful pass saw.
    changes: Changes,
    changes_seen: Changes,
    /// A hash of the sources of its objects in that pass, under a key of this process.
    inputs: Option<u64>,
    /// Whether a pass has succeeded since the process began. Until then, the status may be outdated.
    has_succeeded: bool,
    /// Whether a pass over its objects has ended since the process began, so that its claims are known.
    is_seen: bool,
    /// All desired objects; `None` until a pass could determine them.
    wants: Option<ObjectIds>,
    /// When a provider was last written to.
    written: Option<Instant>,
    /// Limits the passes that a change of its sources asks for.
    reactions: Reactions,
    /// Since when there is nothing to push.
    absent_since: BTreeMap<Absence, Instant>,
    /// Since when recorded objects are not desired, by the store and key in the status.
    unwanted_since: BTreeMap<(String, String), Instant>,
    /// The sources of its objects, as they were last seen at the provider.
    made: BTreeMap<ObjectId, Made>,
    /// A hash of the ignored entries that were last published.
    superseded: u64,
    /// Deleted objects that will be recovered and then written, whatever the policy says, by the store and remote key in the status.
    recovering: BTreeMap<String, BTreeSet<String>>,
    /// Generated values that have not been written everywhere yet.
    minted: Option<Minted>,
    failures: u32,
    awaits_api_server: bool,
}

/// How often something changed that a PushSecret depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Changes of the sources of its objects. Comparing them shows whether they matter.
    inputs: u64,
    /// Changes of anything else.
    others: u64,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Absence {
    /// The Secret does not exist, or none is selected.
    Source,
    /// No key of the Secret is selected.
    Selection,
}

/// The sources of an object. A template may render another value each time; the existing version stays valid as long as the sources are
/// the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// A hash of the sources.
    pub(super) inputs: u64,
    /// The version at the provider.
    pub(super) version: String,
    /// A hash of the desired form at that time.
    pub(super) digest: u64,
}

/// Generated values that have not been written everywhere yet. A retry must not generate others.
#[derive(Clone)]
pub(super) struct Minted {
    /// The values.
    pub(super) values: SecretData,
    /// What the status records about them.
    pub(super) record: PushGenerated,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("record", &self.record).finish_non_exhaustive()
    }
}

/// What a PushSecret depends on.
#[derive(Debug, Default)]
struct Uses {
    /// The Secrets that are named, and the sources of templates.
    names: BTreeSet<String>,
    /// The label selectors for Secrets of the namespace.
    selects: Option<Selection>,
    /// The generator.
    generator: Option<GeneratorKey>,
    /// The stores that are named in the spec or recorded in the status.
    stores: BTreeSet<StoreKey>,
    /// The stores with recorded objects.
    recorded: BTreeSet<StoreKey>,
    /// Kinds of stores of which any may be selected.
    store_kinds: BTreeSet<StoreKind>,
    /// Whether what it has written is deleted with it, for which the stores must remain.
    holds_stores: bool,
}

impl Uses {
    fn of(object: &PushSecret) -> Self {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        // The clone takes its parsed form away with it.
        let clone = object.spec.clone();
        let Ok(spec) = clone.get() else { return Self::default() };
        let mut uses = Self::of_spec(spec, namespace);
        let recorded = object.status.iter().flat_map(|status| status.synced_push_secrets.keys());
        let recorded = recorded.filter_map(|key| store_of(key));
        uses.recorded = recorded.map(|(kind, name)| StoreKey::referenced(kind, namespace, name)).collect();
        uses.stores.extend(uses.recorded.iter().cloned());
        uses
    }

    fn of_spec(spec: &PushSecretSpec, namespace: &str) -> Self {
        let mut uses = Self { holds_stores: spec.deletion_policy == PushDeletionPolicy::Delete, ..Self::default() };
        if let Some(secret) = &spec.selector.secret {
            if let Some(name) = secret.name.as_deref().filter(|name| !name.is_empty()) {
                uses.names.insert(name.to_owned());
            } else {
                uses.selects = secret.selector.as_ref().and_then(Selection::of);
            }
        }
        if let Some(reference) = &spec.selector.generator_ref
            && let Ok(kind) = generator::kind(reference)
        {
            uses.generator = Some(GeneratorKey::referenced(kind, namespace, &reference.name));
        }
        for from in spec.template.iter().flat_map(|template| &template.template_from) {
            uses.names.extend(from.secret.iter().chain(&from.config_map).map(|reference| reference.name.clone()));
        }
        for reference in &spec.secret_store_refs {
            let kind = reference.kind.unwrap_or_default();
            match (&reference.label_selector, reference.name.as_deref()) {
                (Some(_), _) => drop(uses.store_kinds.insert(kind)),
                (None, Some(name)) => drop(uses.stores.insert(StoreKey::referenced(kind, namespace, name))),
                (None, None) => {}
            }
        }
        uses
    }

    /// The named stores that must remain.
    fn held(&self) -> BTreeSet<StoreKey> {
        let held = self.stores.iter().filter(|store| self.holds_stores && self.may_hold(store));
        held.cloned().collect()
    }

    /// Only recorded objects hold a ClusterSecretStore, because anybody may name one.
    fn may_hold(&self, store: &StoreKey) -> bool {
        store.kind == StoreKind::SecretStore || self.recorded.contains(store)
    }

    fn uses_store(&self, of: &ObjectKey, store: &StoreKey) -> bool {
        let is_near = store.kind == StoreKind::ClusterSecretStore || store.object.namespace == of.namespace;
        self.stores.contains(store) || (is_near && self.store_kinds.contains(&store.kind))
    }
}

/// The state when a pass begins.
pub(super) struct Remembered {
    /// Whether its objects must be compared because something changed, or because the last pass failed.
    pub(super) is_outdated: bool,
    /// Whether the sources of its objects may have changed.
    pub(super) is_in_doubt: bool,
    /// Whether the last pass failed.
    pub(super) has_failed: bool,
    /// A hash of their last sources; see [`Mark::content`](super::marks::Mark::content).
    pub(super) inputs: Option<u64>,
    pub(super) changes: Changes,
    /// How long to wait after a write a moment ago.
    pub(super) pause: Option<Duration>,
    /// The rest of the grace period of recorded objects that are not desired.
    pub(super) patience: Option<Duration>,
}

impl Known {
    fn note_change<'a>(&mut self, concerned: impl IntoIterator<Item = &'a ObjectKey>) {
        for key in concerned {
            if let Some(memo) = self.memos.named_mut(key) {
                memo.changes.others += 1;
            }
        }
    }
}

impl Known {
    fn concerned(&self, concerns: impl Fn(&ObjectKey, &Memo) -> bool) -> Vec<ObjectKey> {
        self.memos.iter().filter(|(key, memo)| concerns(key, memo)).map(|(key, _)| key.clone()).collect()
    }
}

impl State {
    fn lock_known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_all(&self, keys: impl IntoIterator<Item = ObjectKey>) {
        for key in keys {
            self.requests.ask(&key);
        }
    }

    /// The watch shows a PushSecret. Returns the stores that got their first holder or lost their last one.
    pub(super) fn applied(&self, object: &PushSecret) -> Vec<StoreKey> {
        let key = ObjectKey::of(&object.metadata);
        let fingerprint = fingerprint(object);
        let uses = Uses::of(object);
        let (is_changed, held) = {
            let mut known = self.lock_known();
            let memo = known.memos.now(&key, object.metadata.uid.as_deref());
            memo.ahead.shown(object.metadata.resource_version.as_deref());
            let needed = uses.held();
            memo.uses = uses;
            let is_changed = std::mem::replace(&mut memo.fingerprint, fingerprint) != fingerprint;
            known.recorders.set(&key, object.status.as_ref());
            (is_changed, known.holders.set(&key, needed))
        };
        self.is_used.cancel();
        if is_changed {
            self.requests.ask(&key);
        }
        held
    }

    /// A PushSecret was deleted. Returns the stores that lost their last holder.
    pub(super) fn deleted(&self, key: &ObjectKey) -> Vec<StoreKey> {
        let (concerned, held) = {
            let mut known = self.lock_known();
            let held = known.holders.set(key, BTreeSet::new());
            known.memos.forget(key);
            known.recorders.set(key, None);
            let concerned = known.claims.retain(key, |_| false);
            known.note_change(&concerned);
            (concerned, held)
        };
        self.recoveries.end(key);
        self.ask_all(concerned);
        held
    }

    /// A Secret or ConfigMap has this version now, or was deleted. Wakes only PushSecrets that have not read this version yet, and those that
    /// are just reading: an object may come and go meanwhile.
    pub(super) fn source_changed(&self, kind: SourceKind, meta: &ObjectMeta, version: Option<&ObjectVersion>) {
        let source = ObjectKey::of(meta);
        let current = Current::of(kind, &source.name, version);
        let labels = Labels::of(meta.labels.as_ref());
        self.touched(|key, memo| {
            let is_used = || {
                let uses = &memo.uses;
                let is_selected = kind == SourceKind::Secret
                    && uses.selects.as_ref().is_some_and(|selection| selection.may_select(&labels));
                let may_be_read = memo.read.is_under_way() && uses.selects.is_some();
                uses.names.contains(&source.name) || is_selected || may_be_read || memo.read.has(current)
            };
            key.namespace == source.namespace && !memo.read.is_current(current) && is_used()
        });
    }

    /// These are all objects of a kind. Wakes PushSecrets that have read one that is not there: the watch does not report what was deleted
    /// while it was interrupted.
    pub(super) fn sources_listed(&self, listed: &Listed) {
        self.touched(|key, memo| memo.read.has_missing(&key.namespace, listed));
    }

    /// A generator was created, changed or deleted. Wakes the PushSecrets that failed because of it; others keep their values.
    pub(crate) fn generator_changed(&self, generator: &GeneratorKey) {
        self.changed(|_, memo| memo.failures > 0 && memo.uses.generator.as_ref() == Some(generator));
    }

    /// The generated values of an unfinished pass, if the generator still asks for the same.
    pub(super) fn still_to_be_pushed(&self, subject: Subject<'_>) -> Option<Minted> {
        let meta = &subject.object.metadata;
        let (generation, forced) = (meta.generation, force(meta));
        let minted = self.remember(subject, |memo| memo.minted.clone()).flatten()?;
        (minted.record.generation == generation && minted.record.forced == forced).then_some(minted)
    }

    fn changed(&self, concerns: impl Fn(&ObjectKey, &Memo) -> bool) {
        let concerned: Vec<_> = {
            let mut known = self.lock_known();
            let keys = known.concerned(concerns);
            known.note_change(&keys);
            keys
        };
        self.ask_all(concerned);
    }

    /// A source of objects changed.
    fn touched(&self, concerns: impl Fn(&ObjectKey, &Memo) -> bool) {
        let concerned: Vec<_> = {
            let mut known = self.lock_known();
            let keys = known.concerned(concerns);
            for key in &keys {
                if let Some(memo) = known.memos.named_mut(key) {
                    memo.changes.inputs += 1;
                }
            }
            keys
        };
        for key in concerned {
            self.requests.suggest(&key);
        }
    }

    /// Makes these PushSecrets compare their objects, whether anything has changed or not.
    pub(super) fn have_look(&self, keys: &[ObjectKey]) {
        self.lock_known().note_change(keys);
        self.ask_all(keys.iter().cloned());
    }

    /// Asks for passes over the PushSecrets that failed while the API server was unavailable.
    pub(super) fn wake_who_await_api_server(&self) {
        let waiting: Vec<_> = {
            let known = self.lock_known();
            known.memos.iter().filter(|(_, memo)| memo.awaits_api_server).map(|(key, _)| key.clone()).collect()
        };
        self.ask_all(waiting);
    }

    /// Asks for a pass when a provider has recovered, or never if the provider no longer exists.
    pub(super) fn wake_after(self: &Arc<Self>, recovery: Option<&Recovery>, key: &ObjectKey) {
        let Some(recovery) = recovery else { return self.recoveries.end(key) };
        let (state, woken) = (Arc::downgrade(self), key.clone());
        self.recoveries.wait(key, recovery, move || {
            if let Some(state) = state.upgrade() {
                state.requests.ask(&woken);
            }
        });
    }

    /// The status that was written last, until the watch shows it.
    pub(super) fn ahead(&self, key: &ObjectKey) -> Ahead<PushSecretStatus> {
        self.lock_known().memos.named(key).map(|memo| memo.ahead.clone()).unwrap_or_default()
    }

    /// The state for a pass that begins.
    /// What is not wanted is given `grace`.
    pub(super) fn begin(&self, key: &ObjectKey, object: &PushSecret, now: Instant, grace: Duration) -> Remembered {
        let mut known = self.lock_known();
        let memo = known.memos.now(key, object.metadata.uid.as_deref());
        let first = memo.unwanted_since.values().min();
        let patience = first.map(|since| grace.saturating_sub(now.duration_since(*since)));
        let is_over = patience.is_some_and(|wait| wait.is_zero());
        let is_outdated = memo.changes.others != memo.changes_seen.others || memo.failures > 0 || is_over;
        let is_in_doubt = !memo.has_succeeded || memo.changes.inputs != memo.changes_seen.inputs;
        let pause = memo.written.and_then(|written| (written + BETWEEN_WRITES).checked_duration_since(now));
        Remembered {
            is_outdated,
            is_in_doubt,
            has_failed: memo.failures > 0,
            inputs: memo.inputs,
            changes: memo.changes,
            pause: pause.filter(|pause| !pause.is_zero()),
            patience,
        }
    }

    /// Changes the state of a PushSecret, unless it was replaced by another of the same name.
    pub(super) fn remember<T>(&self, subject: Subject<'_>, change: impl FnOnce(&mut Memo) -> T) -> Option<T> {
        self.lock_known().memos.get_mut(subject.key, subject.uid()).map(change)
    }

    /// Records all desired objects of a PushSecret, so that others do not delete them. `None` if not all could be determined; then its
    /// recorded objects count.
    pub(super) fn wants(&self, subject: Subject<'_>, wants: Option<BTreeSet<RemoteObject>>) {
        let concerned = {
            let mut known = self.lock_known();
            let Known { memos, claims, .. } = &mut *known;
            let Some(memo) = memos.get_mut(subject.key, subject.uid()) else { return };
            memo.wants = wants.map(|wants| wants.iter().collect());
            let Some(wants) = &memo.wants else { return };
            memo.made.retain(|object, _| wants.contains(*object));
            let concerned = claims.retain(subject.key, |object| wants.contains(object));
            known.note_change(&concerned);
            concerned
        };
        self.ask_all(concerned);
    }

    /// Records that an object is in the state that a PushSecret desires, and wakes those who share the object. Only this claims an object:
    /// a PushSecret that cannot write it must not keep others from it.
    pub(super) fn claim(&self, subject: Subject<'_>, object: &RemoteObject, claim: Claim) {
        let concerned = {
            let mut known = self.lock_known();
            if known.memos.get_mut(subject.key, subject.uid()).is_none() {
                return;
            }
            let concerned = known.claims.set(subject.key, object, claim);
            known.note_change(&concerned);
            concerned
        };
        self.ask_all(concerned);
    }

    /// A PushSecret has lost its access to an object.
    pub(super) fn disclaim(&self, key: &ObjectKey, object: &RemoteObject) {
        let concerned = {
            let mut known = self.lock_known();
            let object = ObjectId::of(object);
            let concerned = known.claims.retain(key, |other| other != object);
            known.note_change(&concerned);
            concerned
        };
        self.ask_all(concerned);
    }

    /// See [`Claims::older`].
    pub(super) fn older(&self, object: &RemoteObject, claimant: &ObjectKey, claim: Claim) -> Option<ObjectKey> {
        self.lock_known().claims.older(object, claimant, claim).cloned()
    }

    /// The others that may want an object: those that have written it, and those that have recorded something with this name, unless they
    /// are known to want it no longer.
    pub(super) fn who_may_want(&self, object: &RemoteObject, but: &ObjectKey) -> Interested {
        let known = self.lock_known();
        let recorded = known.recorders.of(object.name.as_str()).filter(|key| *key != but);
        let may_want = |key: &&ObjectKey| {
            let wants = known.memos.named(key).and_then(|memo| memo.wants.as_ref());
            wants.is_none_or(|wants| wants.contains(ObjectId::of(object)))
        };
        Interested {
            claimed: known.claims.others(object, but).cloned().collect(),
            recorded: recorded.filter(may_want).cloned().collect(),
        }
    }

    /// The PushSecrets that have recorded something with the name of an object, and have had no pass since the process began. They soon
    /// will.
    pub(super) fn unseen_recorders(&self, object: &RemoteObject, but: &ObjectKey) -> Vec<ObjectKey> {
        let known = self.lock_known();
        let is_unseen = |key: &&ObjectKey| *key != but && known.memos.named(key).is_some_and(|memo| !memo.is_seen);
        known.recorders.of(object.name.as_str()).filter(is_unseen).cloned().collect()
    }

    /// The deleted objects that will be recovered and then written, as far as this process has found them.
    pub(super) fn recovering(&self, subject: Subject<'_>) -> BTreeMap<String, BTreeSet<String>> {
        self.remember(subject, |memo| memo.recovering.clone()).unwrap_or_default()
    }

    /// The recovery of an object was asked for, or may have been.
    pub(super) fn recovers(&self, object: &RemoteObject, now: Instant) {
        let mut known = self.lock_known();
        known.recovered.retain(|_, asked| now.duration_since(*asked) < LONGEST_RECOVERY);
        known.recovered.insert(object.clone(), now);
    }

    /// Whether an object that is not there may come back, since its recovery was asked for.
    pub(super) fn may_come_back(&self, object: &RemoteObject, now: Instant) -> bool {
        let asked = self.lock_known().recovered.get(object).copied();
        asked.is_some_and(|asked| now.duration_since(asked) < LONGEST_RECOVERY)
    }

    /// An object exists.
    pub(super) fn is_there(&self, object: &RemoteObject) {
        self.lock_known().recovered.remove(object);
    }

    /// The lock that keeps two passes from writing an object at the same time.
    pub(super) fn lock(&self, object: &RemoteObject) -> Arc<ObjectLock> {
        self.locks.of(object)
    }

    /// The sources that an object was last made from for a PushSecret.
    pub(super) fn made(&self, subject: Subject<'_>, object: &RemoteObject) -> Option<Made> {
        self.remember(subject, |memo| memo.made.get(&ObjectId::of(object)).cloned()).flatten()
    }
}

impl Memo {
    /// A status was written over the version that the watch shows.
    pub(super) fn status_written(&mut self, base: Option<&str>, status: &PushSecretStatus) {
        self.ahead.wrote(base, status);
    }

    /// Begins a pass that is not due, or follows a failure, if one is allowed now: anybody may change a Secret all the time.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn reacts(&mut self, now: Instant) -> Result<(), Duration> {
        self.reactions.take(now)
    }

    /// A provider was written to.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.written = Some(now);
    }

    /// Nothing had changed, as of the changes until then. The objects were not compared.
    pub(super) fn settled(&mut self, changes: Changes) {
        self.changes_seen = changes;
        self.has_succeeded = true;
    }

    /// Everything is in its desired state, as of the changes until then. `inputs` is a hash of the sources.
    pub(super) fn succeeded(&mut self, changes: Changes, inputs: Option<u64>) {
        self.settled(changes);
        self.inputs = inputs;
        self.is_seen = true;
        self.absent_since.clear();
        self.recovering.clear();
        self.minted = None;
        (self.failures, self.awaits_api_server) = (0, false);
    }

    /// A pass failed. Returns how often in a row.
    pub(super) fn failed(&mut self, is_outage_of_api_server: bool) -> u32 {
        self.is_seen = true;
        self.failures = self.failures.saturating_add(1);
        self.awaits_api_server = is_outage_of_api_server;
        self.failures
    }

    /// A deleted object will be recovered and then written.
    pub(super) fn recovers(&mut self, store: String, remote_key: String) {
        self.recovering.entry(store).or_default().insert(remote_key);
    }

    /// It belongs to another controller.
    pub(super) fn not_ours(&mut self) {
        self.is_seen = true;
    }

    /// Secrets and ConfigMaps are read from now on.
    pub(super) fn reads(&mut self) {
        self.read.begin();
    }

    /// These versions were read.
    pub(super) fn read(&mut self, versions: &Versions) {
        self.read = versions.into();
    }

    /// These values were generated. Those that are too large to be kept are generated again by a retry.
    pub(super) fn minted(&mut self, minted: Minted) {
        let size = |(key, value): (&String, &SecretValue)| key.len() + value.expose_secret().len();
        self.minted = Some(minted).filter(|minted| minted.values.iter().map(size).sum::<usize>() <= LARGEST_MINTED);
    }

    /// There is nothing to push. Returns since when.
    pub(super) fn absent(&mut self, what: Absence, now: Instant) -> Instant {
        *self.absent_since.entry(what).or_insert(now)
    }

    /// There is something to push again.
    pub(super) fn present(&mut self, what: Absence) {
        self.absent_since.remove(&what);
    }

    /// These recorded objects are not desired. Returns since when, in their order.
    pub(super) fn unwanted(&mut self, records: &[(String, String)], now: Instant) -> Vec<Instant> {
        let before = std::mem::take(&mut self.unwanted_since);
        let since = |record| before.get(record).copied().unwrap_or(now);
        let all: Vec<_> = records.iter().map(since).collect();
        self.unwanted_since = records.iter().cloned().zip(all.iter().copied()).collect();
        all
    }

    /// An object is in its desired state, found or written.
    pub(super) fn made(&mut self, object: &RemoteObject, made: Made) {
        self.made.insert(ObjectId::of(object), made);
    }

    /// These entries are ignored. Returns whether that is news.
    pub(super) fn superseded(&mut self, hash: u64) -> bool {
        std::mem::replace(&mut self.superseded, hash) != hash
    }
}

/// Who may want an object.
pub(super) struct Interested {
    /// Those that have written it, or found it in the state they desire.
    pub(super) claimed: Vec<ObjectKey>,
    /// Those that have recorded an object with this name, in this vault or another.
    pub(super) recorded: Vec<ObjectKey>,
}

/// A hash of the fields whose change makes a pass necessary. The status is not among them.
fn fingerprint(object: &PushSecret) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.labels, &meta.annotations, &meta.finalizers).hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

impl StoreReaders for State {
    fn read(&self, store: &StoreKey) -> bool {
        self.lock_known().memos.iter().any(|(key, memo)| memo.uses.uses_store(key, store))
    }

    fn wake(&self, store: &StoreKey) {
        self.touched(|key, memo| memo.uses.uses_store(key, store));
    }

    fn holders(&self, store: &StoreKey) -> Vec<ObjectKey> {
        let known = self.lock_known();
        let holds =
            |key: &ObjectKey, uses: &Uses| uses.holds_stores && uses.may_hold(store) && uses.uses_store(key, store);
        let holders = known.memos.iter().filter(|(key, memo)| holds(key, &memo.uses));
        let mut holders: Vec<_> = holders.map(|(key, _)| key.clone()).collect();
        holders.sort_unstable();
        holders
    }
}
