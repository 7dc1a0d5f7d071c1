//! What a target was made from, kept so that a later refresh can tell whether the source is unchanged.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::api::v1::ExternalSecretSpec;
use crate::controller::core::key::ObjectKey;
use crate::controller::template_engines::Templates;
use crate::provider::ReadMark;
use crate::sync::{SecretData, hash};

/// One in this many refreshes reads the values, even if the vault's list shows no change: being allowed to list does
/// not mean being allowed to read.
const ONE_READS_IN: u32 = 10;

/// The longest time without reading the values.
const LONGEST_UNREAD: SignedDuration = SignedDuration::from_hours(24);

/// What a target was made from, kept so that a later refresh can tell whether the source is unchanged.
#[derive(Debug, Default)]
pub(crate) struct MadeFrom {
    /// One mark per read; `None` if changes cannot be detected, or if an unchanged source would not suffice.
    marks: Option<Vec<ReadMark>>,
    /// The hash of the values, the same as in the target's annotation; `None` if a template changes them before they
    /// are written.
    values: Option<Box<str>>,
    /// When the values were read.
    read: Timestamp,
}

impl MadeFrom {
    /// For values that were read for `spec`.
    pub(crate) fn new(
        spec: &ExternalSecretSpec,
        values: &SecretData,
        marks: Option<Vec<ReadMark>>,
        read: Timestamp,
        templates: &Templates,
    ) -> Self {
        // A template may produce a different result each time.
        let has_template = spec.target.as_ref().is_some_and(|target| target.template.is_some());
        let data = values.iter().map(|(key, value)| (key.as_str(), value.expose_secret()));
        let values = (!has_template).then(|| hash::data_hash(data).into());
        Self { marks: marks.filter(|_| !has_volatile_rewrite(spec, templates)), values, read }
    }

    /// Whether the values are certainly the same.
    #[must_use]
    pub(crate) fn has_same_values(&self, other: &Self) -> bool {
        self.values.is_some() && self.values == other.values
    }

    /// For a result that differs each time, and so is made again at each refresh.
    #[must_use]
    pub(crate) fn volatile(self) -> Self {
        Self { marks: None, ..self }
    }

    /// The marks by which this refresh can tell whether the values have changed; `None` if it is time to read them
    /// anyway.
    #[must_use]
    pub(crate) fn marks(&self, now: Timestamp, key: &ObjectKey, refreshes: u32) -> Option<&[ReadMark]> {
        self.marks.as_deref().filter(|_| !self.is_to_be_read(now, key, refreshes))
    }

    /// Whether it is time to read the values, even if nothing seems to have changed.
    fn is_to_be_read(&self, now: Timestamp, key: &ObjectKey, refreshes: u32) -> bool {
        // Spreads the reads of different objects.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let of_key = u32::try_from(hasher.finish() % u64::from(ONE_READS_IN)).unwrap_or_default();
        refreshes % ONE_READS_IN == of_key || now.duration_since(self.read) >= LONGEST_UNREAD
    }
}

/// Whether a rewrite of keys uses the time or randomness.
fn has_volatile_rewrite(spec: &ExternalSecretSpec, templates: &Templates) -> bool {
    let transforms =
        spec.data_from.iter().flat_map(|entry| &entry.rewrite).filter_map(|rewrite| rewrite.transform.as_ref());
    let mut templates_of =
        transforms.map(|transform| templates.rewrite().parse("transform", transform.template.as_bytes()));
    templates_of.any(|template| template.is_ok_and(|template| template.is_volatile()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_ten_refreshes_reads_and_one_a_day_and_not_all_objects_at_once() {
        let read = Timestamp::UNIX_EPOCH;
        let made_from = MadeFrom { read, ..MadeFrom::default() };
        let mut turns = std::collections::BTreeSet::new();
        for name in 0..50 {
            let key = ObjectKey::new("team", &name.to_string());
            let reads: Vec<_> = (0..30).filter(|refresh| made_from.is_to_be_read(read, &key, *refresh)).collect();
            assert_eq!(reads.len(), 3, "{reads:?}");
            assert_eq!((reads[1], reads[2]), (reads[0] + 10, reads[0] + 20));
            turns.insert(reads[0]);
            assert!((0..10).all(|refresh| made_from.is_to_be_read(read + LONGEST_UNREAD, &key, refresh)));
        }
        assert!(turns.len() > 5, "{turns:?}");
    }
}
