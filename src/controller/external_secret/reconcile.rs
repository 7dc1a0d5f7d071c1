//! One pass over one ExternalSecret: what the core runs, from the watched object to the report.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::context::Context;
use super::error::Error;
use super::memo::{Memo, Remembered};
use super::outcome::Outcome;
use super::subject::Subject;
use super::sync::sync_once;
use super::{KIND, report};
use crate::api::v1::ExternalSecret;
use crate::api::v1::external_secret::ExternalSecretStatus;
use crate::controller::core::key::ObjectKey;
use crate::controller::core::kind::Kind;
use crate::controller::core::reconcile::{Pass, Reconcile};
use crate::controller::core::requeue::{Next, spread};
use crate::controller::core::work_queue::Requests;
use crate::runtime::panics::Panicked;

/// How often an ExternalSecret looks for a store that it waits for. A store that becomes Ready wakes it sooner.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// When a pass is tried again that found no memory for its spec.
const AGAIN_WHEN_CROWDED: Duration = Duration::from_secs(1);

#[async_trait]
impl Reconcile for Context {
    type Key = ObjectKey;

    fn kind(&self) -> Kind {
        KIND
    }

    fn requests(&self) -> &Arc<Requests<ObjectKey>> {
        &self.state.requests
    }

    fn is_there(&self, key: &ObjectKey) -> bool {
        self.watched(key).is_some()
    }

    /// Brings the target of one ExternalSecret up to date, and reports in its status. Failures are reported on the
    /// object and retried.
    async fn reconcile(&self, key: &ObjectKey) -> Pass {
        let Some(watched) = self.watched(key) else { return Pass::succeeded(Next::OnChange) };
        let Ok(_room) = self.large_specs.room(&key.namespace, &watched).await else {
            return Pass::succeeded(Next::After(spread(AGAIN_WHEN_CROWDED)));
        };
        drop(watched);
        let Some(newest) = newest(key, self) else { return Pass::succeeded(Next::OnChange) };
        let subject = newest.subject(key);
        let result = sync_once(subject, &newest.remembered, self).await;
        concluded(subject, self, &result).await
    }

    async fn panicked(&self, key: &ObjectKey, panicked: Panicked) -> Pass {
        let Some(newest) = newest(key, self) else { return Pass::succeeded(Next::OnChange) };
        concluded(newest.subject(key), self, &Err(Error::Panicked(panicked))).await
    }

    fn api_server_is_back(&self) {
        self.state.wake_who_await_api_server();
    }
}

/// Reports the result of a pass.
async fn concluded(subject: Subject<'_>, context: &Context, result: &Result<Outcome, Error>) -> Pass {
    if !context.shows(subject) {
        forget_if_gone(subject.key, context);
        // Another object of the same name was queued when it appeared.
        return Pass::succeeded(Next::OnChange);
    }
    let next = reported(subject, context, result).await;
    let took = subject.began.elapsed();
    let label = match result {
        Ok(Outcome::NotOurs | Outcome::Deleted | Outcome::Replaced) => return Pass::succeeded(next),
        Ok(Outcome::Waiting | Outcome::Unchanged(_)) => "unchanged",
        Ok(Outcome::Synced(_)) => "success",
        Err(_) => "error",
    };
    context.metrics.external_secrets().synced(subject.measured(), took);
    context.metrics.sync_took(label, took);
    forget_if_gone(subject.key, context);
    if result.is_err() { Pass::failed(next) } else { Pass::succeeded(next) }
}

/// Forgets again an object that was deleted during the pass: the watch does not report that a second time.
fn forget_if_gone(key: &ObjectKey, context: &Context) {
    if context.watched(key).is_none() {
        context.state.memos().forget(key);
        context.metrics.external_secrets().deleted(&key.namespace, &key.name);
    }
}

/// An ExternalSecret at the beginning of a pass.
struct Newest {
    object: ExternalSecret,
    /// Its newest status, which the watch may not show yet.
    status: Option<ExternalSecretStatus>,
    /// What earlier passes remembered.
    remembered: Remembered,
}

impl Newest {
    fn subject<'a>(&'a self, key: &'a ObjectKey) -> Subject<'a> {
        Subject::new(key, &self.object, self.status.as_ref())
    }
}

/// An ExternalSecret as it is now; `None` if it was deleted.
///
/// The order matters. The last written status is forgotten when the watch shows it; reading the watch first could miss
/// both, and repeat the sync.
fn newest(key: &ObjectKey, context: &Context) -> Option<Newest> {
    let ahead = context.state.memos().named(key).map(|memo| memo.ahead().clone()).unwrap_or_default();
    let object = context.watched(key)?;
    // From here on, what is remembered belongs to this very object.
    let remembered = context.state.memos().now(key, object.metadata.uid.as_deref()).remembered();
    let status = ahead.on(object.metadata.resource_version.as_deref()).or(object.status.as_ref()).cloned();
    // The pass drops the clone, and with it what was parsed.
    Some(Newest { object: ExternalSecret::clone(&object), status, remembered })
}

/// Writes status, event and metrics. Returns when to come back.
async fn reported(subject: Subject<'_>, context: &Context, result: &Result<Outcome, Error>) -> Next {
    context.state.wake_after(result.as_ref().err().and_then(Error::recovery), subject.key);
    match result {
        Ok(Outcome::NotOurs | Outcome::Deleted | Outcome::Replaced) => Next::OnChange,
        Ok(Outcome::Waiting) => wait_for_store(subject, context),
        Ok(Outcome::Unchanged(due)) => report::unchanged(subject, *due, context).await,
        Ok(Outcome::Synced(synced)) => {
            context.remember(subject, Memo::synced);
            report::succeeded(subject, synced, context).await
        }
        Err(error) => {
            let failures = context.remember(subject, |memo| memo.failed(error.is_outage_of_api_server()));
            report::failed(subject, error, failures.unwrap_or(1), context).await
        }
    }
}

fn wait_for_store(subject: Subject<'_>, context: &Context) -> Next {
    context.remember(subject, |memo| memo.waits(subject.now));
    Next::After(LOOK_AGAIN)
}
