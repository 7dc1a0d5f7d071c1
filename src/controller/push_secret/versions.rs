//! The versions of what a push reads, and the few bytes that are kept of each: a PushSecret may select hundreds of Secrets.

use std::collections::BTreeMap;

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

/// The versions of the Secrets and ConfigMaps that were last read, as hashes of their names and versions, sorted.
#[derive(Debug, Default)]
pub(super) struct VersionsRead(Box<[(u64, u64)]>);

fn version_hash(version: &ObjectVersion) -> u64 {
    process_hash((&version.uid, &version.resource_version))
}

impl From<&Versions> for VersionsRead {
    fn from(versions: &Versions) -> Self {
        let of = |((kind, name), version): (&(SourceKind, String), &ObjectVersion)| {
            (process_hash((kind, name.as_str())), version_hash(version))
        };
        let mut all: Vec<_> = versions.iter().map(of).collect();
        all.sort_unstable();
        Self(all.into())
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
        Self { place: process_hash((kind, name)), version: version.map(version_hash) }
    }
}

impl VersionsRead {
    fn get(&self, place: u64) -> Option<u64> {
        self.0.binary_search_by_key(&place, |(place, _)| *place).ok().map(|at| self.0[at].1)
    }

    /// Whether this object was read, in any version.
    pub(super) fn has(&self, current: Current) -> bool {
        self.get(current.place).is_some()
    }

    /// Whether this object was read in this version, or did not exist then and does not exist now.
    pub(super) fn is_current(&self, current: Current) -> bool {
        self.get(current.place) == current.version
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
        assert!(!read.has(Current::of(SourceKind::ConfigMap, "a", None)));
    }
}
