//! The controller of ClusterExternalSecrets. It creates an ExternalSecret in each selected namespace.
//!
//! There are two sorts of work ([`work::Work`]). The work for one namespace compares what exists with what is wanted,
//! using only the watches, and does the next write ([`namespace`]). The work for the whole object finds the selected
//! namespaces, queues the work for each, and reports all results in one status ([`whole`], [`report`]). They share
//! [`state`].

mod children;
mod collecting;
mod compiled;
pub(crate) mod context;
mod namespace;
pub(crate) mod reconcile;
mod report;
pub(crate) mod spec;
pub(crate) mod state;
pub(crate) mod watches;
mod whole;
pub(crate) mod work;

use super::core::kind::Kind;
use crate::api::v1::ClusterExternalSecret;

/// ClusterExternalSecrets.
pub(crate) const KIND: Kind = Kind {
    name: ClusterExternalSecret::KIND,
    plural: ClusterExternalSecret::PLURAL,
    controller: "clusterexternalsecret",
    component: "cluster-external-secret",
};
