//! The ExternalSecret controller.

pub mod apply;
pub mod clients;
pub mod cluster_view;
pub mod context;
pub mod destination;
pub mod error;
pub mod failure;
pub mod index;
pub mod kind_discovery;
mod made_from;
pub mod memo;
pub mod outcome;
pub mod planning;
mod reconcile;
mod refused;
pub mod report;
pub mod spec;
pub mod state;
pub mod steps;
pub mod subject;
pub mod target;
pub mod target_kinds;
pub mod templates;
mod unchanged;
pub mod values;
pub mod watches;

use super::core::kind::Kind;
use crate::api::v1::ExternalSecret;

/// ExternalSecrets.
pub const KIND: Kind = Kind {
    name: ExternalSecret::KIND,
    plural: ExternalSecret::PLURAL,
    controller: "externalsecret",
    component: "external-secrets",
};
