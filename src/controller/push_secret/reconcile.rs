//! One pass over one PushSecret, in steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::cleanup::{Cleaned, clean_up};
use super::context::Context;
use super::error::{Error, Failures};
use super::generated::{self, Generator, Kept};
use super::marks::Mark;
use super::outages::Outages;
use super::pieces::{Origin, Piece};
use super::progress::Progress;
use super::report::{self, Outcome};
use super::sources::Sources;
use super::state::{Absence, Memo, Remembered};
use super::subject::Subject;
use super::versions::Versions;
use super::wants::Wants;
use super::{KIND, execute, sources, stores, wants};
use crate::api::v1alpha1::push_secret::{PushDeletionPolicy, PushSecretSpec, SyncedPushSecrets};
use crate::api::v1alpha1::{API_VERSION, PushSecret, PushSecretStatus};
use crate::api::{FIELD_MANAGER, FINALIZER_PUSH_SECRET};
use crate::controller::core::api_call::bounded;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::kind::Kind;
use crate::controller::core::reconcile::{Pass, Reconcile};
use crate::controller::core::requeue::Next;
use crate::controller::core::work_queue::Requests;
use crate::controller::core::{finalizer, status};
use crate::controller::store_access::key::StoreKey;
use crate::provider::ReadBudget;
use crate::runtime::panics::Panicked;
use crate::sync::push::Source;
use crate::sync::push::due::due;
use crate::sync::push::record;
use crate::sync::refresh::Due;
use crate::sync::template::Sources as TemplateSources;
use crate::validate;

#[async_trait]
impl Reconcile for Context {
    type Key = ObjectKey;

    fn kind(&self) -> Kind {
        KIND
    }

    fn requests(&self) -> &Arc<Requests<ObjectKey>> {
        &self.state.requests
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.watched(key).is_some()
    }

    /// Brings the objects of one PushSecret into line, and reports it in the status. Failures are reported there, too, and retried.
    async fn reconcile(&self, key: &ObjectKey) -> Pass {
        let Some((object, status)) = newest(key, self) else { return Pass::succeeded(Next::OnChange) };
        let began = Instant::now();
        let subject = Subject { key, object: &object, status: &status, now: Timestamp::now(), began };
        let remembered = self.state.begin(key, &object, began, self.options.push_grace);
        let mut progress =
            Progress { written: status.clone(), changes: remembered.changes, mark: None, generated: None };
        let result = push_once(subject, &remembered, &mut progress, self).await;
        report::concluded(subject, progress, result, self).await
    }

    async fn panicked(&self, key: &ObjectKey, panicked: Panicked) -> Pass {
        let Some((object, status)) = newest(key, self) else { return Pass::succeeded(Next::OnChange) };
        let subject = Subject { key, object: &object, status: &status, now: Timestamp::now(), began: Instant::now() };
        let remembered = self.state.begin(key, &object, subject.began, self.options.push_grace);
        let progress = Progress { written: status.clone(), changes: remembered.changes, mark: None, generated: None };
        report::concluded(subject, progress, Err(Error::Panicked(panicked)), self).await
    }

    fn api_server_is_back(&self) {
        self.state.wake_who_await_api_server();
    }
}

/// A PushSecret from the watch cache, with its newest status; `None` if it was deleted. The order matters: the status that was written
/// last is dropped once the watch shows it.
fn newest(key: &ObjectKey, context: &Context) -> Option<(PushSecret, PushSecretStatus)> {
    let ahead = context.state.ahead(key);
    let object = context.watched(key)?;
    let version = object.metadata.resource_version.as_deref();
    let status = ahead.on(version).or(object.status.as_ref()).cloned().unwrap_or_default();
    // The parsed form is dropped with the clone when the pass ends.
    Some((PushSecret::clone(&object), status))
}

async fn push_once(
    subject: Subject<'_>,
    remembered: &Remembered,
    progress: &mut Progress,
    context: &Context,
) -> Result<Outcome, Error> {
    let meta = &subject.object.metadata;
    if meta.deletion_timestamp.is_some() {
        return finalize(subject, progress, context).await;
    }
    let spec = subject.object.spec.get().map_err(|field| Error::InvalidSpec(field.clone()))?;
    let problems = validate::push_secret::check(spec);
    if !problems.is_empty() {
        return Err(Error::Rejected(validate::sentences(&problems)));
    }
    let namespace = &subject.key.namespace;
    let Some(stores) = stores::find(spec, namespace, context.tools()).await? else { return Ok(Outcome::NotOurs) };
    set_finalizer(spec, subject, context).await?;
    let due = due(meta, spec, Some(subject.status), subject.now);
    let is_due = matches!(due, Due::Now(_)) || remembered.is_outdated;
    let unchanged = Outcome::Unchanged { due, patience: remembered.patience };
    if !is_due && !remembered.is_in_doubt {
        return Ok(unchanged);
    }
    if let Some(pause) = remembered.pause {
        return Ok(Outcome::Waiting(pause));
    }
    if (remembered.has_failed || !matches!(due, Due::Now(_)))
        && let Some(Err(pause)) = context.state.remember(subject, |memo| memo.reacts(subject.began))
    {
        return Ok(Outcome::Waiting(pause));
    }
    let generator = match &spec.selector.generator_ref {
        None => None,
        Some(reference) => match generated::find(reference, namespace, context.tools()).await? {
            Some(generator) => Some(generator),
            None => return Ok(Outcome::NotOurs),
        },
    };
    let mut held = ReadBudget::new(&context.providers.memory, namespace);
    let read = match read(spec, subject, &held, context).await {
        // Nothing of what was read is held while this waits for others.
        Err(_) if held.was_crowded_out() => {
            held = held.anew().await.map_err(|error| sources::too_much(&error))?;
            read(spec, subject, &held, context).await?
        }
        read => read?,
    };
    let Material { secrets, from, versions } = match read {
        Read::Gone(why) => return gone(&why, Absence::Source, spec, subject, progress, context).await,
        Read::Material(material) => material,
    };
    let inputs = sources::digest(&secrets, &from, meta.generation);
    let mark = Mark::of(&versions, inputs, &stores, subject, context);
    if !is_due && mark.is_pushed(remembered.inputs, subject) {
        return Ok(unchanged);
    }
    progress.mark = Some(mark);
    if let Some(generator) = generator {
        return push_generated(
            &generator,
            Template { from: &from, held: &held },
            spec,
            &stores,
            subject,
            progress,
            context,
        )
        .await;
    }
    let secrets = sources::rendered(spec.template.as_deref(), secrets, &from, &held, context.tools()).await?;
    let recorded = &subject.status.synced_push_secrets;
    let wants =
        wants::wants(spec, &secrets, &stores.usable, &Origin::Known, namespace, recorded, context.tools()).await?;
    // Frees memory before requests are sent.
    drop((secrets, from));
    push_wants(spec, wants, inputs, &stores, subject, progress, context).await
}

/// Pushes the desired objects of a PushSecret, if there are any.
async fn push_wants(
    spec: &PushSecretSpec,
    wants: Wants,
    inputs: u64,
    stores: &stores::Found,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<Outcome, Error> {
    if wants.pieces.is_empty() && wants.failures.is_empty() && has_to_delete(spec, subject) {
        let why = "spec.data and spec.dataTo select nothing of the Secret";
        return gone(why, Absence::Selection, spec, subject, progress, context).await;
    }
    context.state.remember(subject, |memo| memo.present(Absence::Selection));
    push(spec, wants, inputs, &stores.leaving, subject, progress, context).await
}

/// What there is to push.
enum Read {
    /// This.
    Material(Material),
    /// There is nothing to push.
    Gone(String),
}

/// The sources of objects, except generators.
struct Material {
    secrets: Vec<Source>,
    /// The sources of the template.
    from: TemplateSources,
    versions: Versions,
}

/// Reads the Secrets and the sources of the template. Records which versions were read, even if that fails.
async fn read(
    spec: &PushSecretSpec,
    subject: Subject<'_>,
    held: &ReadBudget,
    context: &Context,
) -> Result<Read, Error> {
    let mut versions = Versions::new();
    context.state.remember(subject, Memo::reads);
    let found = read_all(spec, &mut versions, held, subject, context).await;
    context.state.remember(subject, |memo| memo.read(&versions));
    match found? {
        Ok((secrets, from)) => Ok(Read::Material(Material { secrets, from, versions })),
        Err(why) => Ok(Read::Gone(why)),
    }
}

/// The same. The inner error says what is missing.
async fn read_all(
    spec: &PushSecretSpec,
    versions: &mut Versions,
    held: &ReadBudget,
    subject: Subject<'_>,
    context: &Context,
) -> Result<Result<(Vec<Source>, TemplateSources), String>, Error> {
    let (namespace, tools) = (&subject.key.namespace, context.tools());
    let mut secrets = Vec::new();
    if spec.selector.generator_ref.is_none() {
        secrets = match sources::read(spec, namespace, versions, held, tools).await? {
            Sources::Gone(why) => return Ok(Err(why)),
            Sources::Secrets(found) => found,
        };
        context.state.remember(subject, |memo| memo.present(Absence::Source));
    }
    let from = sources::template_sources(spec.template.as_deref(), namespace, versions, held, tools).await?;
    Ok(Ok((secrets, from)))
}

/// What a template over generated values needs.
#[derive(Clone, Copy)]
struct Template<'a> {
    /// The sources of the template.
    from: &'a TemplateSources,
    /// The memory for what is read.
    held: &'a ReadBudget,
}

/// Pushes generated values, or keeps those that were generated before, if they should still be there.
async fn push_generated(
    generator: &Generator,
    template: Template<'_>,
    spec: &PushSecretSpec,
    stores: &stores::Found,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<Outcome, Error> {
    let tools = context.tools();
    let pending = context.state.still_to_be_pushed(subject);
    if pending.is_none() && generator.may_stay(spec, subject) {
        let sample = generator.sample()?;
        let (wants, inputs) = generated_wants(sample, template, Kept::Yes, spec, stores, subject, context).await?;
        progress.generated = Some(generated::kept(subject));
        match push_wants(spec, wants, inputs, stores, subject, progress, context).await? {
            Outcome::ValuesMissing => {}
            outcome => return Ok(outcome),
        }
    }
    let minted = match pending {
        Some(minted) => minted,
        None => generator.minted(subject, tools).await?,
    };
    context.state.remember(subject, |memo| memo.minted(minted.clone()));
    progress.generated = Some(minted.record);
    let source = Source { name: String::new(), data: Arc::new(minted.values) };
    sources::charge(template.held, &source.data)?;
    let (wants, inputs) = generated_wants(source, template, Kept::No, spec, stores, subject, context).await?;
    push_wants(spec, wants, inputs, stores, subject, progress, context).await
}

/// The desired objects with these values, and a hash of their sources.
async fn generated_wants(
    source: Source,
    template: Template<'_>,
    kept: Kept,
    spec: &PushSecretSpec,
    stores: &stores::Found,
    subject: Subject<'_>,
    context: &Context,
) -> Result<(Wants, u64), Error> {
    let Template { from, held } = template;
    let (namespace, tools) = (&subject.key.namespace, context.tools());
    let found = vec![source];
    let inputs = sources::digest(&found, from, subject.object.metadata.generation);
    let rendered = sources::rendered(spec.template.as_deref(), found, from, held, tools).await?;
    let origin = generated::origin(subject, kept);
    let recorded = &subject.status.synced_push_secrets;
    Ok((wants::wants(spec, &rendered, &stores.usable, &origin, namespace, recorded, tools).await?, inputs))
}

/// Whether objects were written that must be deleted once they are no longer desired.
fn has_to_delete(spec: &PushSecretSpec, subject: Subject<'_>) -> bool {
    spec.deletion_policy == PushDeletionPolicy::Delete && !subject.status.synced_push_secrets.is_empty()
}

/// Writes what differs, and deletes what is no longer desired.
async fn push(
    spec: &PushSecretSpec,
    wants: Wants,
    inputs: u64,
    leaving: &BTreeSet<StoreKey>,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<Outcome, Error> {
    let names = wants.names();
    context.state.wants(subject, names.clone());
    let Wants { pieces, mut failures, .. } = wants;
    let outages = Outages::default();
    let pass = execute::Pass { subject, context, policy: spec.update_policy, inputs, outages: &outages };
    let mut looked = pass.look(&pieces).await;
    if looked.lacks_kept() {
        return Ok(Outcome::ValuesMissing);
    }
    failures.append(&mut looked.failures);
    record_intent(&execute::intent(&looked.steps), &vaults(&pieces), subject, progress, context).await?;
    let mut done = pass.act(&looked.steps).await;
    if !done.written.is_empty() {
        context.state.remember(subject, |memo| memo.wrote(Instant::now()));
    }
    report::superseded(&pieces, subject, context);
    failures.append(&mut done.failures);
    if !failures.is_empty() {
        report::written(&done.written, subject, context);
        failures.sort_by(|one, other| (&one.store, &one.remote_key).cmp(&(&other.store, &other.remote_key)));
        return Err(Error::Entries(Failures { all: failures }));
    }
    let recorded = not_wanted(&progress.written.synced_push_secrets, &done.records);
    let Unwanted { due, mut kept, again } = unwanted(recorded, spec, leaving, subject, context);
    let keeps = names.unwrap_or_default();
    let cleaned = clean_up(&due, &progress.written.synced_vaults, &keeps, subject, context).await;
    report::out_of_reach(&cleaned.out_of_reach, subject, context);
    for (store, keys) in cleaned.remaining.into_iter().chain(done.records) {
        kept.entry(store).or_default().extend(keys);
    }
    if !cleaned.failures.is_empty() {
        report::written(&done.written, subject, context);
        store_records(kept, progress.written.synced_vaults.clone(), subject, progress, context).await?;
        return Err(Error::CleanUp(Failures { all: cleaned.failures }));
    }
    Ok(Outcome::Synced {
        records: kept,
        written: done.written,
        deleted: cleaned.deleted,
        left: cleaned.left,
        has_skipped: done.has_skipped,
        again,
    })
}

/// The vault of each store.
fn vaults(pieces: &[Piece]) -> BTreeMap<String, String> {
    let of = |piece: &Piece| {
        let stores: Vec<_> = piece.records.keys().cloned().collect();
        let vault = piece.remote.vault.clone();
        stores.into_iter().map(move |store| (store, vault.clone()))
    };
    pieces.iter().flat_map(of).collect()
}

/// Recorded objects that are not desired.
struct Unwanted {
    /// Those to delete now.
    due: SyncedPushSecrets,
    /// Those that stay recorded.
    kept: SyncedPushSecrets,
    /// When the grace period of the first one ends.
    again: Option<Duration>,
}

/// Sorts the recorded objects that are not desired. Those in a store that is being deleted, or that belongs to another controller, stay,
/// because the spec still refers to them. If the spec has not changed since the last sync, a Secret or one of its keys may be about to
/// be recreated, so there is a grace period.
fn unwanted(
    recorded: SyncedPushSecrets,
    spec: &PushSecretSpec,
    leaving: &BTreeSet<StoreKey>,
    subject: Subject<'_>,
    context: &Context,
) -> Unwanted {
    let mut unwanted = Unwanted { due: SyncedPushSecrets::new(), kept: SyncedPushSecrets::new(), again: None };
    let mut patient = Vec::new();
    for (name, records) in recorded {
        let store = record::store_of(&name).map(|(kind, of)| StoreKey::referenced(kind, &subject.key.namespace, of));
        if store.is_some_and(|store| leaving.contains(&store) || context.is_of_others(&store)) {
            unwanted.kept.insert(name, records);
        } else if spec.deletion_policy == PushDeletionPolicy::Delete {
            patient.extend(records.into_iter().map(|(key, record)| ((name.clone(), key), record)));
        }
    }
    let now = Instant::now();
    let names: Vec<_> = patient.iter().map(|(name, _)| name.clone()).collect();
    let since = context.state.remember(subject, |memo| memo.unwanted(&names, now)).unwrap_or_default();
    let is_same_spec = subject.has_synced_spec();
    for (((store, key), record), since) in patient.into_iter().zip(since) {
        let wait = context.options.push_grace.saturating_sub(now.duration_since(since));
        let place = if is_same_spec && !wait.is_zero() {
            unwanted.again = Some(unwanted.again.map_or(wait, |again| again.min(wait)));
            &mut unwanted.kept
        } else {
            &mut unwanted.due
        };
        place.entry(store).or_default().insert(key, record);
    }
    unwanted
}

/// The recorded objects, except those that are recorded again.
pub(super) fn not_wanted(before: &SyncedPushSecrets, now: &SyncedPushSecrets) -> SyncedPushSecrets {
    let mut rest = before.clone();
    for (store, keys) in now {
        if let Some(of_store) = rest.get_mut(store) {
            of_store.retain(|key, _| !keys.contains_key(key));
        }
    }
    rest.retain(|_, keys| !keys.is_empty());
    rest
}

/// Records what is about to be written, and where, so that a crash in between orphans nothing. Objects of a store that leads to another
/// vault now are reported as left behind.
async fn record_intent(
    added: &SyncedPushSecrets,
    vaults: &BTreeMap<String, String>,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<(), Error> {
    let before = &progress.written;
    let has_moved = |(store, vault): &(&String, &String)| vaults.get(*store).is_some_and(|now| now != *vault);
    let moved: Vec<_> = before.synced_vaults.iter().filter(has_moved).collect();
    let mut records = before.synced_push_secrets.clone();
    let mut out_of_reach = BTreeMap::new();
    for (store, vault) in moved {
        let left = records.remove(store).unwrap_or_default();
        let keys = left.into_values().map(|record| record.match_.remote_ref.remote_key);
        out_of_reach.insert(vault.clone(), keys.collect::<Vec<_>>());
    }
    let has_left = !out_of_reach.is_empty();
    let now = record::with(&records, added);
    if now.is_none() && !has_left {
        return Ok(());
    }
    let mut all_vaults = before.synced_vaults.clone();
    all_vaults.extend(vaults.clone());
    store_records(now.unwrap_or(records), all_vaults, subject, progress, context).await?;
    report::out_of_reach(&out_of_reach, subject, context);
    Ok(())
}

async fn store_records(
    records: SyncedPushSecrets,
    mut vaults: BTreeMap<String, String>,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<(), Error> {
    vaults.retain(|store, _| records.contains_key(store));
    let after = PushSecretStatus { synced_push_secrets: records, synced_vaults: vaults, ..progress.written.clone() };
    if !context.kept_fields.differs(Some(&progress.written), &after) {
        return Ok(());
    }
    let patch = record::patch(&progress.written, &after);
    let api = context.push_secrets(&subject.key.namespace);
    let written = status::write(&api, &subject.key.name, subject.uid(), &patch, &context.kept_fields).await;
    if written.map_err(Error::Intent)? == status::Written::Gone {
        return Err(Error::Gone);
    }
    report::remember(subject, &after, context);
    progress.written = after;
    Ok(())
}

/// There is nothing to push. What was pushed is deleted where the policy says so, and there is still nothing after some time.
async fn gone(
    why: &str,
    absence: Absence,
    spec: &PushSecretSpec,
    subject: Subject<'_>,
    progress: &mut Progress,
    context: &Context,
) -> Result<Outcome, Error> {
    if !has_to_delete(spec, subject) {
        if report::was_source_deleted(subject.status) {
            let records = subject.status.synced_push_secrets.clone();
            return Ok(Outcome::SourceDeleted { records, deleted: Vec::new() });
        }
        return Err(Error::Source(why.to_owned()));
    }
    let now = Instant::now();
    let since = context.state.remember(subject, |memo| memo.absent(absence, now)).unwrap_or(now);
    let waited = now.duration_since(since);
    let wait = context.options.push_grace.saturating_sub(waited);
    if !wait.is_zero() {
        return Ok(Outcome::Leaving { why: why.to_owned(), wait });
    }
    context.state.wants(subject, Some(BTreeSet::new()));
    let cleaned = clean_up_all(subject, progress, context).await.map_err(|error| match (absence, error) {
        (Absence::Source, Error::CleanUp(failures)) => Error::SourceCleanUp(failures),
        (_, error) => error,
    })?;
    match absence {
        Absence::Source => Ok(Outcome::SourceDeleted { records: cleaned.remaining, deleted: cleaned.deleted }),
        Absence::Selection => Ok(Outcome::Synced {
            records: cleaned.remaining,
            written: Vec::new(),
            deleted: cleaned.deleted,
            left: Vec::new(),
            has_skipped: false,
            again: None,
        }),
    }
}

/// Deletes everything that is recorded. After a failure, records the rest; otherwise the caller does.
async fn clean_up_all(subject: Subject<'_>, progress: &mut Progress, context: &Context) -> Result<Cleaned, Error> {
    let PushSecretStatus { synced_push_secrets: recorded, synced_vaults: vaults, .. } = &progress.written;
    let mut cleaned = clean_up(recorded, vaults, &BTreeSet::new(), subject, context).await;
    report::left(&cleaned.left, subject, context);
    report::out_of_reach(&cleaned.out_of_reach, subject, context);
    let failures = std::mem::take(&mut cleaned.failures);
    if failures.is_empty() {
        return Ok(cleaned);
    }
    let vaults = vaults.clone();
    store_records(cleaned.remaining, vaults, subject, progress, context).await?;
    Err(Error::CleanUp(Failures { all: failures }))
}

/// Adds the finalizer before the first write, if objects must be deleted with the PushSecret; removes it if not.
async fn set_finalizer(spec: &PushSecretSpec, subject: Subject<'_>, context: &Context) -> Result<(), Error> {
    let meta = &subject.object.metadata;
    let api = context.push_secrets(&subject.key.namespace);
    match (spec.deletion_policy, finalizer::is_on(meta, FINALIZER_PUSH_SECRET)) {
        (PushDeletionPolicy::Delete, false) => {
            // Applied, so that a finalizer that someone else added meanwhile stays; with the UID, so that an object that was deleted
            // meanwhile is not created again.
            let patch = json!({
                "apiVersion": API_VERSION,
                "kind": PushSecret::KIND,
                "metadata": {
                    "name": subject.key.name,
                    "namespace": subject.key.namespace,
                    "uid": meta.uid,
                    "finalizers": [FINALIZER_PUSH_SECRET],
                },
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            bounded(api.patch_metadata(&subject.key.name, &params, &Patch::Apply(patch)))
                .await
                .map_err(Error::Finalizer)?;
            Ok(())
        }
        (PushDeletionPolicy::None, true) => {
            finalizer::remove(&api, meta, FINALIZER_PUSH_SECRET).await.map_err(Error::Finalizer)
        }
        _ => Ok(()),
    }
}

/// Deletes what a PushSecret that is being deleted has written, if its policy says so, and removes the finalizer.
async fn finalize(subject: Subject<'_>, progress: &mut Progress, context: &Context) -> Result<Outcome, Error> {
    let meta = &subject.object.metadata;
    if !finalizer::is_on(meta, FINALIZER_PUSH_SECRET) {
        return Ok(Outcome::Deleted);
    }
    // An unreadable spec does not ask for a deletion.
    let deletes = subject.object.spec.get().is_ok_and(|spec| spec.deletion_policy == PushDeletionPolicy::Delete);
    if deletes {
        if is_all_of_others(&subject.status.synced_push_secrets, subject, context) {
            return Ok(Outcome::NotOurs);
        }
        context.state.wants(subject, Some(BTreeSet::new()));
        let cleaned = clean_up_all(subject, progress, context).await?;
        let vaults = progress.written.synced_vaults.clone();
        store_records(cleaned.remaining, vaults, subject, progress, context).await?;
    } else if subject.object.spec.get().is_err() {
        let records = subject.status.synced_push_secrets.values().flat_map(BTreeMap::values);
        let keys: Vec<_> = records.map(|record| record.match_.remote_ref.remote_key.clone()).collect();
        report::left_since(&keys, "the spec of the PushSecret cannot be read", subject, context);
    }
    let api = context.push_secrets(&subject.key.namespace);
    // The status was written meanwhile, so the finalizers and the records of other stores are read again.
    let newest = bounded(api.get_opt(&subject.key.name)).await.map_err(Error::Finalizer)?;
    let Some(newest) = newest.filter(|newest| newest.metadata.uid == meta.uid) else { return Ok(Outcome::Deleted) };
    let left = newest.status.map(|status| status.synced_push_secrets).unwrap_or_default();
    if deletes && left.keys().any(|store| is_of_others(store, subject, context)) {
        return Ok(Outcome::NotOurs);
    }
    finalizer::remove(&api, &newest.metadata, FINALIZER_PUSH_SECRET).await.map_err(Error::Finalizer)?;
    Ok(Outcome::Deleted)
}

/// Whether another controller wrote everything that is recorded.
fn is_all_of_others(recorded: &SyncedPushSecrets, subject: Subject<'_>, context: &Context) -> bool {
    !recorded.is_empty() && recorded.keys().all(|store| is_of_others(store, subject, context))
}

/// Whether a recorded store belongs to another controller.
fn is_of_others(store: &str, subject: Subject<'_>, context: &Context) -> bool {
    let store = record::store_of(store);
    store.is_some_and(|(kind, name)| context.is_of_others(&StoreKey::referenced(kind, &subject.key.namespace, name)))
}
