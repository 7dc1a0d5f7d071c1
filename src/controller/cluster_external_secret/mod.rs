//! The controller of ClusterExternalSecrets: it makes an ExternalSecret in each namespace that one selects.
//!
//! There are two sorts of work ([`work::Work`]). That of one namespace compares what is there with what is wanted, from what is watched
//! alone, and does the next write ([`namespace`]). That of the whole object finds out which namespaces it is about, asks for the work of
//! each, and says in one status what has come of all ([`whole`], [`report`]). What both know of each other is in [`state`].

mod children;
mod collecting;
mod compiled;
pub mod context;
mod namespace;
pub mod reconcile;
mod report;
pub mod spec;
pub mod state;
pub mod watches;
mod whole;
pub mod work;

use super::core::kind::Kind;
use crate::api::v1::ClusterExternalSecret;

/// ClusterExternalSecrets.
pub const KIND: Kind = Kind {
    name: ClusterExternalSecret::KIND,
    plural: ClusterExternalSecret::PLURAL,
    controller: "clusterexternalsecret",
    component: "cluster-external-secret",
};
