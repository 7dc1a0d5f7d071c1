//! Reads the values that a spec names.

use futures::future::join;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::clients::{Clients, Source};
use super::error::Error;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::DeletionPolicy;
use crate::provider::{Class, Fetched, ProviderError, ReadBudget, ReadMark, ReadOptions, earlier};
use crate::sync::data;
use crate::sync::one_line::truncated;

/// How many entries without a value one event names.
const MISSING_NAMED: usize = 5;
/// The longest key in an event that names several.
const LONGEST_OF_SEVERAL: usize = 130;

/// How many entries of `data`, and of `dataFrom`, are read concurrently: as many as one vault is asked for at once.
const AT_ONCE: usize = 32;

/// What was read for an ExternalSecret.
pub(crate) struct Read {
    /// The values.
    pub(crate) fetched: data::Fetched,
    /// The mark of each read; `None` if a later change of any of them could not be detected.
    pub(crate) marks: Option<Vec<ReadMark>>,
    /// The earliest expiry, in seconds since 1970, if the provider reports one.
    pub(crate) expires: Option<i64>,
    /// Accounts for the memory of the values, and must live as long as anything made from them.
    pub(crate) budget: ReadBudget,
}

/// Reads everything that the spec names. Of several failures, reports the first in the order of the manifest, so that
/// the condition does not change with each attempt.
///
/// # Errors
/// [`Error::Provider`]
pub(crate) async fn read(spec: &ExternalSecretSpec, clients: &Clients, options: ReadOptions) -> Result<Read, Error> {
    let budget = clients.budget();
    match within(&budget, spec, clients, options).await {
        Ok(Told { fetched, marks, expires }) => Ok(Read { fetched, marks, expires, budget }),
        // Nothing of what was read is held while this waits for others.
        Err(refused) if budget.was_crowded_out() => {
            let Ok(budget) = budget.anew().await else { return Err(refused) };
            let Told { fetched, marks, expires } = within(&budget, spec, clients, options).await?;
            Ok(Read { fetched, marks, expires, budget })
        }
        Err(refused) => Err(refused),
    }
}

/// The provider's answers.
struct Told {
    fetched: data::Fetched,
    marks: Option<Vec<ReadMark>>,
    expires: Option<i64>,
}

/// Reads everything, within the budget.
async fn within(
    budget: &ReadBudget,
    spec: &ExternalSecretSpec,
    clients: &Clients,
    options: ReadOptions,
) -> Result<Told, Error> {
    // What certainly does not exist is left out if the deletion policy says what to do then.
    let absence = match spec.target.as_ref().map(|target| target.deletion_policy).unwrap_or_default() {
        DeletionPolicy::Retain => Absence::Fails,
        DeletionPolicy::Delete | DeletionPolicy::Merge => Absence::IsLeftOut,
    };
    let sets = stream::iter(0..spec.data_from.len()).map(|index| async move {
        let (entry, source) = (&spec.data_from[index], &clients.data_from()[index]);
        let Some(source) = source else { return Ok(None) };
        let (field, read) = match (&entry.extract, &entry.find) {
            (Some(reference), _) => {
                let read = source.client.get_secret_map(reference, options).await;
                let charged = |read: Fetched<_>| budget.charge_all(&read.value).map(|()| read);
                ("extract", read.and_then(charged))
            }
            (None, Some(find)) => {
                let found = source.client.find(find, options, budget).await;
                ("find", found)
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
    let (mut marks, mut expires) = (Some(Vec::new()), None);
    let sets = sets?.into_iter().map(|set| unmarked(set, &mut marks, &mut expires)).collect();
    let values = values?.into_iter().map(|value| unmarked(value, &mut marks, &mut expires)).collect();
    // Many entries may be parts of one object.
    if let Some(marks) = &mut marks {
        marks.sort_unstable();
        marks.dedup();
        marks.shrink_to_fit();
    }
    Ok(Told { fetched: data::Fetched { sets, values, ..data::Fetched::default() }, marks, expires })
}

/// The note about entries that the provider certainly does not have: the first few, and how many more.
pub(super) fn missing(spec: &ExternalSecretSpec, fetched: &data::Fetched) -> Option<String> {
    let is_of_store =
        |index: usize| spec.data_from[index].source_ref.as_ref().is_none_or(|source| source.generator_ref.is_none());
    let sets = fetched.sets.iter().enumerate().filter(|(index, set)| set.is_none() && is_of_store(*index));
    let sets = sets.map(|(index, _)| (format!("spec.dataFrom[{index}]"), None));
    let values = spec.data.iter().zip(&fetched.values).enumerate().filter(|(_, (_, value))| value.is_none());
    let values = values.map(|(index, (entry, _))| (format!("spec.data[{index}]"), Some(entry.remote_ref.key.as_str())));
    let mut missing = sets.chain(values);
    let named: Vec<_> = missing.by_ref().take(MISSING_NAMED).collect();
    // A single one is reported in ESO's words, whatever its length; several must leave room for each other.
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

/// Adds the mark and expiry of one read to those of the others.
fn unmarked<T>(
    read: Option<Fetched<T>>,
    marks: &mut Option<Vec<ReadMark>>,
    first_to_expire: &mut Option<i64>,
) -> Option<T> {
    let Some(Fetched { value, mark, expires }) = read else {
        *marks = None;
        return None;
    };
    *first_to_expire = earlier(*first_to_expire, expires);
    match (mark, marks.as_mut()) {
        (Some(mark), Some(marks)) => marks.push(mark),
        _ => *marks = None,
    }
    Some(value)
}

/// What to do if the provider certainly does not have something.
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
                // Which entry exceeds the budget differs from attempt to attempt.
                let is_of_all = error.class == Class::OverBudget;
                let entry = if is_of_all { "spec.data and spec.dataFrom".to_owned() } else { entry() };
                Err(Error::Provider { entry, store: source.store.clone(), error: Box::new(error) })
            }
        }
    }
}
