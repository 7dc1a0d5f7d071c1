//! The webhook's HTTP server: its paths, and limits on size and time.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::admission::{Checks, Kind};
use super::conversion;
use crate::api::v1::StoreKind;
use crate::runtime::shutdown::Arrivals;
use crate::runtime::webhook_metrics::WebhookMetrics;

/// An object before and after a change, each at most 1.5 MiB in the API server, and the fields around them.
const LARGEST_REVIEW: usize = (3 << 20) + (256 << 10);
/// The bodies of all reviews that are read or answered concurrently.
const ALL_REVIEWS: usize = 32 << 20;
/// A conversion may cover a page of a list.
const LARGEST_CONVERSION: usize = 64 << 20;
/// The bodies of all conversions that are read or answered concurrently. Their answers take the same amount again.
const ALL_CONVERSIONS: usize = 96 << 20;
/// The API server waits 5 s according to the chart, and 30 s at most.
const DEADLINE: Duration = Duration::from_secs(30);

/// The webhook's paths. Configurations of ESO before 0.17 call those with `v1beta1`.
pub(crate) fn router(checks: Checks, metrics: WebhookMetrics) -> Router {
    router_within(Webhook::new(checks), metrics, DEADLINE)
}

fn router_within(webhook: Webhook, metrics: WebhookMetrics, deadline: Duration) -> Router {
    let kinds = [
        ("externalsecret", Kind::ExternalSecret),
        ("clusterexternalsecret", Kind::ClusterExternalSecret),
        ("secretstore", Kind::Store(StoreKind::SecretStore)),
        ("clustersecretstore", Kind::Store(StoreKind::ClusterSecretStore)),
    ];
    let mut router = Router::new();
    for version in ["v1", "v1beta1"] {
        for (name, kind) in kinds {
            let path = format!("/validate-external-secrets-io-{version}-{name}");
            router =
                router.route(&path, post(move |State(webhook): State<Shared>, body: Body| admit(webhook, kind, body)));
        }
    }
    let admit_push_secret = |State(webhook): State<Shared>, body: Body| admit(webhook, Kind::PushSecret, body);
    let admit_cluster_push_secret =
        |State(webhook): State<Shared>, body: Body| admit(webhook, Kind::ClusterPushSecret, body);
    let admit_generator = |State(webhook): State<Shared>, body: Body| admit(webhook, Kind::Generator, body);
    router
        .route("/validate-generators-external-secrets-io-v1alpha1", post(admit_generator))
        .route("/validate-external-secrets-io-v1alpha1-pushsecret", post(admit_push_secret))
        .route("/validate-external-secrets-io-v1alpha1-clusterpushsecret", post(admit_cluster_push_secret))
        .route("/convert", post(convert))
        // Not for other paths, because a client could create any number of metric series.
        .route_layer(middleware::from_fn_with_state((metrics, deadline), bounded))
        .with_state(Arc::new(webhook))
}

/// Notes when requests arrive, and asks clients to close their connections when `stopping` is canceled. Requests still
/// arrive then, because the API server learns later that they should go elsewhere. Each is answered, and the next one
/// uses another connection.
pub(crate) fn draining(router: Router, stopping: CancellationToken, arrivals: Arrivals) -> Router {
    router.layer(middleware::from_fn_with_state((stopping, arrivals), drain))
}

async fn drain(
    State((stopping, arrivals)): State<(CancellationToken, Arrivals)>,
    request: Request,
    next: Next,
) -> Response {
    arrivals.note();
    // HTTP/2 closes connections with a frame of its own.
    let has_header = request.version() < Version::HTTP_2;
    let mut response = next.run(request).await;
    if has_header && stopping.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Counts a request, and aborts it at its deadline.
async fn bounded(
    State((metrics, deadline)): State<(WebhookMetrics, Duration)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let in_flight = metrics.begin(&path);
    let response = match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    };
    in_flight.answered(response.status().as_u16());
    response
}

async fn admit(webhook: Shared, kind: Kind, body: Body) -> Response {
    let body = match webhook.reviews.read(body).await {
        Ok(body) => body,
        Err(refused) => return refused.into_response(),
    };
    let checks = Arc::clone(&webhook.checks);
    webhook.answer(move |_| Ok(Json(checks.review(kind, &body.bytes)?).into_response())).await
}

async fn convert(State(webhook): State<Shared>, body: Body) -> Response {
    let body = match webhook.conversions.read(body).await {
        Ok(body) => body,
        Err(refused) => return refused.into_response(),
    };
    let json = [(CONTENT_TYPE, "application/json")];
    let convert = move |stop: &CancellationToken| {
        let answer = conversion::review(&body.bytes, stop)?;
        // Takes the room that the body had, until it is sent.
        let answer = Bytes::from_owner(Taken { bytes: answer, room: body.room });
        Ok((json, answer).into_response())
    };
    webhook.answer(convert).await
}

/// What the requests share.
type Shared = Arc<Webhook>;

struct Webhook {
    checks: Arc<Checks>,
    reviews: Room,
    conversions: Room,
    /// The answers being computed, including those whose callers have gone.
    places: Arc<Semaphore>,
}

impl Webhook {
    fn new(checks: Checks) -> Self {
        let places = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            checks: Arc::new(checks),
            reviews: Room::new(LARGEST_REVIEW, ALL_REVIEWS),
            conversions: Room::new(LARGEST_CONVERSION, ALL_CONVERSIONS),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// Computes answers apart from the threads that serve connections and probes, because a large object takes time. A
    /// request that is aborted while it waits is not begun; one that is aborted later is told to stop.
    async fn answer(
        &self,
        work: impl FnOnce(&CancellationToken) -> Result<Response, String> + Send + 'static,
    ) -> Response {
        let stop = CancellationToken::new();
        let _given_up = stop.clone().drop_guard();
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return (StatusCode::SERVICE_UNAVAILABLE, "the webhook is stopping\n").into_response();
        };
        let answered = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&stop)
        });
        match answered.await {
            Ok(Ok(response)) => response,
            Ok(Err(problem)) => {
                (StatusCode::BAD_REQUEST, format!("the body is not a review: {problem}\n")).into_response()
            }
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the review failed\n").into_response(),
        }
    }
}

/// Room for the bodies of requests of one kind.
struct Room {
    /// The most bytes of one body.
    largest: usize,
    /// The bytes that are left for all bodies together.
    left: Arc<Semaphore>,
}

/// A body, which takes its room until it is dropped.
struct Taken {
    bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    fn new(largest: usize, all: usize) -> Self {
        Self { largest, left: Arc::new(Semaphore::new(all)) }
    }

    /// Reads a body, reserving room for each part as it arrives: an announced length takes nothing from others.
    async fn read(&self, body: Body) -> Result<Taken, Refused> {
        let announced = body.size_hint().exact().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        self.admit(announced)?;
        let mut taken = Taken { bytes: Vec::with_capacity(announced.min(1 << 20)), room: None };
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| Refused::Broken)?;
            self.admit(taken.bytes.len() + part.len())?;
            let more = self.take(part.len())?;
            match &mut taken.room {
                Some(room) => room.merge(more),
                room @ None => *room = Some(more),
            }
            taken.bytes.extend_from_slice(&part);
        }
        make_text(&mut taken.bytes);
        Ok(taken)
    }

    const fn admit(&self, bytes: usize) -> Result<(), Refused> {
        if bytes > self.largest { Err(Refused::TooLarge(self.largest)) } else { Ok(()) }
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.left).try_acquire_many_owned(bytes).map_err(|_| Refused::TooMuch)
    }
}

/// Replaces what is not UTF-8. The API server may pass on such bytes in `managedFields` if it was given them, and they
/// are not a reason to reject an object.
fn make_text(bytes: &mut [u8]) {
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let begin = at + error.valid_up_to();
        let end = error.error_len().map_or(bytes.len(), |length| begin + length);
        bytes[begin..end].fill(b'?');
        at = end;
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// It exceeds the limit of one body.
    TooLarge(usize),
    /// All bodies together exceed their limit.
    TooMuch,
    /// It ends early.
    Broken,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::TooLarge(largest) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {largest} bytes\n")).into_response()
            }
            Self::TooMuch => {
                let again = [(RETRY_AFTER, "1")];
                (StatusCode::TOO_MANY_REQUESTS, again, "too much data in progress at once; try again\n").into_response()
            }
            Self::Broken => (StatusCode::BAD_REQUEST, "the body ends early\n").into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::runtime::metrics::{Metrics, ObjectOptions};

    const PATH: &str = "/validate-external-secrets-io-v1-secretstore";

    async fn answer(path: &str, body: Body) -> StatusCode {
        answer_within(DEADLINE, path, body).await
    }

    async fn answer_within(deadline: Duration, path: &str, body: Body) -> StatusCode {
        let metrics = WebhookMetrics::new(&Metrics::new(ObjectOptions::default()).unwrap()).unwrap();
        let router = router_within(Webhook::new(Checks::default()), metrics, deadline);
        let request = Request::post(path).header("content-type", "application/json").body(body).unwrap();
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_body_that_is_not_a_review_or_too_large_is_refused() {
        assert_eq!(answer(PATH, Body::from("{}")).await, StatusCode::BAD_REQUEST);
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(answer(PATH, Body::from(deep)).await, StatusCode::BAD_REQUEST);
        let large = vec![b' '; LARGEST_REVIEW + 1];
        assert_eq!(answer(PATH, Body::from(large.clone())).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer("/convert", Body::from(large)).await, StatusCode::BAD_REQUEST);
        assert_eq!(answer("/other", Body::empty()).await, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn bytes_that_are_not_text_are_replaced_wherever_they_are() {
        let room = Room::new(100, 100);
        for (body, text) in [
            (b"a\xffb\xe2\x82".as_slice(), "a?b??"),
            (b"\xf0\x9f\x98\x80\x80", "\u{1F600}?"),
            (b"\xff\xfe", "??"),
            (b"", ""),
        ] {
            let read = room.read(Body::from(body)).await.ok().unwrap();
            assert_eq!(read.bytes, text.as_bytes());
        }
    }

    #[tokio::test]
    async fn an_object_is_reviewed_and_converted_whatever_bytes_its_managed_fields_contain() {
        let object = b"{\"apiVersion\":\"external-secrets.io/v1\",\"metadata\":{\"name\":\"a\",\"managedFields\":[{\"fieldsV1\":{\"f:\xff\":{}}}]},\"spec\":{\"provider\":{\"fake\":{\"data\":[]}}}}";
        let review = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","object":"#;
        assert_eq!(answer(PATH, Body::from([review, object.as_slice(), b"}}"].concat())).await, StatusCode::OK);
        let conversion =
            br#"{"apiVersion":"v1","request":{"uid":"1","desiredAPIVersion":"external-secrets.io/v1beta1","objects":["#;
        let body = [conversion, object.as_slice(), b"]}}"].concat();
        assert_eq!(answer("/convert", Body::from(body)).await, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(answer_within(Duration::from_millis(50), PATH, never).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn what_is_asked_at_once_is_bounded_in_bytes_and_refused_beyond() {
        let room = Room::new(100, 150);
        let first = room.read(Body::from(vec![b' '; 100])).await.ok().unwrap();
        let refused = room.read(Body::from(vec![b' '; 100])).await.err().unwrap().into_response();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        let too_large = room.read(Body::from(vec![b' '; 101])).await.err().unwrap();
        assert_eq!(too_large, Refused::TooLarge(100));
        drop(first);
        assert!(room.read(Body::from(vec![b' '; 100])).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_only_announced_takes_no_room_from_others() {
        let room = Room::new(100, 150);
        let slow = |first: &'static [u8]| {
            let parts = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(first))]);
            Body::from_stream(parts.chain(futures::stream::pending()))
        };
        let waiting = (0..10).map(|_| Box::pin(room.read(slow(b"{"))));
        let mut waiting: Vec<_> = waiting.collect();
        for read in &mut waiting {
            assert!(futures::poll!(read).is_pending());
        }
        assert!(room.read(Body::from(vec![b' '; 100])).await.is_ok());
    }

    #[tokio::test]
    async fn aborted_work_is_canceled_and_holds_its_place_until_it_ends() {
        let webhook = Webhook { places: Arc::new(Semaphore::new(1)), ..Webhook::new(Checks::default()) };
        let (begun, was_begun) = std::sync::mpsc::channel();
        let (told, was_told) = tokio::sync::oneshot::channel();
        let answer = webhook.answer(move |stop| {
            begun.send(()).unwrap();
            while !stop.is_cancelled() {
                std::thread::yield_now();
            }
            told.send(()).unwrap();
            Err("given up".to_owned())
        });
        let mut answer = Box::pin(answer);
        assert!(futures::poll!(&mut answer).is_pending());
        was_begun.recv().unwrap();
        assert_eq!(webhook.places.available_permits(), 0);
        drop(answer);
        was_told.await.unwrap();
        drop(webhook.places.acquire().await.unwrap());
    }

    #[tokio::test]
    async fn an_answer_takes_the_room_of_its_request_until_it_is_sent() {
        let webhook = Arc::new(Webhook { conversions: Room::new(1000, 1000), ..Webhook::new(Checks::default()) });
        let review =
            r#"{"apiVersion":"v1","request":{"uid":"1","desiredAPIVersion":"v1","objects":[{"apiVersion":"v1"}]}}"#;
        let response = convert(State(Arc::clone(&webhook)), Body::from(review)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(webhook.conversions.left.available_permits(), 1000 - review.len());
        drop(response);
        assert_eq!(webhook.conversions.left.available_permits(), 1000);
    }
}
