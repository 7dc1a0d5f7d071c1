//! Access tokens, kept across reconciles: one exchange for any number of callers, and after a failure one exchange per
//! interval.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use azure_core::credentials::AccessToken;
use azure_core::time::OffsetDateTime;

use super::cluster::Cluster;
use super::coalesce::Coalescer;
use super::connections::Connections;
use super::credential::{Exchange, Purpose, Workbench};
use super::diagnose::{Cause, Diagnosis};
use super::http::Clients;
use super::options::Options;
use crate::provider::fair_map::FairMap;
use crate::provider::metrics::{CallStatus, Probe};
use crate::provider::{Freshness, ProviderMetrics};
use crate::runtime::log_allowance;

/// How long before its expiry a token is renewed, or halfway through its lifetime if that is later.
const REFRESH_AHEAD: Duration = Duration::from_mins(5);

/// A token with less time left may expire before the vault sees it.
const LEAST_LEFT: Duration = Duration::from_secs(30);

/// How long failures in a row are remembered. An outage of Entra ID, or a wrong federation, costs one exchange per
/// interval and identity, however many ask.
const REMEMBERED: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];

/// Successful exchanges are at least this far apart, however short-lived the token. The author of a store may choose an
/// authority whose tokens expire at once, and each exchange also costs the API server a token.
const LEAST_BETWEEN: Duration = Duration::from_secs(2);

/// A token that a vault rejects is discarded, but not more often than this: an identity that a vault never accepts must
/// not cost an exchange at each attempt.
const LEAST_AGE_TO_GIVE_UP: Duration = Duration::from_mins(1);

/// Bounds on the identities that are kept.
const MOST_CREDENTIALS: usize = 1000;
const KEPT_UNUSED: Duration = Duration::from_hours(2);

/// The credentials of all stores, by what they depend on.
pub(super) struct CredentialCache {
    credentials: Mutex<FairMap<Purpose, Arc<SharedCredential>>>,
    clients: Arc<Clients>,
    connections: Arc<Connections>,
    cluster: Arc<Cluster>,
    options: Arc<Options>,
    workbench: Arc<Workbench>,
    metrics: Arc<dyn ProviderMetrics>,
    next_id: AtomicU64,
}

impl CredentialCache {
    pub(super) fn new(
        clients: Arc<Clients>,
        connections: Arc<Connections>,
        cluster: Arc<Cluster>,
        options: Arc<Options>,
        metrics: Arc<dyn ProviderMetrics>,
    ) -> Self {
        let credentials = Mutex::new(FairMap::new(MOST_CREDENTIALS, KEPT_UNUSED));
        let workbench = Arc::new(Workbench::new());
        Self { credentials, clients, connections, cluster, options, workbench, metrics, next_id: AtomicU64::new(0) }
    }

    /// The credential for `purpose`, shared by all callers.
    pub(super) fn get(&self, purpose: Purpose) -> Arc<SharedCredential> {
        let now = Instant::now();
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = credentials.get(&purpose, now) {
            return Arc::clone(credential);
        }
        let exchange = Exchange {
            purpose: purpose.clone(),
            clients: Arc::clone(&self.clients),
            connections: Arc::clone(&self.connections),
            cluster: Arc::clone(&self.cluster),
            options: Arc::clone(&self.options),
            workbench: Arc::clone(&self.workbench),
            unusable: OnceLock::new(),
        };
        let namespace: Arc<str> = purpose.identity.namespace().into();
        let credential = Arc::new(SharedCredential {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            namespace: Arc::clone(&namespace),
            inner: Arc::new(Inner { exchange, state: Mutex::default(), metrics: Arc::clone(&self.metrics) }),
            exchanges: Coalescer::new(Duration::ZERO),
        });
        credentials.insert(&namespace, purpose, Arc::clone(&credential), now);
        credential
    }
}

/// A credential that clients share.
pub(super) struct SharedCredential {
    /// Unique, also if it replaces an evicted credential.
    pub(super) id: u64,
    /// The namespace that its proof belongs to.
    pub(super) namespace: Arc<str>,
    inner: Arc<Inner>,
    exchanges: Coalescer<(), AccessToken>,
}

struct Inner {
    exchange: Exchange,
    state: Mutex<State>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl SharedCredential {
    /// A token that is valid for some time.
    ///
    /// # Errors
    /// If no token can be acquired now, or could be a few seconds ago.
    pub(super) async fn token(&self) -> Result<AccessToken, Diagnosis> {
        match self.inner.answer() {
            Answer::Token(token) => Ok(token),
            Answer::Failed(diagnosis) => Err(diagnosis),
            Answer::Exchange => {
                let inner = Arc::clone(&self.inner);
                self.exchanges.read((), Freshness::Shared, |_| async move { inner.renew().await }).await.0
            }
        }
    }

    /// The cached token, if it is still valid. Never waits.
    pub(super) fn held_token(&self) -> Option<AccessToken> {
        self.inner.state().usable(Instant::now()).map(|held| held.token.clone())
    }

    /// After a failed exchange, waits until another is worthwhile.
    pub(super) async fn until_next_try(&self) {
        let time = self.inner.state().next_try(Instant::now());
        tokio::time::sleep_until(time.into()).await;
    }

    /// Discards a token that a vault rejected, so that the next one comes from an exchange. Returns whether there will
    /// be one.
    pub(super) fn give_up_token(&self) -> bool {
        self.inner.state().give_up(Instant::now())
    }

    /// Discards the token, however new it is.
    #[cfg(test)]
    pub(super) fn forget_token(&self) {
        *self.inner.state() = State::default();
    }
}

impl Inner {
    async fn exchange(&self) -> Result<AccessToken, Diagnosis> {
        let result = self.exchange.token().await;
        self.metrics.token_exchange(CallStatus::of(&result));
        result
    }

    /// A token from an exchange, unless one has just ended.
    async fn renew(&self) -> Result<AccessToken, Diagnosis> {
        // An exchange may have ended since the state was read.
        match self.answer() {
            Answer::Token(token) => return Ok(token),
            Answer::Failed(diagnosis) => return Err(diagnosis),
            Answer::Exchange => {}
        }
        if self.state().failure.is_some() {
            self.metrics.probe(Probe::Identity);
        }
        let mut result = self.exchange().await;
        if result.as_ref().is_err_and(|diagnosis| diagnosis.cause.passes_at_once()) {
            result = self.exchange().await;
        }
        let mut state = self.state();
        self.tell(state.failure.as_ref().map(|failure| &failure.diagnosis), result.as_ref().err());
        let now = Instant::now();
        match result {
            Ok(token) => Ok(state.obtained(now, token)),
            Err(diagnosis) => state.failed(now, diagnosis),
        }
    }

    /// Logs changes from one exchange to the next.
    fn tell(&self, before: Option<&Diagnosis>, now: Option<&Diagnosis>) {
        let identity = &self.exchange.purpose.identity;
        match (before, now) {
            (Some(_), None) if log_allowance::take(identity.namespace()) => {
                tracing::info!(%identity, "token acquired again");
            }
            (before, Some(reason)) if before != Some(reason) && log_allowance::take(identity.namespace()) => {
                tracing::warn!(%identity, cause = reason.cause.label(), %reason, "cannot acquire a token");
            }
            _ => {}
        }
    }

    fn answer(&self) -> Answer {
        self.state().answer(Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCredential").field("exchange", &self.inner.exchange).finish_non_exhaustive()
    }
}

/// The state of a credential.
#[derive(Default)]
struct State {
    token: Option<Held>,
    failure: Option<Failure>,
    /// When an exchange last succeeded.
    exchanged: Option<Instant>,
}

struct Held {
    token: AccessToken,
    obtained: Instant,
    refresh_at: Instant,
    usable_until: Instant,
}

struct Failure {
    diagnosis: Diagnosis,
    until: Instant,
    in_a_row: usize,
}

enum Answer {
    Token(AccessToken),
    Failed(Diagnosis),
    Exchange,
}

impl State {
    /// The token, while it is valid.
    fn usable(&self, now: Instant) -> Option<&Held> {
        self.token.as_ref().filter(|held| now < held.usable_until)
    }

    /// The earliest time for another exchange.
    fn next_try(&self, now: Instant) -> Instant {
        let failed_until = self.failure.as_ref().map(|failure| failure.until);
        failed_until.into_iter().chain(self.not_before()).max().unwrap_or(now + REMEMBERED[0])
    }

    /// The earliest time for the next exchange after a successful one.
    fn not_before(&self) -> Option<Instant> {
        self.exchanged.map(|exchanged| exchanged + LEAST_BETWEEN)
    }

    fn answer(&self, now: Instant) -> Answer {
        let usable = self.usable(now);
        if let Some(held) = usable.filter(|held| now < held.refresh_at) {
            return Answer::Token(held.token.clone());
        }
        match (&self.failure, usable) {
            (Some(failure), Some(held)) if now < failure.until => Answer::Token(held.token.clone()),
            (Some(failure), None) if now < failure.until => {
                Answer::Failed(failure.diagnosis.clone().retry_after(Some(failure.until - now)))
            }
            (_, usable) => match (self.not_before().filter(|time| now < *time), usable) {
                (None, _) => Answer::Exchange,
                (Some(_), Some(held)) => Answer::Token(held.token.clone()),
                (Some(time), None) => Answer::Failed(over_at_once().retry_after(Some(time - now))),
            },
        }
    }

    fn obtained(&mut self, now: Instant, token: AccessToken) -> AccessToken {
        let life = Duration::try_from(token.expires_on - OffsetDateTime::now_utc()).unwrap_or_default();
        self.failure = None;
        self.exchanged = Some(now);
        self.token = Some(Held {
            token: token.clone(),
            obtained: now,
            refresh_at: now + life.saturating_sub(REFRESH_AHEAD).max(life / 2),
            usable_until: now + life.saturating_sub(LEAST_LEFT.min(life / 4)),
        });
        token
    }

    /// The old token remains in use while it is valid.
    fn failed(&mut self, now: Instant, diagnosis: Diagnosis) -> Result<AccessToken, Diagnosis> {
        let in_a_row = self.failure.as_ref().map_or(0, |failure| failure.in_a_row + 1);
        let own = REMEMBERED[in_a_row.min(REMEMBERED.len() - 1)];
        // It may repeatedly ask for no wait, or for one that has passed.
        let until = now + diagnosis.retry_after.map_or(own, |asked| asked.max(own));
        self.failure = Some(Failure { diagnosis: diagnosis.clone(), until, in_a_row });
        match &self.token {
            Some(held) if now < held.usable_until => Ok(held.token.clone()),
            _ => Err(diagnosis),
        }
    }

    fn give_up(&mut self, now: Instant) -> bool {
        match &self.token {
            Some(held) if now < held.obtained + LEAST_AGE_TO_GIVE_UP => false,
            _ => {
                (self.token, self.exchanged) = (None, None);
                true
            }
        }
    }
}

fn over_at_once() -> Diagnosis {
    Diagnosis::new(Cause::UnexpectedAnswer, "the authority issued a token that expired before it could be used")
        .hint("let tokens live for some minutes, and compare the clocks of the authority and of the controller")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, life: Duration) -> AccessToken {
        AccessToken::new(text.to_owned(), OffsetDateTime::now_utc() + life)
    }

    fn refusal(retry_after: Option<u64>) -> Diagnosis {
        Diagnosis::new(Cause::EntraUnavailable, "down").retry_after(retry_after.map(Duration::from_secs))
    }

    fn shown(answer: &Answer) -> String {
        match answer {
            Answer::Token(token) => token.token.secret().to_owned(),
            Answer::Failed(diagnosis) => format!("failed: {diagnosis}"),
            Answer::Exchange => "exchange".to_owned(),
        }
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_token_serves_until_5_minutes_before_its_end() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(shown(&state.answer(now)), "exchange");
        state.obtained(now, token("a", HOUR));
        assert_eq!(shown(&state.answer(now + HOUR.saturating_sub(Duration::from_secs(310)))), "a");
        assert_eq!(shown(&state.answer(now + HOUR.saturating_sub(Duration::from_secs(290)))), "exchange");
    }

    #[test]
    fn a_token_of_one_minute_serves_half_of_it() {
        let (mut state, now) = (State::default(), Instant::now());
        state.obtained(now, token("a", Duration::from_mins(1)));
        assert_eq!(shown(&state.answer(now + Duration::from_secs(25))), "a");
        assert_eq!(shown(&state.answer(now + Duration::from_secs(35))), "exchange");
    }

    #[test]
    fn a_failure_is_repeated_for_a_while_and_longer_each_time() {
        let (mut state, mut now) = (State::default(), Instant::now());
        for seconds in [1, 2, 3, 3] {
            state.failed(now, refusal(None)).unwrap_err();
            let end = now + Duration::from_secs(seconds);
            let before = now + Duration::from_millis(seconds * 1000 - 1);
            assert_eq!(shown(&state.answer(before)), "failed: down");
            assert_eq!(shown(&state.answer(end)), "exchange", "after {seconds} s");
            now = end;
        }
        state.obtained(now, token("a", HOUR));
        state.give_up(now + HOUR);
        state.failed(now, refusal(None)).unwrap_err();
        assert_eq!(shown(&state.answer(now + Duration::from_secs(1))), "exchange", "a success starts over");
    }

    #[test]
    fn a_failure_is_repeated_for_as_long_as_entra_asks_to_wait() {
        let (mut state, now) = (State::default(), Instant::now());
        state.failed(now, refusal(Some(20))).unwrap_err();
        assert_eq!(shown(&state.answer(now + Duration::from_secs(19))), "failed: down");
    }

    #[test]
    fn an_authority_that_asks_for_no_wait_gets_no_more_requests_than_one_that_says_nothing() {
        let (mut state, mut now) = (State::default(), Instant::now());
        for seconds in [1, 2, 3, 3] {
            state.failed(now, refusal(Some(0))).unwrap_err();
            assert_eq!(shown(&state.answer(now + Duration::from_millis(seconds * 1000 - 1))), "failed: down");
            now += Duration::from_secs(seconds);
            assert_eq!(shown(&state.answer(now)), "exchange");
        }
    }

    #[test]
    fn a_token_that_expires_at_once_is_exchanged_every_2_s_at_most() {
        let (mut state, now) = (State::default(), Instant::now());
        state.obtained(now, token("a", Duration::ZERO));
        let told = "failed: the authority issued a token that expired before it could be used";
        assert_eq!(shown(&state.answer(now + Duration::from_millis(1999))), told);
        assert_eq!(shown(&state.answer(now + Duration::from_secs(2))), "exchange");
        state.obtained(now, token("b", Duration::from_secs(2)));
        assert_eq!(shown(&state.answer(now + Duration::from_millis(1400))), "b", "past the middle of its life");
    }

    #[test]
    fn while_entra_is_down_a_token_that_is_still_good_serves() {
        let (mut state, now) = (State::default(), Instant::now());
        state.obtained(now, token("a", HOUR));
        let late = now + HOUR.saturating_sub(Duration::from_secs(200));
        assert_eq!(state.failed(late, refusal(None)).unwrap().token.secret(), "a");
        assert_eq!(shown(&state.answer(late)), "a");
        let over = now + HOUR;
        state.failed(over, refusal(None)).unwrap_err();
        assert_eq!(shown(&state.answer(over)), "failed: down");
    }

    #[test]
    fn a_refused_token_is_discarded_once_per_minute_at_most() {
        let (mut state, now) = (State::default(), Instant::now());
        state.obtained(now, token("a", HOUR));
        assert!(!state.give_up(now + Duration::from_secs(59)));
        assert!(state.give_up(now + Duration::from_mins(1)));
        assert_eq!(shown(&state.answer(now + Duration::from_mins(1))), "exchange");
    }
}
