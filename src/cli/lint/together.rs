//! What is wrong with manifests only beside each other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::fields::Completeness;
use super::object::Object;
use super::problem::{Finding, Id, Level, Problem};
use super::specs::spec_of;
use crate::api::GROUP;
use crate::api::v1::external_secret::{CreationPolicy, DEFAULT_REFRESH_INTERVAL, RefreshPolicy, SecretStoreRef};
use crate::api::v1::secret_store::SecretStoreSpec;
use crate::api::v1::{ExternalSecretSpec, StoreKind};
use crate::sync::one_line::shortened;

/// What a vault answers in 10 s for all its users together.
const VAULT_LIMIT: f64 = 4000.0;
/// In seconds.
const LIMIT_PERIOD: f64 = 10.0;
/// How many stores a message names.
const NAMED: usize = 3;
/// The longest name of an object in Kubernetes.
const LONGEST_NAME: usize = 253;

/// All that is found of objects of ours, and of the Secrets among the manifests.
pub(super) fn check(objects: &[Object<'_>]) -> Vec<Problem> {
    let whole: Vec<&Object<'_>> = objects.iter().filter(|o| o.completeness == Completeness::Whole).collect();
    let readers: Vec<Reader<'_>> = whole.iter().filter_map(|object| Reader::of(object)).collect();
    let mut problems = twice(&whole);
    problems.extend(two_owners(&readers));
    problems.extend(stores_not_given(&readers, &whole));
    problems.extend(plain_credentials(&whole));
    problems.extend(too_often(&readers));
    problems
}

/// An ExternalSecret.
struct Reader<'o> {
    object: &'o Object<'o>,
    spec: ExternalSecretSpec,
}

impl<'o> Reader<'o> {
    fn of(object: &'o Object<'_>) -> Option<Self> {
        (object.group() == GROUP && object.kind() == "ExternalSecret").then_some(())?;
        Some(Self { object, spec: spec_of(object)? })
    }

    /// Whether it wants to own its target.
    fn owns(&self) -> bool {
        let policy = self.spec.target.as_ref().map(|target| target.creation_policy).unwrap_or_default();
        policy == CreationPolicy::Owner
    }

    /// The kind and name of its target.
    fn target(&self) -> (String, String) {
        let target = self.spec.target.as_ref();
        let kind = target.and_then(|target| target.manifest.as_ref());
        let kind = kind.map_or_else(|| "Secret".to_owned(), |kind| format!("{}/{}", kind.api_version, kind.kind));
        let name = target.and_then(|target| target.name.clone()).filter(|name| !name.is_empty());
        (kind, name.unwrap_or_else(|| self.object.name().to_owned()))
    }

    /// The stores that it reads, with how many entries, and the field that names each first.
    fn stores(&self) -> BTreeMap<Store, (usize, String)> {
        let mut stores: BTreeMap<Store, (usize, String)> = BTreeMap::new();
        let mut add = |own: Option<&SecretStoreRef>, field: String| {
            let (reference, field) = match own {
                Some(reference) => (Some(reference), field),
                None => (self.spec.secret_store_ref.as_ref(), "spec.secretStoreRef.name".to_owned()),
            };
            let Some(reference) = reference else { return };
            let Some(name) = reference.name.clone().filter(|name| !name.is_empty()) else { return };
            let store = Store::new(reference.kind.unwrap_or_default(), self.object.namespace(), name);
            stores.entry(store).or_insert((0, field)).0 += 1;
        };
        for (index, entry) in self.spec.data.iter().enumerate() {
            let source = entry.source_ref.as_deref();
            add(
                source.and_then(|source| source.store_ref.as_ref()),
                format!("spec.data[{index}].sourceRef.storeRef.name"),
            );
        }
        for (index, entry) in self.spec.data_from.iter().enumerate() {
            let source = entry.source_ref.as_deref();
            if source.is_none_or(|source| source.generator_ref.is_none()) {
                let own = source.and_then(|source| source.store_ref.as_ref());
                add(own, format!("spec.dataFrom[{index}].sourceRef.storeRef.name"));
            }
        }
        stores
    }

    /// How many seconds lie between two refreshes, if there are any by themselves.
    fn interval(&self) -> Option<f64> {
        let is_periodic = matches!(self.spec.refresh_policy, None | Some(RefreshPolicy::Periodic));
        let interval = self.spec.refresh_interval.unwrap_or(DEFAULT_REFRESH_INTERVAL).positive()?;
        is_periodic.then_some(interval.as_secs_f64().max(1.0))
    }
}

/// A store, by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Store {
    kind: StoreKind,
    namespace: String,
    name: String,
}

impl Store {
    fn new(kind: StoreKind, namespace: &str, name: String) -> Self {
        let namespace = if kind == StoreKind::SecretStore { namespace.to_owned() } else { String::new() };
        Self { kind, namespace, name }
    }
}

/// How surely two objects of one folder are applied to one cluster: those of one file are; others may be the same object of two environments. Of objects
/// of two folders nothing is known.
fn together(one: &Object<'_>, other: &Object<'_>) -> Level {
    if one.file == other.file { Level::Error } else { Level::Note }
}

fn folder<'o>(object: &'o Object<'_>) -> Option<&'o Path> {
    Path::new(object.path).parent()
}

/// Where an object is, as a message names it.
fn place(object: &Object<'_>) -> String {
    let line = object.problem(Finding::error(Id::Syntax, "", "")).map_or(1, |problem| problem.mark.line);
    format!("{}, line {line}", object.path)
}

fn twice(objects: &[&Object<'_>]) -> Vec<Problem> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for object in objects.iter().filter(|object| !object.name().is_empty()) {
        match first.entry((object.group(), object.kind(), object.namespace(), object.name(), folder(object))) {
            Entry::Vacant(entry) => {
                entry.insert(object);
            }
            Entry::Occupied(entry) => {
                let other = entry.get();
                let level = together(other, object);
                let message = format!("this object is given twice; the other is in {}", place(other));
                problems.extend(object.problem(Finding::new(Id::Twice, level, "metadata.name", message)));
            }
        }
    }
    problems
}

fn two_owners(readers: &[Reader<'_>]) -> Vec<Problem> {
    // The first owner of a target in a folder, and the first of another name.
    let mut owners: BTreeMap<_, [Option<&Reader<'_>>; 2]> = BTreeMap::new();
    let mut problems = Vec::new();
    for reader in readers.iter().filter(|reader| reader.owns()) {
        let is_other = |other: &&Reader<'_>| other.object.name() != reader.object.name();
        let [first, second] =
            owners.entry((reader.object.namespace(), reader.target(), folder(reader.object))).or_default();
        if let Some(other) = first.filter(is_other).or(second.filter(is_other)) {
            let level = together(other.object, reader.object);
            let (kind, name) = reader.target();
            let message = format!(
                "the ExternalSecret {:?} in {} wants to own the {kind} {name:?}, too; give one of the two another target.name, or creationPolicy: Merge",
                brief(other.object.name()),
                place(other.object),
            );
            problems.extend(reader.object.problem(Finding::new(Id::TwoOwners, level, "spec.target.name", message)));
        }
        if first.get_or_insert(reader).object.name() != reader.object.name() {
            second.get_or_insert(reader);
        }
    }
    problems
}

fn stores_not_given(readers: &[Reader<'_>], objects: &[&Object<'_>]) -> Vec<Problem> {
    let given: BTreeSet<Store> = objects.iter().filter_map(|object| Some(store_of(object)?.0)).collect();
    let mut problems = Vec::new();
    for reader in readers {
        for (store, (_, field)) in reader.stores().into_iter().filter(|(store, _)| !given.contains(store)) {
            let message = format!("the {} {:?} is not among the manifests", store.kind, store.name);
            problems.extend(reader.object.problem(Finding::new(Id::StoreNotGiven, Level::Note, field, message)));
        }
    }
    problems
}

/// The store that an object is.
fn store_of(object: &Object<'_>) -> Option<(Store, SecretStoreSpec)> {
    (object.group() == GROUP).then_some(())?;
    let kind =
        [StoreKind::SecretStore, StoreKind::ClusterSecretStore].into_iter().find(|k| k.name() == object.kind())?;
    Some((Store::new(kind, object.namespace(), object.name().to_owned()), spec_of(object)?))
}

/// Secrets in clear text from which stores take credentials: one problem per Secret, at the first credential in it.
fn plain_credentials(objects: &[&Object<'_>]) -> Vec<Problem> {
    let users = credentials(objects);
    let mut problems = Vec::new();
    for secret in objects.iter().filter(|object| object.kind() == "Secret" && object.value.get("sops").is_none()) {
        let Some(keys) = users.get(&(secret.namespace().to_owned(), secret.name().to_owned())) else { continue };
        let mut entries = ["stringData", "data"].into_iter().flat_map(|field| {
            let values = secret.value[field].as_object().into_iter().flatten();
            values.filter(|(_, value)| is_clear(value)).map(move |(key, _)| (field, key))
        });
        let Some((field, key, users)) = entries.find_map(|(field, key)| Some((field, key, keys.get(key)?))) else {
            continue;
        };
        let message = format!(
            "a credential of {} stands here in clear text; encrypt it, or use workload identity, which needs none",
            users.named()
        );
        problems.extend(secret.problem(Finding::warning(Id::PlainCredential, format!("{field}.{key}"), message)));
    }
    problems
}

/// The stores that take a credential from one key of a Secret.
#[derive(Default)]
struct Users {
    /// The first of them.
    first: Vec<Store>,
    all: usize,
}

impl Users {
    fn add(&mut self, store: &Store) {
        if self.first.len() < NAMED {
            self.first.push(store.clone());
        }
        self.all += 1;
    }

    fn named(&self) -> String {
        let names: Vec<_> = self.first.iter().map(|store| format!("{} {:?}", store.kind, brief(&store.name))).collect();
        match self.all - self.first.len() {
            0 => names.join(", "),
            1 => format!("{} and 1 more store", names.join(", ")),
            more => format!("{} and {more} more stores", names.join(", ")),
        }
    }
}

/// The stores that take a credential from a Secret, by its namespace and name, and by key.
fn credentials(objects: &[&Object<'_>]) -> BTreeMap<(String, String), BTreeMap<String, Users>> {
    let mut users: BTreeMap<_, BTreeMap<String, Users>> = BTreeMap::new();
    for (store, spec) in objects.iter().filter_map(|object| store_of(object)) {
        let Some(auth) = spec.provider.azurekv.and_then(|azurekv| azurekv.auth_secret_ref) else { continue };
        for reference in [auth.client_secret, auth.client_certificate].into_iter().flatten() {
            let Some(name) = reference.name else { continue };
            let namespace = reference.namespace.unwrap_or_else(|| store.namespace.clone());
            let keys = users.entry((namespace, name)).or_default();
            keys.entry(reference.key.unwrap_or_default()).or_default().add(&store);
        }
    }
    users
}

/// A name for a message about another object. Many messages may name one object, and a file may give it a name of any length.
fn brief(name: &str) -> String {
    shortened(name.to_owned(), LONGEST_NAME)
}

/// Whether a value is there, and is neither encrypted nor empty.
fn is_clear(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && !text.starts_with("ENC["))
}

/// Stores that would be asked more often than a vault answers.
fn too_often(readers: &[Reader<'_>]) -> Vec<Problem> {
    let mut sums: BTreeMap<Store, (f64, &Reader<'_>, String)> = BTreeMap::new();
    for reader in readers {
        let Some(interval) = reader.interval() else { continue };
        for (store, (entries, field)) in reader.stores() {
            #[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
            let requests = entries as f64 * LIMIT_PERIOD / interval;
            sums.entry(store).or_insert((0.0, reader, field)).0 += requests;
        }
    }
    let too_many = sums.into_iter().filter(|(_, (requests, ..))| *requests > VAULT_LIMIT);
    let problem = |(store, (requests, reader, field)): (Store, (f64, &Reader<'_>, String))| {
        let message = format!(
            "the ExternalSecrets of the {} {:?} ask for {requests:.0} values in 10 s, and a vault answers {VAULT_LIMIT:.0} to all its users; lengthen refreshInterval",
            store.kind, store.name
        );
        reader.object.problem(Finding::warning(Id::TooOften, field, message))
    };
    too_many.filter_map(problem).collect()
}
