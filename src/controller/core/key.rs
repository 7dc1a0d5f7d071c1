//! Names of objects, and their versions.

use std::fmt;
use std::hash::Hash;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    /// Empty for an object of the cluster.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
}

impl ObjectKey {
    /// The key of an object with this metadata.
    #[must_use]
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }

    /// A key from its parts.
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

/// What names a piece of work in a queue. Of most kinds that is an object ([`ObjectKey`]). An object of the cluster that works in
/// many namespaces is a piece of work per namespace, each of which bears the cost of its own.
pub(crate) trait WorkKey: Clone + Eq + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The namespace that the work is done for: turns go by it, and so does the processor time. Empty for that of the cluster.
    fn namespace(&self) -> &str;

    /// The name of the object.
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

/// A version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    /// The UID; an object that was deleted and made again has another.
    pub(crate) uid: String,
    /// The resourceVersion.
    pub(crate) resource_version: String,
}

impl ObjectVersion {
    /// The version of the object with this metadata.
    #[must_use]
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
        }
    }
}
