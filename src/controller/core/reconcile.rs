//! Runs one pass over one piece of work, and records metrics, a span and a log line for it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::FutureExt as _;
use tracing::Instrument as _;

use super::key::WorkKey;
use super::kind::Kind;
use super::requeue::{Next, PAUSE_AFTER_PANIC, spread};
use super::work_queue::Requests;
use crate::runtime::metrics::{Metrics, ReconcileResult};
use crate::runtime::panics::{Caught, Panicked};

/// What the core needs to know about a kind to run its controller.
#[async_trait]
pub(crate) trait Reconcile: Send + Sync + 'static {
    /// Names a piece of work.
    type Key: WorkKey;

    /// The kind that is reconciled.
    fn kind(&self) -> Kind;

    /// The queue of requested work.
    fn requests(&self) -> &Arc<Requests<Self::Key>>;

    /// Whether there is anything to do: an object may be deleted before its turn comes.
    fn is_there(&self, key: &Self::Key) -> bool;

    /// Does one piece of work. Failures are reported on the object.
    async fn reconcile(&self, key: &Self::Key) -> Pass;

    /// Reports on the object that its pass panicked.
    async fn panicked(&self, key: &Self::Key, panicked: Panicked) -> Pass;

    /// Queues what failed while the API server was unreachable: it answers again.
    fn api_server_is_back(&self) {}
}

/// The result of a pass.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// When to come back.
    pub(crate) next: Next,
    pub(crate) result: ReconcileResult,
}

impl Pass {
    /// A pass that succeeded.
    #[must_use]
    pub(crate) const fn succeeded(next: Next) -> Self {
        let result = match next {
            Next::OnChange => ReconcileResult::Success,
            Next::After(_) => ReconcileResult::RequeueAfter,
        };
        Self { next, result }
    }

    /// A pass that failed.
    #[must_use]
    pub(crate) const fn failed(next: Next) -> Self {
        Self { next, result: ReconcileResult::Error }
    }

    /// A pass that panicked, and whose object does not show that.
    #[must_use]
    pub(crate) fn panicked() -> Self {
        Self::failed(Next::After(spread(PAUSE_AFTER_PANIC)))
    }
}

/// Runs one pass, due since `due`, and records how it went. A pass that panics counts as failed and is retried.
pub(super) async fn observed<R: Reconcile>(reconciler: Arc<R>, key: R::Key, due: Instant, metrics: Metrics) -> Next {
    let Kind { name, controller, .. } = reconciler.kind();
    let working = metrics.controllers().begin(controller, Some(due.elapsed()));
    let span = tracing::info_span!(
        "reconcile",
        controller,
        "k8s.namespace.name" = key.namespace(),
        "k8s.object.name" = key.name(),
        result = tracing::field::Empty,
    );
    let pass = async {
        match Caught::new(reconciler.reconcile(&key).boxed()).await {
            Ok(pass) => pass,
            Err(panicked) => reconciler.panicked(&key, panicked).await,
        }
    };
    let pass = pass.instrument(span.clone()).await;
    span.record("result", pass.result.label());
    let duration = working.ended(pass.result);
    tracing::debug!(
        kind = name, object = %key, result = pass.result.label(), ?duration, next = ?pass.next, "reconciled"
    );
    pass.next
}
