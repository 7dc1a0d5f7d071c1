//! Names and versions of objects.

use std::fmt;
use std::hash::Hash;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    /// Empty for a cluster-scoped object.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ObjectKey {
    #[must_use]
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }

    #[must_use]
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// The name of a piece of work in a queue: for most kinds, an object ([`ObjectKey`]). A cluster-scoped object that
/// writes to many namespaces is one piece of work per namespace, so each namespace bears its own cost.
pub(crate) trait WorkKey: Clone + Eq + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The namespace that the work is done for, which decides its turn and its share of processor time. Empty for
    /// cluster-scoped work.
    fn namespace(&self) -> &str;

    /// The object's name.
    fn name(&self) -> &str;
}

impl WorkKey for ObjectKey {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    /// Differs if the object was deleted and recreated.
    pub(crate) uid: String,
    pub(crate) resource_version: String,
}

impl ObjectVersion {
    #[must_use]
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
        }
    }
}
