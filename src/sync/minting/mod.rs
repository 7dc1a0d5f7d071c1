//! Decides whether values of generators are minted, kept or requested again.
//!
//! A password cannot be reproduced, so a minted value stays until it is due or somebody asks for another. A [`Record`]
//! on the target says what was made when. Without one, as on a Secret that ESO wrote, the content of the target
//! decides.

pub(super) mod annotation;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::SecretSlice;

use super::refresh::Reason;
use super::target::Owner;
use super::windows::{self, Permit};
use super::{SecretData, SecretValue, hash, managed_fields};
use crate::api::LABEL_OWNER;
use crate::api::v1::external_secret::{
    CreationPolicy, DEFAULT_REFRESH_INTERVAL, ExternalSecretSpec, ExternalSecretStatus, ExternalSecretTemplate,
    RefreshPolicy, TemplateMergePolicy,
};
use crate::generator::Making;

pub use record::{LONGEST as LONGEST_RECORD, Record, Recorded, Rendered, entry_hash, force};

/// An entry of `dataFrom` that names a generator.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its index in `spec.dataFrom`.
    pub index: usize,
    /// Its hash: see [`entry_hash`].
    pub hash: String,
    /// Whether its values can be obtained again.
    pub making: Making,
    /// The keys of its values after the rewrites; `None` if they depend on the values.
    pub keys: Option<BTreeSet<String>>,
}

/// An existing target.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Its metadata, with `managedFields`.
    pub meta: &'a ObjectMeta,
    /// Its values; `None` if it is not a Secret.
    pub data: Option<&'a BTreeMap<String, ByteString>>,
    /// Whether it still is what was last written.
    pub is_intact: bool,
}

/// What a decision depends on.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The ExternalSecret.
    pub owner: Owner<'a>,
    /// Its status before this sync.
    pub status: Option<&'a ExternalSecretStatus>,
    /// Why it is synced.
    pub reason: Reason,
    /// The target, if it exists.
    pub target: Option<Target<'a>>,
    /// A hash of the templates in ConfigMaps and Secrets, as they are now; `None` if there are none, or if nothing
    /// depends on it ([`needs_texts`]).
    pub texts: Option<&'a str>,
    /// The time now.
    pub now: Timestamp,
}

/// What to do with the values of generators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing will be written, whatever the values, so make none.
    NotWritten,
    /// Leave the target as it is, and render nothing.
    Leave {
        /// The keys that were written; any others belong to somebody else. `None` if that is unknown.
        written: Option<BTreeSet<String>>,
    },
    /// One choice per entry, in order.
    Each(Vec<Choice>),
}

/// What to do with the values of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Mint them.
    Mint(Cause),
    /// Keep those in the target.
    Keep {
        /// Their keys.
        keys: BTreeSet<String>,
        /// When they were made, if known.
        made: Option<Timestamp>,
    },
    /// Request them.
    Renew,
}

/// Why values are minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no target, it belongs to somebody else, or it does not have these values yet.
    New,
    /// They are due.
    Due,
    /// A person asked for it with the annotation `force-sync`.
    Forced,
    /// The entry differs from the one that made the current values.
    EntryChanged,
    /// Somebody changed or removed them in the target.
    Lost,
    /// The template must be rendered again, and its input no longer exists.
    Rendered,
}

/// Decides what to do with the values of generators. The entries are those of `spec.dataFrom`, in order.
#[must_use]
pub fn decide(situation: Situation<'_>, entries: &[Entry]) -> Decision {
    let all = |cause| Decision::Each(entries.iter().map(|entry| made(entry, cause)).collect());
    match question(situation, entries) {
        Question::NotWritten => Decision::NotWritten,
        Question::Immutable => Decision::Leave { written: None },
        Question::New => all(Cause::New),
        Question::Whole(target) => match Look::at(situation, target, entries).of_rendered() {
            Ok(written) => Decision::Leave { written },
            Err(cause) => all(cause),
        },
        Question::Entries(target) => {
            let look = Look::at(situation, target, entries);
            Decision::Each(entries.iter().map(|entry| look.of_entry(entry)).collect())
        }
    }
}

/// Whether the decision depends on the templates in ConfigMaps and Secrets ([`Situation::texts`]).
#[must_use]
pub fn needs_texts(situation: Situation<'_>, entries: &[Entry]) -> bool {
    matches!(question(situation, entries), Question::Whole(_)) && !is_once(situation.owner.spec)
}

/// What there is to decide.
enum Question<'a> {
    /// Nothing, because the target is not written.
    NotWritten,
    /// Nothing, because the target may not change.
    Immutable,
    /// Nothing, because there is no target yet.
    New,
    /// Whether the target stays as it is: its values were made from minted ones, which are stored nowhere else.
    Whole(Target<'a>),
    /// Which entries keep their values.
    Entries(Target<'a>),
}

fn question<'a>(situation: Situation<'a>, entries: &[Entry]) -> Question<'a> {
    let owner = situation.owner;
    let policy = owner.creation_policy();
    let Some(target) = situation.target else {
        let is_made = !matches!(policy, CreationPolicy::None | CreationPolicy::Merge);
        return if is_made { Question::New } else { Question::NotWritten };
    };
    if policy == CreationPolicy::None {
        return Question::NotWritten;
    }
    if owner.spec.target.as_ref().is_some_and(|target| target.immutable == Some(true)) {
        return Question::Immutable;
    }
    let has_minted = entries.iter().any(|entry| entry.making == Making::Minted);
    if has_minted && is_kept_as_a_whole(owner, entries) { Question::Whole(target) } else { Question::Entries(target) }
}

/// The template that makes the target's data. Without one, values are in the target as they were made.
fn template(spec: &ExternalSecretSpec) -> Option<&ExternalSecretTemplate> {
    spec.target.as_ref()?.template.as_deref().filter(|template| template.makes_data())
}

/// Whether values cannot be taken from the target one by one, so that it stays as it is or is made again as a whole.
fn is_kept_as_a_whole(owner: Owner<'_>, entries: &[Entry]) -> bool {
    let leaves = |template| !is_once(owner.spec) && leaves_minted(template, entries);
    owner.manifest().is_some() || template(owner.spec).is_some_and(|template| !leaves(template))
}

/// Whether a template adds to the values and certainly replaces no minted one, so that these are in the target, too.
fn leaves_minted(template: &ExternalSecretTemplate, entries: &[Entry]) -> bool {
    let is_replaced = |key: &String| template.data.iter().flatten().any(|(replaced, _)| replaced == key);
    let mut minted = entries.iter().filter(|entry| entry.making == Making::Minted);
    // Which keys `templateFrom` makes is known only when it is rendered.
    template.merge_policy == TemplateMergePolicy::Merge
        && template.template_from.is_empty()
        && minted.all(|entry| entry.keys.as_ref().is_some_and(|keys| !keys.iter().any(is_replaced)))
}

fn made(entry: &Entry, cause: Cause) -> Choice {
    match entry.making {
        Making::Minted => Choice::Mint(cause),
        Making::Renewed => Choice::Renew,
    }
}

/// What is known of an existing target.
struct Look<'a> {
    situation: Situation<'a>,
    target: Target<'a>,
    record: Option<Record>,
    by_entry: BTreeMap<usize, Recorded>,
    /// The keys that this ExternalSecret wrote and nobody has since; `None` if that is unknown.
    own_keys: Option<BTreeSet<String>>,
    is_ours: bool,
    /// Somebody else's target that already has all keys, and is kept.
    is_taken_over: bool,
    forced: bool,
}

impl<'a> Look<'a> {
    fn at(situation: Situation<'a>, target: Target<'a>, entries: &[Entry]) -> Self {
        let owner = situation.owner;
        let record = Record::read(target.meta, owner);
        let hashes = entries.iter().map(|entry| (entry.index, entry.hash.as_str()));
        let by_entry = record.as_ref().map(|record| record.by_entry(hashes)).unwrap_or_default();
        let by_entry = by_entry.into_iter().map(|(index, recorded)| (index, recorded.clone())).collect();
        let writer = hash::field_manager(owner.name());
        let managed = managed_fields::of(target.meta, &writer).data;
        let is_known = target.meta.managed_fields.as_ref().is_some_and(|fields| !fields.is_empty());
        let label = target.meta.labels.as_ref().and_then(|labels| labels.get(LABEL_OWNER));
        let is_labeled = label.is_some_and(|label| *label == hash::owner_label(owner.namespace(), owner.name()));
        let is_ours = record.is_some() || is_labeled || !managed.is_empty();
        let forced = is_forced(situation, record.as_ref());
        let mut look = Self {
            situation,
            target,
            record,
            by_entry,
            own_keys: is_known.then(|| managed_fields::own_data(target.meta, &writer)),
            is_ours,
            is_taken_over: false,
            forced,
        };
        look.is_taken_over = !is_ours
            && situation.reason == Reason::First
            && policy(owner.spec) == RefreshPolicy::CreatedOnce
            && look.has_all(entries);
        look
    }

    /// Whether the target has all requested keys.
    fn has_all(&self, entries: &[Entry]) -> bool {
        if let Some(template) = template(self.situation.owner.spec) {
            let named = template.data.iter().flatten().map(|(key, _)| key);
            let named: BTreeSet<_> = named.cloned().collect();
            return template.template_from.is_empty() && !named.is_empty() && self.has(&named);
        }
        let minted = entries.iter().filter(|entry| entry.making == Making::Minted);
        minted.into_iter().all(|entry| entry.keys.as_ref().is_some_and(|keys| self.has(keys)))
    }

    fn has(&self, keys: &BTreeSet<String>) -> bool {
        !keys.is_empty() && self.lacks_none_of(keys)
    }

    fn lacks_none_of(&self, keys: &BTreeSet<String>) -> bool {
        self.target.data.is_some_and(|data| keys.iter().all(|key| data.contains_key(key)))
    }

    /// Whether the values under these keys are as they were written. A template may also have made none.
    fn are_intact(&self, keys: &BTreeSet<String>) -> bool {
        let nobody_since = || self.own_keys.as_ref().is_none_or(|own| keys.is_subset(own));
        self.lacks_none_of(keys) && (self.target.is_intact || nobody_since())
    }

    fn of_entry(&self, entry: &Entry) -> Choice {
        if entry.making == Making::Renewed {
            return Choice::Renew;
        }
        let recorded = self.by_entry.get(&entry.index);
        let Some(keys) = recorded.map(|recorded| &recorded.keys).or(entry.keys.as_ref()) else {
            return Choice::Mint(Cause::New);
        };
        let keep = || Choice::Keep { keys: keys.clone(), made: recorded.map(|recorded| recorded.made) };
        if self.is_taken_over {
            return keep();
        }
        if !self.is_ours || (recorded.is_none() && !self.has(keys)) {
            return Choice::Mint(Cause::New);
        }
        if self.has_instead(keys) {
            return Choice::Mint(Cause::Rendered);
        }
        if !self.are_intact(keys) {
            return Choice::Mint(Cause::Lost);
        }
        if is_once(self.situation.owner.spec) {
            return keep();
        }
        if recorded.is_none() && self.record.is_some() {
            return Choice::Mint(Cause::EntryChanged);
        }
        if self.forced {
            return Choice::Mint(Cause::Forced);
        }
        if is_due(self.situation, recorded.map(|recorded| recorded.made)) {
            return Choice::Mint(Cause::Due);
        }
        keep()
    }

    /// Whether the target has, under these keys, what another template made of the values, or nothing.
    fn has_instead(&self, keys: &BTreeSet<String>) -> bool {
        let rendered = self.record.as_ref().and_then(|record| record.rendered.as_ref());
        let other = rendered.filter(|rendered| rendered.of != record::shape(self.situation.owner.spec));
        other.is_some_and(|other| !self.has(keys) || !keys.is_disjoint(&other.keys))
    }

    /// For a target that a template produces: whether it stays, with the keys that were written, or why it is made
    /// again.
    fn of_rendered(&self) -> Result<Option<BTreeSet<String>>, Cause> {
        let Situation { owner, status, reason, .. } = self.situation;
        if self.is_taken_over {
            return Ok(None);
        }
        if !self.is_ours {
            return Err(Cause::New);
        }
        let rendered = self.record.as_ref().and_then(|record| record.rendered.as_ref());
        let is_intact = match rendered {
            Some(rendered) if self.target.data.is_some() => self.are_intact(&rendered.keys),
            _ => self.target.is_intact,
        };
        if !is_intact {
            return Err(Cause::Lost);
        }
        let written = rendered.map(|rendered| rendered.keys.clone());
        if is_once(owner.spec) {
            return Ok(written);
        }
        // The reason `TemplatesChanged` may only mean that the templates were read for the first time since a start.
        let is_outdated = match rendered {
            Some(rendered) => {
                rendered.of != record::shape(owner.spec) || rendered.has_other_texts(self.situation.texts)
            }
            // All that ESO recorded is the generation.
            None => reason == Reason::Changed && !has_generation(status, owner.meta),
        };
        if is_outdated || reason == Reason::Expiry {
            return Err(Cause::Rendered);
        }
        if self.forced {
            return Err(Cause::Forced);
        }
        let made = self.record.iter().flat_map(|record| &record.entries).map(|recorded| recorded.made).min();
        if is_due(self.situation, made) { Err(Cause::Due) } else { Ok(written) }
    }
}

/// Whether the status is about this generation of the spec.
fn has_generation(status: Option<&ExternalSecretStatus>, meta: &ObjectMeta) -> bool {
    let synced = status.and_then(|status| status.synced_resource_version.as_deref()).unwrap_or_default();
    let generation = synced.split_once('-').and_then(|(generation, _)| generation.parse().ok());
    generation.is_some() && generation == meta.generation
}

fn policy(spec: &ExternalSecretSpec) -> RefreshPolicy {
    spec.refresh_policy.unwrap_or(RefreshPolicy::Periodic)
}

/// The interval after which values are made again, if ever.
fn interval(spec: &ExternalSecretSpec) -> Option<std::time::Duration> {
    let is_periodic = policy(spec) == RefreshPolicy::Periodic;
    spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().filter(|_| is_periodic)
}

/// Whether values are made only once, whatever changes later.
#[must_use]
pub fn is_once(spec: &ExternalSecretSpec) -> bool {
    policy(spec) == RefreshPolicy::CreatedOnce || (policy(spec) == RefreshPolicy::Periodic && interval(spec).is_none())
}

/// Whether a person asks for new values. A request made before the record or status was written has been fulfilled.
fn is_forced(situation: Situation<'_>, record: Option<&Record>) -> bool {
    if situation.reason == Reason::First {
        return false;
    }
    let asked = record::force(situation.owner.meta);
    match record {
        _ if asked.is_none() => false,
        Some(record) => record.forced != asked,
        // ESO recorded a hash of all annotations, which shows whether this is the only new one.
        None => {
            let before = hash::synced_resource_version(&record::without_force(situation.owner.meta));
            let synced = situation.status.and_then(|status| status.synced_resource_version.as_ref());
            synced == Some(&before)
        }
    }
}

/// Whether values made at this time are due.
fn is_due(situation: Situation<'_>, made: Option<Timestamp>) -> bool {
    let Situation { owner, status, reason, now, .. } = situation;
    match reason {
        // Values made after the last refresh in the status come from a refresh that did not complete.
        Reason::Interval => {
            let last = status.and_then(|status| status.refresh_time.as_ref()).map(|time| time.0);
            made.is_none_or(|made| last.is_none_or(|last| made <= last))
        }
        // A token's expiry is not a reason by itself, but renewing it postpones the refresh that the interval would
        // cause.
        Reason::Expiry => {
            let (Some(made), Some(interval)) = (made, interval(owner.spec)) else { return false };
            made.checked_add(interval).is_ok_and(|due| due <= now)
                && windows::permit(owner.spec.sync_windows.as_ref(), now) == Permit::Now
        }
        _ => false,
    }
}

/// The values that a target has under these keys.
#[must_use]
pub fn kept(data: &BTreeMap<String, ByteString>, keys: &BTreeSet<String>) -> SecretData {
    let of = |key: &String| Some((key.clone(), SecretValue::new(SecretSlice::from(data.get(key)?.0.clone()))));
    keys.iter().filter_map(of).collect()
}

/// The record of a target for whose `entries` these values were made. `keys` are those of the rendered data, if there is
/// a template, and `texts` is a hash of the templates in ConfigMaps and Secrets.
#[must_use]
pub fn record(
    owner: Owner<'_>,
    entries: &[Entry],
    made: Vec<Recorded>,
    keys: Option<BTreeSet<String>>,
    texts: Option<String>,
) -> Record {
    let keys = keys.filter(|_| is_kept_as_a_whole(owner, entries));
    let rendered = keys.map(|keys| Rendered { of: record::shape(owner.spec), keys, texts });
    Record { entries: made, forced: record::force(owner.meta), rendered }
}

/// The record of a target that stays as it is: what was known of it, and that all requests so far are fulfilled.
#[must_use]
pub fn record_of_left(situation: Situation<'_>, entries: &[Entry]) -> Record {
    let Situation { owner, status, target, texts, now, .. } = situation;
    let before = target.and_then(|target| Record::read(target.meta, owner));
    let refreshed = status.and_then(|status| status.refresh_time.as_ref()).map_or(now, |time| time.0);
    let mut record = before.unwrap_or_else(|| {
        let of = |entry: &Entry| Recorded {
            entry: entry.hash.clone(),
            keys: entry.keys.clone().unwrap_or_default(),
            made: refreshed,
            until: None,
        };
        Record { entries: entries.iter().map(of).collect(), forced: None, rendered: None }
    });
    record.forced = record::force(owner.meta);
    if is_kept_as_a_whole(owner, entries) {
        let rendered = record.rendered.get_or_insert_with(|| {
            let keys = target.and_then(|target| target.data).into_iter().flat_map(BTreeMap::keys);
            Rendered { of: record::shape(owner.spec), keys: keys.cloned().collect(), texts: None }
        });
        rendered.texts = rendered.texts.take().or_else(|| texts.map(str::to_owned));
    }
    record
}
