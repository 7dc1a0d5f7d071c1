//! When a periodic refresh may leave a target alone without reading it: nobody else has changed it, and the values are those from
//! which it was made.

use secrecy::ExposeSecret as _;

use super::Subject;
use super::store_access::Clients;
use crate::api::v1::ExternalSecretSpec;
use crate::controller::context::Context;
use crate::provider::{Changes, ReadMark};
use crate::sync::{SecretData, hash};

/// From what a target was made, as far as a later refresh can tell whether it is still the same.
#[derive(Debug, Default)]
pub struct MadeFrom {
    /// Of the reads; `None` where it cannot be told whether they have changed.
    marks: Option<Vec<ReadMark>>,
    /// The hash of the values; `None` where they are not written as they are. It is the one that the target's annotation shows.
    values: Option<Box<str>>,
}

impl MadeFrom {
    /// Of values that were read for `spec`.
    pub(super) fn new(spec: &ExternalSecretSpec, values: &SecretData, marks: Option<Vec<ReadMark>>) -> Self {
        // A template may give something else each time.
        let has_template = spec.target.as_ref().is_some_and(|target| target.template.is_some());
        let data = values.iter().map(|(key, value)| (key.as_str(), value.expose_secret()));
        Self { marks, values: (!has_template).then(|| hash::data_hash(data).into()) }
    }

    /// Whether the values are certainly the same.
    pub(super) fn has_same_values(&self, other: &Self) -> bool {
        self.values.is_some() && self.values == other.values
    }
}

/// Whether the provider says that nothing has changed since the values were read from which the target was made.
pub(super) async fn at_provider(subject: Subject<'_>, clients: &Clients, context: &Context) -> bool {
    let marks = context.recall(subject, |memo| memo.made_from.marks.clone()).flatten();
    let mut sources = clients.data().iter().chain(clients.data_from());
    let (Some(marks), Some(first)) = (marks, sources.next()) else { return false };
    sources.all(|source| source.store == first.store) && first.client.changes(&marks).await == Changes::None
}
