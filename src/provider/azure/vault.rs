//! Requests to a vault as one identity.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use azure_core::credentials::AccessToken;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::oneshot;
use tracing::instrument::{Instrument as _, Instrumented};

use super::answer::Object;
use super::changes::{ChangeDetector, Lists};
use super::cloud::{Cloud, HostsOf};
use super::coalesce::{Coalescer, Progress};
use super::connections::{self, Connection, Connections, Destination};
use super::credential_cache::SharedCredential;
use super::diagnose::{Cause, Diagnosis};
use super::endpoint::VaultEndpoint;
use super::gate::{Gate, Leave, Rank, Requester, Ticket, Traffic, Verdict};
use super::http::Clients;
use super::list::{List, Listed, NextPage, Page};
use super::memory::Memory;
use super::object::{ObjectId, ObjectKind};
use super::options::Options;
use super::pace::Pace;
use super::rights::{Consequence, Rights};
use super::sdk::{Errand, Sdk};
use super::transport::crowded;
use crate::provider::error::Retry;
use crate::provider::fair_map::FairMap;
use crate::provider::metrics::{ApiCall, CallStatus, Probe, SharedRead};
use crate::provider::{Changes, Freshness, Priority, ProviderMetrics, ReadMark, ReadOptions};

/// Bounds on the clients and gates that are kept.
const MOST_VAULTS: usize = 2000;
const KEPT_UNUSED: Duration = Duration::from_hours(2);

/// The longest list that is read, in pages of at most 25 secrets, and in bytes: a vault must not be able to keep a
/// reader busy forever, or to fill its memory.
const MOST_PAGES: usize = if cfg!(test) { 40 } else { 8000 };
const LARGEST_LIST: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// How often an answer that finds no memory is requested again, after pauses of about this length.
const TRIES_WHILE_CROWDED: u32 = 20;
const CROWDED_PAUSE: Duration = Duration::from_millis(250);

/// A request that finds no connection retries after pauses of about this length, and reports it after this many.
const CONNECTION_PAUSE: Duration = Duration::from_millis(50);
const TRIES_WITHOUT_CONNECTION: u32 = 100;

/// How long a write waits for its turn, in all. Longer than a read: a thousand of them take a minute at the vault's limit.
const PATIENCE_OF_WRITES: Duration = Duration::from_secs(30);

/// A vault as one identity sees it.
type VaultKey = (u64, VaultEndpoint);
/// An object in such a vault.
type ReadKey = (VaultKey, ObjectId);

/// The clients of all vaults, kept across reconciles, with one gate per vault.
pub(super) struct VaultPool {
    clients: Mutex<FairMap<VaultKey, Arc<VaultClient>>>,
    /// Each gate lives as long as a client of its vault.
    gates: Mutex<HashMap<String, Weak<Gate>>>,
    reads: Arc<Coalescer<ReadKey, Arc<Object>>>,
    lists: Arc<Coalescer<VaultKey, Arc<List>>>,
    memory: Arc<Memory>,
    http: Arc<Clients>,
    connections: Arc<Connections>,
    options: Arc<Options>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl VaultPool {
    pub(super) fn new(
        http: Arc<Clients>,
        connections: Arc<Connections>,
        options: Arc<Options>,
        metrics: Arc<dyn ProviderMetrics>,
    ) -> Self {
        Self {
            clients: Mutex::new(FairMap::new(MOST_VAULTS, KEPT_UNUSED)),
            gates: Mutex::default(),
            reads: Arc::new(Coalescer::new(options.coalesce).that_keeps(|object: &Arc<Object>| object.may_be_kept())),
            lists: Arc::new(Coalescer::new(options.coalesce)),
            memory: Arc::new(Memory::new()),
            http,
            connections,
            options,
            metrics,
        }
    }

    /// The client of a vault for a credential, on behalf of `requester`.
    pub(super) fn get(
        &self,
        endpoint: VaultEndpoint,
        credential: Arc<SharedCredential>,
        cloud: &Cloud,
        requester: Requester,
    ) -> Result<Arc<VaultClient>, Diagnosis> {
        let key = (credential.id, endpoint);
        let now = Instant::now();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key, now) {
            return Ok(Arc::new(VaultClient { requester, pace: self.pace(), ..(**client).clone() }));
        }
        let namespace = Arc::clone(&credential.namespace);
        let client = VaultClient {
            key: key.clone(),
            requester,
            hosts_of: cloud.hosts_of,
            sdk: Arc::new(Sdk::new(&key.1, cloud, self.http.to(cloud.hosts_of))?),
            gate: self.gate(key.1.host()),
            rights: Arc::new(Rights::new()),
            changes: self.options.change_detection.then(|| Arc::new(ChangeDetector::new())),
            credential,
            pace: self.pace(),
            reads: Arc::clone(&self.reads),
            lists: Arc::clone(&self.lists),
            memory: Arc::clone(&self.memory),
            connections: Arc::clone(&self.connections),
            metrics: Arc::clone(&self.metrics),
        };
        let client = Arc::new(client);
        clients.insert(&namespace, key, Arc::clone(&client), now);
        Ok(client)
    }

    fn pace(&self) -> Arc<Pace> {
        Arc::new(Pace::new(self.options.patience))
    }

    /// The one gate of a vault.
    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(host).and_then(Weak::upgrade) {
            return gate;
        }
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate::new(host, &self.options, Arc::clone(&self.metrics)));
        gates.insert(host.to_owned(), Arc::downgrade(&gate));
        gate
    }
}

/// Requests one of the refused objects from time to time, until one is allowed or nobody waits.
///
/// Boxed, because the read that this sends may start it again.
fn probe_rights(client: Arc<VaultClient>) -> BoxFuture<'static, ()> {
    const PROBE: ReadOptions = ReadOptions { freshness: Freshness::Forced, priority: Priority::Refresh };
    async move {
        while let Some((wait, object)) = client.rights.next_probe() {
            tokio::time::sleep(wait).await;
            client.metrics.probe(Probe::Rights);
            // Every read records its own result.
            let _ = client.object(&object, PROBE).await;
        }
    }
    .boxed()
}

/// The span of a shared read is a child of the first caller's.
fn in_span_of_caller<F: Future>(read: impl FnOnce(Progress) -> F) -> impl FnOnce(Progress) -> Instrumented<F> {
    let span = tracing::Span::current();
    move |progress| read(progress).instrument(span)
}

/// A read on its way through the gate.
struct Turn {
    /// The kind of object.
    kind: ObjectKind,
    priority: Priority,
    /// What is read, for messages.
    what: String,
    /// Reports to the waiting callers.
    progress: Progress,
}

/// A write on its way through the gate.
pub(super) struct Write<'a> {
    /// What it counts against.
    pub(super) traffic: Traffic,
    pub(super) priority: Priority,
    pub(super) call: ApiCall,
    pub(super) object: &'a ObjectId,
}

/// Reads and writes one vault as one identity, on behalf of one store.
#[derive(Clone)]
pub(super) struct VaultClient {
    key: VaultKey,
    /// Determines the turn at the gate.
    requester: Requester,
    hosts_of: HostsOf,
    sdk: Arc<Sdk>,
    gate: Arc<Gate>,
    rights: Arc<Rights>,
    /// `None` if change detection is off.
    changes: Option<Arc<ChangeDetector>>,
    pub(super) credential: Arc<SharedCredential>,
    /// Covers everything that is read with this client.
    pace: Arc<Pace>,
    reads: Arc<Coalescer<ReadKey, Arc<Object>>>,
    lists: Arc<Coalescer<VaultKey, Arc<List>>>,
    memory: Arc<Memory>,
    connections: Arc<Connections>,
    metrics: Arc<dyn ProviderMetrics>,
}

impl VaultClient {
    /// Acquires a token, unless there is one.
    pub(super) async fn authenticate(&self) -> Result<(), Diagnosis> {
        self.credential.token().await.map(drop)
    }

    /// Reads an object: its value, tags and times, with one request for all concurrent callers.
    pub(super) async fn object(
        self: &Arc<Self>,
        object: &ObjectId,
        options: ReadOptions,
    ) -> Result<Arc<Object>, Diagnosis> {
        let read = |freshness| {
            let (client, id) = (Arc::clone(self), object.clone());
            let read = |progress| async move {
                let turn = Turn { kind: id.kind, priority: options.priority, what: client.named(&id), progress };
                let outcome = client.through_gate(&turn, |token| client.send(&id, token)).await;
                let (outcome, consequence) = client.rights.read_ended(&id, outcome);
                if consequence == Consequence::Probe {
                    tokio::spawn(probe_rights(Arc::clone(&client)));
                }
                outcome
            };
            self.reads.read((self.key.clone(), object.clone()), freshness, in_span_of_caller(read))
        };
        self.at_pace(options.freshness, read).await
    }

    /// Lists all secrets of the vault, without their values, once for all concurrent callers.
    pub(super) async fn list(self: &Arc<Self>, options: ReadOptions) -> Result<Arc<List>, Diagnosis> {
        let read = |freshness| {
            let client = Arc::clone(self);
            let read = |progress| async move {
                let what = client.named("the list of secrets");
                let turn = Turn { kind: ObjectKind::Secret, priority: options.priority, what, progress };
                client.pages(&turn, MOST_PAGES).await.map(Arc::new)
            };
            self.lists.read(self.key.clone(), freshness, in_span_of_caller(read))
        };
        self.at_pace(options.freshness, read).await
    }

    /// The answer of a read, including one that takes long while the vault keeps serving this client.
    async fn at_pace<T, F>(&self, freshness: Freshness, read: impl Fn(Freshness) -> F) -> Result<T, Diagnosis>
    where
        F: Future<Output = (Result<T, Diagnosis>, Option<SharedRead>)>,
    {
        let began = Instant::now();
        let (mut outcome, shared) = read(freshness).await;
        if let Some(how) = shared {
            self.metrics.shared_read(how);
        }
        let later = if freshness == Freshness::Forced { Freshness::Since(began) } else { freshness };
        while let Err(reason) = &outcome
            && self.pace.outlasts(reason).await
        {
            outcome = read(later).await.0;
        }
        if outcome.as_ref().err().is_none_or(|reason| reason.recovery.is_none()) {
            self.pace.answered();
        }
        outcome
    }

    /// Whether anything that was read has changed since, as far as a list can show.
    pub(super) async fn changes(self: &Arc<Self>, since: &[ReadMark]) -> Changes {
        match &self.changes {
            Some(detector) => detector.since(since, self).await,
            None => Changes::Possible,
        }
    }

    async fn pages(&self, turn: &Turn, most: usize) -> Result<List, Diagnosis> {
        let (mut secrets, mut next, mut size) = (Vec::new(), None, 0);
        let mut memory = self.memory.lists.none(&self.requester.namespace);
        for number in 1..=most {
            let page = self.through_gate(turn, |token| self.send_for_page(next.clone(), token)).await?;
            size += page.size;
            if size > LARGEST_LIST {
                break;
            }
            if !memory.try_grow(page.secrets.iter().map(Listed::size).sum()) {
                return Err(crowded().of(&turn.what));
            }
            turn.progress.answered_in_part();
            secrets.extend(page.secrets);
            next = page.next;
            if next.is_none() {
                return Ok(List { secrets, pages: number, memory });
            }
        }
        let message = format!("{}: it has more than {most} pages or {LARGEST_LIST} bytes", turn.what);
        Err(Diagnosis::new(Cause::AnswerTooLarge, message).hint("keep fewer secrets in one vault"))
    }

    /// Sends a request through the gate: again while the vault is paused, and once more after a failure that passes at
    /// once, because a single one would otherwise show in the conditions of everything that waits.
    ///
    /// The token is acquired first, so that a caller that waits for one, from any authority, occupies no place at the
    /// gate. The request is sent with that token, so any failure while it holds a place is that of the vault or of the
    /// network.
    async fn through_gate<T, F>(&self, turn: &Turn, request: impl Fn(AccessToken) -> F) -> Result<T, Diagnosis>
    where
        F: Future<Output = Result<T, Diagnosis>>,
    {
        let began = Instant::now();
        let rank = if self.rights.is_refused_often() { Rank::Last } else { turn.priority.into() };
        let ticket = self.gate.ticket(turn.kind.into(), rank, &self.requester);
        let (mut other_token, mut once_more, mut crowded, mut without_connection) = (false, false, 0, 0);
        loop {
            self.until_authenticated(turn).await?;
            let stalled = |reason: Diagnosis| turn.progress.stalled(reason.of(&turn.what));
            let leave = self.gate.enter(&ticket, began, stalled).await?;
            // It may have expired after a long wait.
            let Some(token) = self.credential.held_token() else {
                leave.unsent();
                continue;
            };
            let Some(connection) = self.connection() else {
                // It holds no place at the vault while it waits.
                leave.unsent();
                without_connection += 1;
                if without_connection == TRIES_WITHOUT_CONNECTION {
                    turn.progress.stalled(connections::crowded().of(&turn.what));
                }
                tokio::time::sleep(CONNECTION_PAUSE.mul_f64(0.5 + rand::random::<f64>())).await;
                continue;
            };
            turn.progress.sent();
            let result = connection.carry(request(token)).await;
            let verdict = leave.report(&result);
            match result.as_ref().map_err(|diagnosis| diagnosis.cause) {
                Err(_) if verdict == Verdict::Paused => turn.progress.to_be_sent_again(),
                Err(Cause::TokenRefused) if !other_token && self.credential.give_up_token() => other_token = true,
                Err(cause) if !once_more && cause.passes_at_once() => once_more = true,
                // It holds nothing while it waits for memory.
                Err(Cause::AnswersCrowded) if crowded < TRIES_WHILE_CROWDED => {
                    crowded += 1;
                    turn.progress.to_be_sent_again();
                    tokio::time::sleep(CROWDED_PAUSE.mul_f64(0.5 + rand::random::<f64>())).await;
                }
                _ => return result.map_err(|reason| reason.of(&turn.what)),
            }
        }
    }

    /// Waits until the identity has a token, and reports it if that takes long.
    async fn until_authenticated(&self, turn: &Turn) -> Result<(), Diagnosis> {
        while let Err(reason) = self.authenticate().await {
            if reason.cause.class().retry() == Retry::OnChange {
                return Err(reason);
            }
            turn.progress.stalled(reason);
            self.credential.until_next_try().await;
        }
        Ok(())
    }

    /// One request for an object.
    async fn send(&self, object: &ObjectId, token: AccessToken) -> Result<Arc<Object>, Diagnosis> {
        let call = match object.kind {
            ObjectKind::Secret => ApiCall::GetSecret,
            ObjectKind::Key => ApiCall::GetKey,
            ObjectKind::Certificate => ApiCall::GetCertificate,
        };
        let status = |result: &Result<Object, Diagnosis>| match result {
            // Nobody created that secret; a dashboard of errors would show nothing else.
            Err(absent) if object.is_probe() && absent.cause == Cause::SecretNotFound => CallStatus::Success,
            other => CallStatus::of(other),
        };
        let errand = self.errand(token);
        let object = self.counted(call, self.sdk.get(object, &errand), status).await?;
        Ok(Arc::new(object.kept_in(&self.memory.kept, &self.requester.namespace)))
    }

    fn errand(&self, token: AccessToken) -> Arc<Errand> {
        Errand::new(token, self.memory.answers.none(&self.requester.namespace))
    }

    /// One request for a page of the list.
    async fn send_for_page(&self, from: Option<NextPage>, token: AccessToken) -> Result<Page, Diagnosis> {
        self.counted(ApiCall::GetSecrets, self.sdk.page(from, &self.errand(token)), CallStatus::of).await
    }

    /// Sends a request, and records how it ended and how long it took. The span names the vault, and nothing of the
    /// answer but the cause of a failure.
    async fn counted<T>(
        &self,
        call: ApiCall,
        request: impl Future<Output = Result<T, Diagnosis>>,
        status: impl FnOnce(&Result<T, Diagnosis>) -> CallStatus,
    ) -> Result<T, Diagnosis> {
        let span = tracing::info_span!(
            "keyvault.request",
            "rpc.method" = call.label(),
            "server.address" = self.key.1.host(),
            "error.type" = tracing::field::Empty,
        );
        let began = Instant::now();
        let result = request.instrument(span.clone()).await;
        if let Err(diagnosis) = &result {
            span.record("error.type", diagnosis.cause.label());
        }
        self.metrics.api_call(call, status(&result), began.elapsed());
        result
    }

    /// A connection to the vault, if the namespace may have another one now.
    fn connection(&self) -> Option<Connection> {
        let to = Destination { host: self.key.1.host(), hosts_of: self.hosts_of };
        self.connections.try_take(&self.requester.namespace, to)
    }

    /// Sends a write through the gate, once: what may have reached the vault is not sent again, since only a look tells whether it
    /// was carried out. What the vault refused before it looked at it is: for the number of requests, or for the token.
    pub(super) async fn write<T, F>(
        &self,
        write: &Write<'_>,
        request: impl Fn(Arc<Errand>) -> F,
    ) -> Result<T, Diagnosis>
    where
        F: Future<Output = Result<T, Diagnosis>>,
    {
        let began = Instant::now();
        let what = self.named(write.object);
        let is_refused_often = self.rights.is_refused_often() || self.rights.are_writes_refused_often();
        let rank = if is_refused_often { Rank::Last } else { write.priority.into() };
        let ticket = self.gate.ticket(write.traffic, rank, &self.requester);
        let mut other_token = false;
        loop {
            self.authenticate().await.map_err(|reason| reason.of(&what))?;
            let leave = self.turn(&ticket, began).await.map_err(|reason| reason.of(&what))?;
            let Some(token) = self.credential.held_token() else {
                leave.unsent();
                continue;
            };
            let Some(connection) = self.connection() else {
                leave.unsent();
                if began.elapsed() > PATIENCE_OF_WRITES {
                    return Err(connections::crowded().of(&what));
                }
                tokio::time::sleep(CONNECTION_PAUSE.mul_f64(0.5 + rand::random::<f64>())).await;
                continue;
            };
            let request = connection.carry(request(self.errand(token)));
            let result = self.counted(write.call, request, CallStatus::of).await;
            leave.report(&result);
            self.rights.write_ended(&result);
            // Also of one that failed: it may have reached the vault.
            self.forget_reads(write.object);
            match result.as_ref().map_err(|diagnosis| diagnosis.cause) {
                Err(Cause::VaultThrottled) if began.elapsed() < PATIENCE_OF_WRITES => {}
                Err(Cause::TokenRefused) if !other_token && self.credential.give_up_token() => other_token = true,
                _ => return result.map_err(|reason| reason.of(&what)),
            }
        }
    }

    /// A turn at the gate, or the reason where that takes too long.
    async fn turn(&self, ticket: &Ticket, began: Instant) -> Result<Leave, Diagnosis> {
        let (sender, stalled) = oneshot::channel();
        let entering = self.gate.enter(ticket, began, |reason| drop(sender.send(reason)));
        let patient = async {
            let reason = stalled.await;
            // As long as the vault takes others it is only a matter of turns.
            tokio::time::sleep_until((began + PATIENCE_OF_WRITES).into()).await;
            reason
        };
        tokio::select! {
            biased;
            leave = entering => leave,
            Ok(reason) = patient => Err(reason),
        }
    }

    /// No answer from before a write serves a read that begins after it, whatever identity reads.
    fn forget_reads(&self, written: &ObjectId) {
        let of_certificate = written.kind == ObjectKind::Certificate;
        self.reads.forget(|((_, endpoint), read)| {
            *endpoint == self.key.1
                && read.name.eq_ignore_ascii_case(&written.name)
                && (of_certificate || read.kind == written.kind)
        });
        self.lists.forget(|(_, endpoint)| *endpoint == self.key.1);
    }

    /// The vault's host.
    pub(super) fn host(&self) -> &str {
        self.key.1.host()
    }

    /// The clients that requests are made with.
    pub(super) fn sdk(&self) -> &Sdk {
        &self.sdk
    }

    #[cfg(test)]
    pub(super) fn shares_gate_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
    }

    fn named(&self, what: impl fmt::Display) -> String {
        format!("{what} in vault {}", self.key.1.host())
    }
}

impl Lists for VaultClient {
    async fn pages_at_most(&self, most: usize, progress: Progress) -> Result<List, Diagnosis> {
        let what = self.named("the list of secrets");
        self.pages(&Turn { kind: ObjectKind::Secret, priority: Priority::Refresh, what, progress }, most).await
    }
}
