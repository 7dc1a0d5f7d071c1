//! Allows writes only while the lease is certainly held.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request};
use tower::{BoxError, Layer, Service};

use crate::runtime::clock::uptime;

/// The lease is lost, for good.
const REVOKED: u64 = 0;

/// A write that was not sent, or whose answer is no longer awaited.
#[derive(Debug, thiserror::Error)]
#[error("the leader's lease was not renewed in time, so another replica may lead: nothing is written any more")]
pub struct LeaseLost;

/// Whether the lease is certainly held, by a clock that keeps running while the process or the machine is stopped.
#[derive(Clone, Debug)]
pub struct WriteGuard {
    /// The uptime, in nanoseconds, until which the lease is held.
    until: Arc<AtomicU64>,
}

impl WriteGuard {
    /// A guard that allows writes until this uptime.
    pub(super) fn until(uptime: Duration) -> Self {
        Self { until: Arc::new(AtomicU64::new(nanoseconds(uptime))) }
    }

    /// Whether writes are allowed now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds_at(uptime())
    }

    fn holds_at(&self, now: Duration) -> bool {
        nanoseconds(now) < self.until.load(Ordering::Acquire)
    }

    /// For how long writes are allowed, unless the lease is renewed.
    pub(super) fn remaining(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Acquire)).saturating_sub(uptime())
    }

    /// Extends the guard, unless it has already lapsed: once lapsed it never holds again, because another replica may
    /// have led meanwhile.
    pub(super) fn extend(&self, until: Duration, now: Duration) -> Result<(), LeaseLost> {
        let now = nanoseconds(now);
        let later = |current| (now < current).then(|| nanoseconds(until).max(current));
        self.until.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).map(drop).map_err(|_| LeaseLost)
    }

    /// Ends all writes.
    pub(super) fn revoke(&self) {
        self.until.store(REVOKED, Ordering::Release);
    }
}

fn nanoseconds(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX)
}

/// Puts a [`WriteGuard`] in front of a Kubernetes client. Every write passes the guard; reads are always allowed.
#[derive(Clone, Debug)]
pub struct GuardLayer(pub WriteGuard);

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.0.clone() }
    }
}

/// A service behind a [`WriteGuard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: WriteGuard,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        if reads {
            let call = self.inner.call(request);
            return Box::pin(async move { call.await.map_err(Into::into) });
        }
        if !self.guard.holds() {
            return Box::pin(std::future::ready(Err(LeaseLost.into())));
        }
        let (call, guard) = (self.inner.call(request), self.guard.clone());
        Box::pin(async move {
            let mut call = std::pin::pin!(call);
            // A write that is waiting, for example for a connection, must not be sent later either.
            while guard.holds() {
                if let Ok(answer) = tokio::time::timeout(guard.remaining(), &mut call).await {
                    return answer.map_err(Into::into);
                }
            }
            Err(LeaseLost.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tower::{ServiceExt, service_fn};

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_guard_holds_until_its_time_and_longer_only_if_it_still_holds() {
        let guard = WriteGuard::until(at(10));
        assert!(guard.holds_at(at(9)) && !guard.holds_at(at(10)));
        guard.extend(at(12), at(3)).unwrap();
        assert!(guard.holds_at(at(11)));
        guard.extend(at(5), at(3)).unwrap();
        assert!(guard.holds_at(at(11)), "what was promised is not taken back");
        assert!(guard.extend(at(100), at(12)).is_err(), "another may have led since");
        assert!(!guard.holds_at(at(13)));
    }

    #[test]
    fn a_revoked_guard_never_holds_again() {
        let guard = WriteGuard::until(at(10));
        guard.revoke();
        assert!(!guard.holds_at(at(0)));
        assert!(guard.extend(at(20), at(1)).is_err());
    }

    async fn send(guard: &WriteGuard, method: Method, sent: &Arc<AtomicUsize>) -> Result<(), BoxError> {
        let sent = Arc::clone(sent);
        let inner = service_fn(move |_: Request<()>| {
            sent.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, BoxError>(()))
        });
        let request = Request::builder().method(method).body(()).unwrap();
        GuardLayer(guard.clone()).layer(inner).oneshot(request).await
    }

    #[tokio::test]
    async fn only_reads_pass_once_the_lease_is_lost() {
        let guard = WriteGuard::until(uptime() + at(60));
        let sent = Arc::new(AtomicUsize::new(0));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            send(&guard, method, &sent).await.unwrap();
        }
        assert_eq!(sent.load(Ordering::SeqCst), 5);
        guard.revoke();
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(send(&guard, method, &sent).await.is_err());
        }
        assert_eq!(sent.load(Ordering::SeqCst), 5);
        send(&guard, Method::GET, &sent).await.unwrap();
    }

    #[tokio::test]
    async fn a_write_that_waits_is_given_up_when_the_lease_ends() {
        let guard = WriteGuard::until(uptime() + Duration::from_millis(20));
        let never = service_fn(|_: Request<()>| std::future::pending::<Result<(), BoxError>>());
        let request = Request::builder().method(Method::POST).body(()).unwrap();
        let error = GuardLayer(guard).layer(never).oneshot(request).await.unwrap_err();
        assert!(error.is::<LeaseLost>());
    }
}
