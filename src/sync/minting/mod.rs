//! Whether values of generators are made, kept or asked for anew.
//!
//! Nobody can give a password again: so a value that was minted stays until it is due, or somebody asks for another. What
//! was made when is in a [`Record`] on the target; without one, as on a Secret that ESO wrote, what is there decides.

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
    CreationPolicy, DEFAULT_REFRESH_INTERVAL, ExternalSecretSpec, ExternalSecretStatus, RefreshPolicy,
};
use crate::generator::Making;

pub use record::{LONGEST as LONGEST_RECORD, Record, Recorded, Rendered, entry_hash};

/// An entry of `dataFrom` that names a generator.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in `spec.dataFrom`.
    pub index: usize,
    /// A hash of it: see [`entry_hash`].
    pub hash: String,
    /// Whether anybody can give its values again.
    pub making: Making,
    /// The keys of its values after the rewrites; `None` where these depend on the values.
    pub keys: Option<BTreeSet<String>>,
}

/// A target that is there.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Its metadata, with `managedFields`.
    pub meta: &'a ObjectMeta,
    /// Its values; `None` where it is not a Secret.
    pub data: Option<&'a BTreeMap<String, ByteString>>,
    /// Whether it is as it was last written.
    pub is_intact: bool,
}

/// What a decision goes by.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The ExternalSecret.
    pub owner: Owner<'a>,
    /// Its status, before this sync.
    pub status: Option<&'a ExternalSecretStatus>,
    /// Why it is synced.
    pub reason: Reason,
    /// The target, if it is there.
    pub target: Option<Target<'a>>,
    /// The time now.
    pub now: Timestamp,
}

/// What becomes of the values of generators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is written, whatever they were: none are made.
    NotWritten,
    /// The target stays as it is, and nothing is rendered.
    Leave {
        /// The keys that were written; others in it are somebody else's. `None` where that is not known.
        written: Option<BTreeSet<String>>,
    },
    /// One for each entry, in their order.
    Each(Vec<Choice>),
}

/// What becomes of the values of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// They are minted.
    Mint(Cause),
    /// Those of the target stay, under these keys.
    Keep {
        /// The keys.
        keys: BTreeSet<String>,
        /// When they were made, as far as that is known.
        made: Option<Timestamp>,
    },
    /// They are asked for.
    Renew,
}

/// Why values are minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no target, or it is somebody else's, or it has no such values yet.
    New,
    /// Their time is over.
    Due,
    /// A person asked for it, by the annotation `force-sync`.
    Forced,
    /// The entry is another than that which made what is there.
    EntryChanged,
    /// Somebody changed or removed them in the target.
    Lost,
    /// The template must be rendered anew, and what it was rendered from is not there any more.
    Rendered,
}

/// Decides what becomes of the values of generators. The entries are those of `spec.dataFrom` in their order.
#[must_use]
pub fn decide(situation: Situation<'_>, entries: &[Entry]) -> Decision {
    let owner = situation.owner;
    let Some(target) = situation.target else {
        return match owner.creation_policy() {
            CreationPolicy::None | CreationPolicy::Merge => Decision::NotWritten,
            _ => Decision::Each(entries.iter().map(|entry| made(entry, Cause::New)).collect()),
        };
    };
    if owner.creation_policy() == CreationPolicy::None {
        return Decision::NotWritten;
    }
    if owner.spec.target.as_ref().is_some_and(|target| target.immutable == Some(true)) {
        return Decision::Leave { written: None };
    }
    let look = Look::at(situation, target, entries);
    let is_rendered = owner.spec.target.as_ref().is_some_and(|target| target.template.is_some());
    let has_minted = entries.iter().any(|entry| entry.making == Making::Minted);
    if has_minted && (is_rendered || target.data.is_none()) {
        return match look.of_rendered() {
            Ok(written) => Decision::Leave { written },
            Err(cause) => Decision::Each(entries.iter().map(|entry| made(entry, cause)).collect()),
        };
    }
    Decision::Each(entries.iter().map(|entry| look.of_entry(entry)).collect())
}

fn made(entry: &Entry, cause: Cause) -> Choice {
    match entry.making {
        Making::Minted => Choice::Mint(cause),
        Making::Renewed => Choice::Renew,
    }
}

/// What is seen of a target that is there.
struct Look<'a> {
    situation: Situation<'a>,
    target: Target<'a>,
    record: Option<Record>,
    by_entry: BTreeMap<usize, Recorded>,
    /// The keys that were last written by this ExternalSecret, and by nobody since; `None` where that is not known.
    own_keys: Option<BTreeSet<String>>,
    is_ours: bool,
    /// A target of somebody else that has all that is asked for, and is kept.
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
        let managed = managed_fields::of(target.meta, &hash::field_manager(owner.name())).data;
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
            own_keys: is_known.then_some(managed),
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

    /// Whether the target has all keys that are asked for.
    fn has_all(&self, entries: &[Entry]) -> bool {
        let spec = self.situation.owner.spec;
        let template = spec.target.as_ref().and_then(|target| target.template.as_deref());
        if let Some(template) = template {
            let named = template.data.iter().flatten().map(|(key, _)| key);
            let named: BTreeSet<_> = named.cloned().collect();
            return template.template_from.is_empty() && !named.is_empty() && self.has(&named);
        }
        let minted = entries.iter().filter(|entry| entry.making == Making::Minted);
        minted.into_iter().all(|entry| entry.keys.as_ref().is_some_and(|keys| self.has(keys)))
    }

    fn has(&self, keys: &BTreeSet<String>) -> bool {
        !keys.is_empty() && self.target.data.is_some_and(|data| keys.iter().all(|key| data.contains_key(key)))
    }

    /// Whether the values under these keys are as they were written.
    fn are_intact(&self, keys: &BTreeSet<String>) -> bool {
        let nobody_since = || self.own_keys.as_ref().is_none_or(|own| keys.is_subset(own));
        self.has(keys) && (self.target.is_intact || nobody_since())
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

    /// Of a target that a template makes: whether it stays, with the keys that were written, or why it is made anew.
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
        let is_of_another_spec = match rendered {
            Some(rendered) => rendered.of != record::shape(owner.spec),
            // All that ESO noted is the generation.
            None => reason == Reason::Changed && !has_generation(status, owner.meta),
        };
        if is_of_another_spec || matches!(reason, Reason::TemplatesChanged | Reason::Expiry) {
            return Err(Cause::Rendered);
        }
        if self.forced {
            return Err(Cause::Forced);
        }
        let made = self.record.iter().flat_map(|record| &record.entries).map(|recorded| recorded.made).min();
        if is_due(self.situation, made) { Err(Cause::Due) } else { Ok(written) }
    }
}

/// Whether the status is of this generation of the spec.
fn has_generation(status: Option<&ExternalSecretStatus>, meta: &ObjectMeta) -> bool {
    let synced = status.and_then(|status| status.synced_resource_version.as_deref()).unwrap_or_default();
    let generation = synced.split_once('-').and_then(|(generation, _)| generation.parse().ok());
    generation.is_some() && generation == meta.generation
}

fn policy(spec: &ExternalSecretSpec) -> RefreshPolicy {
    spec.refresh_policy.unwrap_or(RefreshPolicy::Periodic)
}

/// The interval after which values are made anew, if they ever are.
fn interval(spec: &ExternalSecretSpec) -> Option<std::time::Duration> {
    let is_periodic = policy(spec) == RefreshPolicy::Periodic;
    spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive().filter(|_| is_periodic)
}

/// Whether values are made once, whatever changes later.
#[must_use]
pub fn is_once(spec: &ExternalSecretSpec) -> bool {
    policy(spec) == RefreshPolicy::CreatedOnce || (policy(spec) == RefreshPolicy::Periodic && interval(spec).is_none())
}

/// Whether a person asks for other values. What was asked for before the record, or the status, was written has been done.
fn is_forced(situation: Situation<'_>, record: Option<&Record>) -> bool {
    if situation.reason == Reason::First {
        return false;
    }
    let asked = record::force(situation.owner.meta);
    match record {
        _ if asked.is_none() => false,
        Some(record) => record.forced != asked,
        // ESO noted a hash of all annotations: it tells whether this is the only one that is new.
        None => {
            let before = hash::synced_resource_version(&record::without_force(situation.owner.meta));
            let synced = situation.status.and_then(|status| status.synced_resource_version.as_ref());
            synced == Some(&before)
        }
    }
}

/// Whether the time of values is over that were made then.
fn is_due(situation: Situation<'_>, made: Option<Timestamp>) -> bool {
    let Situation { owner, status, reason, now, .. } = situation;
    match reason {
        // What was made since the last refresh that the status tells of was made by one that did not come to its end.
        Reason::Interval => {
            let last = status.and_then(|status| status.refresh_time.as_ref()).map(|time| time.0);
            made.is_none_or(|made| last.is_none_or(|last| made <= last))
        }
        // A token's end is no reason by itself, but it puts off the refresh that would come with the interval.
        Reason::Expiry => {
            let (Some(made), Some(interval)) = (made, interval(owner.spec)) else { return false };
            made.checked_add(interval).is_ok_and(|due| due <= now)
                && windows::permit(owner.spec.sync_windows.as_ref(), now) == Permit::Now
        }
        _ => false,
    }
}

/// The values under these keys of a target.
#[must_use]
pub fn kept(data: &BTreeMap<String, ByteString>, keys: &BTreeSet<String>) -> SecretData {
    let of = |key: &String| Some((key.clone(), SecretValue::new(SecretSlice::from(data.get(key)?.0.clone()))));
    keys.iter().filter_map(of).collect()
}

/// The record of a target for which `entries` came to these. `keys` are those that a template made, where there is one.
#[must_use]
pub fn record(owner: Owner<'_>, entries: Vec<Recorded>, keys: Option<BTreeSet<String>>) -> Record {
    let rendered = keys.map(|keys| Rendered { of: record::shape(owner.spec), keys });
    Record { entries, forced: record::force(owner.meta), rendered }
}

/// The record of a target that stays as it is: what was known of it, and that all that was asked for until now is done.
#[must_use]
pub fn record_of_left(situation: Situation<'_>, entries: &[Entry]) -> Record {
    let Situation { owner, status, target, now, .. } = situation;
    let before = target.and_then(|target| Record::read(target.meta, owner));
    let refreshed = status.and_then(|status| status.refresh_time.as_ref()).map_or(now, |time| time.0);
    let mut record = before.unwrap_or_else(|| {
        let keys = target.and_then(|target| target.data).map(|data| data.keys().cloned().collect());
        let of = |entry: &Entry| Recorded {
            entry: entry.hash.clone(),
            keys: entry.keys.clone().unwrap_or_default(),
            made: refreshed,
            until: None,
        };
        let is_rendered = owner.spec.target.as_ref().is_some_and(|target| target.template.is_some());
        let rendered = keys.filter(|_| is_rendered).map(|keys| Rendered { of: record::shape(owner.spec), keys });
        Record { entries: entries.iter().map(of).collect(), forced: None, rendered }
    });
    record.forced = record::force(owner.meta);
    record
}
