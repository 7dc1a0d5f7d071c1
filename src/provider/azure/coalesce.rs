//! Shares reads among callers: identical concurrent reads become one, and an answer is kept for a short time for
//! identical reads.
//!
//! A read that takes long reports that, and its callers get it as an error. The read continues as long as one of them
//! holds the [`Recovery`] in the error. It keeps its place in the vault's queue, and its answer is available when the
//! callers come back.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::diagnose::{Cause, Diagnosis};
use crate::provider::error::Recover;
use crate::provider::metrics::SharedRead;
use crate::provider::{Class, Freshness, Recovery};

/// The least time for which the answer of a slow read is kept, for callers that got an error and come back.
const KEPT_AFTER_STALL: Duration = Duration::from_secs(5);

type Outcome<V> = Result<V, Diagnosis>;

/// Joins identical reads.
///
/// A read runs as a task of its own, so that it continues for the others if one caller goes away. Another task drops
/// the answer when its time is over.
pub(super) struct Coalescer<K, V> {
    flights: Flights<K, V>,
    keep: Duration,
    may_be_kept: fn(&V) -> bool,
    next_id: AtomicU64,
}

type Flights<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// A read in progress, or a kept answer.
struct Flight<V> {
    id: u64,
    sent: Sent,
    stage: watch::Sender<Stage<V>>,
}

/// The progress of a read.
#[derive(Debug)]
enum Stage<V> {
    /// In progress.
    UnderWay,
    /// In progress and taking long, for this reason.
    Stalled(Diagnosis),
    /// Done.
    Done(Outcome<V>),
}

/// What a read reports to its callers.
#[derive(Clone)]
pub(super) struct Progress {
    sent: Sent,
    stall: Arc<dyn Fn(Diagnosis) + Send + Sync>,
}

impl Progress {
    /// The request is being sent. Until then, the answer is as fresh as that of a read that starts now.
    pub(super) fn sent(&self) {
        let mut sent = lock(&self.sent.0);
        if !sent.is_answered_in_part {
            sent.at = Some(Instant::now());
        }
    }

    /// The request failed and will be sent again.
    pub(super) fn to_be_sent_again(&self) {
        let mut sent = lock(&self.sent.0);
        if !sent.is_answered_in_part {
            sent.at = None;
        }
    }

    /// The request was answered, and others follow for the rest of the answer. The whole is as old as this part.
    pub(super) fn answered_in_part(&self) {
        lock(&self.sent.0).is_answered_in_part = true;
    }

    /// The read is taking long, for this reason.
    pub(super) fn stalled(&self, reason: Diagnosis) {
        (self.stall)(reason);
    }
}

/// When the request of a read was sent.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<Mutex<FirstRequest>>);

/// The first of the requests of a read.
#[derive(Debug, Default)]
struct FirstRequest {
    /// `None` until it is sent.
    at: Option<Instant>,
    /// Whether it was answered, and others follow.
    is_answered_in_part: bool,
}

impl Sent {
    fn is_fresh_for(&self, freshness: Freshness) -> bool {
        let sent = lock(&self.0).at;
        match (freshness, sent) {
            (Freshness::Shared, _) | (_, None) => true,
            (Freshness::Forced, Some(_)) => false,
            (Freshness::Since(began), Some(sent)) => sent >= began,
        }
    }
}

impl<K, V> Coalescer<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps answers for `keep` after they arrive.
    pub(super) fn new(keep: Duration) -> Self {
        Self { flights: Arc::default(), keep, may_be_kept: |_| true, next_id: AtomicU64::new(0) }
    }

    /// The same, but keeps only these answers.
    pub(super) fn that_keeps(self, may_be_kept: fn(&V) -> bool) -> Self {
        Self { may_be_kept, ..self }
    }

    /// The answer for `key`, from a shared read or from a new one that `start` creates, and whether and how it was
    /// shared. If the read takes long, an error with the reason and a [`Recovery`].
    ///
    /// With [`Freshness::Forced`], a read is shared only if its request has not been sent yet.
    pub(super) async fn read<F, R>(&self, key: K, freshness: Freshness, start: F) -> (Outcome<V>, Option<SharedRead>)
    where
        F: FnOnce(Progress) -> R,
        R: Future<Output = Outcome<V>> + Send + 'static,
    {
        let (stage, shared) = self.join(key, freshness, start);
        (outcome(stage).await, shared)
    }

    fn join<F, R>(&self, key: K, freshness: Freshness, start: F) -> (watch::Receiver<Stage<V>>, Option<SharedRead>)
    where
        F: FnOnce(Progress) -> R,
        R: Future<Output = Outcome<V>> + Send + 'static,
    {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key)
            && flight.sent.is_fresh_for(freshness)
        {
            // Subscribed under the lock: see `Entry::nobody_waits`.
            let stage = flight.stage.subscribe();
            let is_done = matches!(*stage.borrow(), Stage::Done(_));
            return (stage, Some(if is_done { SharedRead::Cached } else { SharedRead::InFlight }));
        }
        let (sender, receiver) = watch::channel(Stage::UnderWay);
        let sent = Sent::default();
        let stage = sender.clone();
        let stall = move |reason| drop(stage.send_replace(Stage::Stalled(reason)));
        let read = start(Progress { sent: sent.clone(), stall: Arc::new(stall) });
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { flights: Arc::clone(&self.flights), key: key.clone(), id };
        flights.insert(key, Flight { id, sent, stage: sender.clone() });
        drop(flights);
        tokio::spawn(run(read, entry, sender, self.keep, self.may_be_kept));
        (receiver, None)
    }

    /// Whether a read of `key` is in progress, or its answer kept.
    pub(super) fn is_shared(&self, key: &K) -> bool {
        lock(&self.flights).contains_key(key)
    }

    /// Lets no later read share what matches: it is out of date. Those that wait already get their answer.
    pub(super) fn forget(&self, is_outdated: impl Fn(&K) -> bool) {
        lock(&self.flights).retain(|key, _| !is_outdated(key));
    }

    /// How many reads are in progress or kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.flights).len()
    }
}

/// The task of a read.
async fn run<K, V>(
    read: impl Future<Output = Outcome<V>>,
    entry: Entry<K, V>,
    stage: watch::Sender<Stage<V>>,
    keep: Duration,
    may_be_kept: fn(&V) -> bool,
) where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let outcome = tokio::select! {
        outcome = read => outcome,
        () = entry.nobody_waits(&stage) => return,
    };
    let stalled = matches!(*stage.borrow(), Stage::Stalled(_));
    let keep = match is_kept(&outcome) && outcome.as_ref().map_or(true, may_be_kept) {
        true if stalled => keep.max(KEPT_AFTER_STALL),
        true => keep,
        false => Duration::ZERO,
    };
    if keep.is_zero() {
        // Removed from the map first, so that a caller that sees the answer and reads again starts a new read.
        drop(entry);
        stage.send_replace(Stage::Done(outcome));
    } else {
        stage.send_replace(Stage::Done(outcome));
        // A separate task, because this one holds all the memory of a read until it ends.
        tokio::spawn(async move {
            tokio::time::sleep(keep).await;
            drop(entry);
        });
    }
}

/// Waits for a read to end, or to report that it takes long.
async fn outcome<V: Clone + Send + Sync + 'static>(mut stage: watch::Receiver<Stage<V>>) -> Outcome<V> {
    let reason = match stage.wait_for(|stage| !matches!(stage, Stage::UnderWay)).await.as_deref() {
        Ok(Stage::Done(outcome)) => return outcome.clone(),
        Ok(Stage::Stalled(reason)) => reason.clone(),
        Ok(Stage::UnderWay) | Err(_) => return Err(Diagnosis::new(Cause::Aborted, "the read was given up")),
    };
    Err(reason.recovery(Recovery::new(EndOf(stage))))
}

/// The end of a read, which continues as long as this is held.
struct EndOf<V>(watch::Receiver<Stage<V>>);

impl<V: Send + Sync + 'static> Recover for EndOf<V> {
    fn recovered(&self) -> BoxFuture<'static, ()> {
        let mut stage = self.0.clone();
        async move {
            // An error means that the read was abandoned, so it has ended, too.
            let _ = stage.wait_for(|stage| matches!(stage, Stage::Done(_))).await;
        }
        .boxed()
    }
}

/// Whether an answer is kept for later reads: values, and a vault's statements about an object. A refusal is not kept,
/// because somebody who waits for a permission should see the effect at once.
fn is_kept<V>(outcome: &Outcome<V>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(diagnosis) => matches!(diagnosis.cause.class(), Class::Absent | Class::Disabled),
    }
}

/// Removes a read from the map when its task ends or panics.
struct Entry<K: Eq + Hash, V> {
    flights: Flights<K, V>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V> Entry<K, V> {
    /// Waits until the read has no callers left, and removes it from the map.
    async fn nobody_waits(&self, stage: &watch::Sender<Stage<V>>) {
        loop {
            stage.closed().await;
            let mut flights = lock(&self.flights);
            // A caller may have arrived just now.
            if stage.receiver_count() == 0 {
                self.remove_from(&mut flights);
                return;
            }
        }
    }

    fn remove_from(&self, flights: &mut HashMap<K, Flight<V>>) {
        // A forced read may have replaced it.
        if flights.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            flights.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        self.remove_from(&mut lock(&self.flights));
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

        fn read(&self, progress: Option<Progress>) -> impl Future<Output = Outcome<usize>> + Send + 'static {
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let answers = Arc::clone(&self.answers);
            async move {
                if let Some(progress) = progress {
                    progress.sent();
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
        let reads = (0..100).map(|_| coalescer.read("a", Freshness::Shared, |progress| source.read(Some(progress))));
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
        let read = |key| coalescer.read(key, Freshness::Shared, |progress| source.read(Some(progress)));
        assert_eq!(read("a").await, (Ok(0), None));
        assert_eq!(read("a").await, (Ok(0), Some(SharedRead::Cached)));
        assert_eq!(read("b").await, (Ok(1), None));
    }

    #[tokio::test]
    async fn a_forced_read_sends_a_request_and_its_answer_replaces_the_old_one() {
        let (coalescer, source) = (long(), Source::new());
        source.answers.add_permits(9);
        let read = |freshness| coalescer.read("a", freshness, |progress| source.read(Some(progress)));
        assert_eq!(read(Freshness::Shared).await.0, Ok(0));
        assert_eq!(read(Freshness::Forced).await.0, Ok(1));
        assert_eq!(read(Freshness::Shared).await, (Ok(1), Some(SharedRead::Cached)));
    }

    #[tokio::test]
    async fn a_forced_read_does_not_join_one_whose_request_has_left() {
        let (coalescer, source) = (long(), Source::new());
        let early = coalescer.join("a", Freshness::Shared, |progress| {
            progress.sent();
            source.read(None)
        });
        let forced = coalescer.join("a", Freshness::Forced, |_| source.read(None));
        assert_eq!(source.count(), 2);
        source.answers.add_permits(2);
        assert_eq!((outcome(early.0).await, outcome(forced.0).await), (Ok(0), Ok(1)));
    }

    #[tokio::test]
    async fn forced_reads_share_one_that_still_waits_for_its_turn() {
        let (coalescer, source) = (long(), Source::new());
        let reads: Vec<_> = (0..5).map(|_| coalescer.join("a", Freshness::Forced, |_| source.read(None))).collect();
        source.answers.add_permits(1);
        for (stage, _) in reads {
            assert_eq!(outcome(stage).await, Ok(0));
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
        assert_eq!(outcome(second).await, Ok(0));
    }

    #[tokio::test]
    async fn a_read_for_which_nobody_waits_any_more_is_given_up() {
        let (coalescer, source) = (long(), Source::new());
        let (first, _) = coalescer.join("a", Freshness::Shared, |_| source.read(None));
        drop(first);
        while coalescer.len() > 0 {
            tokio::task::yield_now().await;
        }
        source.answers.add_permits(1);
        let read = coalescer.read("a", Freshness::Shared, |_| source.read(None));
        assert_eq!(read.await.0, Ok(1));
    }

    #[tokio::test]
    async fn a_slow_read_says_why_and_its_answer_is_kept_for_the_next_try() {
        let coalescer: Coalescer<&str, usize> = Coalescer::new(Duration::ZERO);
        let source = Source::new();
        let start = |progress: Progress| {
            progress.stalled(Diagnosis::new(Cause::VaultUnavailable, "down"));
            progress.sent();
            source.read(None)
        };
        let began = Instant::now();
        let stalled = coalescer.read("a", Freshness::Forced, start).await.0.unwrap_err();
        assert_eq!(stalled.message, "down");
        let recovery = stalled.recovery.unwrap();
        assert!(futures::poll!(std::pin::pin!(recovery.recovered())).is_pending());
        source.answers.add_permits(2);
        recovery.recovered().await;
        let read = |freshness| coalescer.read("a", freshness, |_| source.read(None));
        assert_eq!(read(Freshness::Shared).await, (Ok(0), Some(SharedRead::Cached)));
        assert_eq!(read(Freshness::Since(began)).await, (Ok(0), Some(SharedRead::Cached)));
        assert_eq!(read(Freshness::Since(Instant::now())).await, (Ok(1), None));
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
    async fn a_read_that_panics_is_an_error_and_the_next_one_starts_over() {
        let (coalescer, source) = (long(), Source::new());
        // Panics without a message, which would only clutter the test's output.
        let panics = |_| async { std::panic::resume_unwind(Box::new(())) };
        let (outcome, _) = coalescer.read("a", Freshness::Shared, panics).await;
        assert_eq!(outcome.unwrap_err().cause, Cause::Aborted);
        source.answers.add_permits(1);
        assert_eq!(coalescer.read("a", Freshness::Shared, |_| source.read(None)).await.0, Ok(0));
    }
}
