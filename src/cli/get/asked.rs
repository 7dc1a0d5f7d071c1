//! Which objects are asked for.

use std::collections::BTreeMap;

use crate::cli::person::kind::Kind;
use crate::cli::person::names::{self, Error};
use crate::controller::core::key::ObjectKey;

/// Which objects are asked for: by name, or all of a kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked(pub(super) BTreeMap<Kind, Which>);

/// Which objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Named(Vec<ObjectKey>),
}

impl Which {
    pub(super) fn includes(&self, key: &ObjectKey) -> bool {
        match self {
            Self::All => true,
            Self::Named(keys) => keys.contains(key),
        }
    }
}

impl Asked {
    /// What the words ask for: names, or kinds. Without words, all ExternalSecrets.
    pub(super) fn of(words: &[String], namespace: &str) -> Result<Self, Error> {
        let mut asked = BTreeMap::new();
        if words.is_empty() {
            asked.insert(Kind::ExternalSecret, Which::All);
        }
        for word in words {
            let kinds = Kind::of_plural(word);
            if !kinds.is_empty() {
                asked.extend(kinds.into_iter().map(|kind| (kind, Which::All)));
                continue;
            }
            let named = names::named(word, namespace)?;
            // All of a kind include the named ones.
            if let Which::Named(keys) = asked.entry(named.kind).or_insert_with(|| Which::Named(Vec::new())) {
                keys.push(named.key);
            }
        }
        Ok(Self(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_or_kinds() {
        let asked = |line: &str| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            Asked::of(&words, "shop").unwrap().0
        };
        assert_eq!(asked(""), BTreeMap::from([(Kind::ExternalSecret, Which::All)]));
        assert_eq!(asked("stores").len(), 2);
        let all = asked("db ps/db clusterexternalsecrets ces/x");
        assert_eq!(all[&Kind::ExternalSecret], Which::Named(vec![ObjectKey::new("shop", "db")]));
        assert_eq!(all[&Kind::ClusterExternalSecret], Which::All);
        assert!(all[&Kind::PushSecret].includes(&ObjectKey::new("shop", "db")));
        assert!(Asked::of(&["pod/x".to_owned()], "shop").is_err());
    }
}
