//! Turns by namespace first, then by object.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::controller::core::key::ObjectKey;

/// Objects that are due, and since when.
#[derive(Debug, Default)]
pub(super) struct Turns {
    of: HashMap<String, VecDeque<(String, Instant)>>,
    /// The namespaces with objects that are due; who has had a turn stands at the end.
    line: VecDeque<String>,
    len: usize,
}

impl Turns {
    /// An object is due.
    pub(super) fn push(&mut self, key: ObjectKey, due: Instant) {
        self.len += 1;
        let ObjectKey { namespace, name } = key;
        if let Some(objects) = self.of.get_mut(&namespace) {
            objects.push_back((name, due));
        } else {
            self.line.push_back(namespace.clone());
            self.of.insert(namespace, VecDeque::from([(name, due)]));
        }
    }

    /// The object whose turn it is, of the first namespace that may have one.
    pub(super) fn take(&mut self, may: impl Fn(&str) -> bool) -> Option<(ObjectKey, Instant)> {
        let place = self.line.iter().position(|namespace| may(namespace))?;
        let namespace = self.line.remove(place)?;
        let objects = self.of.get_mut(&namespace)?;
        let (name, due) = objects.pop_front()?;
        self.len -= 1;
        if objects.is_empty() {
            self.of.remove(&namespace);
        } else {
            self.line.push_back(namespace.clone());
        }
        Some((ObjectKey { namespace, name }, due))
    }

    /// How many objects are due.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
