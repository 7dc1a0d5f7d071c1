//! A proxy before the API server that counts writes, and kills the controller after one of them. It also notes which rights
//! are used.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tokio::sync::watch;

/// The proxy; it lives as long as the test's runtime.
pub struct ApiProxy {
    shared: Arc<Shared>,
    /// A kubeconfig that leads through the proxy.
    pub kubeconfig: std::path::PathBuf,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    writes: AtomicUsize,
    kill_after: AtomicUsize,
    victim: watch::Sender<Option<u32>>,
    killed: watch::Sender<bool>,
    rights: Mutex<BTreeSet<String>>,
}

impl ApiProxy {
    /// Starts a proxy before the API server of `kubeconfig`, and writes a kubeconfig for it into
    /// `folder`.
    pub async fn start(kubeconfig: &std::path::Path, folder: &std::path::Path) -> Self {
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
            rights: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut through = config;
        let cluster = through.clusters[0].cluster.as_mut().unwrap();
        cluster.server = Some(format!("http://{address}"));
        cluster.certificate_authority = None;
        let path = folder.join(format!("kubeconfig-through-{}", address.port()));
        std::fs::write(&path, serde_json::to_string(&through).unwrap()).unwrap();
        Self { shared, kubeconfig: path }
    }

    /// Lets no write pass until [`ApiProxy::kill`] says whom to kill.
    pub fn hold(&self) {
        self.shared.victim.send_replace(None);
        self.shared.kill_after.store(usize::MAX, Ordering::SeqCst);
    }

    /// From now on the process is killed when its `writes`-th write was done, before it hears of it.
    pub fn kill(&self, process: u32, writes: usize) {
        self.shared.killed.send_replace(false);
        self.shared.writes.store(0, Ordering::SeqCst);
        self.shared.kill_after.store(writes, Ordering::SeqCst);
        self.shared.victim.send_replace(Some(process));
    }

    /// Lets all writes pass.
    pub fn pass(&self) {
        self.kill(0, usize::MAX);
    }

    /// How many writes arrived since they pass.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// The rights that requests needed so far, as `verb group/resource`, for those that were not forbidden.
    pub fn rights(&self) -> BTreeSet<String> {
        self.shared.rights.lock().unwrap().clone()
    }

    /// Waits until the process was killed.
    pub async fn killed(&self) {
        let _ = self.shared.killed.subscribe().wait_for(|killed| *killed).await;
    }

    /// Whether the write that is the process's last was sent to the API server.
    pub fn is_reached(&self) -> bool {
        self.shared.writes.load(Ordering::SeqCst) >= self.shared.kill_after.load(Ordering::SeqCst)
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut is_last = false;
    if is_write(&request) {
        let _ = shared.victim.subscribe().wait_for(Option::is_some).await;
        // Counted before it is sent, so that whoever sees its effect finds it counted.
        is_last = shared.writes.fetch_add(1, Ordering::SeqCst) + 1 == shared.kill_after.load(Ordering::SeqCst);
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let right = right_of(&parts.method, path);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let upstream = shared
        .client
        .request(parts.method, format!("{}{path}", shared.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(upstream) = upstream else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    if upstream.status() != StatusCode::FORBIDDEN {
        shared.rights.lock().unwrap().extend(right);
    }
    if is_last {
        let victim = *shared.victim.borrow();
        let victim = victim.expect("writes pass only when it is known whom to kill").to_string();
        assert!(Command::new("kill").args(["-KILL", &victim]).status().unwrap().success());
        shared.killed.send_replace(true);
        // The answer never arrives.
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(upstream.status());
    for (name, value) in upstream.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from_stream(upstream.bytes_stream())).unwrap()
}

/// Whether a request changes what matters; events and tokens do not.
fn is_write(request: &Request) -> bool {
    let path = request.uri().path();
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method());
    changes && !path.ends_with("/events") && !path.contains("/events/") && !path.ends_with("/token")
}

/// The right that a request needs, as `verb group/resource`; `None` for what anybody may ask.
fn right_of(method: &Method, path: &str) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match &parts[..] {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let resource = match rest {
        [resource, _, subresource] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
        [] => return None,
    };
    let verb = match (method.as_str(), rest.len()) {
        ("GET", 1) if query.split('&').any(|part| part == "watch=true") => "watch",
        ("GET", 1) => "list",
        ("GET", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", 1) => "deletecollection",
        ("DELETE", _) => "delete",
        _ => return None,
    };
    Some(format!("{verb} {group}/{resource}"))
}
