//! Stopping on SIGTERM and SIGINT.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
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

/// A token that is canceled some time after another.
#[must_use]
pub fn after(token: &CancellationToken, delay: Duration) -> CancellationToken {
    let later = CancellationToken::new();
    let (token, cancelled) = (token.clone(), later.clone());
    tokio::spawn(async move {
        token.cancelled().await;
        tokio::time::sleep(delay).await;
        cancelled.cancel();
    });
    later
}
