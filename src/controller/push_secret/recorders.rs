//! Which PushSecrets have recorded objects with which names.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::api::v1alpha1::PushSecretStatus;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::process_hash::process_hash;

/// Which PushSecrets have recorded objects with which names, in any vault and of any kind. This narrows the search before vaults are
/// compared. Names are hashes, because a status may have a thousand.
#[derive(Debug, Default)]
pub(super) struct Recorders {
    by_name: HashMap<u64, BTreeSet<Arc<ObjectKey>>>,
    /// Sorted.
    by_recorder: HashMap<Arc<ObjectKey>, Box<[u64]>>,
}

/// A hash that is equal for all spellings of a remote key, under a key of this process.
fn plain(remote_key: &str) -> u64 {
    let mut parts = remote_key.split('/');
    let first = parts.next().unwrap_or_default();
    process_hash(parts.next().unwrap_or(first).to_ascii_lowercase())
}

impl Recorders {
    /// Replaces what a PushSecret has recorded.
    pub(super) fn set(&mut self, key: &ObjectKey, status: Option<&PushSecretStatus>) {
        let records = status.into_iter().flat_map(|status| status.synced_push_secrets.values()).flatten();
        let mut names: Vec<_> = records.map(|(_, record)| plain(&record.match_.remote_ref.remote_key)).collect();
        names.sort_unstable();
        names.dedup();
        let before = self.by_recorder.remove_entry(key);
        let (key, before) = before.unwrap_or_else(|| (Arc::new(key.clone()), Box::default()));
        for gone in before.iter().filter(|name| names.binary_search(name).is_err()) {
            if let Some(recorders) = self.by_name.get_mut(gone) {
                recorders.remove(&key);
                if recorders.is_empty() {
                    self.by_name.remove(gone);
                }
            }
        }
        for new in names.iter().filter(|name| before.binary_search(name).is_err()) {
            self.by_name.entry(*new).or_default().insert(Arc::clone(&key));
        }
        if !names.is_empty() {
            self.by_recorder.insert(key, names.into());
        }
    }

    /// Those that have recorded an object with this name or, rarely, with another.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = &ObjectKey> {
        self.by_name.get(&plain(name)).into_iter().flatten().map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(keys: &[&str]) -> PushSecretStatus {
        let mut status = PushSecretStatus::default();
        for key in keys {
            let records = status.synced_push_secrets.entry("SecretStore/a".to_owned()).or_default();
            let mut record = crate::api::v1alpha1::push_secret::PushSecretData::default();
            record.match_.remote_ref.remote_key = (*key).to_owned();
            records.insert((*key).to_owned(), record);
        }
        status
    }

    #[test]
    fn all_spellings_of_a_name_are_found_and_nothing_is_kept_of_what_is_gone() {
        let (one, two) = (ObjectKey::new("a", "one"), ObjectKey::new("b", "two"));
        let mut recorders = Recorders::default();
        recorders.set(&one, Some(&status(&["secret/DB", "other"])));
        recorders.set(&two, Some(&status(&["db"])));
        assert_eq!(recorders.of("secret/db").collect::<Vec<_>>(), [&one, &two]);
        recorders.set(&one, Some(&status(&["other"])));
        assert_eq!(recorders.of("db").collect::<Vec<_>>(), [&two]);
        recorders.set(&one, None);
        recorders.set(&two, None);
        assert!(recorders.by_name.is_empty() && recorders.by_recorder.is_empty());
    }
}
