//! The desired form of an object at a provider.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::secret::{SecretMap, SecretValue};

/// The name of an object at a provider. Two spellings of the same object are equal.
#[derive(Clone, Debug)]
pub struct ObjectName {
    name: String,
    written: String,
}

impl ObjectName {
    /// A name in the provider's own spelling, for example `secret/db-password`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { written: name.clone(), name }
    }

    /// The same object in another spelling, for example `secret/DB-Password`.
    #[must_use]
    pub fn written(self, written: impl Into<String>) -> Self {
        Self { written: written.into(), ..self }
    }

    /// The spelling that is equal for all names of the object.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name as written, which a new object gets.
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

/// The value to write, before the provider converts it.
#[derive(Clone)]
pub enum Payload {
    /// One value.
    Value(SecretValue),
    /// The values of a whole Secret by key, or the properties of a value by name. They become JSON, unless the provider has another
    /// form for them.
    Map(Arc<SecretMap>),
}

/// The desired form of an object, converted for the provider.
#[derive(Clone)]
pub struct Wanted {
    /// The value.
    pub value: SecretValue,
    /// The content type; `None` leaves the existing one.
    pub content_type: Option<String>,
    /// When it expires, in seconds since 1970; `None` leaves the time of the existing version, and sets none on a new one.
    pub expires: Option<i64>,
    /// Tags. Other existing tags stay.
    pub tags: BTreeMap<String, String>,
    /// Tags that were desired before and no longer are. They are removed, unless somebody has changed their value since.
    pub dropped_tags: BTreeMap<String, String>,
}
