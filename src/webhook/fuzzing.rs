//! What the fuzz target `webhook` and the property test below run: requests, through the server's router.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::{Checks, router};
use crate::runtime::metrics::{Metrics, ObjectOptions};
use crate::runtime::webhook_metrics::WebhookMetrics;

const PATHS: [&str; 7] = [
    "/validate-external-secrets-io-v1-externalsecret",
    "/validate-external-secrets-io-v1-secretstore",
    "/validate-external-secrets-io-v1-clustersecretstore",
    "/convert",
    "/validate-external-secrets-io-v1-clusterexternalsecret",
    "/validate-external-secrets-io-v1alpha1-pushsecret",
    "/validate-external-secrets-io-v1alpha1-clusterpushsecret",
];

/// One thread serves; another does the work for a body.
static SERVER: LazyLock<Option<(Runtime, Router)>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().ok()?;
    let metrics = WebhookMetrics::new(&Metrics::new(ObjectOptions::default()).ok()?).ok()?;
    Some((runtime, router(Checks::default(), metrics)))
});

/// The first byte chooses the path, and whether the rest is a body or the objects in one: the object to store and,
/// after a zero byte, the stored one.
///
/// # Panics
/// If a body is not answered.
pub fn body(input: &[u8]) {
    let (Some((how, rest)), Some((runtime, router))) = (input.split_first(), &*SERVER) else { return };
    let path = PATHS[usize::from(*how) % PATHS.len()];
    let body = match (how & 0x80, std::str::from_utf8(rest)) {
        (0, Ok(objects)) if path == "/convert" => conversion(objects),
        (0, Ok(objects)) => admission(objects),
        _ => rest.to_vec(),
    };
    let request = Request::post(path).header("content-type", "application/json").body(Body::from(body));
    let Ok(request) = request else { return };
    let response = runtime.block_on(router.clone().oneshot(request));
    assert!(response.is_ok_and(|response| response.status() != StatusCode::INTERNAL_SERVER_ERROR));
}

fn admission(objects: &str) -> Vec<u8> {
    let (object, old) = objects.split_once('\0').unwrap_or((objects, "null"));
    let head = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","name":"a","namespace":"t","operation":"UPDATE","userInfo":{},"kind":{"group":"external-secrets.io","version":"v1","kind":"X"},"resource":{"group":"external-secrets.io","version":"v1","resource":"x"},"object":"#;
    format!("{head}{object},\"oldObject\":{old}}}}}").into_bytes()
}

fn conversion(objects: &str) -> Vec<u8> {
    let head = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"external-secrets.io/v1","objects":["#;
    format!("{head}{}]}}}}", objects.replace('\0', ",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::body;

    proptest! {
        #[test]
        fn every_body_is_answered(
            how: u8,
            words in "(\\{|\\}|\\[|\\]|\"spec\":|\"apiVersion\":\"external-secrets.io/v1beta1\"|,|\"a\"|1|null|\u{0}|:){0,16}",
        ) {
            let mut input = vec![how];
            input.extend(words.as_bytes());
            body(&input);
        }
    }
}
