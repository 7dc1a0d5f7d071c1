//! Deletes what a PushSecret has written and no longer wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use super::error::{Deed, ObjectFailure, Problem};
use super::outages::Outages;
use super::remote_object::RemoteObject;
use super::subject::Subject;
use crate::api::v1alpha1::push_secret::{PushSecretData, SyncedPushSecrets};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::error::Error as StoreError;
use crate::controller::store_access::key::StoreKey;
use crate::provider::{ProviderError, Writer};
use crate::push::{Action, Found, Purpose, Refusal, decide};
use crate::sync::push::record::store_of;

/// The outcome of a cleanup.
#[derive(Default)]
pub(super) struct Cleaned {
    /// The remote keys of the deleted objects.
    pub(super) deleted: Vec<String>,
    /// Those that were left because somebody else owns them.
    pub(super) left: Vec<String>,
    /// Those that were left in a vault that the store no longer leads to, by vault.
    pub(super) out_of_reach: BTreeMap<String, Vec<String>>,
    /// The objects that still have to be deleted.
    pub(super) remaining: SyncedPushSecrets,
    /// The failures.
    pub(super) failures: Vec<ObjectFailure>,
}

/// Deletes the objects recorded in a status, except those of `keeps`, those in a vault that their store no longer leads to, those that
/// another PushSecret wants, and those of stores that belong to another controller.
pub(super) async fn clean_up(
    recorded: &SyncedPushSecrets,
    vaults: &BTreeMap<String, String>,
    keeps: &BTreeSet<RemoteObject>,
    subject: Subject<'_>,
    context: &Context,
) -> Cleaned {
    let mut cleaned = Cleaned::default();
    let outages = Outages::default();
    for (store_name, records) in recorded {
        // A record without a store was not written by this program.
        let Some((kind, name)) = store_of(store_name) else { continue };
        let store = StoreKey::referenced(kind, &subject.key.namespace, name);
        if context.is_of_others(&store) {
            cleaned.remaining.insert(store_name.clone(), records.clone());
            continue;
        }
        let writer = context.tools().access().writer(&store, &subject.key.namespace).await;
        let vault = vaults.get(store_name);
        if let (Ok(writer), Some(vault)) = (&writer, vault)
            && writer.vault() != vault
        {
            let keys = records.values().map(|record| record.match_.remote_ref.remote_key.clone());
            cleaned.out_of_reach.entry(vault.clone()).or_default().extend(keys);
            continue;
        }
        for (key, record) in records {
            let result = match &writer {
                Ok(writer) => {
                    Deletion { store: &store, writer, keeps, outages: &outages, subject, context }.of(record).await
                }
                Err(error) => Err(Problem::Store(again(error))),
            };
            let remote_key = record.match_.remote_ref.remote_key.clone();
            match result {
                Ok(Some(Action::Delete)) => cleaned.deleted.push(remote_key),
                Ok(Some(action)) if is_foreign(&action) => cleaned.left.push(remote_key),
                Ok(_) => {}
                Err(problem) => {
                    cleaned.remaining.entry(store_name.clone()).or_default().insert(key.clone(), record.clone());
                    let secret_key = record.match_.secret_key.clone();
                    let (store, deed) = (store.clone(), Deed::Delete);
                    cleaned.failures.push(ObjectFailure { store, remote_key, secret_key, deed, problem });
                }
            }
        }
    }
    cleaned
}

/// One failure for each object of a store.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::NotFound(store) => StoreError::NotFound(store.clone()),
        StoreError::NamespaceExcluded { store, namespace } => {
            StoreError::NamespaceExcluded { store: store.clone(), namespace: namespace.clone() }
        }
        StoreError::Client { store, error } => StoreError::Client { store: store.clone(), error: error.clone() },
        StoreError::NotValidated(store) => StoreError::NotValidated(store.clone()),
        StoreError::NotReady { store, message } => {
            StoreError::NotReady { store: store.clone(), message: message.clone() }
        }
        StoreError::Unreadable { kind, name, error } => StoreError::NotReady {
            store: StoreKey::referenced(crate::api::v1::StoreKind::ClusterSecretStore, "", name),
            message: format!("the API server could not read {kind} {name:?}: {}", error.reason()),
        },
    }
}

/// The deletion of objects of one store.
struct Deletion<'a> {
    store: &'a StoreKey,
    writer: &'a Arc<dyn Writer>,
    keeps: &'a BTreeSet<RemoteObject>,
    outages: &'a Outages,
    subject: Subject<'a>,
    context: &'a Context,
}

impl Deletion<'_> {
    /// Deletes a recorded object; `None` if there is nothing to do. The lock is held only to delete it: a PushSecret that cannot even
    /// read an object does not hold up those that write it.
    async fn of(&self, record: &PushSecretData) -> Result<Option<Action>, Problem> {
        // A name that no object can have was never written.
        let Ok(name) = self.writer.form().object(&record.match_.remote_ref.remote_key) else { return Ok(None) };
        let remote = RemoteObject { vault: self.writer.vault().to_owned(), name };
        if self.keeps.contains(&remote) || self.is_wanted_by_others(&remote) {
            return Ok(None);
        }
        let lock = self.context.state.lock(&remote);
        let writes = lock.writes();
        let action = self.see(&remote).await?;
        if action != Action::Delete {
            return Ok(Some(action));
        }
        let _held = lock.hold().await;
        if self.is_wanted_by_others(&remote) {
            return Ok(None);
        }
        if lock.writes() != writes {
            let again = self.see(&remote).await?;
            if again != Action::Delete {
                return Ok(Some(again));
            }
        }
        lock.wrote();
        self.ask(self.writer.delete(&remote.name)).await?;
        self.context.metrics.object_pushed(Action::Delete.label());
        Ok(Some(action))
    }

    /// What to do about an object.
    async fn see(&self, remote: &RemoteObject) -> Result<Action, Problem> {
        let found = self.ask(self.writer.look(&remote.name, None)).await?.found;
        if found == Found::Absent && self.context.state.may_come_back(remote, Instant::now()) {
            return self.recovered(remote).await;
        }
        match decide(Purpose::CleanUp, &found) {
            Action::Wait => Err(Problem::Busy),
            action => Ok(action),
        }
    }

    /// An object that is not there, and whose recovery was asked for a moment ago: it is waited for, unless it was deleted since.
    async fn recovered(&self, remote: &RemoteObject) -> Result<Action, Problem> {
        match self.ask(self.writer.look_deleted(&remote.name)).await? {
            Found::SoftDeleted { .. } => Ok(Action::Gone),
            _ => Err(Problem::Busy),
        }
    }

    async fn ask<T>(&self, request: impl Future<Output = Result<T, ProviderError>>) -> Result<T, Problem> {
        if let Some(error) = self.outages.known(self.store) {
            return Err(Problem::Provider(error));
        }
        let result = request.await;
        self.outages.note(self.store, &result);
        result.map_err(Problem::Provider)
    }

    /// Whether another PushSecret, which is not being deleted, wants an object: it has written it, or has recorded it and may still
    /// want it.
    fn is_wanted_by_others(&self, remote: &RemoteObject) -> bool {
        let others = self.context.state.who_may_want(remote, self.subject.key);
        others.claimed.iter().any(|key| self.context.stays(key))
            || others.recorded.iter().any(|key| has_recorded(key, self.writer.as_ref(), remote, self.context))
    }
}

/// Whether a PushSecret has recorded an object, unless it is being deleted.
pub(super) fn has_recorded(key: &ObjectKey, writer: &dyn Writer, remote: &RemoteObject, context: &Context) -> bool {
    let object = context.watched(key).filter(|object| object.metadata.deletion_timestamp.is_none());
    let Some(status) = object.as_ref().and_then(|object| object.status.as_ref()) else { return false };
    status.synced_push_secrets.iter().any(|(store, records)| {
        let of_vault = status.synced_vaults.get(store).map(|vault| *vault == remote.vault);
        of_vault.unwrap_or_else(|| is_of_vault(store, key, &remote.vault, context))
            && records.values().any(|record| {
                writer.form().object(&record.match_.remote_ref.remote_key).is_ok_and(|name| name == remote.name)
            })
    })
}

/// Whether a store that a PushSecret has recorded leads to a vault.
fn is_of_vault(store: &str, of: &ObjectKey, vault: &str, context: &Context) -> bool {
    let Some((kind, name)) = store_of(store) else { return false };
    let store = context.stores.watched(&StoreKey::referenced(kind, &of.namespace, name));
    store.is_some_and(|store| {
        let spec = store.spec.get().ok();
        let azurekv = spec.and_then(|spec| spec.provider.azurekv.as_ref());
        azurekv.is_some_and(|azurekv| host(&azurekv.vault_url) == vault)
    })
}

/// The host of a vault's URL, if it has one.
fn host(url: &str) -> String {
    let url = url.trim();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether only a person can resolve a refusal.
const fn is_foreign(action: &Action) -> bool {
    matches!(action, Action::Leave(Refusal::Foreign | Refusal::OfAnotherCluster | Refusal::PartOfCertificate))
}
