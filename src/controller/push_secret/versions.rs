//! The versions of what a push reads, and the few bytes that are kept of each: a PushSecret may select hundreds of Secrets.

use std::collections::{BTreeMap, HashSet};

use crate::controller::core::key::ObjectVersion;
use crate::controller::core::process_hash::process_hash;

/// Versions of Secrets and ConfigMaps of a namespace.
pub(super) type Versions = BTreeMap<(SourceKind, String), ObjectVersion>;

/// What a push reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum SourceKind {
    Secret,
    ConfigMap,
}

/// The versions of the Secrets and ConfigMaps that were last read.
#[derive(Debug, Default)]
pub(super) struct VersionsRead {
    /// Hashes of their names and versions, sorted.
    known: Box<[(u64, u64)]>,
    /// Whether they are being read again, so that `known` says nothing of what is read.
    is_under_way: bool,
}

/// A hash of a name, which also tells the kind.
fn place(kind: SourceKind, name: &str) -> u64 {
    let hash = process_hash((kind, name)) << 1;
    match kind {
        SourceKind::Secret => hash,
        SourceKind::ConfigMap => hash | 1,
    }
}

const fn kind_of(place: u64) -> SourceKind {
    if place & 1 == 0 { SourceKind::Secret } else { SourceKind::ConfigMap }
}

/// All objects of a kind that exist, as hashes of their namespaces and names.
#[derive(Debug)]
pub(super) struct Listed {
    kind: SourceKind,
    objects: HashSet<u64>,
}

impl Listed {
    /// None so far.
    pub(super) fn none(kind: SourceKind) -> Self {
        Self { kind, objects: HashSet::new() }
    }

    /// Adds an object.
    pub(super) fn insert(&mut self, namespace: &str, name: &str) {
        self.objects.insert(process_hash((namespace, place(self.kind, name))));
    }
}

fn version_hash(version: &ObjectVersion) -> u64 {
    process_hash((&version.uid, &version.resource_version))
}

impl From<&Versions> for VersionsRead {
    fn from(versions: &Versions) -> Self {
        let of = |((kind, name), version): (&(SourceKind, String), &ObjectVersion)| {
            (place(*kind, name), version_hash(version))
        };
        let mut all: Vec<_> = versions.iter().map(of).collect();
        all.sort_unstable();
        Self { known: all.into(), is_under_way: false }
    }
}

/// A Secret or ConfigMap, and its version now; `None` if it was deleted.
#[derive(Clone, Copy)]
pub(super) struct Current {
    place: u64,
    version: Option<u64>,
}

impl Current {
    pub(super) fn of(kind: SourceKind, name: &str, version: Option<&ObjectVersion>) -> Self {
        Self { place: place(kind, name), version: version.map(version_hash) }
    }
}

impl VersionsRead {
    fn get(&self, place: u64) -> Option<u64> {
        self.known.binary_search_by_key(&place, |(place, _)| *place).ok().map(|at| self.known[at].1)
    }

    /// They are read again from now on. Until that has ended, no object is current: one may come and go meanwhile.
    pub(super) fn begin(&mut self) {
        self.is_under_way = true;
    }

    /// Whether they are being read again.
    pub(super) const fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Whether this object was read, in any version.
    pub(super) fn has(&self, current: Current) -> bool {
        self.get(current.place).is_some()
    }

    /// Whether an object of the listed kind was read that is not there, in this namespace.
    pub(super) fn has_missing(&self, namespace: &str, listed: &Listed) -> bool {
        let mut places = self.known.iter().map(|(place, _)| *place).filter(|place| kind_of(*place) == listed.kind);
        places.any(|place| !listed.objects.contains(&process_hash((namespace, place))))
    }

    /// Whether this object was read in this version, or did not exist then and does not exist now.
    pub(super) fn is_current(&self, current: Current) -> bool {
        !self.is_under_way && self.get(current.place) == current.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_was_read_is_current_and_another_is_not() {
        let version = |version: &str| ObjectVersion { uid: "u".to_owned(), resource_version: version.to_owned() };
        let place = (SourceKind::Secret, "a".to_owned());
        let read = VersionsRead::from(&Versions::from([(place, version("1"))]));
        let current = |name, now: Option<&ObjectVersion>| Current::of(SourceKind::Secret, name, now);
        assert!(read.is_current(current("a", Some(&version("1")))));
        assert!(!read.is_current(current("a", Some(&version("2")))) && !read.is_current(current("a", None)));
        assert!(read.has(current("a", None)) && !read.has(current("b", None)));
        assert!(read.is_current(current("b", None)), "it did not exist before either");
        let mut again = VersionsRead::from(&Versions::from([((SourceKind::Secret, "a".to_owned()), version("1"))]));
        again.begin();
        assert!(!again.is_current(current("b", None)), "it may have been read before it was deleted");
        assert!(!read.has(Current::of(SourceKind::ConfigMap, "a", None)));
    }

    #[test]
    fn what_was_read_and_is_not_listed_any_more_is_missing() {
        let version = ObjectVersion { uid: "u".to_owned(), resource_version: "1".to_owned() };
        let read = |kind, name: &str| VersionsRead::from(&Versions::from([((kind, name.to_owned()), version.clone())]));
        let mut listed = Listed::none(SourceKind::Secret);
        listed.insert("shop", "a");
        assert!(!read(SourceKind::Secret, "a").has_missing("shop", &listed));
        assert!(read(SourceKind::Secret, "b").has_missing("shop", &listed));
        assert!(read(SourceKind::Secret, "a").has_missing("mail", &listed), "it is that of another namespace");
        assert!(!read(SourceKind::ConfigMap, "b").has_missing("shop", &listed), "the list says nothing of these");
    }
}
