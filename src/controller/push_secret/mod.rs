//! The controller of PushSecrets: it writes what Secrets hold to providers.
//!
//! One pass, in the order of the files: [`sources`] reads the Secrets, [`marks`] tells whether anything has changed since the last push,
//! [`sources`] renders the template, [`wants`] finds the stores and works
//! out the objects, [`execute`] looks at each object and does what the table says, [`cleanup`] deletes what is not wanted any more.
//! What several PushSecrets want of one object is in [`claims`].

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
mod report;
mod sources;
pub(crate) mod state;
mod stores;
mod subject;
pub(crate) mod view;
mod wants;
pub(crate) mod watches;

use super::core::kind::Kind;
use crate::api::v1alpha1::PushSecret;

/// PushSecrets.
pub(crate) const KIND: Kind =
    Kind { name: PushSecret::KIND, plural: PushSecret::PLURAL, controller: "pushsecret", component: "pushsecret" };
