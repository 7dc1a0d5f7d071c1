//! Expands Secrets into entries: which value goes to which remote key of a store, as in ESO 2.9.0.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::core::{Selector, SelectorExt as _};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::names::{Rewriter, finds, regex, reversed, shown};
use crate::api::v1::StoreKind;
use crate::api::v1alpha1::push_secret::{
    PushConversionStrategy, PushSecretData, PushSecretDataTo, PushSecretSpec, PushSecretStoreRef,
};
use crate::budget::Budget;
use crate::push::Payload;
use crate::re2::Regex;
use crate::sync::SecretData;
use crate::template::{Allowance, Engine};

/// A Secret to push, after the template.
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its values.
    pub data: Arc<SecretData>,
}

/// The parts of a store that decide which entries it gets.
#[derive(Clone, Copy, Debug)]
pub struct StoreFacts<'a> {
    /// Its kind.
    pub kind: StoreKind,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// One value, or several, for a remote key.
pub struct Entry {
    /// The key of the Secret; empty for a whole Secret or several keys.
    pub secret_key: String,
    /// The remote key.
    pub remote_key: String,
    /// The property; empty if there is none.
    pub property: String,
    /// The value to write.
    pub payload: Payload,
    /// The metadata of the object.
    pub metadata: Option<Value>,
    /// Its record in the status.
    pub record: PushSecretData,
}

/// Why the entries of a store cannot be determined. Names keys, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The Secret has no such key.
    #[error("secret key {key} does not exist{}", of(.secret))]
    MissingKey {
        /// The key.
        key: String,
        /// The Secret, if there are several.
        secret: String,
    },
    /// Two keys are converted to the same one.
    #[error("could not apply conversion strategy to keys: secret name collision during conversion: {0}")]
    Collision(String),
    /// `dataTo` cannot be expanded.
    #[error("failed to expand dataTo: {0}")]
    DataTo(String),
    /// A filter cannot be applied.
    #[error("failed to filter dataTo: {0}")]
    Filter(String),
    /// Two entries are for one remote key.
    #[error(
        "failed to merge data entries: duplicate remote key {remote_key:?}: source keys {first:?} and {second:?} both map to the same destination"
    )]
    Duplicate {
        /// The remote key.
        remote_key: String,
        /// The key of the Secret that came first.
        first: String,
        /// The other.
        second: String,
    },
    /// There are more objects than one PushSecret may write.
    #[error("one PushSecret may write {most} objects in all its stores, and this one asks for more; make several")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// Whole Secrets are written as properties too often.
    #[error("the whole Secrets that are written as properties have more than {} MiB together; name single keys", .most >> 20)]
    TooLarge {
        /// How many bytes they may have.
        most: usize,
    },
    /// Too many keys are filtered into maps that are kept until they are written.
    #[error(
        "the entries of dataTo with match and remoteKey select more than {most} keys together; name fewer, or leave match out"
    )]
    TooManyFiltered {
        /// How many keys they may select.
        most: usize,
    },
    /// The names and metadata are too long for a status.
    #[error(
        "the names and metadata of all objects have more than {} KiB together; make several PushSecrets, or shorten metadata",
        .most >> 10
    )]
    TooLong {
        /// How many bytes they may have.
        most: usize,
    },
}

fn of(secret: &str) -> String {
    if secret.is_empty() { String::new() } else { format!(" in Secret {secret:?}") }
}

/// The most objects of one PushSecret, in all stores together.
pub const MOST_OBJECTS: usize = 1000;
/// The most bytes of the names and metadata of all of them. The status repeats them, and the API server does not accept a larger one.
const MOST_TEXT: usize = 512 << 10;
/// The most bytes of whole Secrets that become properties, because each is copied.
const MOST_VALUES: usize = 4 << 20;

/// The most keys of Secrets that filters select for whole objects: each filter makes a map of its own, which is kept until it is
/// written.
const MOST_FILTERED: usize = 200_000;

/// Determines the entries of one PushSecret, one store and Secret after the other, within one budget.
pub struct Expander<'a> {
    spec: &'a PushSecretSpec,
    engine: &'a Engine,
    budget: Budget,
    allowance: Allowance,
    rules: Vec<SetRules<'a>>,
    objects_left: usize,
    text_left: usize,
    values_left: usize,
    filtered_left: usize,
    /// Secrets with their keys converted, as far as an entry has asked for that. Many entries share one.
    converted: Vec<(Arc<SecretData>, Arc<SecretData>)>,
}

/// The compiled expressions of an entry of `dataTo`.
struct SetRules<'a> {
    field: String,
    filter: Option<Regex>,
    rewriter: Rewriter<'a>,
}

/// The entries of a Secret for a store.
#[derive(Default)]
pub struct Expanded {
    /// In order of precedence, the last one wins.
    pub entries: Vec<Entry>,
    /// Entries of `data` for which the Secret has no key.
    pub missing: Vec<Missing>,
}

/// An entry of `data` for which the Secret has no key.
pub struct Missing {
    /// The key.
    pub secret_key: String,
    /// The object it would have become.
    pub remote_key: String,
    /// [`ExpandError::MissingKey`]
    pub error: ExpandError,
}

impl<'a> Expander<'a> {
    /// Prepares the expansion of a PushSecret.
    ///
    /// # Errors
    /// An expression cannot be read.
    pub fn new(spec: &'a PushSecretSpec, engine: &'a Engine) -> Result<Self, ExpandError> {
        let rules = spec.data_to.iter().enumerate().map(|(index, set)| SetRules::of(index, set));
        Ok(Self {
            spec,
            engine,
            budget: Budget::default(),
            allowance: Allowance::new(),
            rules: rules.collect::<Result<_, _>>()?,
            objects_left: MOST_OBJECTS,
            text_left: MOST_TEXT,
            values_left: MOST_VALUES,
            filtered_left: MOST_FILTERED,
            converted: Vec::new(),
        })
    }

    /// The entries of one Secret for one store.
    ///
    /// # Errors
    /// [`ExpandError`], except for keys that the Secret lacks: the other entries do not depend on them.
    pub fn entries(&mut self, store: StoreFacts<'_>, source: &Source) -> Result<Expanded, ExpandError> {
        let taken: BTreeSet<&str> = self.spec.data.iter().map(|entry| entry.match_.secret_key.as_str()).collect();
        let mut made = Expanded::default();
        for index in 0..self.rules.len() {
            let set = &self.spec.data_to[index];
            if set.store_ref.as_ref().is_some_and(|reference| fits(reference, store)) {
                self.expand(index, source, &taken, &mut made.entries)?;
            }
        }
        for entry in &self.spec.data {
            self.explicit(entry, source, &mut made)?;
        }
        check_unique(&made.entries)?;
        Ok(made)
    }

    /// Counts an entry before it is created.
    fn count(&mut self, text: usize) -> Result<(), ExpandError> {
        self.objects_left = self.objects_left.checked_sub(1).ok_or(ExpandError::TooMany { most: MOST_OBJECTS })?;
        self.text_left = self.text_left.checked_sub(text).ok_or(ExpandError::TooLong { most: MOST_TEXT })?;
        Ok(())
    }

    /// The values of a Secret by the keys that a strategy makes.
    fn converted(
        &mut self,
        data: &Arc<SecretData>,
        strategy: PushConversionStrategy,
    ) -> Result<Arc<SecretData>, ExpandError> {
        if strategy == PushConversionStrategy::None {
            return Ok(Arc::clone(data));
        }
        let known = self.converted.iter().find(|(of, _)| Arc::ptr_eq(of, data));
        if let Some((_, converted)) = known {
            return Ok(Arc::clone(converted));
        }
        let converted = Arc::new(reversed(data).map_err(ExpandError::Collision)?);
        self.converted.push((Arc::clone(data), Arc::clone(&converted)));
        Ok(converted)
    }

    fn explicit(&mut self, entry: &PushSecretData, source: &Source, made: &mut Expanded) -> Result<(), ExpandError> {
        let remote = &entry.match_.remote_ref;
        let text = remote.remote_key.len() + remote.property.len() + entry.match_.secret_key.len();
        self.count(text + length(entry.metadata.as_ref()))?;
        let data = self.converted(&source.data, entry.conversion_strategy)?;
        let key = &entry.match_.secret_key;
        if key.is_empty() && !remote.property.is_empty() {
            let size = data.iter().map(|(key, value)| key.len() + value.expose_secret().len()).sum();
            self.values_left = self.values_left.checked_sub(size).ok_or(ExpandError::TooLarge { most: MOST_VALUES })?;
        }
        let payload = match data.get(key) {
            _ if key.is_empty() => Payload::Map(data),
            Some(value) => Payload::Value(Arc::clone(value)),
            None => {
                let error = ExpandError::MissingKey { key: shown(key), secret: source.name.clone() };
                made.missing.push(Missing { secret_key: key.clone(), remote_key: remote.remote_key.clone(), error });
                return Ok(());
            }
        };
        made.entries.push(Entry {
            secret_key: key.clone(),
            remote_key: remote.remote_key.clone(),
            property: remote.property.clone(),
            payload,
            metadata: entry.metadata.clone(),
            record: entry.clone(),
        });
        Ok(())
    }

    /// Adds the entries of an entry of `dataTo`. Keys that `data` names are left out, except from bundles, which name no single key.
    fn expand(
        &mut self,
        index: usize,
        source: &Source,
        taken: &BTreeSet<&str>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), ExpandError> {
        let set = &self.spec.data_to[index];
        let data = self.converted(&source.data, set.conversion_strategy)?;
        let matched = self.rules[index].filtered(data, &self.budget)?;
        if matched.is_empty() {
            return Ok(());
        }
        let of_metadata = length(set.metadata.as_ref());
        if let Some(remote_key) = set.remote_key.as_deref().filter(|key| !key.is_empty()) {
            self.count(remote_key.len() + of_metadata)?;
            if self.rules[index].filter.is_some() {
                let left = self.filtered_left.checked_sub(matched.len());
                self.filtered_left = left.ok_or(ExpandError::TooManyFiltered { most: MOST_FILTERED })?;
            }
            entries.push(entry("", remote_key, Payload::Map(matched), set));
            return Ok(());
        }
        let field = format!("spec.dataTo[{index}]");
        let failed = |problem: String| ExpandError::DataTo(format!("{field}: {problem}"));
        let mut names = BTreeSet::new();
        for (key, value) in &*matched {
            self.count(key.len() + of_metadata)?;
            let rewriter = &self.rules[index].rewriter;
            let name = rewriter.name(key, self.engine, &self.budget, &mut self.allowance);
            let name = name.map_err(|error| ExpandError::DataTo(error.to_string()))?;
            if name.is_empty() {
                return Err(failed(format!("the key {:?} becomes an empty remote key; change rewrite", shown(key))));
            }
            if !names.insert(name.clone()) {
                return Err(failed(format!(
                    "the remote key {:?} comes of more than one key; change rewrite",
                    shown(&name)
                )));
            }
            self.text_left = self.text_left.saturating_sub(name.len());
            if !taken.contains(key.as_str()) {
                entries.push(entry(key, &name, Payload::Value(Arc::clone(value)), set));
            }
        }
        Ok(())
    }
}

impl<'a> SetRules<'a> {
    fn of(index: usize, set: &'a PushSecretDataTo) -> Result<Self, ExpandError> {
        let field = format!("spec.dataTo[{index}]");
        let filter = set.match_.as_ref().and_then(|filter| filter.regexp.as_deref()).filter(|text| !text.is_empty());
        let at = format!("{field}.match.regexp");
        let filter = filter.map(|text| regex(&at, text)).transpose();
        let filter = filter.map_err(|error| ExpandError::Filter(error.to_string()))?;
        let rewriter = Rewriter::new(&field, &set.rewrite).map_err(|error| ExpandError::DataTo(error.to_string()))?;
        Ok(Self { field: at, filter, rewriter })
    }

    /// The values whose keys the filter matches.
    fn filtered(&self, data: Arc<SecretData>, budget: &Budget) -> Result<Arc<SecretData>, ExpandError> {
        let Some(filter) = &self.filter else { return Ok(data) };
        let mut matched = SecretData::new();
        for (key, value) in &*data {
            let is_found = finds(&self.field, filter, key, budget);
            if is_found.map_err(|error| ExpandError::Filter(error.to_string()))? {
                matched.insert(key.clone(), Arc::clone(value));
            }
        }
        Ok(Arc::new(matched))
    }
}

/// The length of metadata as JSON.
#[must_use]
pub fn length(metadata: Option<&Value>) -> usize {
    metadata.map_or(0, |metadata| metadata.to_string().len())
}

fn check_unique(entries: &[Entry]) -> Result<(), ExpandError> {
    let mut seen = BTreeMap::new();
    for entry in entries {
        let place = (entry.remote_key.as_str(), entry.property.as_str());
        if let Some(first) = seen.insert(place, entry.secret_key.as_str()) {
            return Err(ExpandError::Duplicate {
                remote_key: shown(&entry.remote_key),
                first: first.to_owned(),
                second: entry.secret_key.clone(),
            });
        }
    }
    Ok(())
}

/// Whether a reference selects a store.
#[must_use]
pub fn fits(reference: &PushSecretStoreRef, store: StoreFacts<'_>) -> bool {
    if reference.kind.unwrap_or_default() != store.kind {
        return false;
    }
    match &reference.label_selector {
        Some(selector) => Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(store.labels)),
        None => reference.name.as_deref() == Some(store.name),
    }
}

fn entry(secret_key: &str, remote_key: &str, payload: Payload, set: &PushSecretDataTo) -> Entry {
    let mut record = PushSecretData { metadata: set.metadata.clone(), ..PushSecretData::default() };
    secret_key.clone_into(&mut record.match_.secret_key);
    remote_key.clone_into(&mut record.match_.remote_ref.remote_key);
    Entry {
        secret_key: secret_key.to_owned(),
        remote_key: remote_key.to_owned(),
        property: String::new(),
        payload,
        metadata: set.metadata.clone(),
        record,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(fields: &Value) -> PushSecretSpec {
        let mut spec = json!({"secretStoreRefs": [{"name": "s"}], "selector": {"secret": {"name": "x"}}});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    /// A Secret of so many keys, with values of so many bytes.
    fn source(keys: usize, bytes: usize) -> Source {
        let data = (0..keys).map(|key| (format!("k{key}"), Arc::new(vec![b'x'; bytes].into())));
        Source { name: "x".to_owned(), data: Arc::new(data.collect()) }
    }

    fn expanded(spec: &PushSecretSpec, source: &Source) -> Result<Expanded, ExpandError> {
        let labels = BTreeMap::new();
        let store = StoreFacts { kind: StoreKind::SecretStore, name: "s", labels: &labels };
        let engine = Engine::new([]);
        Expander::new(spec, &engine)?.entries(store, source)
    }

    /// How many maps of values these entries, each a whole Secret, hold in memory.
    fn maps_of(expanded: &Expanded) -> usize {
        let maps = expanded.entries.iter().map(|entry| match &entry.payload {
            Payload::Map(map) => Arc::as_ptr(map),
            Payload::Value(_) => panic!("a whole Secret"),
        });
        maps.collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn what_is_asked_for_too_often_is_refused_before_it_is_made() {
        let whole: Vec<_> =
            (0..1000).map(|at| json!({"match": {"remoteRef": {"remoteKey": format!("r{at}")}}})).collect();
        let made = expanded(&spec(&json!({ "data": whole })), &source(100_000, 1)).unwrap();
        assert_eq!((made.entries.len(), maps_of(&made)), (1000, 1), "they share the values");
        let all = spec(&json!({"dataTo": [{"storeRef": {"name": "s"}}]}));
        let refused = expanded(&all, &source(1001, 1)).err();
        assert_eq!(refused, Some(ExpandError::TooMany { most: MOST_OBJECTS }));
        let metadata = json!({"spec": {"contentType": "x".repeat(16 << 10)}});
        let noted = spec(&json!({"dataTo": [{"storeRef": {"name": "s"}, "metadata": metadata}]}));
        assert_eq!(expanded(&noted, &source(900, 1)).err(), Some(ExpandError::TooLong { most: MOST_TEXT }));
        let property = |at| json!({"match": {"remoteRef": {"remoteKey": "r", "property": format!("p{at}")}}});
        let properties = spec(&json!({"data": (0..1000).map(property).collect::<Vec<_>>()}));
        let refused = expanded(&properties, &source(1, 1 << 20)).err();
        assert_eq!(refused, Some(ExpandError::TooLarge { most: MOST_VALUES }));
    }

    #[test]
    fn a_key_that_is_missing_does_not_keep_the_others_from_being_made() {
        let entry = |key: &str| json!({"match": {"secretKey": key, "remoteRef": {"remoteKey": key}}});
        let made = expanded(&spec(&json!({"data": [entry("k0"), entry("no"), entry("k1")]})), &source(2, 1)).unwrap();
        assert_eq!(made.entries.iter().map(|entry| &*entry.remote_key).collect::<Vec<_>>(), ["k0", "k1"]);
        assert_eq!(made.missing[0].error.to_string(), "secret key no does not exist in Secret \"x\"");
    }

    #[test]
    fn keys_are_converted_once_and_filtered_within_bounds_however_many_entries_ask_for_the_whole_secret() {
        let reverse = "ReverseUnicode";
        let whole =
            |at| json!({"conversionStrategy": reverse, "match": {"remoteRef": {"remoteKey": format!("r{at}")}}});
        let of_data = spec(&json!({"data": (0..1000).map(whole).collect::<Vec<_>>()}));
        let bundle = |at| json!({"storeRef": {"name": "s"}, "remoteKey": format!("r{at}"), "conversionStrategy": reverse, "match": {"regexp": "^k"}});
        let of_bundles = spec(&json!({"dataTo": (0..20).map(bundle).collect::<Vec<_>>()}));
        let made = expanded(&of_data, &source(70_000, 1)).unwrap();
        assert_eq!((made.entries.len(), maps_of(&made)), (1000, 1), "they share one conversion");
        assert_eq!(expanded(&of_bundles, &source(5_000, 1)).unwrap().entries.len(), 20);
        let refused = expanded(&of_bundles, &source(70_000, 1)).err();
        assert_eq!(refused, Some(ExpandError::TooManyFiltered { most: MOST_FILTERED }));
    }
}
