//! Stopping on SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled as soon as one of two is.
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

/// A token that is cancelled by the first SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened to.
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
        tracing::info!("stopping: work in progress is finished first");
        cancelled.cancel();
    });
    Ok(token)
}
