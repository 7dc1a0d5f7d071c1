//! The kinds of objects that the commands for people know, and the words for them.

use crate::api::v1::{ClusterExternalSecret, ExternalSecret, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Kind {
    ExternalSecret,
    ClusterExternalSecret,
    PushSecret,
    ClusterPushSecret,
    Store(StoreKind),
}

impl Kind {
    pub(in crate::cli) const ALL: [Self; 6] = [
        Self::ExternalSecret,
        Self::ClusterExternalSecret,
        Self::PushSecret,
        Self::ClusterPushSecret,
        Self::Store(StoreKind::SecretStore),
        Self::Store(StoreKind::ClusterSecretStore),
    ];

    /// Its name in a manifest.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::ExternalSecret => ExternalSecret::KIND,
            Self::ClusterExternalSecret => ClusterExternalSecret::KIND,
            Self::PushSecret => PushSecret::KIND,
            Self::ClusterPushSecret => ClusterPushSecret::KIND,
            Self::Store(kind) => kind.name(),
        }
    }

    /// Its name in a URL.
    pub(in crate::cli) const fn plural(self) -> &'static str {
        match self {
            Self::ExternalSecret => ExternalSecret::PLURAL,
            Self::ClusterExternalSecret => ClusterExternalSecret::PLURAL,
            Self::PushSecret => PushSecret::PLURAL,
            Self::ClusterPushSecret => ClusterPushSecret::PLURAL,
            Self::Store(kind) => kind.plural(),
        }
    }

    /// The word that people type before a name.
    pub(in crate::cli) const fn short(self) -> &'static str {
        match self {
            Self::ExternalSecret => "es",
            Self::ClusterExternalSecret => "ces",
            Self::PushSecret => "ps",
            Self::ClusterPushSecret => "cps",
            Self::Store(StoreKind::SecretStore) => "store",
            Self::Store(StoreKind::ClusterSecretStore) => "css",
        }
    }

    /// Whether its objects are in no namespace.
    pub(in crate::cli) const fn is_of_cluster(self) -> bool {
        matches!(
            self,
            Self::ClusterExternalSecret | Self::ClusterPushSecret | Self::Store(StoreKind::ClusterSecretStore)
        )
    }

    /// The kind that a word names: like kubectl, its name, plural or short name, in upper or lower case.
    pub(in crate::cli) fn of(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if word == "ss" {
            return Some(Self::Store(StoreKind::SecretStore));
        }
        Self::ALL
            .into_iter()
            .find(|kind| [kind.short(), kind.plural()].contains(&word.as_str()) || kind.name().to_lowercase() == word)
    }

    /// The kinds that a plural names; `stores` are those of both kinds.
    pub(in crate::cli) fn of_plural(word: &str) -> Vec<Self> {
        let is_named = |kind: &Self| kind.plural() == word || (word == "stores" && matches!(kind, Self::Store(_)));
        Self::ALL.into_iter().filter(is_named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_each_of_its_words() {
        for kind in Kind::ALL {
            for word in [kind.name(), kind.plural(), kind.short()] {
                assert_eq!(Kind::of(word), Some(kind), "{word}");
            }
            assert_eq!(Kind::of_plural(kind.plural()), [kind]);
        }
        assert_eq!((Kind::of("pod"), Kind::of("ss")), (None, Some(Kind::Store(StoreKind::SecretStore))));
        assert_eq!((Kind::of_plural("stores").len(), Kind::of_plural("es").len()), (2, 0));
    }
}
