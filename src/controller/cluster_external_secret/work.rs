//! The work queue's keys.

use std::fmt;

use crate::controller::core::key::WorkKey;

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Find the namespaces of a ClusterExternalSecret, and write its status.
    Whole { name: String },
    /// Write its ExternalSecret in one namespace.
    Namespace { name: String, namespace: String },
}

impl Work {
    /// The work for a whole ClusterExternalSecret.
    #[must_use]
    pub(crate) fn whole(name: &str) -> Self {
        Self::Whole { name: name.to_owned() }
    }

    /// The work for one namespace.
    #[must_use]
    pub(crate) fn namespace(name: &str, namespace: &str) -> Self {
        Self::Namespace { name: name.to_owned(), namespace: namespace.to_owned() }
    }
}

impl WorkKey for Work {
    fn namespace(&self) -> &str {
        match self {
            Self::Whole { .. } => "",
            Self::Namespace { namespace, .. } => namespace,
        }
    }

    fn name(&self) -> &str {
        let (Self::Whole { name } | Self::Namespace { name, .. }) = self;
        name
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { name } => f.write_str(name),
            Self::Namespace { name, namespace } => write!(f, "{name} in {namespace}"),
        }
    }
}
