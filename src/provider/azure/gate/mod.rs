//! All requests to a vault pass its gate: a bound on those under way, a budget, and a pause of the whole vault
//! when it asks to slow down or does not answer.
//!
//! Requests pass in the order in which they came. While the vault is paused one request at a time finds out
//! whether it is back; the others wait for it, or fail with what the vault last said when that takes too long.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use self::state::{Change, Decision, End, Limits, Pass, State};
use super::diagnose::{Cause, Diagnosis};
use super::options::{Options, WINDOW};
use crate::provider::ProviderMetrics;

/// The gate to one vault.
pub(super) struct Gate {
    vault: String,
    places: Semaphore,
    state: Mutex<State>,
    changed: Notify,
    metrics: Arc<dyn ProviderMetrics>,
}

impl Gate {
    /// The gate to the vault of this host.
    pub(super) fn new(vault: &str, options: &Options, metrics: Arc<dyn ProviderMetrics>) -> Self {
        let limits = Limits { budget: options.requests_per_window, window: WINDOW, patience: options.patience };
        Self {
            vault: vault.to_owned(),
            places: Semaphore::new(options.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            state: Mutex::new(State::new(limits)),
            changed: Notify::new(),
            metrics,
        }
    }

    /// Waits for leave to send one request, for a caller that has waited since `began`.
    ///
    /// # Errors
    /// What the vault last said, if it is paused for too long to wait for.
    pub(super) async fn enter(&self, began: Instant) -> Result<Leave<'_>, Diagnosis> {
        let arrived = Instant::now();
        let place = self.places.acquire().await.map_err(|_| Diagnosis::new(Cause::Aborted, "the gate is closed"))?;
        loop {
            // Registered before the state is looked at, or a change in between would be missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let decision = self.state().decide(Instant::now(), began);
            match decision {
                Decision::Send(pass) => {
                    self.metrics.gate_wait(arrived.elapsed());
                    return Ok(Leave { gate: self, _place: place, pass: Some(pass) });
                }
                Decision::Refuse(reason) => return Err(reason),
                Decision::Wait => changed.await,
                Decision::WaitUntil(until) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(until.into()) => {}
                    }
                }
            }
        }
    }

    fn ended(&self, pass: Pass, end: End) {
        let reason = if let End::Refused(reason) = &end { reason.to_string() } else { String::new() };
        let change = self.state().ended(Instant::now(), pass, end, rand::random());
        self.changed.notify_waiters();
        match change {
            Some(Change::Paused) => tracing::warn!(vault = self.vault, reason, "the vault is not asked for a while"),
            Some(Change::Resumed) => tracing::info!(vault = self.vault, "the vault is asked again"),
            None => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to send one request. Dropped without a report, it counts as abandoned.
pub(super) struct Leave<'a> {
    gate: &'a Gate,
    _place: SemaphorePermit<'a>,
    pass: Option<Pass>,
}

impl Leave<'_> {
    /// Reports how the request ended, and whether the vault is paused because of it.
    pub(super) fn report<T>(mut self, result: &Result<T, Diagnosis>) -> Verdict {
        let (end, verdict) = match result {
            Err(diagnosis) if pauses(diagnosis.cause) => (End::Refused(diagnosis.clone()), Verdict::Paused),
            _ => (End::Answered, Verdict::Final),
        };
        if result.as_ref().is_err_and(|diagnosis| diagnosis.cause == Cause::VaultThrottled) {
            self.gate.metrics.throttled();
        }
        if let Some(pass) = self.pass.take() {
            self.gate.ended(pass, end);
        }
        verdict
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.gate.ended(pass, End::Abandoned);
        }
    }
}

/// Whether a result is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Final,
    /// The vault is paused; asking again is worthwhile.
    Paused,
}

/// Whether a failure says something about the whole vault, so that others need not find out by themselves.
const fn pauses(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::VaultThrottled
            | Cause::VaultUnavailable
            | Cause::HostNotFound
            | Cause::DnsUnavailable
            | Cause::ConnectionRefused
            | Cause::Timeout
            | Cause::ProxyFailed
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn gate(concurrency: usize, patience: Duration) -> Arc<Gate> {
        Arc::new(Gate::new("my-vault", &Options { concurrency, patience, ..Options::default() }, Arc::new(())))
    }

    fn throttled(milliseconds: u64) -> Result<(), Diagnosis> {
        Err(Diagnosis::new(Cause::VaultThrottled, "slow down").retry_after(Some(Duration::from_millis(milliseconds))))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_requests_are_under_way_than_allowed_and_all_come_through() {
        let gate = gate(3, Duration::from_secs(5));
        let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..200).map(|number| {
            let (gate, under_way, most) = (Arc::clone(&gate), Arc::clone(&under_way), Arc::clone(&most));
            tokio::spawn(async move {
                let leave = gate.enter(Instant::now()).await.unwrap();
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                // Every tenth is refused for a moment, so that pauses and probes are part of it.
                let result = if number % 10 == 0 { throttled(1) } else { Ok(()) };
                leave.report(&result);
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn who_waits_for_the_probe_is_woken_when_it_ends() {
        let gate = gate(8, Duration::from_secs(5));
        gate.enter(Instant::now()).await.unwrap().report(&throttled(1));
        let probe = gate.enter(Instant::now()).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let mut enter = Box::pin(gate.enter(Instant::now()));
            assert!(futures::poll!(enter.as_mut()).is_pending());
            waiting.push(enter);
        }
        probe.report(&Ok(()));
        for enter in waiting {
            enter.await.unwrap().report(&Ok(()));
        }
    }

    #[tokio::test]
    async fn a_probe_that_is_dropped_leaves_its_place_to_one_who_waits() {
        let gate = gate(8, Duration::from_secs(5));
        gate.enter(Instant::now()).await.unwrap().report(&throttled(1));
        let probe = gate.enter(Instant::now()).await.unwrap();
        let mut next = Box::pin(gate.enter(Instant::now()));
        assert!(futures::poll!(next.as_mut()).is_pending());
        drop(probe);
        next.await.unwrap().report(&Ok(()));
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_leaves_its_place_to_the_next() {
        let gate = gate(1, Duration::from_secs(5));
        let first = gate.enter(Instant::now()).await.unwrap();
        let mut second = Box::pin(gate.enter(Instant::now()));
        let mut third = Box::pin(gate.enter(Instant::now()));
        assert!(futures::poll!(second.as_mut()).is_pending());
        assert!(futures::poll!(third.as_mut()).is_pending());
        drop(second);
        first.report(&Ok(()));
        third.await.unwrap().report(&Ok(()));
    }
}
