//! The controller of ExternalSecrets.

pub(crate) mod apply;
pub(crate) mod clients;
pub(crate) mod cluster_view;
pub(crate) mod context;
pub(crate) mod destination;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod generated;
pub(crate) mod index;
pub(crate) mod kind_discovery;
pub(crate) mod large_specs;
mod made_from;
pub(crate) mod memo;
pub(crate) mod outcome;
pub(crate) mod planning;
mod reconcile;
mod refused;
pub(crate) mod report;
pub(crate) mod spec;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod subject;
mod sync;
pub(crate) mod target;
pub(crate) mod target_kinds;
pub(crate) mod templates;
mod unchanged;
pub(crate) mod values;
pub(crate) mod watches;
mod writing;

use super::core::kind::Kind;
use crate::api::v1::ExternalSecret;

/// ExternalSecrets.
pub(crate) const KIND: Kind = Kind {
    name: ExternalSecret::KIND,
    plural: ExternalSecret::PLURAL,
    controller: "externalsecret",
    component: "external-secrets",
};
