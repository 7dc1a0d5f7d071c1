//! What a sync reads: the target Secret, and the values.

use futures::future::join;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::destination::{Destination, Existing};
use super::unchanged::MadeFrom;
use super::{Error, ObjectVersion, Subject};
use crate::api::LABEL_OWNER;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::{CreationPolicy, DeletionPolicy, ExternalSecretStatus};
use crate::controller::core::conditions::truncated;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::cluster_view::ClusterView;
use crate::controller::external_secret::context::Context;
use crate::controller::store_access::{Clients, Source};
use crate::provider::{Class, Fetched, ProviderError, ReadBudget, ReadMark, ReadOptions};
use crate::sync::object::LastWrite;
use crate::sync::plan::{self, Deletion, TargetSecret};
use crate::sync::refresh::TargetState;
use crate::sync::target::Owner;
use crate::sync::{SecretData, data, hash};

/// Entries without a value that are named in one event.
const MISSING_NAMED: usize = 5;
/// How much of a key is said where several are.
const LONGEST_OF_SEVERAL: usize = 130;

/// What is known of the target.
pub enum Target {
    /// It is at the version that was last verified; its content was not read.
    Verified,
    /// It was never synced and the watch does not know it, so it is taken to be absent; creating it
    /// shows whether that is true, and saves a read.
    Assumed,
    /// It is not there.
    Absent,
    /// It is there, at a version that was not verified before.
    Read(Existing),
}

impl Target {
    /// Whether it is as it was last written, as far as its policy asks for that.
    #[must_use]
    pub fn state(&self, policy: CreationPolicy, last: Option<&LastWrite>) -> TargetState {
        match self {
            Self::Verified => TargetState::Intact,
            Self::Read(existing) => existing.state(policy, last),
            Self::Assumed | Self::Absent => plan::target_state(policy, None),
        }
    }

    /// The target with its content, read now where that was not needed before.
    pub(super) async fn existing(
        self,
        destination: &Destination,
        owner: Owner<'_>,
        values: &SecretData,
        context: &Context,
    ) -> Result<Option<Existing>, Error> {
        // Where nothing is created, nothing shows whether one is there after all.
        let is_to_go = values.is_empty() && owner.deletion_policy() == DeletionPolicy::Delete;
        match self {
            Self::Verified => destination.read(owner, context).await,
            Self::Assumed if is_to_go => destination.read(owner, context).await,
            Self::Assumed | Self::Absent => Ok(None),
            Self::Read(existing) => Ok(Some(existing)),
        }
    }
}

/// Looks at the target. It is read in full only when its version is not the last that was verified. One that is not
/// written is not looked at.
pub(super) async fn target(
    subject: Subject<'_>,
    owner: Owner<'_>,
    destination: &Destination,
    context: &Context,
) -> Result<Target, Error> {
    let policy = owner.creation_policy();
    if policy == CreationPolicy::None {
        return Ok(Target::Assumed);
    }
    let watched = destination.watched(&ObjectKey::new(&subject.key.namespace, owner.target_name()), context);
    let remembered = context.recall(subject, |memo| (memo.verified.clone(), memo.last_write.clone()));
    let (verified, last) = remembered.unwrap_or_default();
    if watched.is_some() && watched == verified {
        return Ok(Target::Verified);
    }
    let was_synced = subject.status.is_some_and(|status| status.synced_resource_version.is_some());
    // One that is merged into need not be watched yet.
    let merges = matches!(policy, CreationPolicy::Merge | CreationPolicy::CreateOrMerge);
    let is_new = watched.is_none() && verified.is_none() && !was_synced;
    if is_new && !merges && destination.is_watched_from_the_start() {
        return Ok(Target::Assumed);
    }
    let Some(existing) = destination.read(owner, context).await? else { return Ok(Target::Absent) };
    if existing.is_intact(last.as_ref()) {
        let version = ObjectVersion::of(existing.metadata());
        context.remember(subject, |memo| {
            memo.verified = Some(version);
            // Somebody else made it what it is now, so the next refresh compares all of it.
            memo.made_from = MadeFrom::default();
        });
    }
    Ok(Target::Read(existing))
}

/// Reads the target Secret in full.
///
/// # Errors
/// [`Error::Api`]
pub async fn secret(owner: Owner<'_>, cluster: &dyn ClusterView) -> Result<Option<TargetSecret>, Error> {
    match cluster.target_secret(&ObjectKey::new(owner.namespace(), owner.target_name())).await {
        Ok(secret) => Ok(secret.map(TargetSecret::new)),
        Err(error) => Err(Error::Api { verb: "read", target: owner.target(), error }),
    }
}

/// The Secrets of earlier target names, which go once the target is there. They are looked for only when the name is
/// another than that of the last sync, or the target is no Secret any more.
///
/// # Errors
/// [`Error::Stale`]
pub async fn stale(
    owner: Owner<'_>,
    status: Option<&ExternalSecretStatus>,
    cluster: &dyn ClusterView,
) -> Result<Vec<Deletion>, Error> {
    let bound = status.and_then(|status| status.binding.as_ref());
    let is_another = |name: &str| owner.manifest().is_some() || name != owner.target_name();
    if owner.creation_policy() != CreationPolicy::Owner || !bound.is_some_and(|bound| is_another(&bound.name)) {
        return Ok(Vec::new());
    }
    let selector = format!("{LABEL_OWNER}={}", hash::owner_label(owner.namespace(), owner.name()));
    let found = cluster.secrets_labelled(owner.namespace(), &selector).await.map_err(Error::Stale)?;
    Ok(plan::stale(owner, &found))
}

/// How many entries of `data`, and of `dataFrom`, are read at the same time: as many as one vault is asked for at once.
const AT_ONCE: usize = 32;

/// What was read for an ExternalSecret.
pub struct Read {
    /// The values.
    pub fetched: data::Fetched,
    /// Of each read; `None` where a later change of any of them could not be told.
    pub marks: Option<Vec<ReadMark>>,
    /// The memory of the values; kept as long as anything that was made of them.
    pub budget: ReadBudget,
}

/// Reads all that the spec names. Of several failures the first in the order of the manifest is
/// reported, so that the condition does not change from try to try.
///
/// # Errors
/// [`Error::Provider`]
pub async fn values(spec: &ExternalSecretSpec, clients: &Clients, options: ReadOptions) -> Result<Read, Error> {
    let budget = clients.budget();
    match within(&budget, spec, clients, options).await {
        Ok((fetched, marks)) => Ok(Read { fetched, marks, budget }),
        // Nothing of what was read is held any more while this waits for others.
        Err(refused) if budget.was_crowded_out() => {
            let Ok(budget) = budget.anew().await else { return Err(refused) };
            let (fetched, marks) = within(&budget, spec, clients, options).await?;
            Ok(Read { fetched, marks, budget })
        }
        Err(refused) => Err(refused),
    }
}

/// Reads all, as long as the budget lets it.
async fn within(
    budget: &ReadBudget,
    spec: &ExternalSecretSpec,
    clients: &Clients,
    options: ReadOptions,
) -> Result<(data::Fetched, Option<Vec<ReadMark>>), Error> {
    // What is certainly not there is left out where the policy says what happens then.
    let absence = match spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default() {
        DeletionPolicy::Retain => Absence::Fails,
        DeletionPolicy::Delete | DeletionPolicy::Merge => Absence::IsLeftOut,
    };
    let sets = stream::iter(0..spec.data_from.len()).map(|index| async move {
        let (entry, source) = (&spec.data_from[index], &clients.data_from()[index]);
        let (field, read) = match (&entry.extract, &entry.find) {
            (Some(reference), _) => {
                let read = source.client.get_secret_map(reference, options).await;
                let charged = |read: Fetched<_>| budget.charge_all(&read.value).map(|()| read);
                ("extract", read.and_then(charged))
            }
            (None, Some(find)) => {
                let found = source.client.find(find, options, budget).await;
                ("find", found.map(|value| Fetched { value, mark: None }))
            }
            (None, None) => return Ok(None),
        };
        absence.check(read, || format!("spec.dataFrom[{index}].{field}"), source)
    });
    let values = stream::iter(0..spec.data.len()).map(|index| async move {
        let (entry, source) = (&spec.data[index], &clients.data()[index]);
        let read = source.client.get_secret(&entry.remote_ref, options).await;
        let charged = |read: Fetched<_>| budget.charge(&entry.secret_key, &read.value).map(|()| read);
        absence.check(read.and_then(charged), || format!("spec.data[{index}] ({:?})", entry.secret_key), source)
    });
    let sets = sets.buffered(AT_ONCE).try_collect::<Vec<_>>();
    let values = values.buffered(AT_ONCE).try_collect::<Vec<_>>();
    let (sets, values) = join(sets, values).await;
    let mut marks = Some(Vec::new());
    let sets = sets?.into_iter().map(|set| unmarked(set, &mut marks)).collect();
    let values = values?.into_iter().map(|value| unmarked(value, &mut marks)).collect();
    Ok((data::Fetched { sets, values }, marks))
}

/// What is said of the entries of which the provider says for certain that nothing is there: the first of them, and how many more.
pub(super) fn missing(spec: &ExternalSecretSpec, fetched: &data::Fetched) -> Option<String> {
    let sets = fetched.sets.iter().enumerate().filter(|(_, set)| set.is_none());
    let sets = sets.map(|(index, _)| (format!("spec.dataFrom[{index}]"), None));
    let values = spec.data.iter().zip(&fetched.values).enumerate().filter(|(_, (_, value))| value.is_none());
    let values = values.map(|(index, (entry, _))| (format!("spec.data[{index}]"), Some(entry.remote_ref.key.as_str())));
    let mut missing = sets.chain(values);
    let named: Vec<_> = missing.by_ref().take(MISSING_NAMED).collect();
    // One has the words of ESO, whatever its length; of several, each must leave room for the others.
    let longest = if named.len() > 1 { LONGEST_OF_SEVERAL } else { usize::MAX };
    let named: Vec<_> = named
        .into_iter()
        .map(|(field, key)| match key {
            Some(key) => format!("{field} (key={})", truncated(key, longest)),
            None => field,
        })
        .collect();
    let more = match missing.count() {
        _ if named.is_empty() => return None,
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("secret does not exist at provider using {}{more}", named.join(", ")))
}

/// Puts the mark of a read among the others.
fn unmarked<T>(read: Option<Fetched<T>>, marks: &mut Option<Vec<ReadMark>>) -> Option<T> {
    let Some(Fetched { value, mark }) = read else {
        *marks = None;
        return None;
    };
    match (mark, marks.as_mut()) {
        (Some(mark), Some(marks)) => marks.push(mark),
        _ => *marks = None,
    }
    Some(value)
}

/// What it means that the provider says for certain that something is not there.
#[derive(Clone, Copy)]
enum Absence {
    Fails,
    IsLeftOut,
}

impl Absence {
    fn check<T>(
        self,
        read: Result<T, ProviderError>,
        entry: impl FnOnce() -> String,
        source: &Source,
    ) -> Result<Option<T>, Error> {
        match (self, read) {
            (_, Ok(value)) => Ok(Some(value)),
            (Self::IsLeftOut, Err(error)) if error.class == Class::Absent => Ok(None),
            (_, Err(error)) => {
                // Which entry is one too many differs from try to try.
                let is_of_all = error.class == Class::OverBudget;
                let entry = if is_of_all { "spec.data and spec.dataFrom".to_owned() } else { entry() };
                Err(Error::Provider { entry, store: source.store.clone(), error: Box::new(error) })
            }
        }
    }
}
