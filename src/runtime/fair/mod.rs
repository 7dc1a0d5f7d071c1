//! Runs the work of many tenants on one machine so that none delays the others, whatever it computes.
//!
//! Futures are polled by dedicated threads and never by those of the runtime, which are reserved for the network. This
//! accounts for everything that a future computes between two awaits, without its help: what it renders, decodes,
//! hashes or compares, and what the libraries it calls do.
//!
//! - [`Lanes`](lanes::Lanes): a tenant computes one thing at a time, and of several tenants the one that has computed
//!   least comes first. A namespace that has computed for more than a second ([`account`]) waits as long as it
//!   computes. Only CPU time counts, so a busy machine does not penalize tenants that did nothing.
//! - There are as many slots as processors, and at least two. A task that computes for longer than [`SLICE`] without an
//!   await keeps its thread, since nothing can interrupt it, but not its slot: the thread gets a lower priority, and
//!   another thread gets the slot. Up to [`MOST_LONG`] tenants can compute for long concurrently; the operating system
//!   schedules them.
//!
//! A future that panics ends with [`Panicked`]; everything else continues.

mod account;
mod lanes;
mod task;
mod thread;

use std::collections::HashMap;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::log_allowance;
use super::panics::{Caught, Panicked, caught};
use lanes::Lanes;
use task::{Line, Task};
use thread::Thread;

/// How long a future may compute without an await before others get its slot.
const SLICE: Duration = Duration::from_millis(20);
/// How many tenants can compute for long at once.
const MOST_LONG: usize = 32;
/// How often to look for long computations.
const TICK: Duration = Duration::from_millis(20);
/// After how many idle ticks the search stops.
const QUIET_TICKS: u32 = 50;
/// How long an idle thread lives.
const IDLE: Duration = Duration::from_secs(5);
/// Computations at least this long are logged.
const REMARKABLE: Duration = Duration::from_secs(1);

/// Polls futures of many tenants. Cheap to clone.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

/// The result of a future given to [`Executor::spawn`]. The future continues if this is dropped.
#[derive(Debug)]
pub struct Ended<T>(oneshot::Receiver<Result<T, Panicked>>);

impl<T> Future for Ended<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Its sender is gone only if the future could not even be dropped.
        self.0.poll_unpin(context).map(|ended| ended.unwrap_or_else(|_| Err(Panicked::default())))
    }
}

impl Executor {
    /// With one thread per processor. Futures may use the calling runtime.
    #[must_use]
    pub fn start() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let shared = Shared {
            state: Mutex::new(State {
                lanes: Lanes::new(),
                threads: HashMap::new(),
                last: 0,
                idle: 0,
                in_place: 0,
                is_watched: false,
            }),
            turn: Condvar::new(),
            watch: Notify::new(),
            places: processors.max(2),
            priority: thread::priority(),
            runtime: Handle::current(),
        };
        let shared = Arc::new(shared);
        tokio::spawn(Arc::clone(&shared).watch_over());
        Self(shared)
    }

    /// Runs a future of a tenant.
    pub fn spawn<T: Send + 'static>(&self, tenant: &str, future: impl Future<Output = T> + Send + 'static) -> Ended<T> {
        let (sender, receiver) = oneshot::channel();
        let caught = Caught::new(Box::pin(future));
        let work = async move {
            let _ = sender.send(caught.await);
        };
        Task::start(tenant, work.boxed(), Arc::clone(&self.0) as _);
        Ended(receiver)
    }
}

/// What the threads, the wakers and the watch share.
struct Shared {
    state: Mutex<State>,
    /// Wakes an idle thread.
    turn: Condvar,
    /// Wakes the watch.
    watch: Notify,
    /// How many threads may poll concurrently, not counting those that compute for long.
    places: usize,
    /// The priority of threads that do not compute for long.
    priority: i32,
    runtime: Handle,
}

struct State {
    lanes: Lanes<Arc<Task>>,
    threads: HashMap<u64, Polling>,
    last: u64,
    idle: usize,
    /// The number of threads that have a slot.
    in_place: usize,
    /// Whether the watch is running.
    is_watched: bool,
}

/// What a thread is doing.
struct Polling {
    thread: Thread,
    /// Since when it has been polling, the CPU time at that point, and the tenant.
    now: Option<(Instant, Duration, Arc<str>)>,
    /// Whether it has lost its slot.
    is_long: bool,
}

impl Line for Shared {
    fn push(self: Arc<Self>, tenant: &Arc<str>, task: Arc<Task>) {
        let mut state = self.state();
        let now = Instant::now();
        state.lanes.push(tenant, task, now);
        if !state.is_watched {
            state.is_watched = true;
            self.watch.notify_one();
        }
        self.call_for_help(&mut state, now);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts or wakes a thread, if there is work and a slot is free.
    fn call_for_help(self: &Arc<Self>, state: &mut State, now: Instant) {
        if !state.lanes.is_ready(now) {
            return;
        }
        if state.idle > 0 {
            self.turn.notify_one();
        } else if state.in_place < self.places && thread::priority() <= self.priority {
            // A thread of low priority would start others of low priority, so it leaves that to the watch.
            state.last += 1;
            let (number, shared) = (state.last, Arc::clone(self));
            let started = std::thread::Builder::new().name("passes".to_owned()).spawn(move || shared.work(number));
            match started {
                Ok(_) => state.in_place += 1,
                // The watch tries again.
                Err(error) => tracing::warn!(%error, "no thread could be started"),
            }
        }
    }

    /// What a thread runs until it has been idle for a while or has lost its slot.
    fn work(self: Arc<Self>, number: u64) {
        let _runtime = self.runtime.enter();
        let mut state = self.state();
        state.threads.insert(number, Polling { thread: Thread::current(), now: None, is_long: false });
        let mut before = thread::computed();
        loop {
            let now = Instant::now();
            if let Some((tenant, task)) = state.lanes.take(now) {
                if let Some(polling) = state.threads.get_mut(&number) {
                    polling.now = Some((now, before, Arc::clone(&tenant)));
                }
                self.call_for_help(&mut state, now);
                drop(state);
                // The task catches its own panics; only those of a destructor remain.
                let _ = caught(|| task.poll());
                let after = thread::computed();
                let took = after.saturating_sub(before);
                if took >= REMARKABLE && log_allowance::take(&tenant) {
                    tracing::info!(namespace = %tenant, ?took, "computed for long; it waits as long");
                }
                state = self.state();
                state.lanes.polled(&tenant, took, Instant::now());
                before = after;
                let is_long = state.threads.get_mut(&number).is_none_or(|polling| {
                    polling.now = None;
                    polling.is_long
                });
                if is_long {
                    break;
                }
            } else {
                state.idle += 1;
                let (waited, timeout) = self.turn.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = waited;
                state.idle -= 1;
                if timeout.timed_out() && !state.lanes.is_ready(Instant::now()) {
                    state.in_place -= 1;
                    break;
                }
            }
        }
        state.threads.remove(&number);
        self.call_for_help(&mut state, Instant::now());
    }

    /// Takes the slots from threads that compute for long, and gives them to others. Returns whether anything is going
    /// on.
    fn look(self: &Arc<Self>, state: &mut State) -> bool {
        let now = Instant::now();
        let State { threads, in_place, .. } = &mut *state;
        let mut long = threads.values().filter(|polling| polling.is_long).count();
        let mut polls = false;
        for polling in threads.values_mut() {
            let Some((since, before, tenant)) = &polling.now else { continue };
            polls = true;
            if polling.is_long || long == MOST_LONG || now.saturating_duration_since(*since) < SLICE {
                continue;
            }
            // If the system does not report its CPU time, assume that it had a processor all the time.
            if polling.thread.computed().is_none_or(|computed| computed.saturating_sub(*before) >= SLICE / 2) {
                polling.thread.yield_to_others();
                tracing::debug!(namespace = %tenant, "computes for long; others get its slot");
                polling.is_long = true;
                *in_place -= 1;
                long += 1;
            }
        }
        self.call_for_help(state, now);
        polls || state.lanes.rests() || state.lanes.is_ready(now)
    }

    /// Checks the threads as long as they have something to do.
    async fn watch_over(self: Arc<Self>) {
        loop {
            self.watch.notified().await;
            let mut quiet = 0;
            loop {
                tokio::time::sleep(TICK).await;
                let mut state = self.state();
                quiet = if self.look(&mut state) { 0 } else { quiet + 1 };
                if quiet == QUIET_TICKS {
                    state.is_watched = false;
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
