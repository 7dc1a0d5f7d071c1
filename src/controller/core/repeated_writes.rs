//! The share of the API server that a namespace gets for statuses of objects that have one already.
//!
//! The API server spends tens of milliseconds of CPU time on each write of an object with hundreds of entries, and anybody
//! may make many of these that are due every second. It would then keep everybody else waiting. What is written for the
//! first time, or for the first time after a change, is not held back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::v1::Condition;
use crate::provider::shares::Shares;

/// The most of these writes at a time, of which one namespace may have half.
const AT_ONCE: usize = 6;
/// After this time, a status is written all the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// A write that takes no longer than this is followed by no pause.
const QUICK: Duration = Duration::from_millis(10);
/// The longest pause after a write.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The share of the API server for repeated writes, by namespace.
#[derive(Clone, Debug)]
pub(crate) struct RepeatedWrites(Arc<Shares>);

impl Default for RepeatedWrites {
    fn default() -> Self {
        Self(Shares::new(AT_ONCE))
    }
}

impl RepeatedWrites {
    /// Writes a status: at once, or when it is the namespace's turn if the object has one of this generation already.
    pub(crate) async fn status<T>(&self, namespace: &str, before: Before<'_>, write: impl Future<Output = T>) -> T {
        if before.is_reported() { self.paced(namespace, write).await } else { write.await }
    }

    /// Writes when it is the namespace's turn. A write that took long is followed by a pause twice as long before the next
    /// turn, so that what keeps the API server busy leaves time to others.
    async fn paced<T>(&self, namespace: &str, write: impl Future<Output = T>) -> T {
        let turn = self.0.take_within(&namespace.into(), 1, PATIENCE).await;
        let began = Instant::now();
        let written = write.await;
        let pause = (2 * began.elapsed().saturating_sub(QUICK)).min(LONGEST_PAUSE);
        if !pause.is_zero() {
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                drop(turn);
            });
        }
        written
    }
}

/// The status that an object has, before it gets another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    pub(crate) conditions: &'a [Condition],
    pub(crate) observed: Option<i64>,
    /// The generation of the object.
    pub(crate) generation: Option<i64>,
}

impl Before<'_> {
    /// Whether it speaks of this generation. ESO's CRDs do not keep the generation.
    fn is_reported(self) -> bool {
        !self.conditions.is_empty() && (self.observed.is_none() || self.observed == self.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_namespace_with_many_writes_leaves_turns_to_others_and_all_are_made() {
        let (writes, done, gate) = (RepeatedWrites::default(), AtomicUsize::new(0), tokio::sync::Semaphore::new(0));
        let write = || async {
            gate.acquire().await.unwrap().forget();
            done.fetch_add(1, Ordering::SeqCst)
        };
        let mut flood = Box::pin(join_all((0..20).map(|_| writes.paced("loud", write()))));
        assert!(flood.as_mut().now_or_never().is_none());
        assert_eq!(writes.paced("quiet", async { 7 }).now_or_never(), Some(7), "it does not wait");
        gate.add_permits(20);
        flood.await;
        assert_eq!(done.load(Ordering::SeqCst), 20);
    }

    #[test]
    fn the_first_status_of_a_generation_is_not_a_repeated_one() {
        let ready: Condition = serde_json::from_value(serde_json::json!({"type": "Ready", "status": "True"})).unwrap();
        let conditions = std::slice::from_ref(&ready);
        let is_reported = |conditions, observed, generation| Before { conditions, observed, generation }.is_reported();
        assert!(!is_reported(&[], None, Some(1)));
        assert!(is_reported(conditions, Some(1), Some(1)) && !is_reported(conditions, Some(1), Some(2)));
        assert!(is_reported(conditions, None, Some(2)), "with ESO's CRDs");
    }
}
