//! Whose turn it is: namespaces take turns, and within a namespace objects are worked on in the order in which they became due, each
//! by one pass at a time.
//!
//! kube's `applier` lets a hash set decide among those that are due. Where more are due than can be worked on, as while a
//! vault is slow, some of them never had their turn.
//!
//! An object stands in the queue once, however often it is asked for, so the queue is never longer than there are objects. Some places
//! stay free for others: a namespace may hold [`SHARE`] times as many as would be left ([`WorkQueue::begin`]), and one of them in any case.
//! One whose passes all hang on a vault that does not answer thus leaves places to the next, and so does that one.

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
use super::requeue::Next;
use crate::runtime::metrics::InQueue;
use crate::runtime::panics::Panicked;
use turns::Turns;

/// The longest pause between two passes. A pass that is not needed finds nothing to do.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 30);
/// How long an object waits whose pass could not even say that it failed.
const PAUSE_AFTER_PANIC: Duration = Duration::from_mins(1);
/// How many times as many places as it leaves free a namespace may hold.
const SHARE: usize = 7;

/// Where objects are asked for, and wait for their turn.
#[derive(Debug)]
pub(crate) struct Requests<K>(Mutex<Waiting<K>>);

#[derive(Debug)]
struct Waiting<K> {
    queue: WorkQueue<K>,
    /// Of whom works on them.
    worker: Option<Waker>,
    is_closed: bool,
}

/// A queue, whatever it holds.
pub(crate) trait Queue: Send + Sync {
    /// No object is worked on any more, but for those that are already.
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
        InQueue { waiting: queue.due.len(), running: queue.running.values().copied().collect() }
    }
}

impl<K: WorkKey> Requests<K> {
    /// An object is due now.
    pub(crate) fn ask(&self, key: &K) {
        let mut waiting = self.lock();
        waiting.queue.ask(key);
        waiting.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object whose turn it is, and since when it is due; `None` when the queue is closed. Waits while nobody has a turn.
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

/// Works on what is asked for and on what wants to come back, on `places` objects at once. `pass` is told since when the object is
/// due; it gives none of an object that was deleted before its turn came. When the requests are closed this ends, after what is in
/// progress.
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

/// What is due, and what will be.
#[derive(Debug)]
struct WorkQueue<K> {
    entries: HashMap<K, Entry>,
    due: Turns<K>,
    later: DelayQueue<K>,
    /// What is worked on, since when; and how many of each namespace.
    running: HashMap<K, Instant>,
    running_of: HashMap<String, usize>,
}

/// Where an object stands.
#[derive(Debug)]
enum Entry {
    /// It is due at a time.
    Later(Key),
    /// It waits for its turn.
    Due,
    /// It is worked on, and perhaps was asked for again at a time.
    Running(Option<Instant>),
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
    /// An object is due now.
    fn ask(&mut self, key: &K) {
        match self.entries.get_mut(key) {
            Some(Entry::Due) => {}
            Some(Entry::Running(asked)) => {
                asked.get_or_insert_with(Instant::now);
            }
            Some(Entry::Later(timer)) => {
                self.later.remove(timer);
                self.push(key.clone(), Instant::now());
            }
            None => self.push(key.clone(), Instant::now()),
        }
    }

    /// The object whose turn it is, and since when it is due; `None` while nobody may have one of the `places`.
    fn begin(&mut self, places: usize) -> Option<(K, Instant)> {
        let free = places.checked_sub(self.running.len())?.checked_sub(1)?;
        let held = &self.running_of;
        let turn = self.due.take(|namespace| {
            let held = held.get(namespace).copied().unwrap_or_default();
            held == 0 || held < SHARE * free
        })?;
        self.running.insert(turn.0.clone(), Instant::now());
        *self.running_of.entry(turn.0.namespace().to_owned()).or_default() += 1;
        self.entries.insert(turn.0.clone(), Entry::Running(None));
        Some(turn)
    }

    /// A pass over an object has ended.
    fn end(&mut self, key: &K, next: Next) {
        self.running.remove(key);
        if let Some(held) = self.running_of.get_mut(key.namespace()) {
            *held -= 1;
            if *held == 0 {
                self.running_of.remove(key.namespace());
            }
        }
        match (self.entries.remove(key), next) {
            (Some(Entry::Running(Some(asked))), _) => self.push(key.clone(), asked),
            (_, Next::After(Duration::ZERO)) => self.push(key.clone(), Instant::now()),
            (_, Next::After(pause)) => {
                let timer = self.later.insert(key.clone(), pause.min(LONGEST_PAUSE));
                self.entries.insert(key.clone(), Entry::Later(timer));
            }
            (_, Next::OnChange) => {}
        }
    }

    /// Puts in line what is due by now; the task of `context` is woken when more is.
    fn expire(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(expired)) = self.later.poll_expired(context) {
            self.push(expired.into_inner(), Instant::now());
        }
    }

    fn push(&mut self, key: K, due: Instant) {
        self.entries.insert(key.clone(), Entry::Due);
        self.due.push(key, due);
    }
}

#[cfg(test)]
mod tests;
