//! Requests and answers in the forms that the emulated services share.

use std::borrow::Cow;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

/// The largest request. Key Vault's largest value has 25 KB.
const REQUEST_LIMIT: usize = 1024 * 1024;

/// The connection is dropped instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped")]
pub(crate) struct Dropped;

/// The result of a request.
pub(crate) type Answer = Result<Response<Body>, Dropped>;

/// The connection of a request.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    closing: CancellationToken,
}

impl Connection {
    /// A connection that ends when `closing` is canceled.
    pub(crate) fn new(closing: CancellationToken) -> Self {
        Self { closing }
    }

    /// Ends it without an answer.
    pub(crate) fn cut(&self) -> Dropped {
        self.closing.cancel();
        Dropped
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    json_text(status, body.to_string())
}

/// An answer whose body is already JSON.
pub(crate) fn json_text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header, if the value is valid.
pub(crate) fn set_header(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The whole body of a request; `None` if it is interrupted or too large.
pub(crate) async fn read_body(request: Request<Incoming>) -> Option<Vec<u8>> {
    let collected = Limited::new(request.into_body(), REQUEST_LIMIT).collect().await.ok()?;
    Some(collected.to_bytes().to_vec())
}

/// The value of a parameter of a query or form.
pub(crate) fn parameter<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(form).find_map(|(key, value)| (key == name).then_some(value))
}

/// The value of a header, if it is text.
pub(crate) fn header<'a, B>(request: &'a Request<B>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
