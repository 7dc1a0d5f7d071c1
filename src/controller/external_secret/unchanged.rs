//! When a periodic refresh may leave a target alone without reading it: nobody else has changed it, and the values are those from
//! which it was made.

use super::clients::Clients;
use super::context::Context;
use super::subject::Subject;
use crate::provider::Changes;

/// Whether the provider says that nothing has changed since the values were read from which the target was made.
pub(super) async fn at_provider(subject: Subject<'_>, clients: &Clients, context: &Context) -> bool {
    let marks = context.remember(subject, |memo| memo.refreshes(subject.key, subject.now)).flatten();
    let mut sources = clients.data().iter().chain(clients.data_from().iter().flatten());
    let (Some(marks), Some(first)) = (marks, sources.next()) else { return false };
    sources.all(|source| source.store == first.store) && first.client.changes(&marks).await == Changes::None
}
