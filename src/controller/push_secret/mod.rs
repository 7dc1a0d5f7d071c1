//! The controller of PushSecrets. It writes values of Secrets to providers.
//!
//! The steps of a pass: [`sources`] reads the Secrets, [`marks`] tells whether anything has changed since the last push, [`sources`]
//! renders the template, [`wants`] determines the stores and the objects, [`execute`] compares each object and carries out the action,
//! [`cleanup`] deletes what is no longer desired. [`claims`] settles conflicts between PushSecrets.

mod claims;
mod cleanup;
pub(crate) mod context;
pub(crate) mod error;
mod execute;
pub(crate) mod failure;
mod generated;
mod holders;
mod locks;
mod marks;
mod outages;
mod pieces;
pub(crate) mod preview;
mod progress;
mod reconcile;
mod recorders;
mod remote_object;
mod report;
mod selection;
mod sources;
pub(crate) mod state;
mod stores;
mod subject;
mod versions;
pub(crate) mod view;
mod wants;
pub(crate) mod watches;

use super::core::kind::Kind;
use crate::api::v1alpha1::PushSecret;

/// PushSecrets.
pub(crate) const KIND: Kind =
    Kind { name: PushSecret::KIND, plural: PushSecret::PLURAL, controller: "pushsecret", component: "pushsecret" };
