//! Decides whose turn it is: namespaces take turns, and within a namespace objects are reconciled in the order in which
//! they became due, each by one pass at a time.
//!
//! kube's `applier` lets the order of a hash set decide between objects that are due. If more are due than it can work
//! on, for example while a vault is slow, some never get their turn.
//!
//! An object is in the queue once, however often it is requested, so the queue is never longer than the number of
//! objects. Some places stay free for other namespaces: a namespace may hold at most [`SHARE`] times as many places as
//! it would leave free ([`WorkQueue::begin`]), and always at least one. If all passes of one namespace hang on a vault
//! that does not answer, places remain for the next namespace, and then for another. What is due because its time has
//! come, or because others changed what it depends on, may hold one in [`TIMED_PART`] of the places: a namespace with hundreds of objects that are due every second
//! would otherwise keep the API server so busy that each request of the others waits behind all of its.

mod turns;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::key::WorkKey;
use super::requeue::{Next, PAUSE_AFTER_PANIC};
use crate::runtime::metrics::InQueue;
use crate::runtime::panics::Panicked;
use turns::{DueBy, Place, Turn, Turns};

/// The longest pause between two passes. An unnecessary pass finds nothing to do.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 30);
/// How many times as many places a namespace may hold as it leaves free.
const SHARE: usize = 7;
/// The part of all places that passes of one namespace may hold whose time has come, as one in so many.
const TIMED_PART: usize = 4;

/// The requested objects, waiting for their turn.
#[derive(Debug)]
pub(crate) struct Requests<K>(Mutex<Waiting<K>>);

#[derive(Debug)]
struct Waiting<K> {
    queue: WorkQueue<K>,
    /// Wakes the task that works on them.
    worker: Option<Waker>,
    is_closed: bool,
}

/// A work queue, whatever its keys.
pub(crate) trait Queue: Send + Sync {
    /// Starts no more passes. Those in progress continue.
    fn close(&self);

    /// What it holds now.
    fn holds(&self) -> InQueue;
}

impl<K: WorkKey> Default for Requests<K> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { queue: WorkQueue::default(), worker: None, is_closed: false }))
    }
}

impl<K: WorkKey> Queue for Requests<K> {
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.wake();
    }

    fn holds(&self) -> InQueue {
        let queue = &self.lock().queue;
        let running = queue.running.values().map(|running| running.since).collect();
        InQueue { waiting: queue.due.len(), running }
    }
}

impl<K: WorkKey> Requests<K> {
    /// Marks an object as due now.
    pub(crate) fn ask(&self, key: &K) {
        let mut waiting = self.lock();
        waiting.queue.ask(key, DueBy::Request);
        waiting.wake();
    }

    /// The same, with the few places of refreshes: for changes that anybody can make all the time, each of which may
    /// concern hundreds of objects.
    pub(crate) fn suggest(&self, key: &K) {
        let mut waiting = self.lock();
        waiting.queue.ask(key, DueBy::Time);
        waiting.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next object, and since when it has been due. Waits until an object may have its turn; `None` when the queue
    /// is closed.
    async fn next(&self, places: usize) -> Option<(K, Instant)> {
        poll_fn(|context| self.lock().poll_next(places, context)).await
    }
}

impl<K: WorkKey> Waiting<K> {
    fn wake(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.wake();
        }
    }

    fn poll_next(&mut self, places: usize, context: &mut Context<'_>) -> Poll<Option<(K, Instant)>> {
        if self.is_closed {
            return Poll::Ready(None);
        }
        self.queue.expire(context);
        if let Some(turn) = self.queue.begin(places) {
            return Poll::Ready(Some(turn));
        }
        self.worker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Works on what is requested and on what is to be retried later, on `places` objects at once. `pass` gets the object
/// and the time since which it has been due; it returns `None` if the object was deleted before its turn. Ends after
/// the requests are closed and the passes in progress are done.
pub(super) async fn run<K, P>(requests: &Requests<K>, places: u16, pass: impl Fn(&K, Instant) -> Option<P>)
where
    K: WorkKey,
    P: Future<Output = Result<Next, Panicked>>,
{
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            turn = requests.next(usize::from(places)) => {
                let Some((key, due)) = turn else { break };
                match pass(&key, due) {
                    Some(pass) => running.push(pass.map(move |next| (key, next))),
                    None => requests.lock().queue.end(&key, Next::OnChange),
                }
            }
            Some((key, next)) = running.next() => {
                let next = next.unwrap_or(Next::After(PAUSE_AFTER_PANIC));
                requests.lock().queue.end(&key, next);
            }
        }
    }
    while running.next().await.is_some() {}
}

/// What is due, now or later.
#[derive(Debug)]
struct WorkQueue<K> {
    entries: HashMap<K, Entry>,
    due: Turns<K>,
    later: DelayQueue<K>,
    /// What is being worked on and since when, and how many pieces per namespace.
    running: HashMap<K, Running>,
    running_of: HashMap<String, Held>,
}

/// A pass in progress.
#[derive(Clone, Copy, Debug)]
struct Running {
    since: Instant,
    by: DueBy,
}

/// The places that a namespace holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    all: usize,
    /// Of these, by objects whose time had come.
    timed: usize,
}

/// The state of an object.
#[derive(Debug)]
enum Entry {
    /// Due at a time.
    Later(Key),
    /// Waiting for its turn.
    Due(Place),
    /// Being worked on; if it was requested again, when first, and how.
    Running(Option<(Instant, DueBy)>),
}

impl<K> Default for WorkQueue<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            due: Turns::default(),
            later: DelayQueue::new(),
            running: HashMap::new(),
            running_of: HashMap::new(),
        }
    }
}

impl<K: WorkKey> WorkQueue<K> {
    /// Marks an object as due now.
    fn ask(&mut self, key: &K, by: DueBy) {
        match self.entries.get_mut(key) {
            Some(Entry::Due(place)) if by == DueBy::Request => self.due.promote(key, place),
            Some(Entry::Due(_)) => {}
            Some(Entry::Running(asked)) => {
                let (_, before) = asked.get_or_insert_with(|| (Instant::now(), by));
                if by == DueBy::Request {
                    *before = by;
                }
            }
            Some(Entry::Later(timer)) => {
                self.later.remove(timer);
                self.push(key.clone(), Instant::now(), by);
            }
            None => self.push(key.clone(), Instant::now(), by),
        }
    }

    /// The next object, and since when it has been due; `None` while no namespace may take one of the `places`.
    fn begin(&mut self, places: usize) -> Option<(K, Instant)> {
        let free = places.checked_sub(self.running.len())?.checked_sub(1)?;
        let held = &self.running_of;
        let Turn { key, since, by } = self.due.take(|namespace, by| {
            let held = held.get(namespace).copied().unwrap_or_default();
            let is_within_its_part = by == DueBy::Request || held.timed < (places / TIMED_PART).max(1);
            held.all == 0 || held.all < SHARE * free && is_within_its_part
        })?;
        self.running.insert(key.clone(), Running { since: Instant::now(), by });
        let held = self.running_of.entry(key.namespace().to_owned()).or_default();
        held.all += 1;
        held.timed += usize::from(by == DueBy::Time);
        self.entries.insert(key.clone(), Entry::Running(None));
        Some((key, since))
    }

    /// A pass over an object has ended.
    fn end(&mut self, key: &K, next: Next) {
        if let (Some(running), Some(held)) = (self.running.remove(key), self.running_of.get_mut(key.namespace())) {
            held.all -= 1;
            held.timed -= usize::from(running.by == DueBy::Time);
            if held.all == 0 {
                self.running_of.remove(key.namespace());
            }
        }
        match (self.entries.remove(key), next) {
            (Some(Entry::Running(Some((asked, by)))), _) => self.push(key.clone(), asked, by),
            (_, Next::After(Duration::ZERO)) => self.push(key.clone(), Instant::now(), DueBy::Time),
            (_, Next::After(pause)) => {
                let timer = self.later.insert(key.clone(), pause.min(LONGEST_PAUSE));
                self.entries.insert(key.clone(), Entry::Later(timer));
            }
            (_, Next::OnChange) => {}
        }
    }

    /// Queues what has become due, and registers the task of `context` to be woken when more does.
    fn expire(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(expired)) = self.later.poll_expired(context) {
            self.push(expired.into_inner(), Instant::now(), DueBy::Time);
        }
    }

    fn push(&mut self, key: K, since: Instant, by: DueBy) {
        let place = self.due.push(Turn { key: key.clone(), since, by });
        self.entries.insert(key, Entry::Due(place));
    }
}

#[cfg(test)]
mod tests;
