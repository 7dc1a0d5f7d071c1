//! A future that the executor's threads poll.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;

/// It waits to be woken.
const WAITS: u8 = 0;
/// It is queued in its lane.
const IN_LANE: u8 = 1;
/// It is being polled.
const POLLED: u8 = 2;
/// It is being polled and has been woken again.
const POLLED_AGAIN: u8 = 3;

/// A future that the executor's threads poll.
pub(super) struct Task {
    tenant: Arc<str>,
    /// `None` when it has ended.
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    stage: AtomicU8,
    line: Arc<dyn Line>,
}

/// The queue for tasks that are to be polled.
pub(super) trait Line: Send + Sync {
    /// Queues a task.
    fn push(self: Arc<Self>, tenant: &Arc<str>, task: Arc<Task>);
}

impl Task {
    /// Queues a future in the lane of its tenant.
    pub(super) fn start(tenant: &str, future: BoxFuture<'static, ()>, line: Arc<dyn Line>) {
        let task =
            Self { tenant: Arc::from(tenant), future: Mutex::new(Some(future)), stage: AtomicU8::new(IN_LANE), line };
        Arc::new(task).stand_in_lane();
    }

    fn stand_in_lane(self: Arc<Self>) {
        let (line, tenant) = (Arc::clone(&self.line), Arc::clone(&self.tenant));
        line.push(&tenant, self);
    }

    /// Polls it once.
    pub(super) fn poll(self: Arc<Self>) {
        self.stage.store(POLLED, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self));
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        let poll = future.as_mut().map(|future| future.as_mut().poll(&mut Context::from_waker(&waker)));
        if let None | Some(Poll::Ready(())) = poll {
            *future = None;
            return;
        }
        drop(future);
        if self.stage.compare_exchange(POLLED, WAITS, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.stage.store(IN_LANE, Ordering::SeqCst);
            self.stand_in_lane();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let woken = self.stage.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |stage| match stage {
            WAITS => Some(IN_LANE),
            POLLED => Some(POLLED_AGAIN),
            _ => None,
        });
        if woken == Ok(WAITS) {
            self.stand_in_lane();
        }
    }
}
