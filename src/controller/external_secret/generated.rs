//! Values of generators: whether to generate, keep or request them, and from where.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use secrecy::ExposeSecret as _;

use super::cluster_view::ClusterView;
use super::destination::Existing;
use super::error::Error;
use super::planning::{Planner, RenderedFrom};
use super::templates::{self, Originals};
use crate::api::generators::GeneratorSpec;
use crate::api::v1::ExternalSecretSpec;
use crate::api::v1::external_secret::{ExternalSecretStatus, GeneratorRef};
use crate::budget::Budget;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::lookup::{Finder, Found, GeneratorLookup};
use crate::controller::generators::making::{Made, make, placeholder};
use crate::controller::template_engines::Templates;
use crate::generator::{self, Cost, Making};
use crate::provider::{Freshness, ReadBudget, Registries};
use crate::sync::last_write::LastWrite;
use crate::sync::minting::{self, Cause, Choice, Decision, Entry, Record, Recorded, Situation};
use crate::sync::plan::{self, Plan};
use crate::sync::refresh::Reason;
use crate::sync::target::Owner;
use crate::sync::{SecretData, SecretValue, data};
use crate::template::Engine;

/// The most RSA keys that one ExternalSecret generates per pass. The largest takes some seconds.
const MOST_RSA_KEYS: usize = 10;

/// The memory of a key in addition to its bytes: in its entry, its value and its record.
const KEY_OVERHEAD: usize = 128;

/// A generator that an entry of `dataFrom` names.
#[derive(Debug)]
pub(crate) struct Used {
    /// The index of the entry.
    pub(crate) index: usize,
    pub(crate) found: Found,
}

/// The generators that a spec names, in the order of the manifest.
///
/// # Errors
/// [`Error::Generator`] for the first that cannot be used.
pub(crate) async fn used(
    spec: &ExternalSecretSpec,
    namespace: &str,
    generators: &dyn GeneratorLookup,
) -> Result<Vec<Used>, Error> {
    let mut finder = Finder::new(namespace, generators);
    let mut used = Vec::new();
    for (index, reference) in references(spec) {
        let found = finder.find(reference).await.map_err(|error| failed(index, error))?;
        used.push(Used { index, found });
    }
    Ok(used)
}

/// Counts the keys under which generators give values against what one ExternalSecret may hold: each is in memory several
/// times, and a generator of a hundred keys may be named two hundred times.
///
/// # Errors
/// [`Error::Generator`] for the first that is too much.
pub(crate) fn charge_keys(used: &[Used], held: &ReadBudget) -> Result<(), Error> {
    for Used { index, found } in used {
        let size: usize = generator::keys(&found.spec).iter().map(|key| key.len() + KEY_OVERHEAD).sum();
        held.charge_bytes(size).map_err(|error| failed(*index, GeneratorError::Provider(Box::new(error))))?;
    }
    Ok(())
}

/// The references to generators, each with the index of its entry in `dataFrom`.
fn references(spec: &ExternalSecretSpec) -> impl Iterator<Item = (usize, &GeneratorRef)> {
    spec.data_from.iter().enumerate().filter_map(|(index, entry)| {
        let source = entry.source_ref.as_ref()?;
        Some((index, source.generator_ref.as_ref()?))
    })
}

/// Whether an ExternalSecret belongs to another controller, because a generator that it names has another class.
pub(crate) async fn is_of_another_class(
    spec: &ExternalSecretSpec,
    namespace: &str,
    class: &str,
    generators: &dyn GeneratorLookup,
) -> bool {
    let mut finder = Finder::new(namespace, generators);
    for (_, reference) in references(spec) {
        // Any other fault of the generator is reported when it is used.
        if let Ok(found) = finder.find(reference).await
            && found.class().is_some_and(|named| named != class)
        {
            return true;
        }
    }
    false
}

fn failed(index: usize, error: GeneratorError) -> Error {
    Error::Generator { entry: format!("spec.dataFrom[{index}].sourceRef.generatorRef"), error: Box::new(error) }
}

/// What a pass over an ExternalSecret that uses generators needs for them.
#[derive(Clone, Copy)]
pub(crate) struct Generation<'a> {
    pub(crate) owner: Owner<'a>,
    /// The status before the pass.
    pub(crate) status: Option<&'a ExternalSecretStatus>,
    pub(crate) reason: Reason,
    /// When the pass began.
    pub(crate) now: Timestamp,
    /// How old a token may be.
    pub(crate) freshness: Freshness,
    /// Makes values.
    pub(crate) maker: Maker<'a>,
    /// Renders `rewrite.transform`.
    pub(crate) engine: &'a Engine,
    /// Limits what is computed.
    pub(crate) budget: &'a Budget,
    /// Limits the values held in memory, read and generated.
    pub(crate) held: &'a ReadBudget,
}

/// What makes values.
#[derive(Clone, Copy)]
pub(crate) enum Maker<'a> {
    /// They are generated here; tokens of registries come from `Registries`.
    With(&'a dyn Registries),
    /// A placeholder replaces each value.
    Nobody,
}

/// The generators of one ExternalSecret in one pass.
pub(crate) struct Minter<'a> {
    generation: Generation<'a>,
    used: Vec<Used>,
    entries: Vec<Entry>,
    /// What was generated or requested in this pass, by entry. If it is needed again, it has not been written.
    made: BTreeMap<usize, Made>,
}

/// What to do with a target, as far as generators decide that.
enum Settled {
    /// Leave it as it is, with this record.
    Left {
        /// The keys in it that were written.
        written: Option<BTreeSet<String>>,
        record: Record,
    },
    /// Write these values.
    Values(Values),
}

/// The values of generators, together with the values that were read.
struct Values {
    /// All values, including those that were read.
    fetched: data::Fetched,
    /// When the values of each entry were made, and when they expire.
    times: BTreeMap<usize, (Timestamp, Option<Timestamp>)>,
    /// The entries whose values somebody changed or removed, so that they are generated again.
    lost: Vec<String>,
}

impl<'a> Minter<'a> {
    /// For generators that were looked up.
    #[must_use]
    pub(crate) fn new(generation: Generation<'a>, used: Vec<Used>) -> Self {
        let Generation { owner, engine, budget, now, .. } = generation;
        let entries = used.iter().map(|Used { index, found }| {
            let entry = &owner.spec.data_from[*index];
            let keys = data::keys_of(entry, generator::keys(&found.spec), engine, budget);
            Entry { index: *index, hash: minting::entry_hash(entry), making: generator::making(&found.spec), keys }
        });
        let entries = entries.collect();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { generation: Generation { now, ..generation }, used, entries, made: BTreeMap::new() }
    }

    /// What to do with the existing target, given the values that were read.
    ///
    /// # Errors
    /// [`Error::Generator`], and the errors of a plan.
    pub(crate) async fn propose(
        &mut self,
        fetched: &data::Fetched,
        existing: Option<&Existing>,
        last_write: Option<&LastWrite>,
        engines: &Templates,
        cluster: &dyn ClusterView,
    ) -> Result<Proposal, Error> {
        let owner = self.generation.owner;
        let situation = situation(self.generation, existing, last_write);
        let needs_texts = minting::needs_texts(situation, &self.entries);
        let originals = if needs_texts { Some(templates::read(owner, cluster).await?) } else { None };
        let texts = originals.as_ref().and_then(|originals| originals.texts.as_deref());
        let values = match self.settle(fetched, Situation { texts, ..situation }).await? {
            Settled::Left { written, record } => {
                let text = self.text(&record)?;
                let owner = owner.with_record(Some(&text));
                let plan = match existing {
                    Some(Existing::Secret(secret)) => plan::leave(owner, secret.object(), written.as_ref())?,
                    Some(Existing::Object(object)) => plan::leave_object(owner, object.object())?,
                    None => Plan::Unchanged,
                };
                let rendered_from = originals.map(|Originals { versions, texts, .. }| RenderedFrom {
                    versions,
                    texts,
                    is_volatile: false,
                });
                return Ok(Proposal { plan, record: Some(record), lost: Vec::new(), rendered_from });
            }
            Settled::Values(values) => values,
        };
        let (data, keys) = self.assemble(&values)?;
        let mut planner = Planner::new(owner, &data, engines, cluster).with_originals(originals);
        let rendered = planner.rendered_keys(existing).await?;
        // A target that is not a Secret is kept as a whole, even without a template.
        let rendered = rendered.or_else(|| owner.manifest().map(|_| data.keys().cloned().collect()));
        let texts = planner.rendered_from().and_then(|rendered_from| rendered_from.texts);
        let record = self.record(&values, &keys, rendered, texts);
        let text = record.as_ref().map(|record| self.text(record)).transpose()?;
        let mut planner = planner.with_record(text.as_deref());
        let plan = planner.plan(existing, last_write).await?;
        Ok(Proposal { plan, record, lost: values.lost, rendered_from: planner.rendered_from() })
    }

    async fn settle(&mut self, fetched: &data::Fetched, situation: Situation<'_>) -> Result<Settled, Error> {
        match minting::decide(situation, &self.entries) {
            Decision::NotWritten => Ok(Settled::Values(self.placeholders(fetched.clone()))),
            Decision::Leave { written } => {
                Ok(Settled::Left { written, record: minting::record_of_left(situation, &self.entries) })
            }
            Decision::Each(choices) => {
                let data = situation.target.and_then(|target| target.data);
                self.each(choices, data.unwrap_or(&EMPTY), fetched.clone()).await.map(Settled::Values)
            }
        }
    }

    /// Placeholders for values, which are written nowhere.
    fn placeholders(&self, mut fetched: data::Fetched) -> Values {
        for Used { index, found } in &self.used {
            let empty = SecretValue::new(Vec::new().into());
            let keys = generator::keys(&found.spec).into_iter();
            fetched.sets[*index] = Some(keys.map(|key| (key, SecretValue::clone(&empty))).collect());
        }
        Values { fetched, times: BTreeMap::new(), lost: Vec::new() }
    }

    async fn each(
        &mut self,
        choices: Vec<Choice>,
        target: &BTreeMap<String, ByteString>,
        mut fetched: data::Fetched,
    ) -> Result<Values, Error> {
        self.check_cost(&choices)?;
        let (mut times, mut lost) = (BTreeMap::new(), Vec::new());
        for (place, choice) in choices.into_iter().enumerate() {
            let index = self.used[place].index;
            match choice {
                Choice::Keep { keys, made } => {
                    let kept = self.kept(target, &keys).map_err(|error| failed(index, error))?;
                    fetched.kept.insert(index, kept);
                    let status = self.generation.status;
                    let refreshed = status.and_then(|status| status.refresh_time.as_ref()).map(|time| time.0);
                    times.insert(index, (made.or(refreshed).unwrap_or(self.generation.now), None));
                }
                Choice::Mint(_) | Choice::Renew => {
                    let made = self.made(place).await.map_err(|error| failed(index, error))?;
                    if self.is_noted(place) {
                        times.insert(index, (made.at, made.until));
                    }
                    fetched.sets[index] = Some(made.values);
                    if choice == Choice::Mint(Cause::Lost) {
                        lost.push(format!("spec.dataFrom[{index}]"));
                    }
                }
            }
        }
        Ok(Values { fetched, times, lost })
    }

    /// Whether to record when values were made. That is not needed for a generator that can return the same values
    /// again, unless they expire.
    fn is_noted(&self, place: usize) -> bool {
        let spec = &self.used[place].found.spec;
        generator::making(spec) == Making::Minted || matches!(spec, GeneratorSpec::AcrAccessToken(_))
    }

    fn check_cost(&self, choices: &[Choice]) -> Result<(), Error> {
        let minted = choices.iter().zip(&self.used).filter(|(choice, _)| matches!(choice, Choice::Mint(_)));
        let large = minted.filter(|(_, used)| generator::cost(&used.found.spec) == Cost::Large);
        match large.map(|(_, used)| used.index).nth(MOST_RSA_KEYS) {
            None => Ok(()),
            Some(index) => Err(failed(index, GeneratorError::TooManyKeys { most: MOST_RSA_KEYS })),
        }
    }

    /// The values that the target has under these keys.
    fn kept(
        &self,
        target: &BTreeMap<String, ByteString>,
        keys: &BTreeSet<String>,
    ) -> Result<SecretData, GeneratorError> {
        let kept = keys.iter().filter_map(|key| target.get(key));
        // Charged before they are copied, because several entries may name the same key.
        self.charge(kept.map(|value| value.0.len()).sum())?;
        Ok(minting::kept(target, keys))
    }

    fn charge(&self, bytes: usize) -> Result<(), GeneratorError> {
        self.generation.held.charge_bytes(bytes).map_err(|error| GeneratorError::Provider(Box::new(error)))
    }

    /// The values of a generator, which runs once per pass.
    async fn made(&mut self, place: usize) -> Result<Made, GeneratorError> {
        let Used { index, found } = &self.used[place];
        if let Some(made) = self.made.get(index) {
            return Ok(made.clone());
        }
        let Generation { maker, now, freshness, owner, .. } = self.generation;
        let Maker::With(registries) = maker else {
            return Ok(Made { values: placeholder(found), at: now, until: None });
        };
        let made = make(found, owner.namespace(), registries, freshness, now).await?;
        let index = *index;
        self.charge(made.values.values().map(|value| value.expose_secret().len()).sum())?;
        self.made.insert(index, made.clone());
        // A key may have taken so long that this thread lost its slot (`runtime::fair`). Yield, so that the rest runs
        // in one.
        tokio::task::yield_now().await;
        Ok(made)
    }

    /// The data that these values become, and the keys that each entry of `dataFrom` contributed.
    ///
    /// # Errors
    /// [`Error::Data`]
    fn assemble(&self, values: &Values) -> Result<(SecretData, BTreeMap<usize, BTreeSet<String>>), Error> {
        let Generation { owner, engine, budget, .. } = self.generation;
        let mut keys = BTreeMap::new();
        let note = |index, set: &SecretData| drop(keys.insert(index, set.keys().cloned().collect()));
        let data = data::assemble_noting(owner.spec, values.fetched.clone(), engine, budget, note)?;
        Ok((data, keys))
    }

    /// The record of values whose entries contributed these keys; `None` if there is nothing to record. `rendered` and
    /// `texts` are as in [`minting::record`].
    fn record(
        &self,
        values: &Values,
        keys: &BTreeMap<usize, BTreeSet<String>>,
        rendered: Option<BTreeSet<String>>,
        texts: Option<String>,
    ) -> Option<Record> {
        let recorded = self.entries.iter().filter_map(|entry| {
            let (made, until) = *values.times.get(&entry.index)?;
            let keys = keys.get(&entry.index).cloned().unwrap_or_default();
            Some(Recorded { entry: entry.hash.clone(), keys, made, until })
        });
        let recorded: Vec<_> = recorded.collect();
        (!recorded.is_empty()).then(|| minting::record(self.generation.owner, &self.entries, recorded, rendered, texts))
    }

    /// A record as text.
    ///
    /// # Errors
    /// [`Error::Generator`], if it is too long.
    fn text(&self, record: &Record) -> Result<String, Error> {
        record.text().ok_or_else(|| {
            let index = self.entries.first().map_or(0, |entry| entry.index);
            failed(index, GeneratorError::TooManyNoted(self.entries.len()))
        })
    }
}

/// What is to be decided about a target, before the templates in other objects are read.
fn situation<'a>(
    generation: Generation<'a>,
    existing: Option<&'a Existing>,
    last_write: Option<&LastWrite>,
) -> Situation<'a> {
    let Generation { owner, status, reason, now, .. } = generation;
    let target = existing.map(|existing| minting::Target {
        meta: existing.metadata(),
        data: existing.secret().map(|secret| secret.data.as_ref().unwrap_or(&EMPTY)),
        is_intact: existing.is_whole(owner, last_write),
    });
    Situation { owner, status, reason, target, texts: None, now }
}

/// What to do with a target for which generators make some of the values.
pub(crate) struct Proposal {
    /// The plan for the target.
    pub(crate) plan: Plan,
    /// The record to write on it.
    pub(crate) record: Option<Record>,
    /// The entries whose values somebody had changed or removed.
    pub(crate) lost: Vec<String>,
    /// What it was rendered from.
    pub(crate) rendered_from: Option<RenderedFrom>,
}

/// The data of a Secret without any.
static EMPTY: BTreeMap<String, ByteString> = BTreeMap::new();

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::generators::GeneratorKind;
    use crate::controller::generators::key::GeneratorKey;
    use crate::provider::ValueMemory;

    #[test]
    fn passes_of_one_namespace_do_not_hold_very_many_keys_of_generators_all_at_once() {
        let keys: Vec<_> = (0..100).map(|number| format!("k{number}")).collect();
        let spec = json!({"length": 24, "noUpper": false, "allowRepeat": true, "secretKeys": keys});
        let spec = GeneratorSpec::Password(serde_json::from_value(spec).unwrap());
        let key = GeneratorKey::referenced(GeneratorKind::Password, "a", "many");
        let used: Vec<_> =
            (0..200).map(|index| Used { index, found: Found { key: key.clone(), spec: spec.clone() } }).collect();
        let memory = ValueMemory::default();
        let passes: Vec<_> = (0..50).map(|_| ReadBudget::new(&memory, "attacker")).collect();
        let admitted = passes.iter().filter(|held| charge_keys(&used, held).is_ok()).count();
        assert!(admitted > 0 && admitted < 10, "{admitted}");
        assert!(charge_keys(&used, &ReadBudget::new(&memory, "victim")).is_ok());
    }
}
