//! A proxy in front of the API server. It counts requests, kills the controller after one of its writes, and fails or
//! goes silent as API servers and networks do.

mod faults;
mod flow;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::controller_process::Controller;

pub use faults::{Alteration, ApiFault, ApiFaultId, Break};
use faults::{Faults, refusal};
pub use flow::Flow;
use flow::Flows;
use requests::{is_write, right_of};

/// The proxy; it lives as long as the test's runtime.
pub struct ApiProxy {
    shared: Arc<Shared>,
    /// A kubeconfig for the proxy.
    pub kubeconfig: PathBuf,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    writes: AtomicUsize,
    kill_after: AtomicUsize,
    victim: watch::Sender<Option<u32>>,
    killed: watch::Sender<bool>,
    traffic: Mutex<Traffic>,
    faults: Faults,
    flows: Arc<Flows>,
    connections: Mutex<CancellationToken>,
    /// What it answers itself, by path.
    own_answers: Mutex<BTreeMap<String, serde_json::Value>>,
    /// The date in answers, if it is not the API server's.
    date: Mutex<Option<String>>,
}

/// Requests by the right they need, as `verb group/resource`.
#[derive(Clone, Debug, Default)]
struct Traffic {
    asked: BTreeMap<String, u64>,
    done: BTreeMap<String, u64>,
    /// Of requests that were not forbidden.
    rights: BTreeSet<String>,
}

/// The connection ends instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut")]
struct Cut;

impl ApiProxy {
    /// Starts a proxy in front of `kubeconfig`'s API server, and writes a kubeconfig for it to `folder`.
    pub async fn start(kubeconfig: &Path, folder: &Path) -> Self {
        let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
        let cluster = config.clusters[0].cluster.as_ref().unwrap();
        let ca = std::fs::read(cluster.certificate_authority.as_ref().unwrap()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&ca).unwrap())
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            upstream: cluster.server.clone().unwrap(),
            client,
            writes: AtomicUsize::new(0),
            kill_after: AtomicUsize::new(usize::MAX),
            victim: watch::Sender::new(None),
            killed: watch::Sender::new(false),
            traffic: Mutex::default(),
            faults: Faults::default(),
            flows: Arc::default(),
            connections: Mutex::default(),
            own_answers: Mutex::default(),
            date: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&shared)));

        let mut through = config;
        let cluster = through.clusters[0].cluster.as_mut().unwrap();
        cluster.server = Some(format!("http://{address}"));
        cluster.certificate_authority = None;
        let path = folder.join(format!("kubeconfig-through-{}", address.port()));
        std::fs::write(&path, serde_json::to_string(&through).unwrap()).unwrap();
        Self { shared, kubeconfig: path }
    }

    /// Holds all writes until [`ApiProxy::kill`] names the process.
    pub fn hold(&self) {
        self.shared.victim.send_replace(None);
        self.shared.kill_after.store(usize::MAX, Ordering::SeqCst);
    }

    /// From now on, kills the process after its `writes`-th write, before it has the answer.
    pub fn kill(&self, process: u32, writes: usize) {
        self.shared.killed.send_replace(false);
        self.shared.writes.store(0, Ordering::SeqCst);
        self.shared.kill_after.store(writes, Ordering::SeqCst);
        self.shared.victim.send_replace(Some(process));
    }

    /// Starts a controller that is killed after `writes` writes. Returns whether that happened before `done`.
    pub async fn killed_after<T>(
        &self,
        start: impl Future<Output = Controller>,
        writes: usize,
        done: impl Future<Output = T>,
    ) -> bool {
        self.hold();
        let controller = start.await;
        self.kill(controller.id(), writes);
        tokio::select! {
            () = self.killed() => {}
            _ = done => {}
        }
        let cut_off = self.is_reached();
        if cut_off {
            self.killed().await;
        }
        controller.kill().await;
        cut_off
    }

    /// Lets all writes pass.
    pub fn pass(&self) {
        self.kill(0, usize::MAX);
    }

    /// How many writes have arrived since they may pass.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// The rights that requests have used so far, as `verb group/resource`, except forbidden ones.
    pub fn rights(&self) -> BTreeSet<String> {
        self.shared.traffic.lock().unwrap().rights.clone()
    }

    /// How many requests with this right have arrived so far, whatever their outcome.
    pub fn asked(&self, right: &str) -> u64 {
        self.shared.traffic.lock().unwrap().asked.get(right).copied().unwrap_or_default()
    }

    /// How many requests with this right have succeeded so far.
    pub fn done(&self, right: &str) -> u64 {
        self.shared.traffic.lock().unwrap().done.get(right).copied().unwrap_or_default()
    }

    /// Waits until the process was killed.
    pub async fn killed(&self) {
        let _ = self.shared.killed.subscribe().wait_for(|killed| *killed).await;
    }

    /// Whether the process's last write was sent to the API server.
    pub fn is_reached(&self) -> bool {
        self.shared.writes.load(Ordering::SeqCst) >= self.shared.kill_after.load(Ordering::SeqCst)
    }

    /// Starts a fault for a share of the requests, from 0 to 1.
    pub fn fault(&self, fault: ApiFault, share: f64) -> ApiFaultId {
        self.shared.faults.add(fault, share)
    }

    /// Ends a fault.
    pub fn lift(&self, fault: ApiFaultId) {
        self.shared.faults.lift(fault);
    }

    /// Ends all faults.
    pub fn lift_all(&self) {
        self.shared.faults.lift_all();
    }

    /// Answers requests for a path itself from now on, or passes them on again.
    pub fn answer(&self, path: &str, answer: Option<serde_json::Value>) {
        let mut answers = self.shared.own_answers.lock().unwrap();
        match answer {
            Some(answer) => drop(answers.insert(path.to_owned(), answer)),
            None => drop(answers.remove(path)),
        }
    }

    /// Puts another date into answers from now on, or that of the API server again.
    pub fn set_date(&self, date: Option<String>) {
        *self.shared.date.lock().unwrap() = date;
    }

    /// Sets what passes from now on; requests that were held back pass when they may.
    pub fn let_pass(&self, flow: Flow) {
        self.shared.flows.let_pass(flow);
    }

    /// Makes the currently open watches silent forever, like a broken connection that nobody closed.
    pub fn freeze_watches(&self) {
        self.shared.flows.freeze();
    }

    /// Ends the currently open watches.
    pub fn break_watches(&self, how: Break) {
        self.shared.faults.break_watches(how);
    }

    /// Ends all currently open connections.
    pub fn cut_connections(&self) {
        std::mem::take(&mut *self.shared.connections.lock().unwrap()).cancel();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let closing = shared.connections.lock().unwrap().child_token();
        tokio::spawn(connection(stream, Arc::clone(&shared), closing));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, closing: CancellationToken) {
    // Otherwise small answers would wait for the client's acknowledgement.
    stream.set_nodelay(true).unwrap();
    let service = service_fn(move |request| forward(Arc::clone(&shared), request));
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // It ends with an error if the connection was cut, as intended.
    let _ = closing.run_until_cancelled(serving).await;
}

async fn forward(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let right = right_of(&parts.method, path);
    shared.count(right.as_deref(), |traffic| &mut traffic.asked);
    let mut is_last = false;
    if is_write(&parts.method, path) {
        let _ = shared.victim.subscribe().wait_for(Option::is_some).await;
        // Counted before it is sent, so anybody who sees its effect also sees it counted.
        is_last = shared.writes.fetch_add(1, Ordering::SeqCst) + 1 == shared.kill_after.load(Ordering::SeqCst);
    }
    let reads = right.as_deref().is_some_and(|right| right.starts_with("watch ") || right.starts_with("list "));
    shared.flows.passed(reads).await;
    let treatment = shared.faults.treatment(right.as_deref());
    if !treatment.delay.is_zero() {
        tokio::time::sleep(treatment.delay).await;
    }
    match treatment.instead {
        Some(ApiFault::Refuse(status, retry_after)) => return Ok(refusal(status, retry_after)),
        Some(ApiFault::Cut) => return Err(Cut),
        _ => {}
    }
    if let Some(answer) = shared.own_answers.lock().unwrap().get(path) {
        let response = Response::builder().header("content-type", "application/json");
        return Ok(response.body(Body::from(answer.to_string())).unwrap());
    }
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let mut headers = parts.headers;
    headers.remove("host");
    let upstream = shared
        .client
        .request(parts.method, format!("{}{path}", shared.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await
        .map_err(|_| Cut)?;
    if upstream.status() != StatusCode::FORBIDDEN {
        shared.traffic.lock().unwrap().rights.extend(right.clone());
    }
    if upstream.status().is_success() {
        shared.count(right.as_deref(), |traffic| &mut traffic.done);
    }
    if is_last {
        let victim = *shared.victim.borrow();
        let victim = victim.expect("writes pass only when it is known whom to kill").to_string();
        assert!(Command::new("kill").args(["-KILL", &victim]).status().unwrap().success());
        shared.killed.send_replace(true);
        // The answer never arrives.
        std::future::pending::<()>().await;
    }
    if treatment.instead == Some(ApiFault::LoseAnswer) {
        return Err(Cut);
    }
    let mut response = Response::builder().status(upstream.status());
    for (name, value) in upstream.headers() {
        if name != "transfer-encoding" && name != "content-length" && name != "date" {
            response = response.header(name, value);
        }
    }
    let date = upstream.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    if let Some(date) = shared.date.lock().unwrap().clone().or(date) {
        response = response.header("date", date);
    }
    let is_watch = right.as_deref().is_some_and(|right| right.starts_with("watch "));
    if let (Some(ApiFault::Alter(alteration)), false) = (treatment.instead, is_watch) {
        let status = upstream.status();
        let (status, body) = alteration.apply(status, &upstream.bytes().await.map_err(|_| Cut)?);
        return Ok(response.status(status).body(Body::from(body)).unwrap());
    }
    let body = shared.flows.flowing(upstream.bytes_stream(), reads);
    let body = if is_watch { Body::from_stream(shared.faults.breakable(body)) } else { Body::from_stream(body) };
    Ok(response.body(body).unwrap())
}

impl Shared {
    fn count(&self, right: Option<&str>, of: fn(&mut Traffic) -> &mut BTreeMap<String, u64>) {
        if let Some(right) = right {
            *of(&mut self.traffic.lock().unwrap()).entry(right.to_owned()).or_default() += 1;
        }
    }
}
