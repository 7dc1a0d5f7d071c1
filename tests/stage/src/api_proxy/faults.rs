//! Faults between a controller and the API server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt, stream};
use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ApiFault {
    /// It is refused with this status and this many seconds in `Retry-After`.
    Refuse(u16, Option<u32>),
    /// The same, for lists only.
    RefuseLists(u16),
    /// It takes effect, but its answer becomes unreadable, except for a watch.
    Alter(Alteration),
    /// Its connection ends, and it has no effect.
    Cut,
    /// It takes effect, but its connection ends instead of an answer.
    LoseAnswer,
    /// Its answer is delayed.
    Delay(Duration),
}

/// How an answer is altered. Its contents stay in it, so anybody who repeats it reveals a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// It ends in the middle.
    CutShort,
    /// Text precedes it.
    NoJson,
    /// A text replaces a map, and a map a text.
    OtherTypes,
    /// Its status is 500.
    AsError,
    /// It is not UTF-8.
    NoText,
}

impl Alteration {
    /// The status and the body.
    pub(super) fn apply(self, status: StatusCode, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let altered = match self {
            Self::CutShort => body[..body.len() * 2 / 3].to_vec(),
            Self::NoJson => [b"<html>".as_slice(), body].concat(),
            Self::OtherTypes => serde_json::from_slice(body).map_or_else(|_| body.to_vec(), other_types),
            Self::AsError => return (StatusCode::INTERNAL_SERVER_ERROR, body.to_vec()),
            Self::NoText => [b"\xff\xfe".as_slice(), body].concat(),
        };
        (status, altered)
    }
}

/// Replaces the fields that hold values, and the status, with a text.
fn other_types(mut object: serde_json::Value) -> Vec<u8> {
    for field in ["data", "spec", "status", "metadata"] {
        if object[field].is_object() {
            object[field] = object[field].to_string().into();
        }
    }
    object.to_string().into_bytes()
}

/// How an open watch ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Break {
    /// Its connection ends.
    #[default]
    Drop,
    /// The API server says that it no longer has the version at which the watch continues (410).
    Expire,
}

/// Names a fault, so that it can be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiFaultId(u64);

/// The faults of one proxy.
#[derive(Debug, Default)]
pub(super) struct Faults {
    active: Mutex<Vec<(ApiFaultId, ApiFault, f64)>>,
    next: AtomicU64,
    breaks: watch::Sender<Break>,
}

/// What to do with a request.
#[derive(Debug, Default)]
pub(super) struct Treatment {
    pub(super) delay: Duration,
    /// What happens instead of the request or its answer.
    pub(super) instead: Option<ApiFault>,
}

impl Faults {
    pub(super) fn add(&self, fault: ApiFault, share: f64) -> ApiFaultId {
        let id = ApiFaultId(self.next.fetch_add(1, Ordering::Relaxed));
        self.active.lock().unwrap().push((id, fault, share));
        id
    }

    pub(super) fn lift(&self, id: ApiFaultId) {
        self.active.lock().unwrap().retain(|(other, ..)| *other != id);
    }

    pub(super) fn lift_all(&self) {
        self.active.lock().unwrap().clear();
    }

    /// What to do with a request that needs this right.
    pub(super) fn treatment(&self, right: Option<&str>) -> Treatment {
        let mut treatment = Treatment::default();
        for (_, fault, share) in self.active.lock().unwrap().iter() {
            if rand::random::<f64>() >= *share {
                continue;
            }
            match fault {
                ApiFault::Delay(time) => treatment.delay += *time,
                ApiFault::RefuseLists(_) if !right.is_some_and(|right| right.starts_with("list ")) => {}
                ApiFault::RefuseLists(status) => treatment.instead = Some(ApiFault::Refuse(*status, None)),
                other => treatment.instead = treatment.instead.or(Some(*other)),
            }
        }
        treatment
    }

    pub(super) fn break_watches(&self, how: Break) {
        self.breaks.send_replace(how);
    }

    /// A watch's body, until the watches are broken.
    pub(super) fn breakable(
        &self,
        body: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    ) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
        struct Open<S> {
            body: S,
            breaks: watch::Receiver<Break>,
            /// Between two events, where another one may go.
            at_line_end: bool,
        }
        let open = Open { body: Box::pin(body), breaks: self.breaks.subscribe(), at_line_end: true };
        stream::unfold(Some(open), |open| async {
            let mut open = open?;
            let next = tokio::select! {
                biased;
                _ = open.breaks.changed() => None,
                chunk = open.body.next() => Some(chunk),
            };
            let cut = || Err(std::io::Error::other("the connection was cut"));
            match next {
                Some(Some(Ok(chunk))) => {
                    open.at_line_end = chunk.last().is_none_or(|last| *last == b'\n');
                    Some((Ok(chunk), Some(open)))
                }
                Some(None) => None,
                None if *open.breaks.borrow() == Break::Expire && open.at_line_end => Some((Ok(expired()), None)),
                Some(Some(Err(_))) | None => Some((cut(), None)),
            }
        })
    }
}

/// The last event of a watch whose version is too old.
fn expired() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
        "reason": "Expired", "message": "too old resource version",
    });
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})))
}

/// A refusal as the API server, or something in front of it, sends it.
pub(super) fn refusal(status: u16, retry_after: Option<u32>) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status,
        "reason": reason.replace(' ', ""), "message": format!("the test refuses this request: {reason}"),
    });
    response.body(Body::from(body.to_string())).unwrap()
}
