//! Runs controllers of any kind.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::key::WorkKey as _;
use super::kind::Kind;
use super::reconcile::{Reconcile, observed};
use super::work_queue::{self, Queue};
use crate::runtime::fair::Executor;
use crate::runtime::metrics::Metrics;

/// How long passes and events in progress may take after the process is asked to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// A controller ended by itself. That is a bug, and the process must restart.
#[derive(Debug, thiserror::Error)]
#[error("the controller {0} ended by itself, which is a bug; please report it with the log")]
pub(crate) struct Ended(&'static str);

/// A controller. Every [`Reconcile`] is one.
pub(crate) trait Controller: Send + Sync {
    /// The kind of object it reconciles.
    fn works_on(&self) -> Kind;

    /// Its work queue.
    fn queue(&self) -> Arc<dyn Queue>;

    /// Queues the objects that failed while the API server was unreachable.
    fn wake_after_outage(&self);

    /// Runs until its queue is closed.
    fn work(self: Arc<Self>, passes: Passes) -> BoxFuture<'static, ()>;
}

impl<R: Reconcile> Controller for R {
    fn works_on(&self) -> Kind {
        self.kind()
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(self.requests()) as _
    }

    fn wake_after_outage(&self) {
        self.api_server_is_back();
    }

    fn work(self: Arc<Self>, passes: Passes) -> BoxFuture<'static, ()> {
        async move {
            let requests = Arc::clone(self.requests());
            let pass = |key: &R::Key, due| {
                let reconciler = Arc::clone(&self);
                reconciler.is_there(key).then(|| {
                    let work = observed(reconciler, key.clone(), due, passes.metrics.clone());
                    passes.executor.spawn(key.namespace(), work)
                })
            };
            work_queue::run(&requests, passes.at_once, pass).await;
        }
        .boxed()
    }
}

/// Where passes run. Each is a task of its own, in the lane of its namespace.
#[derive(Clone)]
pub(crate) struct Passes {
    executor: Executor,
    at_once: u16,
    metrics: Metrics,
}

impl Passes {
    /// Passes of all controllers, at most `at_once` at a time for each controller.
    #[must_use]
    pub(crate) fn start(at_once: u16, metrics: Metrics) -> Self {
        Self { executor: Executor::start(), at_once, metrics }
    }
}

/// The running controllers.
pub(crate) struct Running {
    tasks: JoinSet<&'static str>,
    queues: Vec<Arc<dyn Queue>>,
}

impl Running {
    #[must_use]
    pub(crate) fn start(controllers: Vec<Arc<dyn Controller>>, passes: &Passes) -> Self {
        let queues: Vec<_> =
            controllers.iter().map(|controller| (controller.works_on().controller, controller.queue())).collect();
        let names: Vec<_> = queues.iter().map(|(name, _)| *name).collect();
        let by_name = queues.clone();
        passes.metrics.controllers().start(&names, passes.at_once, move |name| {
            by_name.iter().find(|(queue, _)| *queue == name).map(|(_, queue)| queue.holds()).unwrap_or_default()
        });
        let mut tasks = JoinSet::new();
        for controller in controllers {
            let (name, work) = (controller.works_on().controller, controller.work(passes.clone()));
            tasks.spawn(work.map(move |()| name));
        }
        Self { tasks, queues: queues.into_iter().map(|(_, queue)| queue).collect() }
    }

    /// Waits for `stop`.
    ///
    /// # Errors
    /// [`Ended`], if a controller ends before that.
    pub(crate) async fn until_stopped(&mut self, stop: &CancellationToken) -> Result<(), Ended> {
        match stop.run_until_cancelled(self.tasks.join_next()).await {
            None => Ok(()),
            // A controller that panicked cannot return its name.
            Some(ended) => Err(Ended(ended.and_then(Result::ok).unwrap_or("as the log shows"))),
        }
    }

    /// Waits for passes in progress and for the events they published.
    pub(crate) async fn finish(mut self, event_writer: JoinHandle<()>) {
        for queue in &self.queues {
            queue.close();
        }
        let finished = async {
            while self.tasks.join_next().await.is_some() {}
            // The recorders were dropped with the controllers, so the writer ends when its queue is empty.
            let _ = event_writer.await;
        };
        if tokio::time::timeout(SHUTDOWN_GRACE, finished).await.is_err() {
            tracing::warn!("stopping although some work is still in progress; it is repeated at the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(task: impl Future<Output = &'static str> + Send + 'static) -> Running {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        Running { tasks, queues: Vec::new() }
    }

    #[tokio::test]
    async fn a_controller_that_ends_by_itself_ends_the_process_with_an_error() {
        let stop = CancellationToken::new();
        let ended = running(async { "externalsecret" }).until_stopped(&stop).await.unwrap_err();
        assert!(ended.to_string().starts_with("the controller externalsecret ended by itself"), "{ended}");
        assert!(running(async { panic!("a bug") }).until_stopped(&stop).await.is_err());
        let mut pending = running(std::future::pending());
        stop.cancel();
        assert!(pending.until_stopped(&stop).await.is_ok(), "one that is stopped has not failed");
    }
}
