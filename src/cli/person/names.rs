//! Names as people type them: `NAME`, `es/NAME`, `ps/NAME`, `store/NAME`, `css/NAME`.

use crate::api::v1::{ExternalSecret, StoreKind};
use crate::api::v1alpha1::{ClusterPushSecret, PushSecret};
use crate::controller::core::key::ObjectKey;
use crate::controller::store_access::key::StoreKey;

/// Why a name is invalid.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(
        "{0:?} is not a kind of this project: write NAME or es/NAME of an ExternalSecret, ps/NAME of a PushSecret, clusterpushsecret/NAME, store/NAME, or css/NAME"
    )]
    Kind(String),
    #[error("{0:?} is not a store: write store/NAME of a SecretStore, or css/NAME of a ClusterSecretStore")]
    NotAStore(String),
}

/// The object that a name refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Named {
    ExternalSecret(ObjectKey),
    Store(StoreKey),
    PushSecret(ObjectKey),
    ClusterPushSecret(String),
}

/// The object that a name refers to in a namespace.
pub(in crate::cli) fn named(text: &str, namespace: &str) -> Result<Named, Error> {
    let Some((kind, name)) = text.split_once('/') else {
        return Ok(Named::ExternalSecret(ObjectKey::new(namespace, text)));
    };
    // Like kubectl, accepts kind, plural or short name, in upper or lower case.
    let kind = kind.to_ascii_lowercase();
    let is = |kinds: &[&str]| kinds.contains(&kind.as_str()) && !name.is_empty();
    if is(&["es", "externalsecret", ExternalSecret::PLURAL]) {
        return Ok(Named::ExternalSecret(ObjectKey::new(namespace, name)));
    }
    if is(&["ps", "pushsecret", PushSecret::PLURAL]) {
        return Ok(Named::PushSecret(ObjectKey::new(namespace, name)));
    }
    if is(&["clusterpushsecret", ClusterPushSecret::PLURAL]) {
        return Ok(Named::ClusterPushSecret(name.to_owned()));
    }
    if is(&["ss", "store", "secretstore", "secretstores"]) {
        return Ok(Named::Store(StoreKey::referenced(StoreKind::SecretStore, namespace, name)));
    }
    if is(&["css", "clustersecretstore", "clustersecretstores"]) {
        return Ok(Named::Store(StoreKey::referenced(StoreKind::ClusterSecretStore, namespace, name)));
    }
    Err(Error::Kind(text.to_owned()))
}

/// The store that a name refers to.
pub(in crate::cli) fn store(text: &str, namespace: &str) -> Result<StoreKey, Error> {
    match named(text, namespace) {
        Ok(Named::Store(key)) => Ok(key),
        _ => Err(Error::NotAStore(text.to_owned())),
    }
}

/// A store as people type it.
pub(in crate::cli) fn short(key: &StoreKey) -> String {
    let kind = match key.kind {
        StoreKind::SecretStore => "store",
        StoreKind::ClusterSecretStore => "css",
    };
    format!("{kind}/{}", key.object.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_kubectl_reads_them() {
        let es = |name| Named::ExternalSecret(ObjectKey::new("shop", name));
        assert_eq!(named("db", "shop").unwrap(), es("db"));
        assert_eq!(named("es/db", "shop").unwrap(), es("db"));
        assert_eq!(named("ExternalSecret/db", "shop").unwrap(), es("db"));
        assert_eq!(named("ps/db", "shop").unwrap(), Named::PushSecret(ObjectKey::new("shop", "db")));
        assert_eq!(named("ClusterPushSecret/db", "shop").unwrap(), Named::ClusterPushSecret("db".to_owned()));
        let store = |text| short(&super::store(text, "shop").unwrap());
        assert_eq!(store("css/azure"), "css/azure");
        assert_eq!(store("secretstore/team"), "store/team");
        assert!(
            named("pod/x", "shop").is_err() && named("es/", "shop").is_err() && super::store("db", "shop").is_err()
        );
    }
}
