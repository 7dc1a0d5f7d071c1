//! What an object at a provider is to become.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::secret::{SecretMap, SecretValue};

/// An object at a provider: two names that mean one object are equal, however they are written.
#[derive(Clone, Debug)]
pub struct ObjectName {
    name: String,
    written: String,
}

impl ObjectName {
    /// An object by what the provider calls it, for example `secret/db-password`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { written: name.clone(), name }
    }

    /// The same object as it was written, for example `secret/DB-Password`.
    #[must_use]
    pub fn written(self, written: impl Into<String>) -> Self {
        Self { written: written.into(), ..self }
    }

    /// The name that all ways to write it have in common.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name as it was written, in which it is created.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ObjectName {}

impl Hash for ObjectName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What is to be written, before the provider has given it its form.
#[derive(Clone)]
pub enum Payload {
    /// One value.
    Value(SecretValue),
    /// The values of a whole Secret by key, or the properties of a value by name: JSON, unless the provider has another form
    /// for them.
    Map(Arc<SecretMap>),
}

/// What an object is to become, in the provider's form.
#[derive(Clone)]
pub struct Wanted {
    /// The value.
    pub value: SecretValue,
    /// A note on what the value is; `None` leaves the one that is there.
    pub content_type: Option<String>,
    /// When it expires, in seconds since 1970; `None` leaves the time of the version that is there, and says none of a new one.
    pub expires: Option<i64>,
    /// Tags; others that are there stay.
    pub tags: BTreeMap<String, String>,
    /// Tags that were wanted before and are not any more: they go, unless somebody has given them another value since.
    pub dropped_tags: BTreeMap<String, String>,
}
