//! Objects of one kind that are to be refreshed.

use std::collections::BTreeMap;

use kube::Client;

use super::kinds::Refreshable;
use crate::answers::Objects;
use crate::cli::person::kind::Kind;
use crate::cli::person::names::Named;
use crate::controller::core::key::ObjectKey;

/// Objects of one kind that are to be refreshed.
pub(super) struct Batch<K: Refreshable> {
    pub(super) kind: Kind,
    pub(super) dyntype: K::DynamicType,
    pub(super) objects: BTreeMap<ObjectKey, K>,
}

impl<K: Refreshable> Batch<K> {
    pub(super) const fn new(kind: Kind, dyntype: K::DynamicType) -> Self {
        Self { kind, dyntype, objects: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, object: K) {
        self.extend([object]);
    }

    pub(super) fn extend(&mut self, objects: impl IntoIterator<Item = K>) {
        self.objects.extend(objects.into_iter().map(|object| (ObjectKey::of(object.meta()), object)));
    }

    /// The name of one of its objects.
    pub(super) fn named(&self, key: &ObjectKey) -> Named {
        Named { kind: self.kind, key: key.clone() }
    }

    /// Its objects in a namespace.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Objects<K> {
        let namespace = Some(namespace).filter(|_| !self.kind.is_of_cluster());
        Objects::within(client.clone(), namespace, &self.dyntype)
    }
}
