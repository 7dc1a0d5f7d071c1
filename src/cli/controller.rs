//! The program without a subcommand: the controllers. It accepts the flags of ESO's program.

use std::time::Duration;

use clap::{ArgAction, Args};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::api::GoDuration;
use crate::controller::core::api_call::bounded;
use crate::controller::options::{FloodGate, GenericTargets, Options, Switch};
use crate::controller::run::{RunError, Setup, run};
use crate::runtime::health::{Endpoints, HealthError, Operated, Readiness};
use crate::runtime::kube_client::{self, KubeClientError};
use crate::runtime::leader_election::{self, LeaseLost, TimingError};
use crate::runtime::metrics::{ExtendedLabels, Metrics, ObjectOptions, RemoteExpiry};
use crate::runtime::shutdown;
use crate::template::Delimiters;

use super::api_health::ApiHealthArguments;
use super::go_bool::go_bool;
use super::leader_election::LeaderElectionArguments;
use super::logging::LoggingArguments;
use super::metrics::{self, MetricsArguments};
use super::providers::{self, Tenants};

/// Number of ExternalSecrets reconciled concurrently unless `--concurrent` is given. They wait for the network most of
/// the time.
const DEFAULT_CONCURRENCY: u16 = 64;
/// The shortest time that what was pushed outlives its source.
const SHORTEST_GRACE: Duration = Duration::from_secs(1);

/// Why the controllers could not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Client(#[from] KubeClientError),
    /// An endpoint cannot be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Signals cannot be received.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// The providers cannot be set up.
    #[error(transparent)]
    Providers(#[from] providers::Error),
    /// The cluster has no name of its own to tag objects with.
    #[error(
        "--push-owner-tag: the UID of the namespace kube-system could not be read (it takes the right to list namespaces, which scopedRBAC does not give): {0}"
    )]
    ClusterUnknown(String),
    /// The controllers could not start, or ended unexpectedly.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The metrics cannot be served.
    #[error(transparent)]
    Endpoint(#[from] metrics::Error),
    /// The times of leader election contradict each other.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// Another replica may lead, so this process must restart.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
}

/// Flags of the controllers: those of ESO 2.9.0, with its meaning, and a few of our own.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of ESO that is true or false")]
#[derive(Args, Debug)]
pub(super) struct ControllerArguments {
    /// Address of the probes /healthz and /readyz; "0" turns them off
    #[arg(long, default_value = ":8082")]
    live_addr: String,
    /// Class of this controller; stores with another spec.controller are ignored
    #[arg(long, default_value = "default")]
    controller_class: String,
    /// Number of ExternalSecrets reconciled at the same time
    #[arg(long, default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..))]
    concurrent: u16,
    /// Only reconcile this namespace
    #[arg(long, default_value = "")]
    namespace: String,
    /// Validation interval for stores that set no refreshInterval
    #[arg(long, default_value = "5m0s")]
    store_requeue_interval: GoDuration,
    /// Hold ExternalSecrets back until their store is Ready
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_flood_gate: bool,
    /// Left delimiter of template actions
    #[arg(long, default_value = "{{")]
    template_left_delimiter: String,
    /// Right delimiter of template actions
    #[arg(long, default_value = "}}")]
    template_right_delimiter: String,
    /// Reconcile ClusterSecretStores; if false, they are not watched, and ExternalSecrets that use one are ignored
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_cluster_store_reconciler: bool,
    /// Reconcile SecretStores; if false, they are not watched, and ExternalSecrets that use one are ignored
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_secret_store_reconciler: bool,
    /// Reconcile ClusterExternalSecrets; if false, or with --namespace, they are not watched
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_cluster_external_secret_reconciler: bool,
    /// Reconcile PushSecrets; if false, or where the cluster does not serve them, they are not watched
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_push_secret_reconciler: bool,
    /// Reconcile ClusterPushSecrets; if false, or with --namespace, or where PushSecrets are not reconciled, they are not watched
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_cluster_push_secret_reconciler: bool,
    /// Also push Secrets that are credentials of the cluster itself: tokens of service accounts, and bootstrap tokens
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    push_token_secrets: bool,
    /// Tag what PushSecrets write with the UID of the namespace kube-system, and leave alone what has the tag of another
    /// cluster
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    push_owner_tag: bool,
    /// How long a source of a PushSecret with deletionPolicy Delete must be gone before what was pushed is deleted: a Secret that is
    /// replaced is gone for a moment; at least one second
    #[arg(long, default_value = "1m0s")]
    push_deletion_grace_period: GoDuration,
    /// Also write ConfigMaps and custom resources (target.manifest). They are not Secrets: other RBAC rules grant
    /// access to them, and they are seldom encrypted at rest
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    unsafe_allow_generic_targets: bool,
    /// Add the app.kubernetes.io/... labels of ExternalSecrets and stores to their metrics
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_extended_metric_labels: bool,
    /// Export as a metric when the values of ExternalSecrets expire at the provider, if they do
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_parser = go_bool)]
    enable_remote_expiry_metrics: bool,
    /// Limit of ExternalSecrets, and of stores of each kind, that have metrics of their own; totals include all objects
    #[arg(long, value_name = "NUMBER", default_value_t = ObjectOptions::default().most)]
    metrics_max_objects: usize,
    #[command(flatten)]
    api_health: ApiHealthArguments,
    #[command(flatten)]
    leader_election: LeaderElectionArguments,
    #[command(flatten)]
    providers: providers::ProviderArguments,
    #[command(flatten)]
    metrics: MetricsArguments,
    #[command(flatten)]
    logging: LoggingArguments,
    #[command(flatten)]
    accepted: AcceptedArguments,
}

/// Flags of ESO without effect here. They are accepted so that its chart's arguments
/// work unchanged; the log names those that are given.
#[derive(Args, Debug)]
#[command(next_help_heading = "Accepted without effect, for compatibility with ESO")]
struct AcceptedArguments {
    /// No client-side rate limit; the API server's Priority and Fairness applies
    #[arg(long)]
    client_qps: Option<f32>,
    /// See --client-qps
    #[arg(long)]
    client_burst: Option<i32>,
    /// Secrets are watched without their content
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_secrets_caching: Option<bool>,
    /// ConfigMaps are not watched
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_configmaps_caching: Option<bool>,
    /// Secrets are watched without their content
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_managed_secrets_caching: Option<bool>,
    /// The API server is always asked if the watch shows another version
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_secret_api_read_on_cache_mismatch: Option<bool>,
    /// No supported generator keeps a state of its own
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    enable_generator_state: Option<bool>,
    /// See --enable-generator-state
    #[arg(long)]
    generator_gc_grace_period: Option<GoDuration>,
}

/// Runs the controllers until SIGTERM or SIGINT.
///
/// # Errors
/// [`Error`]
pub(super) async fn execute(arguments: ControllerArguments) -> Result<(), Error> {
    let log = arguments.logging.start();
    for flag in arguments.accepted.given() {
        tracing::warn!(flag, "this flag is accepted for compatibility and has no effect");
    }
    let stop = shutdown::on_signal()?;
    log.follow_signals(&stop)?;
    let metrics = Metrics::new(arguments.objects())?;
    let api_health = arguments.api_health.watched(&metrics);
    let connection = kube_client::from_environment(api_health.clone()).await?;
    let client = connection.client()?;
    let readiness = Readiness::while_well(api_health.clone());
    let endpoints = Endpoints::start()?;
    endpoints.serve_probes("live-addr", &arguments.live_addr, readiness.clone(), stop.clone())?;
    let operated = Operated { metrics: metrics.clone(), log };
    arguments.metrics.serve(&endpoints, operated, Some(client.clone()), stop.clone())?;
    let options = arguments.options();
    let tenants = if options.namespace.is_some() { Tenants::One } else { Tenants::Many };
    let owner = if arguments.push_owner_tag { Some(uid_of_cluster(&client).await?) } else { None };
    let providers = providers::counted::build(&arguments.providers, tenants, owner, metrics.clone())?;
    let Some(election) = arguments.leader_election.settings(connection.namespace())? else {
        return Ok(run(Setup { client, api_health, options, providers, metrics, readiness, stop }).await?);
    };
    // A replica that stands by is ready.
    readiness.set_ready();
    let lease = election.name.clone();
    metrics.leads(&lease, false);
    let Some(leadership) = leader_election::acquire(client, election, &stop).await else { return Ok(()) };
    readiness.set_not_ready("just became leader; still waiting for the initial list of every watch");
    metrics.leads(&lease, true);
    let client = connection.guarded(leadership.guard())?;
    let stop = shutdown::first_of(stop, leadership.ended());
    let ended = run(Setup { client, api_health, options, providers, metrics, readiness, stop }).await;
    leadership.finish().await?;
    Ok(ended?)
}

/// What tells this cluster from others.
async fn uid_of_cluster(client: &Client) -> Result<String, Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let unknown = |why: &dyn std::fmt::Display| Error::ClusterUnknown(why.to_string());
    // Listed: the controller has the right to list namespaces anyway, and not that to get one.
    let only = ListParams::default().fields("metadata.name=kube-system").limit(1);
    let found = bounded(namespaces.list_metadata(&only)).await.map_err(|error| unknown(&error))?;
    let uid = found.items.into_iter().find_map(|namespace| namespace.metadata.uid);
    uid.ok_or_else(|| unknown(&"there is none"))
}

impl ControllerArguments {
    fn objects(&self) -> ObjectOptions {
        let extended = if self.enable_extended_metric_labels { ExtendedLabels::Shown } else { ExtendedLabels::Hidden };
        let remote_expiry = if self.enable_remote_expiry_metrics { RemoteExpiry::Shown } else { RemoteExpiry::Hidden };
        ObjectOptions { extended, most: self.metrics_max_objects, remote_expiry }
    }

    fn options(&self) -> Options {
        Options {
            namespace: Some(self.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            controller_class: self.controller_class.clone(),
            concurrency: self.concurrent,
            store_requeue_interval: self.store_requeue_interval.positive().unwrap_or(Duration::from_mins(5)),
            template_delimiters: Delimiters::new(&self.template_left_delimiter, &self.template_right_delimiter),
            flood_gate: if self.enable_flood_gate { FloodGate::Closed } else { FloodGate::Open },
            generic_targets: GenericTargets::of_flag(self.unsafe_allow_generic_targets),
            secret_stores: Switch::of_flag(self.enable_secret_store_reconciler),
            cluster_secret_stores: Switch::of_flag(self.enable_cluster_store_reconciler),
            // ClusterExternalSecrets concern all namespaces.
            cluster_external_secrets: Switch::of_flag(
                self.enable_cluster_external_secret_reconciler && self.namespace.is_empty(),
            ),
            push_secrets: Switch::of_flag(self.enable_push_secret_reconciler),
            cluster_push_secrets: Switch::of_flag(
                self.enable_cluster_push_secret_reconciler && self.namespace.is_empty(),
            ),
            push_token_secrets: Switch::of_flag(self.push_token_secrets),
            push_grace: self.push_deletion_grace_period.positive().unwrap_or_default().max(SHORTEST_GRACE),
        }
    }
}

impl AcceptedArguments {
    /// The names of the flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let flags = [
            (self.client_qps.is_some(), "--client-qps"),
            (self.client_burst.is_some(), "--client-burst"),
            (self.enable_secrets_caching.is_some(), "--enable-secrets-caching"),
            (self.enable_configmaps_caching.is_some(), "--enable-configmaps-caching"),
            (self.enable_managed_secrets_caching.is_some(), "--enable-managed-secrets-caching"),
            (self.enable_secret_api_read_on_cache_mismatch.is_some(), "--enable-secret-api-read-on-cache-mismatch"),
            (self.enable_generator_state.is_some(), "--enable-generator-state"),
            (self.generator_gc_grace_period.is_some(), "--generator-gc-grace-period"),
        ];
        flags.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag).collect()
    }
}
