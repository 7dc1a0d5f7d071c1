//! The annotation that a record is in.

use crate::api::generators::GROUP;
use crate::sync::hash;

/// The annotation for an ExternalSecret: several of them may write to one target.
#[must_use]
pub(in crate::sync) fn annotation(namespace: &str, name: &str) -> String {
    // The part after the slash has 63 characters, which is the most.
    format!("{GROUP}/record-{}", hash::owner_label(namespace, name))
}
