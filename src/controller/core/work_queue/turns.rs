//! Turns, first by namespace, then by object.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use crate::controller::core::key::WorkKey;

/// Why an object is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DueBy {
    /// Something has changed.
    Request,
    /// Its time has come: a refresh, or another attempt.
    Time,
}

/// The place of an object that is due, within its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    by: DueBy,
    number: u64,
}

/// An object whose turn it is.
#[derive(Debug)]
pub(super) struct Turn<K> {
    pub(super) key: K,
    /// Since when it has been due.
    pub(super) since: Instant,
    pub(super) by: DueBy,
}

/// Objects that are due, and since when.
#[derive(Debug)]
pub(super) struct Turns<K> {
    of: HashMap<String, Objects<K>>,
    /// The namespaces with objects that are due. After its turn, a namespace moves to the end.
    line: VecDeque<String>,
    len: usize,
    /// The number of the last place.
    last: u64,
}

/// The objects of one namespace that are due, each list in the order in which they became due. One of them has objects.
#[derive(Debug)]
struct Objects<K> {
    by_request: Places<K>,
    by_time: Places<K>,
}

/// Objects and since when they have been due, by the number of their place.
type Places<K> = BTreeMap<u64, (K, Instant)>;

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self { by_request: Places::new(), by_time: Places::new() }
    }
}

impl<K> Objects<K> {
    fn of(&mut self, by: DueBy) -> &mut Places<K> {
        match by {
            DueBy::Request => &mut self.by_request,
            DueBy::Time => &mut self.by_time,
        }
    }

    /// The list whose first object has been due longer, of those that may have a turn.
    fn next(&self, may: impl Fn(DueBy) -> bool) -> Option<DueBy> {
        let first = |by: DueBy, objects: &Places<K>| {
            objects.first_key_value().filter(|_| may(by)).map(|(_, (_, since))| (*since, by))
        };
        let firsts = [first(DueBy::Request, &self.by_request), first(DueBy::Time, &self.by_time)];
        firsts.into_iter().flatten().min_by_key(|(since, _)| *since).map(|(_, by)| by)
    }

    fn is_empty(&self) -> bool {
        self.by_request.is_empty() && self.by_time.is_empty()
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { of: HashMap::new(), line: VecDeque::new(), len: 0, last: 0 }
    }
}

impl<K: WorkKey> Turns<K> {
    /// Adds an object that is due.
    pub(super) fn push(&mut self, Turn { key, since, by }: Turn<K>) -> Place {
        self.len += 1;
        self.last += 1;
        let place = Place { by, number: self.last };
        if let Some(objects) = self.of.get_mut(key.namespace()) {
            objects.of(by).insert(place.number, (key, since));
        } else {
            let namespace = key.namespace().to_owned();
            self.line.push_back(namespace.clone());
            self.of.entry(namespace).or_default().of(by).insert(place.number, (key, since));
        }
        place
    }

    /// Something has changed in an object that is due: it no longer waits behind those whose time has come.
    pub(super) fn promote(&mut self, key: &K, place: &mut Place) {
        let Some(objects) = self.of.get_mut(key.namespace()) else { return };
        if place.by == DueBy::Time
            && let Some(object) = objects.by_time.remove(&place.number)
        {
            objects.by_request.insert(place.number, object);
            place.by = DueBy::Request;
        }
    }

    /// The next object of the first namespace that may have a turn.
    pub(super) fn take(&mut self, may: impl Fn(&str, DueBy) -> bool) -> Option<Turn<K>> {
        let next = |namespace: &String| self.of.get(namespace)?.next(|by| may(namespace, by));
        let (place, by) =
            self.line.iter().enumerate().find_map(|(place, namespace)| Some((place, next(namespace)?)))?;
        let namespace = self.line.remove(place)?;
        let objects = self.of.get_mut(&namespace)?;
        let (_, (key, since)) = objects.of(by).pop_first()?;
        self.len -= 1;
        if objects.is_empty() {
            self.of.remove(&namespace);
        } else {
            self.line.push_back(namespace);
        }
        Some(Turn { key, since, by })
    }

    /// The number of objects that are due.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
