//! Turns, first by namespace, then by object.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::controller::core::key::WorkKey;

/// Objects that are due, and since when.
#[derive(Debug)]
pub(super) struct Turns<K> {
    of: HashMap<String, VecDeque<(K, Instant)>>,
    /// The namespaces with objects that are due. After its turn, a namespace moves to the end.
    line: VecDeque<String>,
    len: usize,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { of: HashMap::new(), line: VecDeque::new(), len: 0 }
    }
}

impl<K: WorkKey> Turns<K> {
    /// Adds an object that is due.
    pub(super) fn push(&mut self, key: K, due: Instant) {
        self.len += 1;
        if let Some(objects) = self.of.get_mut(key.namespace()) {
            objects.push_back((key, due));
        } else {
            let namespace = key.namespace().to_owned();
            self.line.push_back(namespace.clone());
            self.of.insert(namespace, VecDeque::from([(key, due)]));
        }
    }

    /// The next object of the first namespace that may have a turn.
    pub(super) fn take(&mut self, may: impl Fn(&str) -> bool) -> Option<(K, Instant)> {
        let place = self.line.iter().position(|namespace| may(namespace))?;
        let namespace = self.line.remove(place)?;
        let objects = self.of.get_mut(&namespace)?;
        let turn = objects.pop_front()?;
        self.len -= 1;
        if objects.is_empty() {
            self.of.remove(&namespace);
        } else {
            self.line.push_back(namespace);
        }
        Some(turn)
    }

    /// The number of objects that are due.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
