//! A summary of the sources of objects. It shows whether anything has changed since the last push, without a request to the provider.

use std::collections::BTreeSet;

use super::context::Context;
use super::stores::Found;
use super::subject::Subject;
use super::versions::{SourceKind, Versions};
use crate::api::v1::condition::READY;
use crate::api::v1::{ConditionStatus, SecretStore};
use crate::controller::core::conditions;
use crate::controller::core::process_hash::process_hash;
use crate::controller::store_access::key::StoreKey;
use crate::sync::hash;
use crate::sync::push::record::store_of;

/// A summary of the sources of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// A hash of the versions of Secrets, ConfigMaps and stores, which reveals nothing about values. Becomes `status.syncedSources`.
    pub(super) versions: String,
    /// A hash of their content, under a key of this process.
    pub(super) content: u64,
}

impl Mark {
    /// Summarizes Secrets and ConfigMaps of these versions, whose content has the hash `inputs`, and these stores.
    pub(super) fn of(
        versions: &Versions,
        inputs: u64,
        stores: &Found,
        subject: Subject<'_>,
        context: &Context,
    ) -> Self {
        let sources: Vec<_> = versions
            .iter()
            .map(|((kind, name), version)| (letter(*kind), name, &version.uid, &version.resource_version))
            .collect();
        let stores = stores_in_short(stores, subject, context);
        Self { versions: hash::fingerprint(&(sources, &stores)), content: process_hash((inputs, stores)) }
    }

    /// Whether the last push had the same sources, according to the status or to what this process knows, and left nothing to do.
    pub(super) fn is_pushed(&self, known: Option<u64>, subject: Subject<'_>) -> bool {
        let ready = conditions::find(&subject.status.conditions, READY);
        let is_ready = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
        let is_synced = subject.status.synced_sources.as_ref() == Some(&self.versions);
        is_ready && (is_synced || known == Some(self.content))
    }
}

const fn letter(kind: SourceKind) -> char {
    match kind {
        SourceKind::Secret => 's',
        SourceKind::ConfigMap => 'c',
    }
}

/// What of the stores that are named, selected or recorded decides what is pushed where.
fn stores_in_short(found: &Found, subject: Subject<'_>, context: &Context) -> String {
    let recorded = subject.status.synced_push_secrets.keys().filter_map(|key| store_of(key));
    let recorded = recorded.map(|(kind, name)| StoreKey::referenced(kind, &subject.key.namespace, name));
    let keys: BTreeSet<_> = recorded.chain(found.usable.keys().cloned()).chain(found.leaving.iter().cloned()).collect();
    let of = |key: StoreKey| {
        let store = context.stores.watched(&key);
        let version = store.as_ref().map(|store| version(store));
        hash::fingerprint(&(key.kind.name(), &key.object.namespace, &key.object.name, version))
    };
    keys.into_iter().map(of).collect()
}

fn version(store: &SecretStore) -> String {
    let meta = &store.metadata;
    hash::fingerprint(&(&meta.uid, meta.generation, &meta.labels, meta.deletion_timestamp.is_some()))
}
