//! `webhook`: the admission and conversion webhook. It accepts the flags of ESO's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::metrics::{self, MetricsArguments};
use super::providers::{Tenants, own_identity};
use crate::api::GoDuration;
use crate::provider::azure::Options as AzureOptions;
use crate::runtime::api_health::ApiHealth;
use crate::runtime::health::{self, Endpoints, HealthError, Operated, Readiness};
use crate::runtime::kube_client::{self, KubeClientError};
use crate::runtime::metrics::{Metrics, ObjectOptions};
use crate::runtime::shutdown::{self, Arrivals, Drain};
use crate::runtime::tls::{self, CertificateFiles, Resolver, TlsError, TlsOptions};
use crate::runtime::webhook_metrics::WebhookMetrics;
use crate::webhook::{CertificateWatch, Checks, draining, router, watch_certificate};

/// How long requests are served after SIGTERM. The longest fits into the 30 s that Kubernetes gives a Pod to end, with
/// the time that the last requests may take.
const DRAIN: Drain =
    Drain { least: Duration::from_secs(5), quiet: Duration::from_secs(3), most: Duration::from_secs(20) };

/// Why the webhook could not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// An endpoint cannot be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The metrics cannot be served.
    #[error(transparent)]
    Endpoint(#[from] metrics::Error),
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Client(#[from] KubeClientError),
    /// Signals cannot be received.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// The port is invalid.
    #[error("--port=0 would serve nobody; use the port of the webhook's Service")]
    NoPort,
}

/// Flags of the webhook: those of ESO 2.9.0, with its meaning.
#[derive(Args, Debug)]
pub(super) struct WebhookArguments {
    /// Port to serve on
    #[arg(long, default_value_t = 10250)]
    port: u16,
    /// Name by which the API server calls the webhook; the certificate must be valid for it
    #[arg(long, default_value = "localhost")]
    dns_name: String,
    /// Folder with tls.crt, tls.key and ca.crt; reloaded when they change
    #[arg(long, default_value = "/tmp/k8s-webhook-server/serving-certs")]
    cert_dir: PathBuf,
    /// How often to log a warning that the certificate expires soon
    #[arg(long, default_value = "5m0s")]
    check_interval: GoDuration,
    /// Warn if the certificate expires within this time
    #[arg(long, default_value = "2160h0m0s")]
    lookahead_interval: GoDuration,
    /// Address of the probes /healthz and /readyz; "0" turns them off
    #[arg(long, default_value = ":8081")]
    healthz_addr: String,
    /// TLS 1.2 cipher suites to offer, by their Go names, separated by commas; if empty, all secure ones
    #[arg(long, default_value = "")]
    tls_ciphers: String,
    /// Minimum TLS version: 1.2 or 1.3
    #[arg(long, default_value = "1.2")]
    tls_min_version: String,
    /// Same as the controller's flag: a host to which customCloudConfig of a namespaced SecretStore may send tokens
    /// that are valid beyond its namespace
    #[arg(long = "azure-extra-host", value_name = "HOST")]
    extra_host: Vec<String>,
    /// Same as the controller's flag: also let SecretStores use the identity of the controller's own pod or machine
    #[arg(long = "azure-own-identity-in-secret-stores", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = super::go_bool::go_bool)]
    own_identity_in_secret_stores: Option<bool>,
    #[command(flatten)]
    metrics: MetricsArguments,
    #[command(flatten)]
    logging: super::logging::LoggingArguments,
}

/// Runs the webhook until SIGTERM or SIGINT.
///
/// # Errors
/// [`Error`], before anything was served.
pub(super) async fn execute(arguments: WebhookArguments) -> Result<(), Error> {
    let log = arguments.logging.start();
    if arguments.port == 0 {
        return Err(Error::NoPort);
    }
    let options = TlsOptions::new(&arguments.tls_ciphers, &arguments.tls_min_version, arguments.metrics.http2())?;
    let stop = shutdown::on_signal()?;
    // Until then it serves requests that the API server still sends.
    let arrivals = Arrivals::default();
    let end = shutdown::once_drained(&stop, arrivals.clone(), DRAIN);
    log.follow_signals(&end)?;
    let metrics = Metrics::new(ObjectOptions::default())?;
    let webhook_metrics = WebhookMetrics::new(&metrics)?;
    let router = draining(router(arguments.checks(), webhook_metrics.clone()), stop.clone(), arrivals);
    let client = if arguments.metrics.need_client() {
        let api_health = ApiHealth::new(metrics.api_server().clone(), Duration::MAX);
        Some(kube_client::from_environment(api_health).await?.client()?)
    } else {
        None
    };
    let endpoints = Endpoints::start()?;
    arguments.metrics.serve(&endpoints, Operated { metrics, log }, client, end.clone())?;
    let readiness = Readiness::default();
    readiness.set_not_ready("the serving certificate has not been read yet");
    endpoints.serve_probes("healthz-addr", &arguments.healthz_addr, readiness.clone(), end.clone())?;

    let files = CertificateFiles::in_folder(&arguments.cert_dir);
    let resolver = Arc::new(Resolver::default());
    let config = Arc::new(options.server_config(Arc::clone(&resolver) as _)?);
    let Some(listener) = health::listen("port", &format!(":{}", arguments.port))? else {
        return Err(Error::NoPort);
    };
    tokio::spawn(resolver.follow(files.clone(), end.clone()));
    let watch = CertificateWatch {
        files,
        dns_name: arguments.dns_name,
        check_interval: arguments.check_interval.positive().unwrap_or(Duration::from_mins(5)),
        lookahead: arguments.lookahead_interval.positive().unwrap_or_default(),
        metrics: webhook_metrics,
    };
    tokio::spawn(watch_certificate(watch, readiness.clone(), end.clone()));
    tokio::spawn(async move {
        stop.cancelled().await;
        readiness.end();
    });
    tls::serve(listener, config, router, tls::Limits::default(), end).await;
    Ok(())
}

impl WebhookArguments {
    fn checks(&self) -> Checks {
        let own_identity = own_identity(self.own_identity_in_secret_stores, Tenants::Many);
        Checks { azure: AzureOptions { extra_hosts: self.extra_host.clone(), own_identity, ..AzureOptions::default() } }
    }
}
