//! Names of generators.

use std::fmt;

use crate::api::generators::{GROUP, GeneratorKind};
use crate::controller::core::key::ObjectKey;

/// The kind, namespace and name of a generator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GeneratorKey {
    pub(crate) kind: GeneratorKind,
    /// Its name and its namespace, which is empty for a ClusterGenerator.
    pub(crate) object: ObjectKey,
}

impl GeneratorKey {
    /// The generator that a reference in `namespace` names.
    #[must_use]
    pub(crate) fn referenced(kind: GeneratorKind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.is_of_cluster() { "" } else { namespace };
        Self { kind, object: ObjectKey::new(namespace, name) }
    }
}

impl fmt::Display for GeneratorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{GROUP} {:?}", self.kind.plural(), self.object.name)
    }
}
