//! `certcontroller` issues certificates for the webhook. It accepts the flags of ESO's.

use std::time::Duration;

use clap::{ArgAction, Args};

use super::api_health::ApiHealthArguments;
use super::go_bool::go_bool;
use super::logging::LoggingArguments;
use super::metrics::{self, MetricsArguments};
use crate::api::GoDuration;
use crate::certificates::{self, Lifetimes, Settings};
use crate::runtime::health::{Endpoints, HealthError, Operated, Readiness};
use crate::runtime::kube_client::{self, KubeClientError};
use crate::runtime::leader_election::{self, LeaseLost, Timing};
use crate::runtime::metrics::{Metrics, ObjectOptions};
use crate::runtime::shutdown;

/// The Lease of the cert-controllers, as ESO names it.
const LEASE: &str = "crd-certs-controller";

/// Why the cert-controller could not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    /// An endpoint cannot be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The metrics cannot be served.
    #[error(transparent)]
    Endpoint(#[from] metrics::Error),
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Signals cannot be received.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// Another replica may lead, so this process must restart.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// Certificates would outlive their authority.
    #[error("--certificate-validity must be longer than zero, and not longer than --ca-validity")]
    Validity,
}

/// Flags of the cert-controller: those of ESO 2.9.0, with its meaning, and a few of our own.
#[derive(Args, Debug)]
pub(super) struct CertControllerArguments {
    /// Name of the webhook's Service
    #[arg(long, default_value = "external-secrets-webhook")]
    service_name: String,
    /// Namespace of the webhook's Service
    #[arg(long, default_value = "default")]
    service_namespace: String,
    /// Name of the Secret for the certificates, which must exist
    #[arg(long, default_value = "external-secrets-webhook")]
    secret_name: String,
    /// Namespace of that Secret
    #[arg(long, default_value = "default")]
    secret_namespace: String,
    /// CRDs that may use conversion by webhook; can be repeated
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "externalsecrets.external-secrets.io,clusterexternalsecrets.external-secrets.io,clustersecretstores.external-secrets.io,secretstores.external-secrets.io"
    )]
    crd_names: Vec<String>,
    /// How often everything is checked even if nothing has changed
    #[arg(long, default_value = "5m0s")]
    crd_requeue_interval: GoDuration,
    /// Validity of the certificate authority
    #[arg(long, default_value = "87600h0m0s")]
    ca_validity: GoDuration,
    /// Validity of a serving certificate
    #[arg(long, default_value = "8760h0m0s")]
    certificate_validity: GoDuration,
    /// How long before its expiry a certificate is replaced; at most a third of its validity
    #[arg(long, default_value = "2160h0m0s")]
    lookahead_interval: GoDuration,
    /// How long a new certificate authority is published to the API servers before it is used
    #[arg(long, default_value = "2m0s")]
    settle_interval: GoDuration,
    /// Address of the probes /healthz and /readyz; "0" turns them off
    #[arg(long, default_value = ":8081")]
    healthz_addr: String,
    /// Elect a leader among the replicas; the others stand by
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_leader_election: bool,
    /// Accepted without effect, for compatibility with ESO: there is no cache
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_partial_cache: Option<bool>,
    #[command(flatten)]
    api_health: ApiHealthArguments,
    #[command(flatten)]
    metrics: MetricsArguments,
    #[command(flatten)]
    logging: LoggingArguments,
}

/// Runs the cert-controller until SIGTERM or SIGINT.
///
/// # Errors
/// [`Error`], before any work began or when the lease was lost.
pub(super) async fn execute(arguments: CertControllerArguments) -> Result<(), Error> {
    let log = arguments.logging.start();
    let settings = arguments.settings()?;
    let stop = shutdown::on_signal()?;
    log.follow_signals(&stop)?;
    let metrics = Metrics::new(ObjectOptions::default())?;
    let api_health = arguments.api_health.watched(&metrics);
    let connection = kube_client::from_environment(api_health.clone()).await?;
    let client = connection.client()?;
    let operated = Operated { metrics: metrics.clone(), log };
    let endpoints = Endpoints::start()?;
    arguments.metrics.serve(&endpoints, operated, Some(client.clone()), stop.clone())?;
    let readiness = Readiness::while_well(api_health.clone());
    readiness.set_not_ready("the certificates have not been checked yet");
    endpoints.serve_probes("healthz-addr", &arguments.healthz_addr, readiness.clone(), stop.clone())?;
    if !arguments.enable_leader_election {
        certificates::run((client, api_health), settings, readiness, stop).await;
        return Ok(());
    }
    // A replica that stands by is ready.
    readiness.set_ready();
    metrics.leads(LEASE, false);
    let namespace = connection.namespace().to_owned();
    let election = leader_election::Settings { namespace, name: LEASE.to_owned(), timing: Timing::default() };
    let Some(leadership) = leader_election::acquire(client, election, &stop).await else { return Ok(()) };
    metrics.leads(LEASE, true);
    readiness.set_not_ready("just became leader; the certificates have not been checked yet");
    let client = connection.guarded(leadership.guard())?;
    certificates::run((client, api_health), settings, readiness, shutdown::first_of(stop, leadership.ended())).await;
    Ok(leadership.finish().await?)
}

impl CertControllerArguments {
    fn settings(&self) -> Result<Settings, Error> {
        let duration = |duration: GoDuration| duration.positive().unwrap_or_default();
        let lifetimes = Lifetimes {
            authority: duration(self.ca_validity),
            serving: duration(self.certificate_validity),
            lookahead: duration(self.lookahead_interval),
        };
        if lifetimes.serving.is_zero() || lifetimes.serving > lifetimes.authority {
            return Err(Error::Validity);
        }
        Ok(Settings {
            service: (self.service_name.clone(), self.service_namespace.clone()),
            secret: (self.secret_name.clone(), self.secret_namespace.clone()),
            crds: self.crd_names.clone(),
            interval: self.crd_requeue_interval.positive().unwrap_or(Duration::from_mins(5)),
            lifetimes,
            settle: duration(self.settle_interval),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use kube::ResourceExt;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: CertControllerArguments,
    }

    #[test]
    fn the_authority_is_injected_into_each_definition_with_versions_to_convert_unless_others_are_named() {
        let mut given = Line::parse_from(["certcontroller"]).arguments.crd_names;
        let definitions = crate::api::crd::all();
        let several_versions = definitions.iter().filter(|definition| definition.spec.versions.len() > 1);
        let mut convertible: Vec<_> = several_versions.map(ResourceExt::name_any).collect();
        given.sort();
        convertible.sort();
        assert_eq!(given, convertible);
    }
}
