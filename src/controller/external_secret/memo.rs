//! What is remembered of an ExternalSecret between reconciles.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use super::error::SpecFault;
use super::index::TemplateSource;
use super::made_from::MadeFrom;
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::{ExternalSecretStatus, ManifestReference};
use crate::controller::core::key::ObjectVersion;
use crate::controller::core::status::Ahead;
use crate::sync::object::LastWrite;

/// What is remembered of an ExternalSecret between reconciles.
#[derive(Debug, Default)]
pub struct Memo {
    /// Of the parts of the object that matter; a watch event that leaves it equal is no reason to
    /// reconcile.
    pub fingerprint: u64,
    /// What was found wrong with the spec of a generation.
    pub checked: Option<(Option<i64>, Result<(), SpecFault>)>,
    /// The version of the target whose content is known to be what was last written.
    pub verified: Option<ObjectVersion>,
    /// The kind of the target that was last written, if that is not a Secret.
    pub written_kind: Option<ManifestReference>,
    /// What was last written to a target that is not a Secret, and what became of it.
    pub last_write: Option<LastWrite>,
    /// The status that was written last, until the watch shows it.
    pub ahead: Ahead<ExternalSecretStatus>,
    /// From what the target was made, at the version that is verified.
    pub made_from: MadeFrom,
    /// Whether the templates that the target was last rendered from give something else each time.
    pub is_volatile: bool,
    /// How many periodic refreshes there were.
    pub refreshes: u32,
    /// The versions of the objects with templates that the target was last rendered from.
    pub rendered_from: BTreeMap<TemplateSource, ObjectVersion>,
    /// How often one of those objects was seen to have another version.
    pub template_events: u64,
    /// How many of those events the last rendering took into account.
    pub template_events_seen: u64,
    /// Whether the API server was away or overloaded when it was last tried.
    pub awaits_api_server: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The change that is to be synced next, by its fingerprint, and when it was first tried: an answer to a request that
    /// left later will do.
    pub asked: Option<(u64, Instant)>,
    /// Since when it waits for a store that was never validated.
    pub waiting_since: Option<Timestamp>,
}

/// What of an ExternalSecret decides whether a change matters. Its status does not.
#[must_use]
pub fn fingerprint(object: &ExternalSecret) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let meta = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&meta.uid, meta.generation, &meta.labels, &meta.annotations, &meta.finalizers).hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}
