//! The gate that all requests to a vault pass: a limit of concurrent requests, a budget per kind of object, and a pause
//! of the whole vault if it asks to slow down or does not answer.
//!
//! Waiting requests are queued. Namespaces take turns, and so do the stores of each. The last of a window is for
//! namespaces that have used little of it, so that no namespace can use up what the vault serves. While the vault is paused, one
//! request at a time finds out whether it has recovered; then the others follow, at the rate that the vault is known to
//! serve. A caller that waits too long gets the reason as an error, but its request keeps its place.

mod budget;
mod queue;
mod shares;
#[cfg(test)]
mod simulation;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

pub(super) use self::queue::{Rank, Requester, Ticket, Traffic};
use self::state::{Change, End, Limits, Next, Pass, Stall, State};
use super::diagnose::{Cause, Diagnosis};
use super::options::{Options, WINDOW};
use crate::provider::ProviderMetrics;
use crate::provider::metrics::{GateState, Probe};
use crate::runtime::log_allowance;

/// A request that waits for permission.
struct Waiter {
    permission: oneshot::Sender<Leave>,
    namespace: Arc<str>,
}

/// The gate to one vault.
pub(super) struct Gate {
    vault: String,
    inner: Mutex<Inner>,
    metrics: Arc<dyn ProviderMetrics>,
}

struct Inner {
    state: State<Waiter>,
    /// When to run again, if nothing happens before.
    alarm: Option<Instant>,
    /// The last state that the metrics got.
    told: Option<GateState>,
}

impl Gate {
    /// The gate to the vault of this host.
    pub(super) fn new(vault: &str, options: &Options, metrics: Arc<dyn ProviderMetrics>) -> Self {
        let limits = Limits {
            budgets: options.budgets,
            window: WINDOW,
            concurrency: u32::try_from(options.concurrency.max(1)).unwrap_or(u32::MAX),
            patience: options.patience,
        };
        let inner = Mutex::new(Inner { state: State::new(limits), alarm: None, told: None });
        Self { vault: vault.to_owned(), inner, metrics }
    }

    /// A place in the queue for a request. It is empty before [`Gate::enter`].
    pub(super) fn ticket(&self, kind: Traffic, rank: Rank, requester: &Requester) -> Ticket {
        self.inner().state.ticket(kind, rank, requester)
    }

    /// Waits for permission to send one request, for a read that began at `began`. If that takes too long, `stalled`
    /// gets the reason and the wait continues.
    ///
    /// # Errors
    /// None in practice: every waiter gets permission.
    pub(super) async fn enter(
        self: &Arc<Self>,
        ticket: &Ticket,
        began: Instant,
        stalled: impl FnOnce(Diagnosis) + Send,
    ) -> Result<Leave, Diagnosis> {
        let arrived = Instant::now();
        let (sender, mut granted) = oneshot::channel();
        let waiter = Waiter { permission: sender, namespace: Arc::clone(ticket.namespace()) };
        self.inner().state.arrive(ticket, waiter);
        let _place = Place { gate: self, ticket };
        self.pump();
        let leave = match self.patiently(&mut granted, began).await {
            Ok(leave) => leave,
            Err(reason) => {
                stalled(reason);
                granted.await
            }
        };
        self.metrics.gate_wait(arrived.elapsed());
        leave.map_err(|_| Diagnosis::new(Cause::Aborted, "the gate is closed"))
    }

    /// Waits for permission, or returns why it takes too long.
    async fn patiently(
        &self,
        granted: &mut oneshot::Receiver<Leave>,
        began: Instant,
    ) -> Result<Result<Leave, oneshot::error::RecvError>, Diagnosis> {
        loop {
            if let Ok(leave) = granted.try_recv() {
                return Ok(Ok(leave));
            }
            let stall = self.inner().state.stall(Instant::now(), began);
            let time = match stall {
                Stall::Now(reason) => return Err(reason),
                Stall::NotBefore(time) => time,
            };
            if let Ok(leave) = tokio::time::timeout_at(time.into(), &mut *granted).await {
                return Ok(leave);
            }
        }
    }

    /// A request of a namespace has ended.
    fn ended(self: &Arc<Self>, pass: Pass, end: End, namespace: &str) {
        let reason = if let End::Refused(reason) = &end { reason.to_string() } else { String::new() };
        let change = self.inner().state.ended(Instant::now(), pass, end, rand::random());
        match change {
            Some(Change::Paused) if log_allowance::take(namespace) => {
                tracing::warn!(vault = self.vault, reason, "the vault is not asked for a while");
            }
            Some(Change::Resumed) if log_allowance::take(namespace) => {
                tracing::info!(vault = self.vault, "the vault is asked again");
            }
            _ => {}
        }
        self.pump();
    }

    /// Admits all requests that may be sent now, and sets the alarm for the next.
    fn pump(self: &Arc<Self>) {
        loop {
            let mut inner = self.inner();
            match inner.state.next(Instant::now()) {
                Next::Send(waiter, pass) => {
                    drop(inner);
                    if pass.probe {
                        self.metrics.probe(Probe::Vault);
                    }
                    let Waiter { permission, namespace } = waiter;
                    let leave = Leave { gate: Arc::clone(self), pass: Some(pass), namespace };
                    // If the waiter has just gone away, take back its permission here, without another round.
                    if let Err(mut leave) = permission.send(leave)
                        && let Some(pass) = leave.pass.take()
                    {
                        self.inner().state.ended(Instant::now(), pass, End::Abandoned, 0.0);
                    }
                }
                Next::WaitUntil(time) => {
                    self.tell(&mut inner);
                    if inner.alarm.is_none_or(|alarm| time < alarm) {
                        inner.alarm = Some(time);
                        drop(inner);
                        self.set_alarm(time);
                    }
                    return;
                }
                Next::Wait => return self.tell(&mut inner),
            }
        }
    }

    /// Updates the metrics if the state has changed.
    fn tell(&self, inner: &mut Inner) {
        let state = GateState {
            waiting: inner.state.waiting(),
            paused: inner.state.is_paused(),
            budget: inner.state.effective_budget(),
        };
        if inner.told.replace(state) != Some(state) {
            self.metrics.gate(&self.vault, Some(state));
        }
    }

    /// Runs again at `time`. An early alarm does no harm.
    fn set_alarm(self: &Arc<Self>, time: Instant) {
        let gate = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(time.into()).await;
            if let Some(gate) = gate.upgrade() {
                {
                    let mut inner = gate.inner();
                    if inner.alarm == Some(time) {
                        inner.alarm = None;
                    }
                }
                gate.pump();
            }
        });
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.metrics.gate(&self.vault, None);
    }
}

/// An occupied place. Dropping it leaves the queue.
struct Place<'a> {
    gate: &'a Gate,
    ticket: &'a Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.inner().state.leave(self.ticket);
    }
}

/// Permission to send one request. If it is dropped without a report, the request counts as abandoned.
pub(super) struct Leave {
    gate: Arc<Gate>,
    pass: Option<Pass>,
    namespace: Arc<str>,
}

impl Leave {
    /// Returns the permission unused.
    pub(super) fn unsent(mut self) {
        if let Some(pass) = self.pass.take() {
            self.gate.ended(pass, End::Unsent, &self.namespace);
        }
    }

    /// Reports how the request ended. Returns whether the vault is paused because of that.
    pub(super) fn report<T>(mut self, result: &Result<T, Diagnosis>) -> Verdict {
        let (end, verdict) = match result {
            Err(diagnosis) if pauses(diagnosis.cause) => (End::Refused(diagnosis.clone()), Verdict::Paused),
            _ => (End::Answered, Verdict::Final),
        };
        if result.as_ref().is_err_and(|diagnosis| diagnosis.cause == Cause::VaultThrottled) {
            self.gate.metrics.throttled();
        }
        if let Some(pass) = self.pass.take() {
            self.gate.ended(pass, end, &self.namespace);
        }
        verdict
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.gate.ended(pass, End::Abandoned, &self.namespace);
        }
    }
}

/// What to do with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Return it.
    Final,
    /// Ask again: the vault is paused.
    Paused,
}

/// Whether a failure applies to the whole vault, so that others need not find out by themselves. The fault is that of
/// the vault or of the network, because the token was acquired before.
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
