//! Sends traces by OTLP over HTTP to the collector that the environment specifies. Spans contain only what the code
//! that creates them adds: names of objects and hosts, durations, and causes of failures, but never a value.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// The program's name in spans, unless `OTEL_SERVICE_NAME` is set.
const SERVICE: &str = "external-secrets";
/// How long a collector may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` is set.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends the spans, if there is a collector.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Why spans are not sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The environment specifies no usable collector.
    #[error("traces are not sent: {0}; correct OTEL_EXPORTER_OTLP_ENDPOINT and the variables that begin like it")]
    Exporter(#[from] ExporterBuildError),
    /// There is no HTTP client.
    #[error("traces are not sent, since no HTTP client could be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The layer that collects the spans of this program; `None` if the environment specifies no collector. Needs a runtime
/// to send from.
pub(super) fn layer<S>() -> Result<Option<Box<dyn Layer<S> + Send + Sync>>, TracesError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    if !is_asked_for(|name| std::env::var(name).ok().filter(|value| !value.is_empty())) {
        return Ok(None);
    }
    let client = Client { http: reqwest::Client::builder().timeout(DEADLINE).build()?, runtime: Handle::current() };
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
    let resource = Resource::builder().with_service_name(std::env::var("OTEL_SERVICE_NAME").unwrap_or(SERVICE.into()));
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let tracer = provider.tracer(SERVICE);
    let _ = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        // Events go to the log.
        .with_filter(filter_fn(is_ours));
    Ok(Some(Box::new(layer)))
}

/// The spans of libraries may contain their arguments.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("external_secrets::")
}

/// Follows OpenTelemetry's specification of environment variables, except that nothing is sent unless a collector is
/// configured.
fn is_asked_for(value: impl Fn(&str) -> Option<String>) -> bool {
    let named = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .into_iter()
        .any(|name| value(name).is_some());
    let disabled = value("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    named && !disabled && value("OTEL_TRACES_EXPORTER").is_none_or(|exporter| exporter == "otlp")
}

/// Flushes spans, for a few seconds at most.
pub fn finish() {
    if let Some(provider) = PROVIDER.get() {
        let _ = provider.shutdown_with_timeout(Duration::from_secs(2));
    }
}

/// The exporter runs on its own thread, and its requests are sent from the program's runtime.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move {
            let answer = http.execute(request.try_into()?).await?;
            let (status, body) = (answer.status(), answer.bytes().await?);
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok::<_, reqwest::Error>(response)
        });
        Ok(answer.await??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sent_only_if_the_environment_names_a_collector() {
        let asked = |set: &[(&str, &str)]| {
            is_asked_for(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(!asked(&[]));
        assert!(asked(&[endpoint]));
        assert!(asked(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")]));
        assert!(!asked(&[endpoint, ("OTEL_SDK_DISABLED", "true")]));
        assert!(!asked(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}
