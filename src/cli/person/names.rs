//! Names as people type them: `NAME`, or `KIND/NAME` such as `ps/NAME` and `css/NAME`.

use std::fmt;

use super::kind::Kind;
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Why a name is invalid.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(
        "{0:?} is not a kind of this project: write NAME or es/NAME of an ExternalSecret, ces/NAME of a ClusterExternalSecret, ps/NAME of a PushSecret, cps/NAME of a ClusterPushSecret, store/NAME of a SecretStore, or css/NAME of a ClusterSecretStore"
    )]
    Kind(String),
    #[error("{0:?} is not a store: write store/NAME of a SecretStore, or css/NAME of a ClusterSecretStore")]
    NotAStore(String),
}

/// The object that a name refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Named {
    pub(in crate::cli) kind: Kind,
    /// Without a namespace if the kind has none.
    pub(in crate::cli) key: ObjectKey,
}

impl Named {
    /// The object of this kind that a name refers to in a namespace.
    pub(in crate::cli) fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, key: ObjectKey::new(if kind.is_of_cluster() { "" } else { namespace }, name) }
    }

    /// The namespace, and the name as it is typed there: `shop/db`, `shop/ps/db`, `css/azure`.
    pub(in crate::cli) fn label(&self) -> String {
        let Self { kind, key } = self;
        let name = match kind {
            Kind::ExternalSecret => key.name.clone(),
            kind => format!("{}/{}", kind.short(), key.name),
        };
        if key.namespace.is_empty() { name } else { format!("{}/{name}", key.namespace) }
    }

    /// The store, if it is one.
    pub(in crate::cli) fn store(&self) -> Option<StoreKey> {
        match self.kind {
            Kind::Store(kind) => Some(StoreKey { kind, object: self.key.clone() }),
            _ => None,
        }
    }
}

/// As in a sentence: `ExternalSecret shop/db`.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.key)
    }
}

/// The object that a name refers to in a namespace.
pub(in crate::cli) fn named(text: &str, namespace: &str) -> Result<Named, Error> {
    let (kind, name) = match text.split_once('/') {
        None => (Some(Kind::ExternalSecret), text),
        Some((kind, name)) => (Kind::of(kind), name),
    };
    match kind {
        Some(kind) if !name.is_empty() => Ok(Named::new(kind, namespace, name)),
        _ => Err(Error::Kind(text.to_owned())),
    }
}

/// The store that a name refers to.
pub(in crate::cli) fn store(text: &str, namespace: &str) -> Result<StoreKey, Error> {
    named(text, namespace).ok().and_then(|named| named.store()).ok_or_else(|| Error::NotAStore(text.to_owned()))
}

/// A store as people type it.
pub(in crate::cli) fn short(key: &StoreKey) -> String {
    format!("{}/{}", Kind::Store(key.kind).short(), key.object.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::StoreKind;

    #[test]
    fn each_kind_is_shown_as_it_is_typed() {
        let shown = |kind, namespace| Named::new(kind, namespace, "db").label();
        assert_eq!(shown(Kind::ExternalSecret, "shop"), "shop/db");
        assert_eq!(shown(Kind::PushSecret, "shop"), "shop/ps/db");
        assert_eq!(shown(Kind::ClusterExternalSecret, "shop"), "ces/db");
        assert_eq!(shown(Kind::Store(StoreKind::ClusterSecretStore), "shop"), "css/db");
    }

    #[test]
    fn names_are_read_as_kubectl_reads_them() {
        let of = |kind, namespace, name| Named { kind, key: ObjectKey::new(namespace, name) };
        for text in ["db", "es/db", "ExternalSecret/db"] {
            assert_eq!(named(text, "shop").unwrap(), of(Kind::ExternalSecret, "shop", "db"));
        }
        assert_eq!(named("ps/db", "shop").unwrap(), of(Kind::PushSecret, "shop", "db"));
        for text in ["cps/db", "ClusterPushSecret/db"] {
            assert_eq!(named(text, "shop").unwrap(), of(Kind::ClusterPushSecret, "", "db"));
        }
        assert_eq!(named("ces/db", "shop").unwrap().to_string(), "ClusterExternalSecret db");
        let store = |text| short(&super::store(text, "shop").unwrap());
        assert_eq!(store("css/azure"), "css/azure");
        assert_eq!(store("secretstore/team"), "store/team");
        for text in ["pod/x", "es/", ""] {
            assert!(named(text, "shop").is_err(), "{text}");
        }
        assert!(super::store("db", "shop").is_err());
    }
}
