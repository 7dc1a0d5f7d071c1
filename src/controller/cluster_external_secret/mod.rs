//! The controller of ClusterExternalSecrets: it makes an ExternalSecret in each namespace that one selects.
//!
//! There are two sorts of work ([`work::Work`]). That of one namespace compares what is there with what is wanted, from what is watched
//! alone, and does the next write ([`namespace`]). That of the whole object finds out which namespaces it is about, asks for the work of
//! each, and says in one status what has come of all ([`whole`], [`report`]). What both know of each other is in [`state`].

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
