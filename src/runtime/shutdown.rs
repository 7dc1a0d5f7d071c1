//! Stopping on SIGTERM and SIGINT.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A token that is canceled as soon as one of two is.
#[must_use]
pub fn first_of(one: CancellationToken, other: CancellationToken) -> CancellationToken {
    let either = CancellationToken::new();
    let cancelled = either.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = one.cancelled() => {}
            () = other.cancelled() => {}
        }
        cancelled.cancel();
    });
    either
}

/// A token that is canceled by the first SIGTERM or SIGINT.
///
/// # Errors
/// If the signals cannot be received.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping after the work in progress");
        cancelled.cancel();
    });
    Ok(token)
}

/// When the last request arrived.
#[derive(Clone, Debug)]
pub struct Arrivals(watch::Sender<Instant>);

impl Default for Arrivals {
    fn default() -> Self {
        Self(watch::Sender::new(Instant::now()))
    }
}

impl Arrivals {
    /// A request arrives now.
    pub fn note(&self) {
        self.0.send_replace(Instant::now());
    }

    fn last(&self) -> Instant {
        *self.0.borrow()
    }
}

/// How long to serve after being told to stop, since clients learn of it later: kube-proxy may take seconds on a busy
/// node, and until then it sends connections here that nobody would answer.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Go on for at least this long.
    pub least: Duration,
    /// Then until no request has arrived for this long.
    pub quiet: Duration,
    /// But no longer than this.
    pub most: Duration,
}

impl Drain {
    /// Until when to serve if told to stop at `began` and no request arrives after `last`.
    fn end(&self, began: Instant, last: Instant) -> Instant {
        (began + self.least).max(last + self.quiet).min(began + self.most)
    }
}

/// A token that is canceled when requests no longer arrive after `stop`.
#[must_use]
pub fn once_drained(stop: &CancellationToken, arrivals: Arrivals, drain: Drain) -> CancellationToken {
    let drained = CancellationToken::new();
    let (stop, cancelled) = (stop.clone(), drained.clone());
    tokio::spawn(async move {
        stop.cancelled().await;
        let began = Instant::now();
        loop {
            let end = drain.end(began, arrivals.last());
            if end <= Instant::now() {
                break;
            }
            tokio::time::sleep_until(end).await;
        }
        cancelled.cancel();
    });
    drained
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_serves_until_requests_stop_arriving_within_bounds() {
        let seconds = Duration::from_secs;
        let drain = Drain { least: seconds(5), quiet: seconds(3), most: seconds(20) };
        let told = Instant::now() + seconds(60);
        let before = told - seconds(60);
        assert_eq!(drain.end(told, before), told + seconds(5));
        for (last, expected) in [(0, 5), (2, 5), (4, 7), (10, 13), (19, 20), (100, 20)] {
            assert_eq!(drain.end(told, told + seconds(last)), told + seconds(expected), "last request after {last} s");
        }
    }

    #[tokio::test]
    async fn it_goes_on_while_requests_arrive_and_ends_after_the_last() {
        let (stop, arrivals) = (CancellationToken::new(), Arrivals::default());
        let quiet = Duration::from_millis(50);
        let drain = Drain { least: Duration::ZERO, quiet, most: Duration::from_mins(1) };
        let drained = once_drained(&stop, arrivals.clone(), drain);
        tokio::time::timeout(2 * quiet, drained.cancelled()).await.expect_err("nobody has told it to stop");
        stop.cancel();
        arrivals.note();
        let last = arrivals.last();
        drained.cancelled().await;
        assert!(last.elapsed() >= quiet);
    }
}
