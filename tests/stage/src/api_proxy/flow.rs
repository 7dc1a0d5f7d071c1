//! Silence: requests without an answer and watches without events, on connections that nobody closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{Stream, StreamExt};
use tokio::sync::watch;

/// What the proxy lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Everything.
    #[default]
    All,
    /// Everything except watches and lists, which go silent.
    NoWatches,
    /// Nothing: no request gets an answer.
    Nothing,
}

/// What a proxy lets through.
#[derive(Debug, Default)]
pub(super) struct Flows {
    flow: watch::Sender<Flow>,
    /// Lists and watches with an earlier number are silent forever.
    frozen: AtomicUsize,
}

impl Flows {
    pub(super) fn let_pass(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    pub(super) fn freeze(&self) {
        self.frozen.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until a request, or part of its answer, may pass. `reads` says whether it is a list or watch.
    pub(super) async fn passed(&self, reads: bool) {
        let may_pass = |flow: &Flow| match flow {
            Flow::All => true,
            Flow::NoWatches => !reads,
            Flow::Nothing => false,
        };
        let _ = self.flow.subscribe().wait_for(may_pass).await;
    }

    /// The body of an answer, each part of which waits until it may pass.
    pub(super) fn flowing<T: Send + 'static>(
        self: &Arc<Self>,
        body: impl Stream<Item = T> + Send + 'static,
        reads: bool,
    ) -> impl Stream<Item = T> + Send + 'static {
        let (flows, begun) = (Arc::clone(self), self.frozen.load(Ordering::SeqCst));
        body.then(move |part| {
            let flows = Arc::clone(&flows);
            async move {
                flows.passed(reads).await;
                if reads && flows.frozen.load(Ordering::SeqCst) != begun {
                    std::future::pending::<()>().await;
                }
                part
            }
        })
    }
}
