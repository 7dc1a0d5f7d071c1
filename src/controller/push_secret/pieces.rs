//! A desired object of a PushSecret, during a pass.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::error::{Deed, ObjectFailure, Problem};
use super::remote_object::RemoteObject;
use crate::api::v1alpha1::PushSecretStatus;
use crate::api::v1alpha1::push_secret::SyncedPushSecrets;
use crate::controller::core::process_hash::process_hash;
use crate::controller::store_access::key::StoreKey;
use crate::provider::Writer;
use crate::push::{Action, Wanted};
use crate::sync::push::{WantedObject, record};

/// The source of an object's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Secrets. The value is known.
    Known,
    /// The generator of this PushSecret. No other PushSecret can want the same value.
    Generated {
        /// The UID.
        of: String,
        /// Whether the value was generated before and is unknown now. The value in the vault stays.
        is_kept: bool,
    },
}

/// A desired object of a PushSecret.
pub(super) struct Piece {
    /// The store.
    pub(super) store: StoreKey,
    /// Writes to the store.
    pub(super) writer: Arc<dyn Writer>,
    /// The object.
    pub(super) remote: RemoteObject,
    /// The desired form, as in the spec.
    pub(super) of: WantedObject,
    /// Its records in the status: several if several stores lead to the same vault.
    pub(super) records: SyncedPushSecrets,
    /// The desired form for the provider.
    pub(super) wanted: Wanted,
    /// The source of its value.
    pub(super) origin: Origin,
    /// Whether the store lets PushSecrets adopt unmanaged objects.
    pub(super) may_adopt: bool,
}

impl Piece {
    /// A hash of the desired form, under a key of this process.
    pub(super) fn digest(&self) -> u64 {
        let Wanted { value, content_type, expires, tags, dropped_tags: _ } = &self.wanted;
        match &self.origin {
            Origin::Known => process_hash((value.expose_secret(), content_type, expires, tags)),
            Origin::Generated { of, .. } => process_hash(of),
        }
    }

    /// Whether its value was generated before and is unknown now.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self.origin, Origin::Generated { is_kept: true, .. })
    }

    /// The action, given that of the table, which cannot judge a value that is kept.
    pub(super) fn settled(&self, action: Action) -> Action {
        match action {
            Action::NewVersion(differing) if self.is_kept() && differing.is_empty() => Action::Nothing,
            Action::NewVersion(differing) if self.is_kept() => Action::ChangeProperties(differing),
            action => action,
        }
    }

    /// The failure to write this object.
    pub(super) fn failed(&self, problem: Problem) -> ObjectFailure {
        ObjectFailure {
            store: self.store.clone(),
            remote_key: self.of.remote_key.clone(),
            secret_key: self.of.secret_key.clone(),
            deed: Deed::Write,
            problem,
        }
    }

    /// Its store and remote key, as in a status.
    pub(super) fn place(&self) -> (String, String) {
        (record::store_key(self.store.kind, &self.store.object.name), self.of.remote_key.clone())
    }

    /// Whether a status records it as written, or about to be written.
    pub(super) fn is_recorded_in(&self, status: &PushSecretStatus) -> bool {
        self.records.iter().any(|(store, records)| {
            let recorded = status.synced_push_secrets.get(store);
            recorded.is_some_and(|recorded| records.keys().any(|key| recorded.contains_key(key)))
        })
    }
}
