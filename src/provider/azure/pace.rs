//! How long the reader of many values waits for a vault that serves requests more slowly than it receives them.
//!
//! A caller that learns that a read takes long gives up and comes back later. If it reads more than the vault serves in
//! that time, it would start over each time and never finish. It therefore continues as long as the vault serves it,
//! and gets the error only if nothing arrives for too long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::provider::{Class, Recovery};

use super::diagnose::Diagnosis;
use super::options::WINDOW;

/// The longest time for one reader.
const LONGEST: Duration = Duration::from_mins(5);

/// The progress of one reader.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    patience: Duration,
    last_answer: Mutex<Option<Instant>>,
}

impl Pace {
    /// For a reader that begins now. It waits for the next answer for `patience` longer than the window of a vault's
    /// limits, because a vault may answer in a burst and then nothing until the window ends.
    pub(super) fn new(patience: Duration) -> Self {
        Self { began: Instant::now(), patience: WINDOW + patience, last_answer: Mutex::default() }
    }

    /// The vault has answered.
    pub(super) fn answered(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// Waits for the end of a read that takes long, as long as the vault keeps serving the reader. Returns whether the
    /// read has ended.
    pub(super) async fn outlasts(&self, reason: &Diagnosis) -> bool {
        let Some(recovery) = reason.recovery.as_ref().filter(|_| reason.cause.class() == Class::Throttled) else {
            return false;
        };
        self.waits_for(recovery).await
    }

    async fn waits_for(&self, recovery: &Recovery) -> bool {
        let mut ended = std::pin::pin!(recovery.recovered());
        while let Some(deadline) = self.deadline().filter(|deadline| *deadline > Instant::now()) {
            if tokio::time::timeout_at(deadline, &mut ended).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Until when to wait; `None` if nothing has arrived at all.
    fn deadline(&self) -> Option<Instant> {
        let last = *self.lock();
        last.map(|last| (last + self.patience).min(self.began + LONGEST))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use rstest::rstest;
    use tokio::sync::watch;

    use super::*;
    use crate::provider::azure::diagnose::Cause;
    use crate::provider::error::Recover;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The end of a read.
    struct End(watch::Receiver<bool>);

    impl Recover for End {
        fn recovered(&self) -> BoxFuture<'static, ()> {
            let mut ended = self.0.clone();
            async move { drop(ended.wait_for(|ended| *ended).await) }.boxed()
        }
    }

    /// A read that takes long for this cause, and a way to end it.
    fn long_read(cause: Cause) -> (Diagnosis, watch::Sender<bool>) {
        let (end, ended) = watch::channel(false);
        (Diagnosis::new(cause, "slow").recovery(Recovery::new(End(ended))), end)
    }

    /// A reader that began this long ago, and was last answered this long ago.
    fn reader(began: Duration, last_answer: Option<Duration>) -> (Pace, Instant) {
        let now = Instant::now();
        let pace =
            Pace { began: now - began, last_answer: Mutex::new(last_answer.map(|last| now - last)), ..Pace::new(s(5)) };
        (pace, now)
    }

    #[test]
    fn a_reader_waits_for_a_whole_window_and_the_patience_beyond_after_each_answer() {
        assert_eq!(reader(s(60), None).0.deadline(), None, "nothing has come at all");
        let (pace, now) = reader(s(60), Some(s(0)));
        assert_eq!(pace.deadline(), Some(now + WINDOW + s(5)));
        let (pace, now) = reader(s(60), Some(s(14)));
        assert_eq!(pace.deadline(), Some(now + s(1)));
    }

    #[test]
    fn a_reader_that_is_served_all_the_time_waits_for_the_longest_time_and_no_longer() {
        let (pace, now) = reader(LONGEST.saturating_sub(s(3)), Some(s(0)));
        assert_eq!(pace.deadline(), Some(now + s(3)));
    }

    #[rstest]
    #[case::nothing_has_come(s(60), None)]
    #[case::the_patience_ends_now(s(60), Some(WINDOW + s(5)))]
    #[case::the_longest_time_ends_now(LONGEST, Some(s(0)))]
    #[tokio::test]
    async fn nobody_waits_beyond_the_time(#[case] began: Duration, #[case] last_answer: Option<Duration>) {
        let (reason, _end) = long_read(Cause::VaultThrottled);
        let pace = reader(began, last_answer).0;
        assert_eq!(pace.outlasts(&reason).now_or_never(), Some(false));
    }

    #[tokio::test]
    async fn an_answer_meanwhile_lengthens_the_wait_and_the_end_of_the_read_ends_it() {
        let (reason, end) = long_read(Cause::VaultThrottled);
        // It would be over in a moment.
        let (pace, _) = reader(s(60), Some((WINDOW + s(5)).saturating_sub(Duration::from_millis(20))));
        let serving = async {
            pace.answered();
            tokio::time::sleep(Duration::from_millis(60)).await;
            end.send_replace(true);
        };
        assert!(tokio::join!(pace.outlasts(&reason), serving).0);
    }

    #[rstest]
    #[case::an_outage(Cause::VaultUnavailable)]
    #[case::no_answer(Cause::Timeout)]
    #[case::no_token(Cause::EntraUnavailable)]
    #[tokio::test]
    async fn nobody_waits_if_the_vault_does_not_throttle(#[case] cause: Cause) {
        let (reason, _end) = long_read(cause);
        assert_eq!(reader(s(1), Some(s(0))).0.outlasts(&reason).now_or_never(), Some(false));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_read_that_has_ended() {
        let ended = Diagnosis::new(Cause::VaultThrottled, "slow");
        assert_eq!(reader(s(1), Some(s(0))).0.outlasts(&ended).now_or_never(), Some(false));
    }
}
