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
use crate::push::{Action, Wanted};
use crate::sync::push::{WantedObject, record};

/// Where the value of an object comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Secrets: it is known.
    Known,
    /// The generator of the PushSecret of this UID, so that no other PushSecret wants the same.
    Generated {
        /// The UID.
        of: String,
        /// Whether it is what was made before, so that nobody knows it: what is in the vault stays.
        is_kept: bool,
    },
}

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
    /// Where its value comes from.
    pub(super) origin: Origin,
    /// Whether the store lets PushSecrets take over what is not managed.
    pub(super) may_adopt: bool,
}

impl Piece {
    /// A hash of what is wanted, under a key of this process.
    pub(super) fn digest(&self) -> u64 {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let Wanted { value, content_type, expires, tags, dropped_tags: _ } = &self.wanted;
        match &self.origin {
            Origin::Known => KEY.hash_one((value.expose_secret(), content_type, expires, tags)),
            Origin::Generated { of, .. } => KEY.hash_one(of),
        }
    }

    /// Whether its value is what was made before, so that nobody knows it.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self.origin, Origin::Generated { is_kept: true, .. })
    }

    /// What is done, by what the table says of the value: of a kept one it cannot tell.
    pub(super) fn settled(&self, action: Action) -> Action {
        match action {
            Action::NewVersion(differing) if self.is_kept() && differing.is_empty() => Action::Nothing,
            Action::NewVersion(differing) if self.is_kept() => Action::ChangeProperties(differing),
            action => action,
        }
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
