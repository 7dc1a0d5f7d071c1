//! Failures on demand: what a vault, a tenant or an application does wrong, and for how long.
//!
//! A fault lasts until it is lifted, or ends after a number of requests or seconds.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;

use super::message::{Answer, Connection, empty, set_header};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Delays every answer by this much.
    Latency(Duration),
    /// 429, with this `Retry-After` in seconds or without the header.
    Throttle(Option<u64>),
    /// This status, as if the service failed: 500, 503.
    Status(u16),
    /// Entra ID refuses with this `AADSTS` number. Has no effect on a vault.
    Refuse(u32),
    /// The connection ends instead of an answer, and the request has no effect.
    DropBefore,
    /// The connection ends instead of an answer, but the request has taken effect.
    DropAfter,
    /// The answer never comes to its end; the request has taken effect.
    HangAfter,
    /// The body arrives at this many bytes per second.
    SlowBody(u32),
    /// The answer is 200 with a body that never ends.
    EndlessBody,
    /// The answer is a secret with a value of this many bytes, which may exceed Key Vault's limit. Has no effect on
    /// Entra ID.
    LargeValue(usize),
    /// The answer is 400, and repeats what the request has sent. Means nothing for Entra ID.
    Repeat,
    /// The answer has an additional header of this many bytes.
    HugeHeader(usize),
    /// The answer is a redirect (307) to this URL.
    Redirect(String),
    /// Lists name this URL as their next page.
    NextLink(String),
    /// TLS presents a certificate for another name.
    ///
    /// This fault and the two below end open connections, so that a client must reconnect and meets the fault. A
    /// request in progress sees its connection end instead.
    WrongCertificate,
    /// The host's name cannot be resolved: the proxy answers 502, as described in the module `sandbox`.
    HostNotFound,
    /// The host refuses connections: the proxy answers 502, with the cause
    /// `connection_refused`.
    ConnectionRefused,
}

/// A fault: what goes wrong, for which requests and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    effect: Effect,
    operation: Option<String>,
    object: Option<String>,
    scope: Scope,
    spared: u32,
    times: Option<u32>,
    lasts: Option<Duration>,
}

/// Which requests a fault is for, besides the operation and the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All.
    Any,
    /// Those that change something.
    Writes,
}

impl Fault {
    /// A fault for every request until it is lifted.
    #[must_use]
    pub const fn new(effect: Effect) -> Self {
        Self { effect, operation: None, object: None, scope: Scope::Any, spared: 0, times: None, lasts: None }
    }

    /// Delays every answer by this much.
    #[must_use]
    pub const fn latency(duration: Duration) -> Self {
        Self::new(Effect::Latency(duration))
    }

    /// 429 with `Retry-After` in seconds, or without.
    #[must_use]
    pub const fn throttle(retry_after: Option<u64>) -> Self {
        Self::new(Effect::Throttle(retry_after))
    }

    /// An error status such as 503.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::new(Effect::Status(status))
    }

    /// A refusal by Entra ID with this `AADSTS` number.
    #[must_use]
    pub const fn refuse(code: u32) -> Self {
        Self::new(Effect::Refuse(code))
    }

    /// Only for requests that change something, with a token.
    #[must_use]
    pub const fn on_writes(mut self) -> Self {
        self.scope = Scope::Writes;
        self
    }

    /// Spares the first requests that it is for, with a token.
    #[must_use]
    pub const fn after(mut self, requests: u32) -> Self {
        self.spared = requests;
        self
    }

    /// Only for requests of this operation, such as `GetSecret`.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only for requests for the object with this name.
    #[must_use]
    pub fn of(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    /// Ends after this many requests. Requests without a token, which get a challenge anyway, pass and are not counted,
    /// so that the number does not depend on what a client has cached.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Ends after this time.
    #[must_use]
    pub const fn lasting(mut self, duration: Duration) -> Self {
        self.lasts = Some(duration);
        self
    }

    /// Whether only a client that reconnects can see it.
    pub(crate) const fn is_of_connections(&self) -> bool {
        matches!(self.effect, Effect::WrongCertificate | Effect::HostNotFound | Effect::ConnectionRefused)
    }
}

/// Identifies a fault, so that it can be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(pub u64);

/// What a fault can be limited to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) operation: &'a str,
    pub(crate) is_write: bool,
    pub(crate) object: Option<&'a str>,
    pub(crate) authenticated: bool,
}

/// What a connecting client finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connect {
    Open,
    WrongCertificate,
    HostNotFound,
    Refused,
}

/// What is done to one request.
#[derive(Debug, Default)]
pub(crate) struct Treatment {
    /// How long to wait first.
    pub(crate) latency: Duration,
    /// What happens instead of serving the request.
    pub(crate) instead: Option<Effect>,
    /// The next page that a list should name.
    pub(crate) next_link: Option<String>,
    after: Vec<Effect>,
}

/// The faults of one place.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: RwLock<Vec<Active>>,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Active {
    id: FaultId,
    fault: Fault,
    ends_at: Option<Timestamp>,
    spared: AtomicU32,
    remaining: Option<AtomicU32>,
    met: AtomicU32,
}

impl Active {
    fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| now >= end)
            || self.remaining.as_ref().is_some_and(|left| left.load(Ordering::SeqCst) == 0)
    }

    /// Whether it applies. Counts the request if the fault ends by number.
    fn applies(&self, now: Timestamp, situation: &Situation<'_>) -> bool {
        let fault = &self.fault;
        if self.ends_at.is_some_and(|end| now >= end)
            || fault.operation.as_deref().is_some_and(|operation| operation != situation.operation)
            || fault.object.as_deref().is_some_and(|object| Some(object) != situation.object)
            || (fault.scope == Scope::Writes && !(situation.is_write && situation.authenticated))
        {
            return false;
        }
        let counts = |left: &AtomicU32| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        if fault.spared > 0 && (!situation.authenticated || counts(&self.spared)) {
            return false;
        }
        let applies = match &self.remaining {
            None => true,
            Some(_) if !situation.authenticated => false,
            Some(left) => counts(left),
        };
        self.met.fetch_add(u32::from(applies), Ordering::SeqCst);
        applies
    }
}

impl Faults {
    /// Starts a fault.
    pub(crate) fn add(&self, fault: Fault, now: Timestamp) -> FaultId {
        let id = FaultId(self.next_id.fetch_add(1, Ordering::SeqCst));
        let ends_at = fault
            .lasts
            .and_then(|duration| SignedDuration::try_from(duration).ok())
            .and_then(|duration| now.checked_add(duration).ok());
        let remaining = fault.times.map(AtomicU32::new);
        let (spared, met) = (AtomicU32::new(fault.spared), AtomicU32::new(0));
        let mut active = self.active.write();
        active.retain(|other| !other.is_over(now));
        active.push(Active { id, fault, ends_at, spared, remaining, met });
        id
    }

    /// Ends one fault. Returns whether it existed.
    pub(crate) fn lift(&self, id: FaultId) -> bool {
        let mut active = self.active.write();
        let before = active.len();
        active.retain(|fault| fault.id != id);
        active.len() < before
    }

    /// How many requests a fault has met; none once it is over and another was started.
    pub(crate) fn met(&self, id: FaultId) -> u32 {
        let active = self.active.read();
        active.iter().find(|fault| fault.id == id).map_or(0, |fault| fault.met.load(Ordering::SeqCst))
    }

    /// Ends all faults.
    pub(crate) fn lift_all(&self) {
        self.active.write().clear();
    }

    /// What a connecting client finds.
    pub(crate) fn on_connect(&self, now: Timestamp) -> Connect {
        let situation = Situation { operation: "Connect", is_write: false, object: None, authenticated: true };
        let active = self.active.read();
        let found = active.iter().find(|fault| fault.fault.is_of_connections() && fault.applies(now, &situation));
        match found.map(|active| &active.fault.effect) {
            Some(Effect::WrongCertificate) => Connect::WrongCertificate,
            Some(Effect::HostNotFound) => Connect::HostNotFound,
            Some(Effect::ConnectionRefused) => Connect::Refused,
            _ => Connect::Open,
        }
    }

    /// Adds to `treatment` what happens to a request here. The first fault that replaces the answer wins; latencies add
    /// up.
    pub(crate) fn treat(&self, now: Timestamp, situation: &Situation<'_>, treatment: &mut Treatment) {
        let active = self.active.read();
        for fault in active.iter().filter(|fault| !fault.fault.is_of_connections()) {
            let effect = &fault.fault.effect;
            if (treatment.instead.is_some() && effect.is_instead()) || !fault.applies(now, situation) {
                continue;
            }
            match effect {
                Effect::Latency(duration) => treatment.latency = treatment.latency.saturating_add(*duration),
                Effect::NextLink(url) => treatment.next_link = Some(url.clone()),
                effect if effect.is_instead() => treatment.instead = Some(effect.clone()),
                effect => treatment.after.push(effect.clone()),
            }
        }
    }
}

impl Effect {
    const fn is_instead(&self) -> bool {
        matches!(
            self,
            Self::Throttle(_)
                | Self::Status(_)
                | Self::Refuse(_)
                | Self::DropBefore
                | Self::EndlessBody
                | Self::LargeValue(_)
                | Self::Repeat
                | Self::Redirect(_)
        )
    }
}

impl Effect {
    /// What can replace any service's answer: an endless body, a redirect, or the end of the connection.
    pub(crate) fn answer(self, connection: &Connection) -> Answer {
        match self {
            Self::EndlessBody => Ok(Response::new(endless_body())),
            Self::Redirect(location) => {
                let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
                set_header(&mut response, "location", &location);
                Ok(response)
            }
            _ => Err(connection.cut()),
        }
    }
}

impl Treatment {
    /// Waits for the faults' latency.
    pub(crate) async fn delay(&self) {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
    }

    /// Sends an answer as the faults require.
    pub(crate) fn send(&self, mut response: Response<Body>, connection: &Connection) -> Answer {
        for effect in &self.after {
            match effect {
                Effect::DropAfter => return Err(connection.cut()),
                Effect::HangAfter => {
                    *response.body_mut() = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
                }
                Effect::SlowBody(rate) => response = slow(response, *rate),
                Effect::HugeHeader(bytes) => {
                    if let Ok(value) = HeaderValue::from_str(&"x".repeat(*bytes)) {
                        response.headers_mut().insert("x-ms-filler", value);
                    }
                }
                _ => {}
            }
        }
        Ok(response)
    }
}

/// An endless body.
pub(crate) fn endless_body() -> Body {
    const CHUNK: Bytes = Bytes::from_static(&[b' '; 8192]);
    Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(CHUNK)))
}

/// Sends a piece of the body every tenth of a second.
fn slow(response: Response<Body>, bytes_per_second: u32) -> Response<Body> {
    const PIECES_PER_SECOND: u32 = 10;
    let piece = usize::try_from(bytes_per_second / PIECES_PER_SECOND).unwrap_or(usize::MAX).max(1);
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    let pieces = stream::unfold((None::<Bytes>, Some(body)), move |(rest, body)| async move {
        let mut rest = match (rest, body) {
            (Some(rest), _) => rest,
            (None, Some(body)) => body.collect().await.ok()?.to_bytes(),
            (None, None) => return None,
        };
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1) / PIECES_PER_SECOND).await;
        let next = rest.split_to(piece.min(rest.len()));
        Some((Ok::<_, Infallible>(next), (Some(rest), None)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Situation<'_> =
        Situation { operation: "GetSecret", is_write: false, object: Some("a"), authenticated: true };

    fn instead(faults: &Faults, now: Timestamp, situation: &Situation<'_>) -> Option<Effect> {
        let mut treatment = Treatment::default();
        faults.treat(now, situation, &mut treatment);
        treatment.instead
    }

    #[test]
    fn a_fault_ends_when_it_is_lifted() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        let id = faults.add(Fault::status(503), now);
        assert_eq!(instead(&faults, now, &READ), Some(Effect::Status(503)));
        assert!(faults.lift(id));
        assert_eq!(instead(&faults, now, &READ), None);
        assert!(!faults.lift(id));
    }

    #[test]
    fn a_fault_ends_after_its_number_of_requests_with_a_token() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        faults.add(Fault::throttle(None).times(2), now);
        let challenge = Situation { authenticated: false, ..READ };
        assert_eq!(instead(&faults, now, &challenge), None);
        assert!(instead(&faults, now, &READ).is_some());
        assert!(instead(&faults, now, &READ).is_some());
        assert_eq!(instead(&faults, now, &READ), None);
    }

    #[test]
    fn a_fault_ends_after_its_time() {
        let faults = Faults::default();
        let start = Timestamp::UNIX_EPOCH;
        faults.add(Fault::status(500).lasting(Duration::from_secs(5)), start);
        assert!(instead(&faults, start + SignedDuration::from_secs(4), &READ).is_some());
        assert_eq!(instead(&faults, start + SignedDuration::from_secs(5), &READ), None);
    }

    #[test]
    fn a_fault_touches_only_the_operation_and_the_object_it_names() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        faults.add(Fault::status(500).on("GetSecret").of("a"), now);
        assert!(instead(&faults, now, &READ).is_some());
        assert_eq!(instead(&faults, now, &Situation { object: Some("b"), ..READ }), None);
        assert_eq!(instead(&faults, now, &Situation { operation: "SetSecret", ..READ }), None);
    }

    #[test]
    fn a_fault_of_writes_spares_the_first_and_counts_those_that_it_meets() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        let id = faults.add(Fault::status(500).on_writes().after(1).times(1), now);
        let write = Situation { operation: "SetSecret", is_write: true, ..READ };
        assert_eq!(instead(&faults, now, &READ), None);
        assert_eq!((instead(&faults, now, &write), faults.met(id)), (None, 0));
        assert_eq!((instead(&faults, now, &write), faults.met(id)), (Some(Effect::Status(500)), 1));
        assert_eq!((instead(&faults, now, &write), faults.met(id)), (None, 1));
    }

    #[test]
    fn latencies_add_up_beside_other_faults() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        faults.add(Fault::latency(Duration::from_millis(20)), now);
        faults.add(Fault::latency(Duration::from_millis(5)), now);
        faults.add(Fault::status(503), now);
        let mut treatment = Treatment::default();
        faults.treat(now, &READ, &mut treatment);
        assert_eq!(treatment.latency, Duration::from_millis(25));
        assert_eq!(treatment.instead, Some(Effect::Status(503)));
    }

    #[test]
    fn faults_of_connections_do_not_touch_requests() {
        let faults = Faults::default();
        let now = Timestamp::UNIX_EPOCH;
        faults.add(Fault::new(Effect::HostNotFound).times(1), now);
        assert_eq!(instead(&faults, now, &READ), None);
        assert_eq!(faults.on_connect(now), Connect::HostNotFound);
        assert_eq!(faults.on_connect(now), Connect::Open);
    }
}
