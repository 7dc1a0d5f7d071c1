//! The annotation that contains a record.

use crate::api::generators::GROUP;
use crate::sync::hash;

/// The name of the annotation for an ExternalSecret. Several of them may write to one target.
#[must_use]
pub(in crate::sync) fn annotation(namespace: &str, name: &str) -> String {
    // The part after the slash has 63 characters, the most that is allowed.
    format!("{GROUP}/record-{}", hash::owner_label(namespace, name))
}
