//! One read for many callers: equal reads that are under way at the same time are one, and an answer serves equal reads
//! for a short time after it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::sync::oneshot;

use super::diagnose::{Cause, Diagnosis};
use crate::provider::metrics::SharedRead;
use crate::provider::{Class, Freshness};

type Outcome<V> = Result<V, Diagnosis>;

/// Joins equal reads.
///
/// A read runs as a task of its own, so that a caller that goes away does not end it for the others. Its answer is
/// dropped by that same task when its time is over, without waiting for another read.
pub(super) struct Coalescer<K, V> {
    flights: Flights<K, V>,
    keep: Duration,
    next_id: AtomicU64,
}

type Flights<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// A read that is under way, or whose answer is kept.
struct Flight<V> {
    id: u64,
    sent: Sent,
    outcome: Shared<BoxFuture<'static, Outcome<V>>>,
}

/// Set by a read when its request leaves. Until then its answer is as fresh as that of a read that starts now.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    /// The request leaves now.
    pub(super) fn mark(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_marked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<K, V> Coalescer<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps answers for `keep` after they came.
    pub(super) fn new(keep: Duration) -> Self {
        Self { flights: Arc::default(), keep, next_id: AtomicU64::new(0) }
    }

    /// The answer for `key`: of a read that can be shared, or of a new one that `start` makes. Also says whether it was
    /// shared, and how.
    ///
    /// With [`Freshness::Forced`] only a read whose request has not left yet is shared.
    pub(super) async fn read<F, R>(&self, key: K, freshness: Freshness, start: F) -> (Outcome<V>, Option<SharedRead>)
    where
        F: FnOnce(Sent) -> R,
        R: Future<Output = Outcome<V>> + Send + 'static,
    {
        let (outcome, shared) = self.join(key, freshness, start);
        (outcome.await, shared)
    }

    fn join<F, R>(
        &self,
        key: K,
        freshness: Freshness,
        start: F,
    ) -> (Shared<BoxFuture<'static, Outcome<V>>>, Option<SharedRead>)
    where
        F: FnOnce(Sent) -> R,
        R: Future<Output = Outcome<V>> + Send + 'static,
    {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key) {
            let fresh = match freshness {
                Freshness::Shared => true,
                Freshness::Forced => !flight.sent.is_marked(),
            };
            if fresh {
                let how = if flight.outcome.peek().is_some() { SharedRead::Cached } else { SharedRead::InFlight };
                return (flight.outcome.clone(), Some(how));
            }
        }
        let sent = Sent::default();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { flights: Arc::clone(&self.flights), key: key.clone(), id };
        let outcome = run(start(sent.clone()), entry, self.keep);
        flights.insert(key, Flight { id, sent, outcome: outcome.clone() });
        (outcome, None)
    }

    /// How many reads are under way or kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.flights).len()
    }
}

/// Starts the task of a read.
fn run<K, V, R>(read: R, entry: Entry<K, V>, keep: Duration) -> Shared<BoxFuture<'static, Outcome<V>>>
where
    K: Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    R: Future<Output = Outcome<V>> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let outcome = read.await;
        let keep = if is_kept(&outcome) { keep } else { Duration::ZERO };
        if keep.is_zero() {
            // First out of the map, so that whoever sees the answer and reads again reads anew.
            drop(entry);
            let _ = sender.send(outcome);
        } else {
            let _ = sender.send(outcome);
            tokio::time::sleep(keep).await;
            drop(entry);
        }
    });
    receiver
        .map(|outcome| outcome.unwrap_or_else(|_| Err(Diagnosis::new(Cause::Aborted, "the read was given up"))))
        .boxed()
        .shared()
}

/// Whether an answer serves later reads: values, and what the vault says for certain about an object.
fn is_kept<V>(outcome: &Outcome<V>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(diagnosis) => matches!(diagnosis.cause.class(), Class::Absent | Class::Disabled | Class::Denied),
    }
}

/// Takes a read out of the map when its task ends, also when it panics.
struct Entry<K: Eq + Hash, V> {
    flights: Flights<K, V>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        // A forced read may have taken its place.
        if flights.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            flights.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Semaphore;

    use super::*;

    /// Counts the reads; each waits for a permit before it answers with its number.
    #[derive(Clone)]
    struct Source {
        started: Arc<AtomicUsize>,
        answers: Arc<Semaphore>,
    }

    impl Source {
        fn new() -> Self {
            Self { started: Arc::default(), answers: Arc::new(Semaphore::new(0)) }
        }

        fn read(&self, sent: Option<Sent>) -> impl Future<Output = Outcome<usize>> + Send + 'static {
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let answers = Arc::clone(&self.answers);
            async move {
                if let Some(sent) = sent {
                    sent.mark();
                }
                answers.acquire().await.unwrap().forget();
                Ok(number)
            }
        }

        fn count(&self) -> usize {
            self.started.load(Ordering::SeqCst)
        }
    }

    fn long() -> Coalescer<&'static str, usize> {
        Coalescer::new(Duration::from_mins(10))
    }

    #[tokio::test]
    async fn reads_under_way_are_shared() {
        let (coalescer, source) = (long(), Source::new());
        let reads = (0..100).map(|_| coalescer.read("a", Freshness::Shared, |sent| source.read(Some(sent))));
        let all = futures::future::join_all(reads);
        source.answers.add_permits(1);
        let all = all.await;
        assert_eq!(source.count(), 1);
        assert!(all.iter().all(|(outcome, _)| *outcome == Ok(0)));
        assert_eq!(all.iter().filter(|(_, shared)| shared.is_none()).count(), 1);
    }

    #[tokio::test]
    async fn an_answer_serves_later_reads_of_the_same_key_only() {
        let (coalescer, source) = (long(), Source::new());
        source.answers.add_permits(9);
        let read = |key| coalescer.read(key, Freshness::Shared, |sent| source.read(Some(sent)));
        assert_eq!(read("a").await, (Ok(0), None));
        assert_eq!(read("a").await, (Ok(0), Some(SharedRead::Cached)));
        assert_eq!(read("b").await, (Ok(1), None));
    }

    #[tokio::test]
    async fn a_forced_read_asks_anew_and_its_answer_takes_the_place_of_the_old_one() {
        let (coalescer, source) = (long(), Source::new());
        source.answers.add_permits(9);
        let read = |freshness| coalescer.read("a", freshness, |sent| source.read(Some(sent)));
        assert_eq!(read(Freshness::Shared).await.0, Ok(0));
        assert_eq!(read(Freshness::Forced).await.0, Ok(1));
        assert_eq!(read(Freshness::Shared).await, (Ok(1), Some(SharedRead::Cached)));
    }

    #[tokio::test]
    async fn a_forced_read_does_not_join_one_whose_request_has_left() {
        let (coalescer, source) = (long(), Source::new());
        let early = coalescer.join("a", Freshness::Shared, |sent| {
            sent.mark();
            source.read(None)
        });
        let forced = coalescer.join("a", Freshness::Forced, |_| source.read(None));
        assert_eq!(source.count(), 2);
        source.answers.add_permits(2);
        assert_eq!((early.0.await, forced.0.await), (Ok(0), Ok(1)));
    }

    #[tokio::test]
    async fn forced_reads_share_one_that_still_waits_for_its_turn() {
        let (coalescer, source) = (long(), Source::new());
        let reads: Vec<_> = (0..5).map(|_| coalescer.join("a", Freshness::Forced, |_| source.read(None))).collect();
        source.answers.add_permits(1);
        for (outcome, _) in reads {
            assert_eq!(outcome.await, Ok(0));
        }
        assert_eq!(source.count(), 1);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_end_the_read_of_the_others() {
        let (coalescer, source) = (long(), Source::new());
        let (first, _) = coalescer.join("a", Freshness::Shared, |_| source.read(None));
        let (second, _) = coalescer.join("a", Freshness::Shared, |_| source.read(None));
        drop(first);
        source.answers.add_permits(1);
        assert_eq!(second.await, Ok(0));
    }

    #[tokio::test]
    async fn an_answer_is_dropped_when_its_time_is_over_without_another_read() {
        let coalescer: Coalescer<&str, Arc<()>> = Coalescer::new(Duration::from_millis(1));
        let value = Arc::new(());
        let answer = Arc::clone(&value);
        let (outcome, _) = coalescer.read("a", Freshness::Shared, |_| async move { Ok(answer) }).await;
        drop(outcome);
        while Arc::strong_count(&value) > 1 || coalescer.len() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_failure_of_the_vault_is_not_kept_and_an_absence_is() {
        let coalescer: Coalescer<Cause, ()> = Coalescer::new(Duration::from_mins(10));
        let read = async |cause| {
            coalescer.read(cause, Freshness::Shared, |_| async move { Err(Diagnosis::new(cause, "x")) }).await.1
        };
        for (cause, second) in [(Cause::VaultUnavailable, None), (Cause::SecretNotFound, Some(SharedRead::Cached))] {
            assert_eq!(read(cause).await, None);
            assert_eq!(read(cause).await, second, "{cause:?}");
        }
    }

    #[tokio::test]
    async fn a_read_that_panics_is_an_error_and_the_next_starts_anew() {
        let (coalescer, source) = (long(), Source::new());
        // A panic without its message, which would only stand in the test's output.
        let panics = |_| async { std::panic::resume_unwind(Box::new(())) };
        let (outcome, _) = coalescer.read("a", Freshness::Shared, panics).await;
        assert_eq!(outcome.unwrap_err().cause, Cause::Aborted);
        source.answers.add_permits(1);
        assert_eq!(coalescer.read("a", Freshness::Shared, |_| source.read(None)).await.0, Ok(0));
    }
}
