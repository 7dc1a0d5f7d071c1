//! The controller of ClusterPushSecrets: it makes a PushSecret in each namespace that one selects.
//!
//! A pass looks at all namespaces of one object, from what is watched alone, and writes what differs ([`reconcile`], [`child`]). Its
//! PushSecrets are known by the owner's UID, and deleted by the garbage collector; what they have pushed goes with their own finalizer.

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
