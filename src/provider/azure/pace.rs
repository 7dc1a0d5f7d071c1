//! How long the reader of many values waits at a vault that serves less than is asked of it.
//!
//! Who is told that a read takes long gives up, and comes back. One who reads more than the vault serves until then would begin
//! from the start each time and never have all. So it goes on for as long as the vault serves it, and is told once it gets nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::provider::{Class, Recovery};

use super::diagnose::Diagnosis;
use super::options::WINDOW;

/// How long one reader may take, whatever it gets.
const LONGEST: Duration = Duration::from_mins(5);

/// What the reads of one reader have come to.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    patience: Duration,
    last_answer: Mutex<Option<Instant>>,
}

impl Pace {
    /// Of one that begins now, and waits so long for the next answer: `patience` beyond the window of a vault's limits, within which
    /// a vault may answer in a burst and then no more.
    pub(super) fn new(patience: Duration) -> Self {
        Self { began: Instant::now(), patience: WINDOW + patience, last_answer: Mutex::default() }
    }

    /// The vault has answered.
    pub(super) fn answered(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// Waits for the end of a read that takes long, if the vault goes on to serve the reader meanwhile; whether it has ended.
    pub(super) async fn outlasts(&self, reason: &Diagnosis) -> bool {
        let Some(recovery) = reason.recovery.as_ref().filter(|_| reason.cause.class() == Class::Throttled) else {
            return false;
        };
        self.waits_for(recovery).await
    }

    async fn waits_for(&self, recovery: &Recovery) -> bool {
        let mut ended = std::pin::pin!(recovery.recovered());
        while let Some(deadline) = self.deadline().filter(|deadline| *deadline > Instant::now()) {
            if tokio::time::timeout_at(deadline.into(), &mut ended).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Until when it waits; `None` where nothing has come at all.
    fn deadline(&self) -> Option<Instant> {
        let last = *self.lock();
        last.map(|last| (last + self.patience).min(self.began + LONGEST))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
