//! The controller of ClusterPushSecrets. It creates a PushSecret in each namespace that a ClusterPushSecret selects.
//!
//! One pass compares all namespaces of one object with the watch caches, and writes what differs ([`reconcile`], [`child`]). The
//! PushSecrets are recognized by their owner's UID, and the garbage collector deletes them. Each PushSecret's own finalizer then deletes
//! what it has pushed.

mod child;
pub(crate) mod context;
pub(crate) mod preview;
mod provisioned;
mod reconcile;
mod report;
pub(crate) mod state;
pub(crate) mod watches;

use super::core::kind::Kind;
use crate::api::v1alpha1::ClusterPushSecret;

/// ClusterPushSecrets.
pub(crate) const KIND: Kind = Kind {
    name: ClusterPushSecret::KIND,
    plural: ClusterPushSecret::PLURAL,
    controller: "clusterpushsecret",
    component: "external-secrets-controller",
};
