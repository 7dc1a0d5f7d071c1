//! An object that a PushSecret asks for, on its way to the provider.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use secrecy::ExposeSecret as _;

use super::claims::RemoteObject;
use super::error::{Deed, ObjectFailure, Problem};
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::SyncedPushSecrets;
use crate::controller::store_access::key::StoreKey;
use crate::provider::Writer;
use crate::push::Wanted;
use crate::sync::push::{WantedObject, record};

/// An object that a PushSecret asks for.
pub(super) struct Piece {
    /// The store.
    pub(super) store: StoreKey,
    /// What writes to it.
    pub(super) writer: Arc<dyn Writer>,
    /// The object.
    pub(super) remote: RemoteObject,
    /// What it is to become, as the spec has it.
    pub(super) of: WantedObject,
    /// What the status says of it: by several stores, where they lead to one vault.
    pub(super) records: SyncedPushSecrets,
    /// The same in the provider's form.
    pub(super) wanted: Wanted,
}

impl Piece {
    /// A hash of what is wanted, under a key of this process.
    pub(super) fn digest(&self) -> u64 {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let Wanted { value, content_type, expires, tags, dropped_tags: _ } = &self.wanted;
        KEY.hash_one((value.expose_secret(), content_type, expires, tags))
    }

    /// That this object could not be written.
    pub(super) fn failed(&self, problem: Problem) -> ObjectFailure {
        ObjectFailure {
            store: self.store.clone(),
            remote_key: self.of.remote_key.clone(),
            secret_key: self.of.secret_key.clone(),
            deed: Deed::Write,
            problem,
        }
    }

    /// Its store and its remote key, as a status names them.
    pub(super) fn place(&self) -> (String, String) {
        (record::store_key(self.store.kind, &self.store.object.name), self.of.remote_key.clone())
    }

    /// Whether a status says that it was written, or is about to be.
    pub(super) fn is_recorded_in(&self, status: &PushSecretStatus) -> bool {
        self.records.iter().any(|(store, records)| {
            let recorded = status.synced_push_secrets.get(store);
            recorded.is_some_and(|recorded| records.keys().any(|key| recorded.contains_key(key)))
        })
    }
}
