//! The objects of one kind in a vault, with their versions, live and deleted.
//!
//! Source: "Azure Key Vault soft-delete overview"
//! (<https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::object::Version;

/// An object: its versions, the last of which is the current one, and whether it is deleted.
#[derive(Clone)]
pub(crate) struct Entry<B> {
    /// The name as it was first written; names are case-insensitive.
    pub(crate) name: String,
    /// In the order of their creation. Never empty.
    versions: Vec<Version<B>>,
    life: Life,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Live,
    /// Deleted; until `done`, deletion is in progress.
    Deleted(Deletion),
    /// Recovery is in progress until this time.
    Recovering {
        done: i64,
    },
}

/// The times of a deletion, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) deleted: i64,
    done: i64,
    pub(crate) purged: i64,
}

/// Why an object cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The object or version does not exist, or not in this state.
    NotFound,
    /// It is deleted, and its name is taken until it is recovered or purged.
    Deleted,
    /// Deletion is in progress.
    BeingDeleted,
    /// Recovery is in progress.
    BeingRecovered,
}

impl<B> Entry<B> {
    /// The current version: the newest, whether it is enabled or not.
    pub(crate) fn current(&self) -> Option<&Version<B>> {
        self.versions.last()
    }

    /// The version with this ID.
    pub(crate) fn version(&self, id: &str) -> Option<&Version<B>> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version with this ID, or the current one, mutable.
    pub(crate) fn version_mut(&mut self, id: Option<&str>) -> Option<&mut Version<B>> {
        match id {
            None => self.versions.last_mut(),
            Some(id) => self.versions.iter_mut().find(|version| version.id == id),
        }
    }

    /// All versions.
    pub(crate) fn versions(&self) -> &[Version<B>] {
        &self.versions
    }

    /// Checks that it can be read.
    fn live(&self, now: i64) -> Result<(), Conflict> {
        match self.life {
            Life::Live => Ok(()),
            Life::Recovering { done } if now >= done => Ok(()),
            Life::Recovering { .. } => Err(Conflict::BeingRecovered),
            Life::Deleted(deletion) if now < deletion.done => Err(Conflict::BeingDeleted),
            Life::Deleted(_) => Err(Conflict::Deleted),
        }
    }

    /// When it was deleted, if deletion is complete.
    pub(crate) fn deletion(&self, now: i64) -> Result<Deletion, Conflict> {
        match self.life {
            Life::Deleted(deletion) if now < deletion.done => Err(Conflict::BeingDeleted),
            Life::Deleted(deletion) => Ok(deletion),
            Life::Live | Life::Recovering { .. } => Err(Conflict::NotFound),
        }
    }

    fn is_gone(&self, now: i64) -> bool {
        matches!(self.life, Life::Deleted(deletion) if now >= deletion.purged)
    }
}

/// The objects of one kind, sorted by name.
pub(crate) struct Shelf<B>(BTreeMap<String, Entry<B>>);

impl<B> Default for Shelf<B> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<B> Shelf<B> {
    /// The object with this name, live or deleted.
    pub(crate) fn get(&self, name: &str, now: i64) -> Option<&Entry<B>> {
        self.0.get(&name.to_ascii_lowercase()).filter(|entry| !entry.is_gone(now))
    }

    /// The live object with this name.
    pub(crate) fn live(&self, name: &str, now: i64) -> Result<&Entry<B>, Conflict> {
        let entry = self.get(name, now).ok_or(Conflict::NotFound)?;
        entry.live(now).map(|()| entry)
    }

    /// The live object with this name, mutable.
    pub(crate) fn live_mut(&mut self, name: &str, now: i64) -> Result<&mut Entry<B>, Conflict> {
        self.live(name, now)?;
        self.0.get_mut(&name.to_ascii_lowercase()).ok_or(Conflict::NotFound)
    }

    /// Checks whether an object with this name may be created or get a new version.
    pub(crate) fn check_writable(&self, name: &str, now: i64) -> Result<(), Conflict> {
        self.get(name, now).map_or(Ok(()), |entry| entry.live(now))
    }

    /// Adds a version, which becomes the current one, and creates the object if it does not exist. The object keeps its
    /// name as first written.
    pub(crate) fn add(&mut self, name: &str, version: Version<B>, now: i64) -> Result<&Entry<B>, Conflict> {
        self.check_writable(name, now)?;
        let key = name.to_ascii_lowercase();
        if self.0.get(&key).is_some_and(|entry| entry.is_gone(now)) {
            self.0.remove(&key);
        }
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            name: name.to_owned(),
            versions: Vec::new(),
            life: Life::Live,
        });
        entry.versions.push(version);
        Ok(entry)
    }

    /// Soft-deletes an object. Deletion takes `takes` seconds; after `kept` seconds the object is purged.
    pub(crate) fn delete(
        &mut self,
        name: &str,
        now: i64,
        takes: i64,
        kept: i64,
    ) -> Result<(&Entry<B>, Deletion), Conflict> {
        let entry = self.live_mut(name, now)?;
        let deletion = Deletion { deleted: now, done: now.saturating_add(takes), purged: now.saturating_add(kept) };
        entry.life = Life::Deleted(deletion);
        Ok((entry, deletion))
    }

    /// The deleted object with this name.
    pub(crate) fn deleted(&self, name: &str, now: i64) -> Result<(&Entry<B>, Deletion), Conflict> {
        let entry = self.get(name, now).ok_or(Conflict::NotFound)?;
        entry.deletion(now).map(|deletion| (entry, deletion))
    }

    /// Recovers a deleted object, which takes `takes` seconds.
    pub(crate) fn recover(&mut self, name: &str, now: i64, takes: i64) -> Result<&Entry<B>, Conflict> {
        self.deleted(name, now)?;
        let entry = self.0.get_mut(&name.to_ascii_lowercase()).ok_or(Conflict::NotFound)?;
        entry.life = Life::Recovering { done: now.saturating_add(takes) };
        Ok(entry)
    }

    /// Purges a deleted object.
    pub(crate) fn purge(&mut self, name: &str, now: i64) -> Result<(), Conflict> {
        self.deleted(name, now)?;
        self.0.remove(&name.to_ascii_lowercase());
        Ok(())
    }

    /// The live objects after a name, sorted by name.
    pub(crate) fn live_after<'a>(&'a self, after: Option<&str>, now: i64) -> impl Iterator<Item = &'a Entry<B>> {
        self.after(after).filter(move |entry| !entry.is_gone(now) && entry.live(now).is_ok())
    }

    /// The deleted objects after a name.
    pub(crate) fn deleted_after<'a>(
        &'a self,
        after: Option<&str>,
        now: i64,
    ) -> impl Iterator<Item = (&'a Entry<B>, Deletion)> {
        self.after(after)
            .filter(move |entry| !entry.is_gone(now))
            .filter_map(move |entry| entry.deletion(now).ok().map(|deletion| (entry, deletion)))
    }

    fn after(&self, after: Option<&str>) -> impl Iterator<Item = &Entry<B>> {
        let start = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.to_ascii_lowercase()));
        self.0.range((start, Bound::Unbounded)).map(|(_, entry)| entry)
    }
}
