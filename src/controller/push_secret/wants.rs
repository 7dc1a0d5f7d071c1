//! Determines the desired objects of a PushSecret from Secrets and stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::{Deed, Error, ObjectFailure, Problem};
use super::pieces::{Origin, Piece};
use super::remote_object::RemoteObject;
use super::stores;
use super::view::Tools;
use crate::api::ANNOTATION_ALLOW_ADOPTION;
use crate::api::v1::SecretStore;
use crate::api::v1alpha1::PushSecretSpec;
use crate::api::v1alpha1::push_secret::SyncedPushSecrets;
use crate::controller::store_access::key::StoreKey;
use crate::provider::Writer;
use crate::sync::push::expand::{Expander, Source};
use crate::sync::push::{Entry, objects, record};

/// The desired objects of a PushSecret.
#[derive(Default)]
pub(super) struct Wants {
    /// The objects, sorted by vault and name, each once.
    pub(super) pieces: Vec<Piece>,
    /// What cannot be determined.
    pub(super) failures: Vec<ObjectFailure>,
    /// Whether there are objects without a known name.
    has_nameless: bool,
    /// The desired objects, including those that cannot be written.
    names: BTreeSet<RemoteObject>,
}

/// A store, and what writes to it.
struct Target<'a> {
    key: &'a StoreKey,
    writer: Arc<dyn Writer>,
    may_adopt: bool,
}

/// Whether PushSecrets may adopt unmanaged objects in a store. A SecretStore belongs to those who push. The owner of a
/// ClusterSecretStore decides, because namespaces without rights of their own on the vault may share it.
fn may_adopt(store: &SecretStore) -> bool {
    let allowed =
        store.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_ALLOW_ADOPTION));
    store.metadata.namespace.is_some() || allowed.is_some_and(|allowed| allowed == "true")
}

impl Wants {
    /// All desired objects; `None` if some have no known name.
    pub(super) fn names(&self) -> Option<BTreeSet<RemoteObject>> {
        (!self.has_nameless).then(|| self.names.clone())
    }

    fn failed(&mut self, store: &StoreKey, remote_key: &str, secret_key: &str, problem: Problem) {
        self.failures.push(ObjectFailure {
            store: store.clone(),
            remote_key: remote_key.to_owned(),
            secret_key: secret_key.to_owned(),
            deed: Deed::Write,
            problem,
        });
    }

    /// Adds the entries for a store. `recorded` are the objects in the status, of all stores.
    fn of_store(&mut self, target: &Target<'_>, entries: Vec<Entry>, origin: &Origin, recorded: &SyncedPushSecrets) {
        let Target { key: store, writer, may_adopt } = target;
        let mut usable = Vec::new();
        for entry in entries {
            match writer.form().object(&entry.remote_key) {
                Ok(_) => usable.push(entry),
                Err(error) => self.failed(store, &entry.remote_key, &entry.secret_key, Problem::Provider(error)),
            }
        }
        let Ok(wanted) = objects(usable, |remote_key| writer.form().object(remote_key)) else { return };
        for (name, of) in wanted {
            let remote = RemoteObject { vault: writer.vault().to_owned(), name };
            self.names.insert(remote.clone());
            match writer.form().prepare(&remote.name, &of.payload, of.metadata.as_ref()) {
                Ok(mut wanted) => {
                    let key = record::store_key(store.kind, &store.object.name);
                    let recorded = recorded.get(&key);
                    for name in of.records.keys() {
                        let former = recorded.and_then(|records| records.get(name)?.metadata.as_ref());
                        wanted =
                            former.into_iter().fold(wanted, |wanted, former| writer.form().without(wanted, former));
                    }
                    let records = BTreeMap::from([(key, of.records.clone())]);
                    let (store, writer, origin) = ((*store).clone(), Arc::clone(writer), origin.clone());
                    let may_adopt = *may_adopt;
                    self.pieces.push(Piece { store, writer, remote, of, records, wanted, origin, may_adopt });
                }
                Err(error) => self.failed(store, &of.remote_key, &of.secret_key, Problem::Provider(error)),
            }
        }
    }

    /// Of several pieces for one object, through stores of the same vault, keeps the last.
    fn joined(&mut self) {
        // Stable, so that the stores keep their order.
        self.pieces.sort_by(|one, other| one.remote.cmp(&other.remote));
        let mut joined: Vec<Piece> = Vec::new();
        for mut piece in std::mem::take(&mut self.pieces) {
            if let Some(before) = joined.pop_if(|before| before.remote == piece.remote) {
                if before.digest() != piece.digest() {
                    let (key, store) = (&before.of.remote_key, &before.store.object.name);
                    piece.of.superseded = Some(format!("{key:?} through store {store:?}"));
                }
                piece.records.extend(before.records);
            }
            joined.push(piece);
        }
        self.pieces = joined;
    }
}

/// The desired objects in all stores; `recorded` are the objects in the status. A failure of one does not keep the others from being
/// written.
///
/// # Errors
/// An expression in `dataTo` is invalid, or the spec asks for more objects than allowed.
pub(super) async fn wants(
    spec: &PushSecretSpec,
    sources: &[Source],
    stores: &BTreeMap<StoreKey, Arc<SecretStore>>,
    origin: &Origin,
    namespace: &str,
    recorded: &SyncedPushSecrets,
    tools: Tools<'_>,
) -> Result<Wants, Error> {
    let mut expander = Expander::new(spec, tools.templates.rewrite()).map_err(|error| Error::Expand { error })?;
    let mut wants = Wants::default();
    for (key, store) in stores {
        let mut all = Vec::new();
        for source in sources {
            let made = expander.entries(stores::facts(key, store), source);
            let made = made.map_err(|error| Error::Expand { error })?;
            all.extend(made.entries);
            for missing in made.missing {
                wants.has_nameless = true;
                wants.failed(key, &missing.remote_key, &missing.secret_key, Problem::Expand(missing.error));
            }
            // As with a template.
            tokio::task::yield_now().await;
        }
        let Some(first) = all.first() else { continue };
        match tools.access().writer(key, namespace).await {
            Ok(writer) => {
                let target = Target { key, writer, may_adopt: may_adopt(store) };
                wants.of_store(&target, all, origin, recorded);
            }
            Err(error) => {
                wants.has_nameless = true;
                let (remote_key, secret_key) = (first.remote_key.clone(), String::new());
                wants.failed(key, &remote_key, &secret_key, Problem::Store(error));
            }
        }
        tokio::task::yield_now().await;
    }
    wants.joined();
    Ok(wants)
}
