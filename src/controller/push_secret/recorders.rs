//! Which PushSecrets have recorded objects with which names.

use std::collections::{BTreeSet, HashMap};

use crate::api::v1alpha1::PushSecretStatus;
use crate::controller::core::key::ObjectKey;

/// Which PushSecrets have recorded objects with which names, in any vault and of any kind. This narrows the search before vaults are
/// compared.
#[derive(Debug, Default)]
pub(super) struct Recorders {
    by_name: HashMap<String, BTreeSet<ObjectKey>>,
    by_recorder: HashMap<ObjectKey, BTreeSet<String>>,
}

/// A key that is equal for all spellings of a remote key.
fn plain(remote_key: &str) -> String {
    let mut parts = remote_key.split('/');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first).to_ascii_lowercase()
}

impl Recorders {
    /// Replaces what a PushSecret has recorded.
    pub(super) fn set(&mut self, key: &ObjectKey, status: Option<&PushSecretStatus>) {
        let records = status.into_iter().flat_map(|status| status.synced_push_secrets.values()).flatten();
        let names: BTreeSet<_> = records.map(|(_, record)| plain(&record.match_.remote_ref.remote_key)).collect();
        let before = self.by_recorder.remove(key).unwrap_or_default();
        for gone in before.difference(&names) {
            if let Some(recorders) = self.by_name.get_mut(gone) {
                recorders.remove(key);
                if recorders.is_empty() {
                    self.by_name.remove(gone);
                }
            }
        }
        for new in names.difference(&before) {
            self.by_name.entry(new.clone()).or_default().insert(key.clone());
        }
        if !names.is_empty() {
            self.by_recorder.insert(key.clone(), names);
        }
    }

    /// Those that have recorded an object with this name or, rarely, with a similar one.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = &ObjectKey> {
        self.by_name.get(&plain(name)).into_iter().flatten()
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
