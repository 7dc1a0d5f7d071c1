//! When a periodic refresh can skip a target without reading it: nobody else has changed it, and the values it was made
//! from are unchanged.

use super::clients::Clients;
use super::context::Context;
use super::subject::Subject;
use crate::provider::Changes;

/// Whether the provider reports that nothing has changed since it was asked for the values of the target.
pub(super) async fn at_provider(subject: Subject<'_>, clients: &Clients, context: &Context) -> bool {
    let marks = context.remember(subject, |memo| memo.refreshes(subject.key, subject.now)).flatten();
    let mut sources = clients.data().iter().chain(clients.data_from().iter().flatten());
    let (Some(marks), Some(first)) = (marks, sources.next()) else { return false };
    sources.all(|source| source.store == first.store) && first.client.changes(&marks).await == Changes::None
}
