//! Monitors the connection to the Kubernetes API: counts requests, reopens a watch that has gone silent, and reports
//! when nothing is heard at all.
//!
//! A silent watch looks just like one whose objects do not change. The difference is that an API server sends a
//! bookmark about every minute. Bookmarks never reach the consumer of the watch, so they are noticed here, where the
//! bytes of answers pass.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use kube::Client;
use tokio::sync::watch;
use tokio::time::Sleep;
use tower::{BoxError, Layer, Service};
use tracing::Instrument as _;

use super::clock::uptime;
#[cfg(feature = "processes")]
use super::health::Check;
use super::metrics::ApiServerMetrics;

/// What is known of the connection to the Kubernetes API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiHealth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: ApiServerMetrics,
    /// How long a watch may be silent.
    silence: Duration,
    last_answer: Pulse,
    outage: Outage,
    watches: Mutex<BTreeMap<Arc<str>, Arc<Pulse>>>,
}

/// Whether the last request was not answered.
#[derive(Debug, Default)]
struct Outage(watch::Sender<bool>);

impl Outage {
    fn is(&self, outage: bool) {
        self.0.send_if_modified(|before| std::mem::replace(before, outage) != outage);
    }
}

/// When anything was last heard.
#[derive(Debug)]
struct Pulse(AtomicU64);

impl Pulse {
    fn now() -> Self {
        Self(AtomicU64::new(nanoseconds(uptime())))
    }

    fn beat(&self) {
        self.0.store(nanoseconds(uptime()), Ordering::Relaxed);
    }

    fn silent_for(&self) -> Duration {
        uptime().saturating_sub(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl ApiHealth {
    /// Reopens a watch that is silent for `silence`, and reports it as wedged if it stays silent for as long again.
    #[must_use]
    pub fn new(metrics: ApiServerMetrics, silence: Duration) -> Self {
        let (last_answer, outage) = (Pulse::now(), Outage::default());
        Self(Arc::new(Inner { metrics, silence, last_answer, outage, watches: Mutex::default() }))
    }

    /// Whether the last request to the API server got no answer at all.
    #[must_use]
    pub fn outage(&self) -> watch::Receiver<bool> {
        self.0.outage.0.subscribe()
    }

    /// A client for one watch, which lasts until the process ends. The process is not ready without it.
    #[must_use]
    pub fn watching(&self, name: &str, client: &Client) -> Client {
        let (name, pulse) = (Arc::<str>::from(name), Arc::new(Pulse::now()));
        self.0.watches.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&name), Arc::clone(&pulse));
        self.listening_to(Watch { name, pulse, of: Arc::clone(&self.0) }, client)
    }

    /// A client for a watch that the process can do without. It, too, is reopened when it goes silent.
    #[must_use]
    pub fn listening(&self, name: &str, client: &Client) -> Client {
        let watch = Watch { name: Arc::from(name), pulse: Arc::new(Pulse::now()), of: Arc::clone(&self.0) };
        self.listening_to(watch, client)
    }

    fn listening_to(&self, watch: Watch, client: &Client) -> Client {
        let (silence, client) = (self.0.silence, client.clone());
        let namespace = client.default_namespace().to_owned();
        let service = tower::service_fn(move |request| {
            let (client, watch) = (client.clone(), watch.clone());
            async move {
                let answer = tokio::time::timeout(silence, client.send(request)).await;
                let answer = answer.map_err(|_| BoxError::from(Silent(silence)))??;
                if answer.status().is_success() {
                    watch.beat();
                }
                Ok::<_, BoxError>(answer.map(|body| Listened::new(body, watch)))
            }
        });
        Client::new(service, namespace)
    }
}

#[cfg(feature = "processes")]
impl Check for ApiHealth {
    fn check(&self) -> Result<(), String> {
        let most = self.0.silence.saturating_mul(2);
        let silent_for = self.0.last_answer.silent_for();
        if silent_for > most {
            return Err(format!("the API server has not answered for {} s", silent_for.as_secs()));
        }
        let watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = watches.iter().map(|(name, pulse)| (name, pulse.silent_for()));
        let Some((name, silent_for)) =
            silent.filter(|(_, silent_for)| *silent_for > most).max_by_key(|silent| silent.1)
        else {
            return Ok(());
        };
        Err(format!("the watch of {name} has shown no sign of life for {} s", silent_for.as_secs()))
    }
}

/// Nothing was heard for too long.
#[derive(Debug, thiserror::Error)]
#[error("nothing was heard for {} s, not even a bookmark", .0.as_secs())]
struct Silent(Duration);

/// The state of one watch.
#[derive(Clone)]
struct Watch {
    name: Arc<str>,
    pulse: Arc<Pulse>,
    of: Arc<Inner>,
}

impl Watch {
    fn beat(&self) {
        self.pulse.beat();
        self.of.last_answer.beat();
    }
}

/// The body of a response that is being monitored. It ends with an error after too long a silence.
struct Listened<B> {
    body: Pin<Box<B>>,
    watch: Watch,
    patience: Pin<Box<Sleep>>,
    has_ended: bool,
}

impl<B> Listened<B> {
    fn new(body: B, watch: Watch) -> Self {
        let patience = Box::pin(tokio::time::sleep(watch.of.silence));
        Self { body: Box::pin(body), watch, patience, has_ended: false }
    }
}

impl<B> Body for Listened<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(context) {
            if matches!(frame, Some(Ok(_))) {
                self.watch.beat();
                let deadline = tokio::time::Instant::now() + self.watch.of.silence;
                self.patience.as_mut().reset(deadline);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if self.patience.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.has_ended = true;
        tracing::debug!(watch = %self.watch.name, "a watch has gone silent");
        Poll::Ready(Some(Err(Silent(self.watch.of.silence).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts requests to a host.
#[derive(Clone, Debug)]
pub struct CountingLayer {
    /// Counts them.
    pub api_health: ApiHealth,
    /// The host, as metrics name it.
    pub host: Arc<str>,
}

impl<S> Layer<S> for CountingLayer {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, layer: self.clone() }
    }
}

/// A service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    layer: CountingLayer,
}

impl<S, A, B> Service<Request<A>> for Counting<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Send + 'static,
    S::Error: Into<BoxError> + Send,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (method, began) = (request.method().clone(), Instant::now());
        let span = tracing::info_span!(
            "kubernetes.request",
            "http.request.method" = %method, "url.path" = request.uri().path(),
            "http.response.status_code" = tracing::field::Empty,
        );
        let (call, CountingLayer { api_health, host }) = (self.inner.call(request), self.layer.clone());
        let call = async move {
            let answer = call.await;
            let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            if let Some(status) = status {
                tracing::Span::current().record("http.response.status_code", status);
                // A gateway in front of the API server answers, too.
                if status < 500 {
                    api_health.0.last_answer.beat();
                    api_health.0.outage.is(false);
                }
            } else {
                api_health.0.outage.is(true);
            }
            api_health.0.metrics.answered(method.as_str(), &host, status, began.elapsed());
            answer
        };
        Box::pin(call.instrument(span))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::runtime::metrics::{Metrics, ObjectOptions};

    fn api_health(silence: Duration) -> ApiHealth {
        let metrics = Metrics::new(ObjectOptions::default()).unwrap();
        ApiHealth::new(metrics.api_server().clone(), silence)
    }

    /// A body from which nothing ever comes.
    struct Nothing;

    impl Body for Nothing {
        type Data = &'static [u8];
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<&'static [u8]>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_is_silent_for_too_long_ends_with_an_error() {
        let silence = Duration::from_millis(50);
        let api_health = api_health(silence);
        let watch = Watch { name: "examples".into(), pulse: Arc::new(Pulse::now()), of: Arc::clone(&api_health.0) };
        let mut body = std::pin::pin!(Listened::new(Nothing, watch));
        let began = tokio::time::Instant::now();
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        assert!(frame.unwrap().unwrap_err().is::<Silent>());
        assert!(began.elapsed() >= silence);
        assert!(std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await.is_none());
    }

    #[test]
    fn what_was_heard_of_just_now_is_well_and_what_is_silent_for_too_long_is_named() {
        let well = api_health(Duration::from_mins(2));
        assert_eq!(well.check(), Ok(()));
        let silent = api_health(Duration::ZERO);
        assert!(silent.check().unwrap_err().starts_with("the API server has not answered"));
    }
}
