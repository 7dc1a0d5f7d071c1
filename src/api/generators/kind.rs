//! The supported kinds of generators.

use std::fmt;

/// The API group of generators.
pub const GROUP: &str = "generators.external-secrets.io";
/// The only version in which they are served.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of a generator.
pub const API_VERSION: &str = "generators.external-secrets.io/v1alpha1";

/// The supported kinds of generators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GeneratorKind {
    /// A token for an Azure Container Registry.
    AcrAccessToken,
    /// Any of the others, for all namespaces.
    ClusterGenerator,
    /// Values that are written in the generator itself.
    Fake,
    /// A random password.
    #[default]
    Password,
    /// An SSH key pair.
    SshKey,
    /// A random UUID.
    Uuid,
}

impl GeneratorKind {
    /// All of them, by name.
    pub const ALL: [Self; 6] =
        [Self::AcrAccessToken, Self::ClusterGenerator, Self::Fake, Self::Password, Self::SshKey, Self::Uuid];

    /// The kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcrAccessToken => "ACRAccessToken",
            Self::ClusterGenerator => "ClusterGenerator",
            Self::Fake => "Fake",
            Self::Password => "Password",
            Self::SshKey => "SSHKey",
            Self::Uuid => "UUID",
        }
    }

    /// The name in URLs: as in ESO, the kind in lower case followed by `s`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::AcrAccessToken => "acraccesstokens",
            Self::ClusterGenerator => "clustergenerators",
            Self::Fake => "fakes",
            Self::Password => "passwords",
            Self::SshKey => "sshkeys",
            Self::Uuid => "uuids",
        }
    }

    /// The kind with this name, if it is supported.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether its objects are cluster-scoped.
    #[must_use]
    pub const fn is_of_cluster(self) -> bool {
        matches!(self, Self::ClusterGenerator)
    }
}

impl fmt::Display for GeneratorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_of_eso() {
        for kind in GeneratorKind::ALL {
            assert_eq!(kind.plural(), format!("{}s", kind.name().to_ascii_lowercase()));
            assert_eq!(GeneratorKind::named(kind.name()), Some(kind));
        }
    }
}
