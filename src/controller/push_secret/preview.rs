//! What would happen to the objects of PushSecrets, determined by the controller's own steps, without carrying it out.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::claims::{Claim, Claims};
use super::error::{Error, Failures, ObjectFailure, Problem};
use super::execute::{self, AT_ONCE};
use super::failure::Failure;
use super::generated::{self, Kept};
use super::pieces::{Origin, Piece};
use super::reconcile::not_wanted;
use super::remote_object::RemoteObject;
use super::report::was_source_deleted;
use super::sources::{self, Sources};
use super::stores;
use super::subject::Subject;
use super::versions::Versions;
use super::view::Tools;
use super::wants::{self, Wants};
use crate::api::v1::external_secret::GeneratorRef;
use crate::api::v1alpha1::PushSecret;
use crate::api::v1alpha1::push_secret::{PushDeletionPolicy, PushSecretSpec, SyncedPushSecrets, UpdatePolicy};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::error::Error as StoreError;
use crate::controller::store_access::key::StoreKey;
use crate::provider::{ReadBudget, Writer};
use crate::push::{Action, Found, ObjectName, Purpose, Wanted, decide};
use crate::sync::push::Source;
use crate::sync::push::due::due;
use crate::sync::push::record::store_of;
use crate::sync::refresh::Due;
use crate::validate;

/// The desired objects of a PushSecret.
pub(crate) enum Wish {
    /// Its stores belong to another controller class, or to a kind that is switched off.
    NotOurs,
    /// It is being deleted, together with what it has written if its policy says so.
    Deleted,
    /// There is nothing to push, for this reason.
    Nothing(String),
    /// These objects.
    Objects(Objects),
}

/// The desired objects.
#[derive(Default)]
pub(crate) struct Objects {
    wants: Wants,
    /// Stores that are being deleted. Their objects stay.
    leaving: BTreeSet<StoreKey>,
}

impl Objects {
    /// Each object: its store, its vault, its name and its desired form.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&StoreKey, &RemoteObject, &Wanted)> {
        self.wants.pieces.iter().map(|piece| (&piece.store, &piece.remote, &piece.wanted))
    }

    /// Why some objects cannot be determined, in the words of the condition `Ready`; `None` if all can.
    pub(crate) fn into_failure(self) -> Option<Error> {
        let all = self.wants.failures;
        (!all.is_empty()).then_some(Error::Entries(Failures { all }))
    }
}

/// One object, and the action for it.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The store.
    pub(crate) store: StoreKey,
    /// The vault; empty if it is unknown.
    pub(crate) vault: String,
    /// The remote key, as written in the spec or the status.
    pub(crate) remote_key: String,
    /// The object's name at the provider; `None` if it is unknown.
    pub(crate) name: Option<ObjectName>,
    /// The action, or why there can be none.
    pub(crate) action: Result<Action, Obstacle>,
}

/// Why there can be no action for an object.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// The cause as in the status, in one word.
    pub(crate) cause: &'static str,
    /// In words.
    pub(crate) message: String,
}

impl Obstacle {
    fn of(problem: &Problem) -> Self {
        let provider = match problem {
            Problem::Provider(error) => Some(error),
            Problem::Store(StoreError::Client { error, .. }) => Some(error.as_ref()),
            _ => None,
        };
        let cause = provider.map_or_else(|| Failure::of_problem(problem).report().cause, |error| error.cause);
        Self { cause, message: problem.to_string() }
    }
}

/// The desired objects of a PushSecret.
///
/// # Errors
/// What the condition `Ready` would say before a request to a vault.
pub(crate) async fn wish(object: &PushSecret, tools: Tools<'_>) -> Result<Wish, Error> {
    let meta = &object.metadata;
    if meta.deletion_timestamp.is_some() {
        return Ok(Wish::Deleted);
    }
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let spec = object.spec.get().map_err(|field| Error::InvalidSpec(field.clone()))?;
    let problems = validate::push_secret::check(spec);
    if !problems.is_empty() {
        return Err(Error::Rejected(validate::sentences(&problems)));
    }
    let Some(stores) = stores::find(spec, namespace, tools).await? else { return Ok(Wish::NotOurs) };
    if let Some(reference) = &spec.selector.generator_ref {
        return generated(reference, object, spec, stores, tools).await;
    }
    let (held, mut versions) = (ReadBudget::alone(), Versions::new());
    let sources = match sources::read(spec, namespace, &mut versions, &held, tools).await? {
        Sources::Gone(why) => return nothing(object, spec, why),
        Sources::Secrets(sources) => sources,
    };
    wanted(object, spec, sources, &held, stores, &Origin::Known, tools).await
}

/// The desired objects with these values. What its template reads counts in the budget of what was read.
async fn wanted(
    object: &PushSecret,
    spec: &PushSecretSpec,
    sources: Vec<Source>,
    held: &ReadBudget,
    stores: stores::Found,
    origin: &Origin,
    tools: Tools<'_>,
) -> Result<Wish, Error> {
    let (namespace, template) = (object.metadata.namespace.as_deref().unwrap_or_default(), spec.template.as_deref());
    let none = SyncedPushSecrets::new();
    let recorded = object.status.as_ref().map_or(&none, |status| &status.synced_push_secrets);
    let mut versions = Versions::new();
    let from = sources::template_sources(template, namespace, &mut versions, held, tools).await?;
    let rendered = sources::rendered(template, sources, &from, held, tools).await?;
    let wants = wants::wants(spec, &rendered, &stores.usable, origin, namespace, recorded, tools).await?;
    if wants.pieces.is_empty() && wants.failures.is_empty() {
        return nothing(object, spec, "spec.data and spec.dataTo select nothing of the Secret".to_owned());
    }
    Ok(Wish::Objects(Objects { wants, leaving: stores.leaving }))
}

/// The desired objects of a PushSecret with a generator. Nothing is generated: a placeholder stands for each value.
async fn generated(
    reference: &GeneratorRef,
    object: &PushSecret,
    spec: &PushSecretSpec,
    stores: stores::Found,
    tools: Tools<'_>,
) -> Result<Wish, Error> {
    let (key, status) = (ObjectKey::of(&object.metadata), object.status.clone().unwrap_or_default());
    let subject = Subject { key: &key, object, status: &status, now: Timestamp::now(), began: Instant::now() };
    let Some(generator) = generated::find(reference, &key.namespace, tools).await? else { return Ok(Wish::NotOurs) };
    let kept = if generator.may_stay(spec, subject) { Kept::Yes } else { Kept::No };
    let origin = generated::origin(subject, kept);
    wanted(object, spec, vec![generator.placeholder()], &ReadBudget::alone(), stores, &origin, tools).await
}

/// There is nothing to push. That is no failure if what was pushed is deleted, or was.
fn nothing(object: &PushSecret, spec: &PushSecretSpec, why: String) -> Result<Wish, Error> {
    let status = object.status.as_ref();
    let deletes = spec.deletion_policy == PushDeletionPolicy::Delete
        && status.is_some_and(|status| !status.synced_push_secrets.is_empty());
    if deletes || status.is_some_and(was_source_deleted) { Ok(Wish::Nothing(why)) } else { Err(Error::Source(why)) }
}

/// The desired objects of several PushSecrets, which may conflict.
#[derive(Default)]
pub(crate) struct Wishes(Claims);

impl Wishes {
    /// Adds the desired objects of a PushSecret.
    pub(crate) fn add(&mut self, object: &PushSecret, objects: &Objects) {
        let key = ObjectKey::of(&object.metadata);
        for piece in &objects.wants.pieces {
            self.0.set(&key, &piece.remote, claim(object, piece));
        }
    }

    /// What would happen to the objects of a PushSecret, desired now or before. Reads the vault.
    pub(crate) async fn look(&self, object: &PushSecret, wish: &Wish, tools: Tools<'_>) -> Vec<Planned> {
        let key = ObjectKey::of(&object.metadata);
        let status = object.status.clone().unwrap_or_default();
        let subject = Subject { key: &key, object, status: &status, now: Timestamp::now(), began: Instant::now() };
        let Ok(spec) = object.spec.get() else { return Vec::new() };
        let none = Objects::default();
        let objects = match wish {
            Wish::NotOurs => return Vec::new(),
            Wish::Deleted | Wish::Nothing(_) => &none,
            Wish::Objects(objects) => objects,
        };
        let mut planned = self.wanted(objects, spec.update_policy, subject).await;
        planned.extend(objects.wants.failures.iter().map(unmade));
        // As in a pass, a failure leaves existing objects alone.
        if planned.iter().all(|object| object.action.is_ok()) {
            planned.extend(self.left_over(objects, spec, subject, tools).await);
        }
        planned
    }

    async fn wanted(&self, objects: &Objects, policy: UpdatePolicy, subject: Subject<'_>) -> Vec<Planned> {
        let purpose = match policy {
            UpdatePolicy::Replace => Purpose::Replace,
            UpdatePolicy::IfNotExists => Purpose::Create,
        };
        let pieces = &objects.wants.pieces;
        let look = |index: usize| async move {
            let piece: &Piece = &pieces[index];
            let action = look(piece, purpose, subject).await;
            Planned {
                store: piece.store.clone(),
                vault: piece.remote.vault.clone(),
                remote_key: piece.of.remote_key.clone(),
                name: Some(piece.remote.name.clone()),
                action: action
                    .and_then(|action| self.unless_conflict(action, purpose, piece, subject))
                    .map_err(|problem| Obstacle::of(&problem)),
            }
        };
        let mut planned: Vec<Planned> = stream::iter(0..pieces.len()).map(look).buffered(AT_ONCE).collect().await;
        let are_kept = pieces.iter().all(Piece::is_kept);
        if are_kept && planned.iter().any(|object| matches!(object.action, Ok(Action::Create))) {
            // If one is missing, all get new values.
            for object in &mut planned {
                object.action = match std::mem::replace(&mut object.action, Ok(Action::Nothing)) {
                    Ok(Action::Nothing) => Ok(Action::NewVersion(Vec::new())),
                    Ok(Action::ChangeProperties(differing)) => Ok(Action::NewVersion(differing)),
                    other => other,
                };
            }
        }
        planned
    }

    /// An action, unless an older PushSecret takes precedence. With `IfNotExists`, an existing object causes no conflict.
    fn unless_conflict(
        &self,
        action: Action,
        purpose: Purpose,
        piece: &Piece,
        subject: Subject<'_>,
    ) -> Result<Action, Problem> {
        if purpose == Purpose::Create && !action.writes() {
            return Ok(action);
        }
        match self.0.older(&piece.remote, subject.key, claim(subject.object, piece)) {
            Some(other) => Err(Problem::conflict(other, subject.key)),
            None => Ok(action),
        }
    }

    /// The recorded objects that are no longer desired.
    async fn left_over(
        &self,
        objects: &Objects,
        spec: &PushSecretSpec,
        subject: Subject<'_>,
        tools: Tools<'_>,
    ) -> Vec<Planned> {
        let Some(keeps) = objects.wants.names().filter(|_| spec.deletion_policy == PushDeletionPolicy::Delete) else {
            return Vec::new();
        };
        let mut wanted = SyncedPushSecrets::new();
        for piece in &objects.wants.pieces {
            execute::add_records(piece, &mut wanted);
        }
        let mut planned = Vec::new();
        for (name, records) in &not_wanted(&subject.status.synced_push_secrets, &wanted) {
            let Some((kind, of)) = store_of(name) else { continue };
            let store = StoreKey::referenced(kind, &subject.key.namespace, of);
            if objects.leaving.contains(&store) || tools.is_of_others(&store).await {
                continue;
            }
            let writer = tools.access().writer(&store, &subject.key.namespace).await;
            let vault = subject.status.synced_vaults.get(name);
            if let (Ok(writer), Some(vault)) = (&writer, vault)
                && writer.vault() != vault
            {
                // It is only looked up in the vault that it was written to.
                continue;
            }
            for record in records.values() {
                let remote_key = &record.match_.remote_ref.remote_key;
                let found = match &writer {
                    Ok(writer) => self.left_in(writer.as_ref(), remote_key, &keeps, subject).await,
                    Err(error) => {
                        let obstacle = Obstacle { cause: Failure::Store.report().cause, message: error.to_string() };
                        Some((None, Err(obstacle)))
                    }
                };
                let Some((remote, action)) = found else { continue };
                let (vault, name) = remote.map(|remote| (remote.vault, remote.name)).unzip();
                planned.push(Planned {
                    store: store.clone(),
                    vault: vault.unwrap_or_default(),
                    remote_key: remote_key.clone(),
                    name,
                    action,
                });
            }
        }
        planned
    }

    /// What would happen to a recorded object that is no longer desired; `None` if it stays because another PushSecret wants it.
    async fn left_in(
        &self,
        writer: &dyn Writer,
        remote_key: &str,
        keeps: &BTreeSet<RemoteObject>,
        subject: Subject<'_>,
    ) -> Option<(Option<RemoteObject>, Result<Action, Obstacle>)> {
        // A name that no object can have was never written.
        let name = writer.form().object(remote_key).ok()?;
        let remote = RemoteObject { vault: writer.vault().to_owned(), name };
        if keeps.contains(&remote) || self.0.others(&remote, subject.key).next().is_some() {
            return None;
        }
        let look = writer.look(&remote.name, None).await;
        let look = look.map_err(|error| Obstacle::of(&Problem::Provider(error)));
        Some((Some(remote), look.map(|look| decide(Purpose::CleanUp, &look.found))))
    }
}

fn claim(object: &PushSecret, piece: &Piece) -> Claim {
    let since = object.metadata.creation_timestamp.as_ref().map(|time| time.0).unwrap_or_default();
    Claim { since, digest: piece.digest() }
}

/// An object that cannot be determined.
fn unmade(failure: &ObjectFailure) -> Planned {
    Planned {
        store: failure.store.clone(),
        vault: String::new(),
        remote_key: failure.remote_key.clone(),
        name: None,
        action: Err(Obstacle::of(&failure.problem)),
    }
}

/// What would happen to an object. The controller learns from its write that a deleted object holds the name; this asks for it.
async fn look(piece: &Piece, purpose: Purpose, subject: Subject<'_>) -> Result<Action, Problem> {
    let look = piece.writer.look(&piece.remote.name, Some(&piece.wanted)).await;
    let mut look = look.map_err(Problem::Provider)?;
    execute::adopt(&mut look.found, piece, subject);
    let action = piece.settled(decide(purpose, &look.found));
    if action != Action::Create {
        return Ok(action);
    }
    match piece.writer.look_deleted(&piece.remote.name).await {
        Ok(mut found @ Found::SoftDeleted { .. }) => {
            execute::adopt(&mut found, piece, subject);
            Ok(decide(purpose, &found))
        }
        // Without the right to see deleted objects, the result is what is known otherwise.
        Ok(_) | Err(_) => Ok(Action::Create),
    }
}

/// When the next push is due.
pub(crate) fn when(object: &PushSecret, now: Timestamp) -> Option<Due> {
    let spec = object.spec.get().ok()?;
    Some(due(&object.metadata, spec, object.status.as_ref(), now))
}
