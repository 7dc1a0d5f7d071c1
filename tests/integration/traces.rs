//! OTLP traces, as a collector receives them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use test_stage::cluster_access::DEADLINE;
use test_stage::controller_process::Controller;
use test_stage::scene::Scene;

/// A collector that keeps what it receives.
struct Collector {
    bodies: Arc<Mutex<Vec<Bytes>>>,
    endpoint: String,
}

impl Collector {
    async fn start() -> Self {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        let keep = move |body: Bytes| async move {
            kept.lock().unwrap().push(body);
            ([(header::CONTENT_TYPE, "application/x-protobuf")], Vec::new()).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(keep));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { bodies, endpoint }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    async fn until(&self, what: &str, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let found = tokio::time::timeout(DEADLINE, async {
            loop {
                let spans = self.spans();
                if wanted(&spans) {
                    return spans;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("no {what}: {:#?}", self.spans()))
    }
}

/// A text attribute of a span.
fn text(span: &Span, key: &str) -> String {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
    match attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_of_a_sync_and_no_value() {
    const VALUE: &str = "a value that nobody must see";
    let scene = Scene::with_own_controller("traces").await;
    let collector = Collector::start().await;
    let mut environment = scene.environment();
    environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.endpoint.clone()));
    environment.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "100".to_owned()));
    let log = scene.world.log_of(scene.name());
    let _controller = Controller::start(&scene.world.cluster, &scene.arguments(), environment, &log).await;
    scene.set_secret("greeting", VALUE);
    scene.store().await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    scene.until_secret("example", json!({"greeting": VALUE})).await;

    let is_pass = |span: &Span| span.name == "reconcile" && text(span, "k8s.object.name") == "example";
    let is_read = |span: &Span| span.name == "keyvault.request";
    let is_write = |span: &Span| {
        span.name == "kubernetes.request"
            && text(span, "http.request.method") == "POST"
            && text(span, "url.path").ends_with("/secrets")
    };
    // A pass that reads the vault and writes the Secret; earlier ones may have waited for the store.
    let parts = |spans: &[Span]| {
        let within = |pass: &Span, is_part: &dyn Fn(&Span) -> bool| {
            spans.iter().find(|span| span.trace_id == pass.trace_id && is_part(span)).cloned()
        };
        let passes = spans.iter().filter(|span| is_pass(span));
        passes
            .map(|pass| Some((pass.clone(), within(pass, &is_read)?, within(pass, &is_write)?)))
            .find_map(|found| found)
    };
    let spans = collector.until("pass with a read and a write", |spans| parts(spans).is_some()).await;
    let (pass, read, write) = parts(&spans).unwrap();
    assert_eq!(text(&pass, "k8s.namespace.name"), scene.name());
    assert_eq!(text(&pass, "controller"), "externalsecret");
    assert_eq!(text(&pass, "result"), "requeue_after");
    let host = scene.vault.url().trim_start_matches("https://").trim_end_matches('/').to_owned();
    assert_eq!((text(&read, "rpc.method").as_str(), text(&read, "server.address")), ("GetSecret", host));
    assert_eq!(write.parent_span_id, pass.span_id);
    for body in collector.bodies.lock().unwrap().iter() {
        assert!(!String::from_utf8_lossy(body).contains(VALUE));
    }
}
