//! Processes all answers before they are read.
//!
//! The API server writes `managedFields` as it received them, possibly with bytes that are not UTF-8, and the client
//! would then reject the whole list. A proxy in front of an API server answers errors in its own words, which the
//! client would attribute to the API server.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use tower::{BoxError, Layer, Service};

use crate::trim::{Kept, Trim, Trimmer};

/// The longest error that is read.
const LONGEST_REFUSAL: usize = 1 << 20;

/// Turns all answers into valid text, and accepts errors only from a Kubernetes API.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextLayer {
    /// See [`TextLayer::trimming`].
    kept: Option<Kept>,
}

impl TextLayer {
    /// Lists and watches also come without `managedFields`, and those of metadata without annotations, except for what is
    /// `kept`. Those of metadata have the first 200 labels, owners and finalizers.
    #[must_use]
    pub const fn trimming(kept: Kept) -> Self {
        Self { kept: Some(kept) }
    }
}

impl<S> Layer<S> for TextLayer {
    type Service = Text<S>;

    fn layer(&self, inner: S) -> Text<S> {
        Text { inner, kept: self.kept }
    }
}

/// A service whose answers are valid text.
#[derive(Clone, Debug)]
pub struct Text<S> {
    inner: S,
    kept: Option<Kept>,
}

impl<S, A, B> Service<Request<A>> for Text<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let trim = self.kept.map_or(Trim::Nothing, |kept| Trim::of(&request, kept));
        let call = self.inner.call(request);
        Box::pin(async move {
            let (parts, body) = call.await.map_err(Into::into)?.into_parts();
            if !(parts.status.is_client_error() || parts.status.is_server_error()) {
                let body = Whole { body: Box::pin(body), pending: Vec::new(), trimmer: Trimmer::new(trim) };
                return Ok(Response::from_parts(parts, body.boxed_unsync()));
            }
            let text = Limited::new(body, LONGEST_REFUSAL).collect().await.map(http_body_util::Collected::to_bytes);
            let text = text.ok().filter(|text| is_status(text)).unwrap_or_else(|| refusal(parts.status.as_u16()));
            let body = Full::new(text).map_err(|never| match never {});
            Ok(Response::from_parts(parts, body.boxed_unsync()))
        })
    }
}

fn is_status(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    serde_json::from_slice::<Kind>(text).is_ok_and(|answer| answer.kind == "Status")
}

/// Replaces an error that is not in the format of the Kubernetes API.
fn refusal(code: u16) -> Bytes {
    let message = format!("it was answered with HTTP {code}, in other words than those of a Kubernetes API");
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "message": message,
    });
    Bytes::from(status.to_string())
}

/// A body in which everything is UTF-8. Other bytes become U+FFFD, as in Go's `encoding/json`.
struct Whole<B> {
    body: Pin<Box<B>>,
    /// The first bytes of a character that ends in the next frame.
    pending: Vec<u8>,
    trimmer: Trimmer,
}

impl<B> Body for Whole<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.body.as_mut().poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => Some(Err(error.into())),
            Poll::Ready(Some(Ok(frame))) => Some(Ok(match frame.into_data() {
                Ok(data) => {
                    let text = text(&mut self.pending, data);
                    Frame::data(self.trimmer.next(text))
                }
                Err(trailers) => trailers,
            })),
            Poll::Ready(None) if self.pending.is_empty() => None,
            Poll::Ready(None) => {
                self.pending.clear();
                Some(Ok(Frame::data(Bytes::from_static("\u{fffd}".as_bytes()))))
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.pending.is_empty() && self.body.is_end_stream()
    }
}

/// The text of the pending and the new bytes. The first bytes of an incomplete character at the end become pending.
fn text(pending: &mut Vec<u8>, data: Bytes) -> Bytes {
    if pending.is_empty() && std::str::from_utf8(&data).is_ok() {
        return data;
    }
    let bytes = [std::mem::take(pending).as_slice(), &data].concat();
    let (mut text, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
    while let Err(error) = std::str::from_utf8(rest) {
        let (valid, after) = rest.split_at(error.valid_up_to());
        text.extend_from_slice(valid);
        let Some(invalid) = error.error_len() else {
            pending.extend_from_slice(after);
            return Bytes::from(text);
        };
        text.extend_from_slice("\u{fffd}".as_bytes());
        rest = &after[invalid..];
    }
    text.extend_from_slice(rest);
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn answer(status: u16, body: &'static [u8]) -> Vec<u8> {
        let answering = tower::service_fn(move |_: Request<()>| async move {
            let response = Response::builder().status(status).body(Full::new(Bytes::from_static(body)));
            Ok::<_, Infallible>(response.unwrap())
        });
        let answer = TextLayer::default().layer(answering).call(Request::new(())).await.unwrap();
        answer.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    #[test]
    fn invalid_text_is_replaced_wherever_frames_end() {
        let all = "a\u{e4}\u{20ac}\u{1f600}z".as_bytes();
        let odd = [b"\"f:\xff\": \xe2\x82, ", all, b"\xf0\x9f".as_slice()].concat();
        for (bytes, whole) in [(all.to_vec(), true), (odd, false)] {
            for first in 0..bytes.len() {
                let (one, two) = bytes.split_at(first);
                let mut pending = Vec::new();
                let mut out = text(&mut pending, Bytes::copy_from_slice(one)).to_vec();
                out.extend(text(&mut pending, Bytes::copy_from_slice(two)));
                if !pending.is_empty() {
                    out.extend("\u{fffd}".bytes());
                }
                assert_eq!(String::from_utf8(out).unwrap(), String::from_utf8_lossy(&bytes), "{first}");
                assert_eq!(whole, std::str::from_utf8(&bytes).is_ok());
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_ends_within_a_character_is_text() {
        assert_eq!(answer(200, b"a\xe2\x82").await, "a\u{fffd}".as_bytes());
    }

    #[tokio::test]
    async fn an_error_that_is_not_the_api_servers_is_not_repeated() {
        for body in
            [&b"canary"[..], br#"{"message": "canary"}"#, br#"{"kind": "Secret", "message": "canary"}"#, b"\xff"]
        {
            let text = String::from_utf8(answer(502, body).await).unwrap();
            assert!(text.contains("HTTP 502") && !text.contains("canary"), "{text}");
        }
        let own = br#"{"kind": "Status", "message": "secrets \"a\" is forbidden", "code": 403}"#;
        assert_eq!(answer(403, own).await, own);
    }
}
