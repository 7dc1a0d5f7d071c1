//! The HTTP side of the webhook: its paths, and bounds on size and time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use kube::core::DynamicObject;
use kube::core::admission::AdmissionReview;
use kube::core::conversion::ConversionReview;

use super::admission::{Checks, Kind};
use super::{Shared, conversion};
use crate::api::v1::StoreKind;
use crate::runtime::webhook_metrics::WebhookMetrics;

/// An object as it was and as it is to be; the API server takes none above 3 MiB.
const LARGEST_REVIEW: usize = 8 << 20;
/// A conversion may be of a page of a list.
const LARGEST_CONVERSION: usize = 64 << 20;
/// The API server waits for 5 s by the chart, and for 30 s at most.
const DEADLINE: Duration = Duration::from_secs(30);

/// The paths of the webhook. Those with `v1beta1` are called by configurations of ESO before 0.17.
pub fn router(checks: Checks, metrics: WebhookMetrics) -> Router {
    router_within(checks, metrics, DEADLINE)
}

fn router_within(checks: Checks, metrics: WebhookMetrics, deadline: Duration) -> Router {
    let kinds = [
        ("externalsecret", Kind::ExternalSecret),
        ("secretstore", Kind::Store(StoreKind::SecretStore)),
        ("clustersecretstore", Kind::Store(StoreKind::ClusterSecretStore)),
    ];
    let mut router = Router::new();
    for version in ["v1", "v1beta1"] {
        for (name, kind) in kinds {
            let path = format!("/validate-external-secrets-io-{version}-{name}");
            router =
                router.route(&path, post(move |State(checks): State<Shared>, body: Bytes| admit(checks, kind, body)));
        }
    }
    router
        .layer(DefaultBodyLimit::max(LARGEST_REVIEW))
        .route("/convert", post(convert).layer(DefaultBodyLimit::max(LARGEST_CONVERSION)))
        // Not for other paths, which would make as many series as a client likes.
        .route_layer(middleware::from_fn_with_state((metrics, deadline), bounded))
        .with_state(Arc::new(checks))
}

/// Counts a request, and gives it up at its deadline.
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

async fn admit(checks: Shared, kind: Kind, body: Bytes) -> Response {
    answer(move || {
        let review: AdmissionReview<DynamicObject> =
            serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let request = review.try_into().map_err(|_| "the AdmissionReview has no request".to_owned())?;
        Ok(Json(checks.review(kind, &request).into_review()).into_response())
    })
    .await
}

async fn convert(body: Bytes) -> Response {
    answer(move || {
        let review: ConversionReview = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let request = kube::core::conversion::ConversionRequest::from_review(review)
            .map_err(|_| "the ConversionReview has no request".to_owned())?;
        Ok(Json(conversion::review(request).into_review()).into_response())
    })
    .await
}

/// Answers apart from what serves connections and probes: a large object takes its time.
async fn answer(work: impl FnOnce() -> Result<Response, String> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => (StatusCode::BAD_REQUEST, format!("the body is no review: {problem}\n")).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the review failed\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
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
        let router = router_within(Checks::default(), metrics, deadline);
        let request = Request::post(path).header("content-type", "application/json").body(body).unwrap();
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_body_that_is_no_review_or_too_large_is_refused() {
        assert_eq!(answer(PATH, Body::from("{}")).await, StatusCode::BAD_REQUEST);
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(answer(PATH, Body::from(deep)).await, StatusCode::BAD_REQUEST);
        let large = vec![b' '; LARGEST_REVIEW + 1];
        assert_eq!(answer(PATH, Body::from(large.clone())).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer("/convert", Body::from(large)).await, StatusCode::BAD_REQUEST);
        assert_eq!(answer("/other", Body::empty()).await, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(answer_within(Duration::from_millis(50), PATH, never).await, StatusCode::REQUEST_TIMEOUT);
    }
}
